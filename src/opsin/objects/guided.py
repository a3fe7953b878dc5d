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

    `plane` is (h, w), or (h, w, C), several that are looked at together, which is faster.

    >>> box_mean(np.float32([[0, 3, 6]]), 1).tolist()
    [[1.5, 3.0, 4.5]]
    """
    room = np.empty((2, plane.size), np.float32)  # fresh memory costs as much as the sums
    for _ in range(2):
        turned, found = room.reshape(2, *plane.swapaxes(0, 1).shape)
        np.copyto(turned, plane.swapaxes(0, 1))
        _means_down(turned, radius, found)
        plane = found
    return plane


def _means_down(rows: Floats, radius: int, found: Floats) -> None:
    """The means of rows (n, ...) with those up to `radius` above and below each, by one sum that
    goes down with them."""
    count = len(rows)
    total = rows[:radius].sum(axis=0)
    for number in range(count):
        if number + radius < count:
            total += rows[number + radius]
        if number > radius:
            total -= rows[number - radius - 1]
        found[number] = total
    place = np.arange(count)
    lengths = np.minimum(place + radius + 1, count) - np.maximum(place - radius, 0)
    found *= (1 / lengths).astype(np.float32).reshape(-1, *[1] * (rows.ndim - 1))
