"""Making faces unrecognizable: what is left of each are a few colors that run into each other.

No filter that could be undone: a face is replaced by the mean colors of four cells across, so that
what told people apart is no longer in the file.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import as_boxes
from opsin.drawing.pixels import resized

CELLS: Final = 4  # across the hidden region: two or three of them across the face
AROUND: Final = 2**0.5  # of the half axes: the ellipse through a box's corners
SOFT: Final = 0.15  # how far beyond it the picture comes back, as a share of the half axes


def hidden(pixels: NDArray[Any], boxes: Any) -> NDArray[Any]:
    """A copy of pixels (H, W, C) of 8 or 16 bits, with what lies in boxes (N, 4) unrecognizable.

    >>> picture = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64, 1)
    >>> bool((hidden(picture, [[20, 20, 40, 40]]) == picture)[0].all())
    True
    """
    out = pixels.copy()
    for box in as_boxes(boxes):
        _hide(out, box)
    return out


def _hide(pixels: NDArray[Any], box: NDArray[np.float32]) -> None:
    height, width = pixels.shape[:2]
    center = (box[:2] + box[2:]) / 2
    half = np.maximum((box[2:] - box[:2]) / 2, 0.5) * AROUND
    left, top = np.floor(center - half * (1 + SOFT)).clip(0).astype(int)
    right, bottom = np.ceil(center + half * (1 + SOFT)).clip(1, (width, height)).astype(int)
    part = pixels[top:bottom, left:right]
    if not part.size:
        return
    few = resized(part, min(CELLS, part.shape[0]), min(CELLS, part.shape[1]), kernel="linear")
    plain = resized(few, *part.shape[:2], kernel="cubic")
    x, y = np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5
    away = np.hypot((x - center[0]) / half[0], ((y - center[1]) / half[1])[:, None])
    share = ((1 + SOFT - away) / SOFT).clip(0, 1)[..., None]
    part[...] = np.rint(share * plain + (1 - share) * part)
