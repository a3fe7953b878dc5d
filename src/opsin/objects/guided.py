"""A guided filter: a plane that follows the edges of another one.

Within each window the answer is a line in the guide, `a * guide + b`, that comes nearest to the
plane (least squares, with a penalty on `a`); where the guide has an edge, the answer has one.
The lines are found on small pictures and enlarged, so that a large photograph costs little more.

He, Sun, Tang: Guided Image Filtering (ECCV 2010), equations 5 to 8; He, Sun: Fast Guided Filter
(2015), for small pictures and large answers.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]


class Lines(NamedTuple):
    """At each place the answer is `slope * guide + offset`."""

    slope: Floats  # (h, w)
    offset: Floats  # (h, w)


def lines(guide: Floats, plane: Floats, *, radius: int, penalty: float) -> Lines:
    """The lines by which `plane` (h, w) follows `guide` (h, w), both mostly from 0 to 1.

    A window reaches `radius` pixels to each side. `penalty` is the variance of the guide below
    which it counts as flat (epsilon of the paper).

    >>> flat = np.zeros((5, 5), np.float32)
    >>> found = lines(flat, flat + 0.5, radius=1, penalty=0.01)
    >>> float(found.slope.max()), float(found.offset.min())
    (0.0, 0.5)
    """
    if guide.shape != plane.shape:
        raise ValueError(f"guide {guide.shape} and plane {plane.shape} must have one shape.")
    mean, mean_plane = box_mean(guide, radius), box_mean(plane, radius)
    variance: Floats = box_mean(guide * guide, radius) - mean * mean
    covariance = box_mean(guide * plane, radius) - mean * mean_plane
    slope: Floats = np.asarray(
        covariance / (np.maximum(variance, 0) + np.float32(penalty)), np.float32
    )
    offset = mean_plane - slope * mean
    return Lines(box_mean(slope, radius), box_mean(offset, radius))


def box_mean(plane: Floats, radius: int) -> Floats:
    """The mean of each window of 2 * `radius` + 1 pixels a side, of those that are in the plane.

    >>> box_mean(np.float32([[0, 3, 6]]), 1).tolist()
    [[1.5, 3.0, 4.5]]
    """
    for axis in (0, 1):
        plane = _means(plane, radius, axis)
    return plane


def _means(plane: Floats, radius: int, axis: int) -> Floats:
    length = plane.shape[axis]
    sums = np.cumsum(plane, axis=axis, dtype=np.float32)
    sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis=axis)
    place = np.arange(length)
    first, last = np.maximum(place - radius, 0), np.minimum(place + radius + 1, length)
    counts = (last - first).astype(np.float32)
    shape = (-1, 1) if axis == 0 else (1, -1)
    found = (sums.take(last, axis) - sums.take(first, axis)) / counts.reshape(shape)
    return np.asarray(found, np.float32)
