"""A picture cut into regions of even color: the ground that selective search builds on.

Felzenszwalb and Huttenlocher 2004, "Efficient Graph-Based Image Segmentation". Pixels are the nodes
of a graph, neighbors are joined by an edge as heavy as their colors differ. Edges are taken from
the lightest to the heaviest; one joins the two regions at its ends if it is hardly heavier than
what already holds each of them together. So an even sky becomes one region, and a lawn, whose
neighbors differ everywhere, one as well.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.formats.vips import vips

Numbers: TypeAlias = NDArray[np.intp]

SIGMA: Final = 0.8
"""Pixels by which a picture is blurred first, against the steps of its raster (section 5)."""


def segmented(planes: Any, *, scale: float, least: int) -> Numbers:
    """(H, W): the number of each pixel's region, from 0 on, in the order of their first pixels.

    `planes` (H, W, C) are in any unit, `scale` (the paper's k) is in the same one: the larger, the
    larger the regions. Those of fewer than `least` pixels are joined to a neighbor.

    >>> halves = np.repeat([[0.0, 0.0, 0.0, 90.0, 90.0, 90.0]], 4, axis=0)[..., None]
    >>> segmented(halves, scale=20, least=5)[0].tolist()
    [0, 0, 0, 1, 1, 1]
    """
    smooth = blurred(planes, SIGMA)
    height, width = smooth.shape[:2]
    first, second, weights = _edges(smooth)
    order = np.argsort(weights, kind="stable")
    edges = first[order], second[order], weights[order]
    roots = _joined(height * width, *edges, scale=scale, least=least)
    _, firsts, numbers = np.unique(roots, return_index=True, return_inverse=True)
    ranks = np.empty(len(firsts), np.intp)
    ranks[np.argsort(firsts)] = np.arange(len(firsts))
    return ranks[numbers].reshape(height, width)


def blurred(planes: Any, sigma: float) -> Floats:
    """`planes` (H, W, C) under a Gaussian of `sigma` pixels."""
    image = vips().Image.new_from_array(np.ascontiguousarray(planes, np.float32))
    image = image.gaussblur(sigma, min_ampl=0.01, precision="float")
    return np.asarray(image.numpy(), np.float32).reshape(np.shape(planes))


def _edges(planes: Floats) -> tuple[Numbers, Numbers, Floats]:
    """Each pixel with its neighbors to the right, below, and on both diagonals: their numbers, and
    how far their colors are apart."""
    height, width = planes.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    ends: list[tuple[Any, Any]] = [
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[:-1, :-1], np.s_[1:, 1:]),
        (np.s_[:-1, 1:], np.s_[1:, :-1]),
    ]
    apart = [np.linalg.norm(planes[one] - planes[other], axis=2).ravel() for one, other in ends]
    firsts = np.concatenate([numbers[one].ravel() for one, _ in ends])
    seconds = np.concatenate([numbers[other].ravel() for _, other in ends])
    return firsts, seconds, np.concatenate(apart)


def _joined(
    count: int, firsts: Numbers, seconds: Numbers, weights: Floats, *, scale: float, least: int
) -> Numbers:
    """(count,): one node of each node's region, its root, by edges in the order of their weights.

    Section 4, algorithm 1: a region of n pixels that is held together by edges of at most w takes
    edges up to w + scale / n. What is left too small is joined to its nearest in color.
    """
    parent, size, limit = list(range(count)), [1] * count, [scale] * count

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    def join(one: int, other: int) -> int:
        if size[one] < size[other]:
            one, other = other, one
        parent[other] = one
        size[one] += size[other]
        return one

    for first, second, weight in zip(*_plain(firsts, seconds, weights), strict=True):
        one, other = root(first), root(second)
        if one != other and weight <= limit[one] and weight <= limit[other]:
            made = join(one, other)
            limit[made] = weight + scale / size[made]
    ends = _roots(parent)[firsts], _roots(parent)[seconds]
    between = ends[0] != ends[1]
    for first, second in zip(*_plain(ends[0][between], ends[1][between]), strict=True):
        one, other = root(first), root(second)
        if one != other and min(size[one], size[other]) < least:
            join(one, other)
    return _roots(parent)


def _roots(parent: list[int]) -> Numbers:
    """The root of each node."""
    roots = np.array(parent, np.intp)
    while (further := roots[roots]).tobytes() != roots.tobytes():
        roots = further
    return roots


def _plain(*arrays: NDArray[Any]) -> list[list[Any]]:
    """Lists, which a loop in Python reads faster than arrays."""
    return [one.tolist() for one in arrays]
