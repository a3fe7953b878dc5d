"""The small "AI" that a colorized copy may wear in its lower right corner."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LETTERS = (
    ".............",
    ".............",
    "...###...###.",
    "..#...#...#..",
    "..#...#...#..",
    "..#####...#..",
    "..#...#...#..",
    "..#...#...#..",
    "..#...#..###.",
    ".............",
    ".............",
)
SHARE = 0.03  # of the picture's short side
DIMMING = 0.35  # of the picture's light that shows through the plate


def marked(pixels: NDArray[Any]) -> NDArray[Any]:
    """A copy of (H, W, C) pixels with the mark; what does not fit is cut.

    >>> marked(np.zeros((100, 100, 1), np.uint8)).max()
    np.uint8(255)
    """
    out = pixels.copy()
    height, width = pixels.shape[:2]
    stencil = np.array([[cell == "#" for cell in row] for row in LETTERS])
    scale = max(1, round(min(height, width) * SHARE / len(LETTERS)))
    stencil = np.kron(stencil, np.ones((scale, scale), bool)).astype(bool)
    gap = 2 * scale
    bottom, right = max(height - gap, 1), max(width - gap, 1)
    top, left = max(bottom - stencil.shape[0], 0), max(right - stencil.shape[1], 0)
    plate = out[top:bottom, left:right]
    plate[...] = plate * DIMMING
    plate[stencil[: plate.shape[0], : plate.shape[1]]] = np.iinfo(pixels.dtype).max
    return out
