"""How well the outlines of two masks agree: the boundary F-measure of DAVIS.

Precision is the share of the found outline's pixels that have a pixel of the true one within a
tolerance, recall the share of the true ones that have a found one, and F their harmonic mean. A
pixel is of the outline if the one to its right, below it, or both, differs from it in belonging.
The tolerance is 0.8 % of the picture's diagonal, rounded up to whole pixels, as a disk.

Perazzi and others: A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation
(CVPR 2016), section 4, "contour accuracy"; tolerance and outline as in the authors' code.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bools: TypeAlias = NDArray[np.bool_]

TOLERANCE: Final = 0.008
"""Of the picture's diagonal."""


def boundary_f(found: Bools, true: Bools, tolerance: float = TOLERANCE) -> float:
    """The F-measure of the outlines of two masks (H, W), from 0 to 1.

    Where neither has an outline it is 1; where one has, 0.

    >>> square = np.pad(np.ones((9, 9), bool), 5)
    >>> boundary_f(square, square), boundary_f(square, square[::-1] & False)
    (1.0, 0.0)
    """
    if found.shape != true.shape:
        raise ValueError(f"masks must have one shape, got {found.shape} and {true.shape}.")
    radius = math.ceil(tolerance * math.hypot(*true.shape))
    lines = outline(found), outline(true)
    counts = [int(line.sum()) for line in lines]
    if not all(counts):
        return float(counts == [0, 0])
    precision = float((lines[0] & near(lines[1], radius)).sum()) / counts[0]
    recall = float((lines[1] & near(lines[0], radius)).sum()) / counts[1]
    together = precision + recall
    return 2 * precision * recall / together if together else 0.0


def outline(mask: Any) -> Bools:
    """(H, W): the pixels of a mask (H, W) where it changes to the right, below, or diagonally.

    >>> outline([[0, 0, 0], [0, 0, 1]]).astype(int).tolist()
    [[0, 1, 1], [0, 1, 0]]
    """
    mask = np.asarray(mask, np.bool_)
    line: Bools = np.zeros_like(mask)
    line[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    line[:-1] |= mask[:-1] != mask[1:]
    line[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return line


def near(mask: Bools, radius: int) -> Bools:
    """(H, W): the pixels that have one of `mask` (H, W) at a distance of `radius` or less.

    >>> near(np.array([[1, 0, 0, 0]], bool), 2).tolist()
    [[True, True, True, False]]
    """
    height, width = mask.shape
    sums = np.zeros((height, width + 1), np.int32)
    np.cumsum(mask, axis=1, out=sums[:, 1:])
    place = np.arange(width)
    found = np.zeros_like(mask)
    for down in range(-radius, radius + 1):
        half = math.isqrt(radius * radius - down * down)
        last, first = np.minimum(place + half + 1, width), np.maximum(place - half, 0)
        rows = slice(max(0, down), height + min(0, down))
        source = slice(max(0, -down), height + min(0, -down))
        found[rows] |= sums[source][:, last] > sums[source][:, first]
    return found
