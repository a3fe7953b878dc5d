"""The integral image: after it is made, the sum over any rectangle takes four numbers.

Crow: Summed-area tables for texture mapping, SIGGRAPH 1984; Viola and Jones 2001, section 2.1.
"""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats

Sums: TypeAlias = NDArray[np.uint32]
Spans: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]


def integral(pixels: NDArray[np.unsignedinteger[Any]]) -> Sums:
    """(H + 1, W + 1, C): at y, x the sum of all pixels above y and left of x.

    Of more than 16 megapixels sums run over, as of a clock; differences are right nevertheless, as
    long as the rectangle is smaller.

    >>> integral(np.ones((2, 3, 1), np.uint8))[..., 0].tolist()
    [[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 4, 6]]
    """
    height, width, channels = pixels.shape
    sums = np.zeros((height + 1, width + 1, channels), np.uint32)
    for channel in range(channels):
        np.cumsum(pixels[..., channel], axis=1, dtype=np.uint32, out=sums[1:, 1:, channel])
    for above, row in itertools.pairwise(sums):  # faster than NumPy's sum along the first axis
        row += above
    return sums


def spans(start: Any, stop: Any, count: int) -> Spans:
    """Where each of `count` equal parts of start to stop begins and ends, (..., count) whole
    pixels: those that it covers in whole or in part.

    >>> [side.tolist() for side in spans(0, 3, 2)]
    [[0, 1], [2, 3]]
    """
    first = np.asarray(start)[..., None]
    length, part = np.asarray(stop)[..., None] - first, np.arange(count)
    return first + part * length // count, first - (-(part + 1) * length // count)


def shrunk(sums: Sums, height: int, width: int) -> Floats:
    """(height, width, C): the whole picture at another size; each pixel is the mean of those that
    it stands for."""
    top, bottom = spans(0, sums.shape[0] - 1, height)
    left, right = spans(0, sums.shape[1] - 1, width)
    rows = sums[bottom] - sums[top]
    total = rows.take(right, axis=1) - rows.take(left, axis=1)
    covered = (bottom - top)[:, None] * (right - left)
    return np.asarray(total / covered[..., None].astype(np.float32), np.float32)


def cut(sums: Sums, found: NDArray[np.intp], side: int) -> Floats:
    """(N, side, side, C): the same of rectangles (N, 4) of whole pixels, of one or more each."""
    width = sums.shape[1]
    flat = sums.reshape(-1, sums.shape[2])
    top, bottom = spans(found[:, 1], found[:, 3], side)
    left, right = spans(found[:, 0], found[:, 2], side)

    def at(y: NDArray[np.intp], x: NDArray[np.intp]) -> Sums:
        here: Sums = flat.take(y[:, :, None] * width + x[:, None, :], axis=0)
        return here

    total = at(bottom, right) - at(bottom, left) - at(top, right) + at(top, left)
    covered = (bottom - top)[:, :, None] * (right - left)[:, None, :]
    return np.asarray(total / covered[..., None].astype(np.float32), np.float32)
