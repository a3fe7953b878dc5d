"""The colors that belong to a thing where a pixel shows it and what is behind it: no halo.

A pixel at the edge of hair is a mixture, alpha * F + (1 - alpha) * B. Its foreground F and
background B are first taken for the means of what is certain around it, weighted by alpha and by
1 - alpha, then corrected such that the mixture is the pixel again; once in wide windows, so that
there is always something certain, and once in narrow ones.

Forte: Approximate Fast Foreground Colour Estimation (ICIP 2021), equations 4 to 7, "blur fusion";
here on a picture of some hundred pixels, and the last step at full size.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import resized
from opsin.objects.guided import box_mean

Floats: TypeAlias = NDArray[np.float32]

SIDE: Final = 768  # pixels of the longer side of the picture on which colors are looked for
RADII: Final = (70, 5)  # pixels of it: the windows of the paper, 90 and 6, at this size
NONE: Final = 1e-5  # weight: where nothing is near, colors are black, and count for nothing


class Mixed(NamedTuple):
    """Where a photograph shows both, and what is in front there."""

    where: tuple[NDArray[np.intp], ...]
    """Rows and columns (n,)."""
    alpha: Floats
    """(n,): how much of each is in front."""
    front: Floats
    """(n, C): its colors, from 0 to the largest of the photograph's type."""


def mixed(pixels: NDArray[Any], alpha: Floats) -> Mixed:
    """The mixed pixels of a photograph (H, W, C) of 8 or 16 bits whose alpha is (H, W)."""
    where = np.nonzero((alpha > 0) & (alpha < 1))
    share = alpha[where][:, None]
    if not share.size:
        return Mixed(where, share[:, 0], np.zeros((0, pixels.shape[2]), np.float32))
    height, width = alpha.shape
    front, behind = (
        resized(plane, height, width, kernel="linear")[where] for plane in _small(pixels, alpha)
    )
    seen = pixels[where].astype(np.float32)
    front = front + share * (seen - share * front - (1 - share) * behind)
    return Mixed(where, share[:, 0], np.clip(front, 0, np.iinfo(pixels.dtype).max))


def _small(pixels: NDArray[Any], alpha: Floats) -> tuple[Floats, Floats]:
    """(h, w, C) each: what is in front and what is behind, of a small picture."""
    scale = min(1, SIDE / max(alpha.shape))
    size_hw = tuple(max(1, round(length * scale)) for length in alpha.shape)
    seen = resized(pixels, *size_hw, kernel="linear").astype(np.float32)
    share = resized(alpha[..., None], *size_hw, kernel="linear")
    front, behind = seen, seen
    for radius in RADII:
        front, behind = _fused(seen, front, behind, share, radius)
    return front, behind


def _fused(
    seen: Floats, front: Floats, behind: Floats, share: Floats, radius: int
) -> tuple[Floats, Floats]:
    """One step: the means of what is in front and behind, and the correction of the first."""
    front, behind = spread(front, share, radius), spread(behind, 1 - share, radius)
    corrected = front + share * (seen - share * front - (1 - share) * behind)
    return np.asarray(corrected, np.float32), behind


def spread(values: Floats, weights: Floats, radius: int) -> Floats:
    """(h, w, C): the mean of `values` (h, w, C) in each window, weighted by `weights` (h, w, 1).

    >>> spread(np.float32([[[8], [2]]]), np.float32([[[1], [0]]]), 1).round(2).tolist()
    [[[8.0], [8.0]]]
    """
    whole = box_mean(weights[..., 0], radius) + np.float32(NONE)
    planes = [
        box_mean(values[..., channel] * weights[..., 0], radius) / whole
        for channel in range(values.shape[2])
    ]
    return np.stack(planes, axis=2)
