"""Masks drawn on pictures: each in a color of its own, with a line around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb
from opsin.masks import Mask

COLORS: Final = (
    (230, 60, 60),
    (60, 120, 230),
    (70, 180, 70),
    (240, 160, 30),
    (160, 80, 200),
    (40, 190, 190),
    (230, 100, 180),
    (150, 130, 60),
)
"""One after the other; the ninth mask has the first one again."""
SHARE: Final = 0.45  # of the color in what is drawn
LINE: Final = 1 / 400  # of the picture's longer side: how thick the line is


def tinted(pixels: NDArray[Any], masks: Sequence[Mask]) -> NDArray[np.uint8]:
    """A copy (H, W, 3) of a picture (H, W, 1 or 3) with masks on it.

    >>> mask = Mask(np.ones((2, 2), bool))
    >>> tinted(np.zeros((4, 4, 1), np.uint8), [mask])[3, 3].tolist()
    [0, 0, 0]
    """
    out = as_rgb(pixels).copy()
    line = max(1, round(max(out.shape[:2]) * LINE))
    for number, mask in enumerate(masks):
        height, width = mask.crop.shape
        place = out[mask.top : mask.top + height, mask.left : mask.left + width]
        crop = mask.crop[: place.shape[0], : place.shape[1]]
        color = np.array(COLORS[number % len(COLORS)], np.float32)
        place[crop] = np.rint(SHARE * color + (1 - SHARE) * place[crop])
        place[crop & ~_shrunk(crop, line)] = color
    return out


def _shrunk(crop: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """Without the pixels that have one outside at a distance of `by` to a side, up or down."""
    height, width = crop.shape
    wide = np.pad(crop, by)
    inside = crop.copy()
    for move in range(2 * by + 1):
        inside &= wide[move : move + height, by : by + width]
        inside &= wide[by : by + height, move : move + width]
    return inside
