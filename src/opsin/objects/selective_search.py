"""Selective search: where things may be, by joining regions that look alike, again and again.

Uijlings et al. 2013, "Selective Search for Object Recognition". A picture is cut into small regions
(`opsin.objects.superpixels`); the two neighbors that are most alike become one region, until one is
left. Every region on the way is a proposal, so there are small and large ones, parts and wholes.
What "alike" means is the sum of four measures, each from 0 to 1 (section 3.2):

    color     how much of their color histograms two regions share
    texture   the same of histograms of gradients, by direction
    size      small regions are joined first, so that none grows while others stay small
    fill      regions that fit into each other, with little else in the box around both

No one way of joining finds everything, so it is done several times, in several color spaces, with
finer and coarser regions at the beginning, and with and without color (section 3.2, table 5).
"""

from __future__ import annotations

import heapq
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.color import rgb_to_lab
from opsin.objects.superpixels import Numbers, blurred, segmented

COLOR_BINS: Final = 25
TEXTURE_BINS: Final = 10
DIRECTIONS: Final = 8
SPACES: Final = ("hsv", "lab")
SCALES: Final = (50.0, 100.0)
"""Of the first regions; the least number of their pixels as well."""
MEASURES: Final = (("color", "texture", "size", "fill"), ("texture", "size", "fill"))


class Regions(NamedTuple):
    """What regions (N) are compared by; a row each."""

    colors: Floats
    """(N, 3 * 25) shares."""
    textures: Floats
    """(N, 3 * 8 * 10) shares."""
    sizes: Floats
    """(N,) pixels."""
    boxes: Floats
    """(N, 4), see `opsin.boxes`."""


def selective_search(rgb: NDArray[np.uint8], *, seed: int = 0) -> Floats:
    """(N, 4): the boxes of all regions on a picture (H, W, 3), the likeliest first; no two alike.

    How likely one is of a thing is a guess (section 3.3): what is joined last comes first, but for
    a factor drawn at random, or all large boxes would come before all small ones. `seed` draws it.
    """
    rng = np.random.default_rng(seed)
    found, ranks = [], []
    for space, scale in product(SPACES, SCALES):
        planes = in_space(rgb, space)
        labels = segmented(planes, scale=scale, least=round(scale))
        regions = described(planes, labels)
        for measures in MEASURES:
            boxes = joined(regions, neighbors(labels), labels.size, measures)
            found.append(boxes)
            ranks.append(np.arange(len(boxes), 0, -1) * rng.random(len(boxes)))
    every, order = np.concatenate(found), np.argsort(np.concatenate(ranks), kind="stable")
    _, first = np.unique(every[order], axis=0, return_index=True)
    return np.asarray(every[order][np.sort(first)], np.float32)


def in_space(rgb: NDArray[np.uint8], space: str) -> Floats:
    """(H, W, 3) from 0 to 255: hue, saturation and value, or L*a*b*."""
    if space == "hsv":
        return _hsv(rgb)
    lab = rgb_to_lab(rgb / np.float32(255))
    return np.asarray(np.clip(lab * [2.55, 1, 1] + [0, 128, 128], 0, 255), np.float32)


def _hsv(rgb: NDArray[np.uint8]) -> Floats:
    """Smith 1978; the hue of gray is 0."""
    values = rgb.astype(np.float32)
    most, least = values.max(axis=2), values.min(axis=2)
    spread = np.where(most > least, most - least, 1)
    red, green, blue = np.moveaxis(values, 2, 0)
    sixths = np.select(
        [most == least, most == red, most == green],
        [np.zeros_like(most), (green - blue) / spread % 6, (blue - red) / spread + 2],
        (red - green) / spread + 4,
    )
    saturation = (most - least) / np.maximum(most, 1)
    return np.stack([sixths * 42.5, saturation * 255, most], axis=2).astype(np.float32)


def described(planes: Floats, labels: Numbers) -> Regions:
    """What the regions of a picture are compared by; `planes` (H, W, 3) are from 0 to 255."""
    count = int(labels.max()) + 1
    numbers = labels.ravel()
    sizes = np.bincount(numbers, minlength=count).astype(np.float32)
    colors = [
        _histograms(numbers, plane * (COLOR_BINS / 256), COLOR_BINS, count)
        for plane in np.moveaxis(planes, 2, 0)
    ]
    textures = [
        _histograms(numbers, slope * (TEXTURE_BINS / (slope.max() + 1e-6)), TEXTURE_BINS, count)
        for slope in _slopes(planes)
    ]
    return Regions(
        np.hstack(colors) / (sizes[:, None] * len(colors)),
        np.hstack(textures) / (sizes[:, None] * len(textures)),
        sizes,
        _boxes(labels, count),
    )


