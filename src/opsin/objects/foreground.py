"""The colors that belong to a thing where a pixel shows it and what is behind it: no halo.

A pixel at the edge of hair is a mixture, alpha * F + (1 - alpha) * B. Its foreground F and
background B are first taken for the means of what is certain around it, weighted by alpha and by
1 - alpha, then corrected such that the mixture is the pixel again; once in wide windows, so that
there is always something certain, and once in narrow ones.

Forte: Approximate Fast Foreground Colour Estimation (ICIP 2021), equations 4 to 7, "blur fusion";
here on pictures of some hundred pixels, and the last step at full size.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import resized
from opsin.objects.guided import box_mean

Floats: TypeAlias = NDArray[np.float32]

SIDE: Final = 320
"""The longer side of the picture on which colors are looked for, in pixels."""
STEPS: Final = (30, 2)
"""How far a window reaches on it: as wide and as narrow as those of the paper are, 90 and 6 pixels
of a photograph."""
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
    both = sampled(np.concatenate(_small(pixels, alpha), axis=2), where, alpha.shape)
    front, behind = np.split(both, 2, axis=1)
    seen = pixels[where].astype(np.float32)
    front = front + share * (seen - share * front - (1 - share) * behind)
    return Mixed(where, share[:, 0], np.clip(front, 0, np.iinfo(pixels.dtype).max))


def _small(pixels: NDArray[Any], alpha: Floats) -> tuple[Floats, Floats]:
    """(h, w, C) each: what is in front and what is behind, of a small picture."""
    size_hw = _fitting(alpha.shape, SIDE)
    seen = resized(pixels, *size_hw, kernel="linear").astype(np.float32)
    share = resized(alpha[..., None], *size_hw, kernel="linear").astype(np.float32)
    front: Floats = seen
    behind: Floats = seen
    for radius in STEPS:
        front, behind = spread(front, share, radius), spread(behind, 1 - share, radius)
        front = np.asarray(front + share * (seen - share * front - (1 - share) * behind))
    return front, behind


def _fitting(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """A height and a width, the longer one `side` or less."""
    scale = min(1, side / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def sampled(
    plane: Floats, where: tuple[NDArray[np.intp], ...], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """(n, C): a small picture (h, w, C) enlarged to `shape`, at some of its rows and columns.

    >>> sampled(np.float32([[[0], [4]]]), (np.array([0, 0]), np.array([0, 2])), (1, 4)).tolist()
    [[0.0], [3.0]]
    """
    found = []
    for places, length, small in zip(where, shape, plane.shape, strict=False):
        center = np.clip((places + 0.5) * (small / length) - 0.5, 0, small - 1)
        first = np.minimum(center.astype(np.intp), max(small - 2, 0))
        part = (center - first).astype(np.float32)[:, None]
        found.append((first, np.minimum(first + 1, small - 1), part))
    (top, bottom, down), (left, right, across) = found
    above = plane[top, left] * (1 - across) + plane[top, right] * across
    below = plane[bottom, left] * (1 - across) + plane[bottom, right] * across
    return np.asarray(above * (1 - down) + below * down, np.float32)


def spread(values: Floats, weights: Floats, radius: int) -> Floats:
    """(h, w, C): the mean of `values` (h, w, C) in each window, weighted by `weights` (h, w, 1).

    >>> spread(np.float32([[[8], [2]]]), np.float32([[[1], [0]]]), 1).round(2).tolist()
    [[[8.0], [8.0]]]
    """
    means = box_mean(np.concatenate([values * weights, weights], axis=2), radius)
    return np.asarray(means[..., :-1] / (means[..., -1:] + np.float32(NONE)), np.float32)