def _slopes(planes: Floats) -> list[Floats]:
    """(H, W) of each plane in each direction: how steeply it rises there, at least 0.

    Section 3.2: Gaussian derivatives in eight directions, of a deviation of one pixel.
    """
    smooth = blurred(planes, 1.0)
    down, across = (np.asarray(np.gradient(smooth, axis=axis), np.float32) for axis in (0, 1))
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    return [
        np.maximum(np.cos(angle) * across[..., plane] + np.sin(angle) * down[..., plane], 0)
        for plane in range(planes.shape[2])
        for angle in angles
    ]


def _histograms(numbers: Numbers, bins: Floats, most: int, count: int) -> Floats:
    """(count, most): how many pixels of each region lie in each bin."""
    cells = numbers * most + np.minimum(bins.ravel().astype(np.intp), most - 1)
    return np.bincount(cells, minlength=count * most).reshape(count, most).astype(np.float32)


def _boxes(labels: Numbers, count: int) -> Floats:
    """(count, 4): the box around each region."""
    rows, columns = (one.ravel() for one in np.indices(labels.shape))
    numbers, boxes = labels.ravel(), np.empty((count, 4), np.float32)
    for place, ends in enumerate((columns, rows)):
        first, last = np.full(count, labels.size), np.zeros(count, np.intp)
        np.minimum.at(first, numbers, ends)
        np.maximum.at(last, numbers, ends)
        boxes[:, place], boxes[:, place + 2] = first, last + 1
    return boxes


def neighbors(labels: Numbers) -> Numbers:
    """(E, 2): the pairs of regions that lie beside or below each other, the lower number first."""
    across = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    down = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.sort(np.concatenate([across, down]), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def joined(regions: Regions, pairs: Numbers, area: int, measures: Any) -> Floats:
    """(2N - 1, 4): the boxes of N regions and of all that come of joining them, in that order.

    `pairs` are neighbors, `area` is that of the picture, `measures` are what they are compared by.
    """
    count = len(regions.sizes)
    grown = Regions(*(_with_room(one, count - 1) for one in regions))
    beside: list[set[int]] = [set() for _ in range(2 * count - 1)]
    for one, other in pairs.tolist():
        beside[one].add(other)
        beside[other].add(one)
    alike = likeness(grown, pairs[:, 0], pairs[:, 1], area, measures)
    heap = [(-much, *pair) for much, pair in zip(alike.tolist(), pairs.tolist(), strict=True)]
    heapq.heapify(heap)
    gone, made = set[int](), count
    while heap:
        _, one, other = heapq.heappop(heap)
        if one in gone or other in gone:
            continue
        _join(grown, one, other, made)
        gone |= {one, other}
        beside[made] = (beside[one] | beside[other]) - gone
        others = np.fromiter(sorted(beside[made]), np.intp)
        for near in others.tolist():
            beside[near].add(made)
        alike = likeness(grown, np.full(len(others), made), others, area, measures)
        for much, near in zip(alike.tolist(), others.tolist(), strict=True):
            heapq.heappush(heap, (-much, near, made))
        made += 1
    return grown.boxes[:made]


def likeness(
    regions: Regions, firsts: Numbers, seconds: Numbers, area: int, measures: Any
) -> Floats:
    """(E,): how alike the regions of each pair are, the sum of the measures (equations 1 to 5)."""
    sizes = regions.sizes[firsts] + regions.sizes[seconds]
    total = np.zeros(len(firsts), np.float32)
    for name, shares in (("color", regions.colors), ("texture", regions.textures)):
        if name in measures:
            total += np.minimum(shares[firsts], shares[seconds]).sum(axis=1)
    if "size" in measures:
        total += 1 - sizes / area
    if "fill" in measures:
        start = np.minimum(regions.boxes[firsts, :2], regions.boxes[seconds, :2])
        end = np.maximum(regions.boxes[firsts, 2:], regions.boxes[seconds, 2:])
        total += 1 - ((end - start).prod(axis=1) - sizes) / area
    return total


def _join(regions: Regions, one: int, other: int, made: int) -> None:
    """Writes the region that two become into the row `made` (equations 2 and 3)."""
    sizes, boxes = regions.sizes, regions.boxes
    sizes[made] = sizes[one] + sizes[other]
    share = sizes[one] / sizes[made]
    for shares in (regions.colors, regions.textures):
        shares[made] = share * shares[one] + (1 - share) * shares[other]
    boxes[made, :2] = np.minimum(boxes[one, :2], boxes[other, :2])
    boxes[made, 2:] = np.maximum(boxes[one, 2:], boxes[other, 2:])


def _with_room(rows: Floats, count: int) -> Floats:
    """The rows, and as many again as will be made."""
    return np.concatenate([rows, np.zeros((count, *rows.shape[1:]), np.float32)])
