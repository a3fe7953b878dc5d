"""Masks: which pixels of a picture belong to a thing; areas, overlap, and how COCO writes them.

A mask is a crop and where it lies, never a picture of full size, so that a hundred things on a
large photograph take no more than their boxes. Pixels have their centers at halves: the first one
reaches from 0 to 1 in x and in y, as in `opsin.boxes`.

COCO (Lin et al. 2014) writes a mask as the lengths of runs in a picture read column by column, the
first one of pixels outside, either as numbers or packed into a string; or as polygons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Bools: TypeAlias = NDArray[np.bool_]

# a number is packed five bits a letter, the lowest first, from "0" on
BITS: Final = 5
FIRST: Final = ord("0")
SIGN: Final = 1 << (BITS - 1)
MORE: Final = 1 << BITS  # in each letter but a number's last


@dataclass(frozen=True, eq=False)
class Mask:
    """Which pixels of a picture belong to one thing.

    >>> Mask(np.ones((2, 3), bool), top=5, left=4)
    Mask(3 x 2 at 4, 5)
    """

    crop: Bools
    """(h, w)."""
    top: int = 0
    left: int = 0
    """Where its first pixel lies in the picture."""

    def __post_init__(self) -> None:
        if self.crop.ndim != 2 or self.crop.dtype != np.bool_:
            raise ValueError(
                f"a mask must be bool of shape (h, w), got {self.crop.dtype} of {self.crop.shape}."
            )
        if self.top < 0 or self.left < 0:
            raise ValueError(f"a mask must lie in its picture, got {self.left}, {self.top}.")

    def __repr__(self) -> str:
        height, width = self.crop.shape
        return f"Mask({width} x {height} at {self.left}, {self.top})"

    @property
    def area(self) -> int:
        """How many pixels belong to it."""
        return int(np.count_nonzero(self.crop))

    @property
    def box(self) -> Floats:
        """(4,): the smallest box around its pixels, see `opsin.boxes`; zeros if it has none."""
        tight = self.tight()
        height, width = tight.crop.shape
        if not tight.crop.size:
            return np.zeros(4, np.float32)
        first = tight.left, tight.top
        return np.array([*first, first[0] + width, first[1] + height], np.float32)

    def tight(self) -> Mask:
        """The same with the smallest crop that holds its pixels."""
        rows, columns = (np.flatnonzero(self.crop.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return Mask(np.zeros((0, 0), np.bool_), self.top, self.left)
        crop = self.crop[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return Mask(crop, self.top + int(rows[0]), self.left + int(columns[0]))

    def pasted(self, height: int, width: int) -> Bools:
        """(height, width): the same as a whole picture; what reaches beyond it is cut.

        >>> Mask(np.ones((1, 2), bool), top=1, left=1).pasted(2, 2).tolist()
        [[False, False], [False, True]]
        """
        whole = np.zeros((height, width), np.bool_)
        place = whole[self.top : self.top + len(self.crop)]
        place = place[:, self.left : self.left + self.crop.shape[1]]
        place[...] = self.crop[: place.shape[0], : place.shape[1]]
        return whole


def mask_of(whole: Any) -> Mask:
    """The mask of a whole picture (H, W) of what is true in it.

    >>> mask_of([[0, 0], [0, 1]])
    Mask(1 x 1 at 1, 1)
    """
    return Mask(np.asarray(whole, np.bool_)).tight()


def iou(masks: Sequence[Mask], others: Sequence[Mask]) -> Floats:
    """(N, M): what each two share of what both cover together (Jaccard), from 0 to 1.

    >>> iou([mask_of([[1, 1]])], [mask_of([[0, 1]]), mask_of([[1, 1]])]).tolist()
    [[0.5, 1.0]]
    """
    found = np.zeros((len(masks), len(others)), np.float32)
    areas = [other.area for other in others]
    for row, mask in enumerate(masks):
        area = mask.area
        for column, other in enumerate(others):
            shared = _shared(mask, other)
            if shared:
                found[row, column] = shared / (area + areas[column] - shared)
    return found


def union(masks: Sequence[Mask]) -> Mask:
    """What belongs to any of them; to none, an empty mask.

    >>> union([mask_of([[1, 0, 0]]), mask_of([[0, 0, 1]])]).crop.tolist()
    [[True, False, True]]
    """
    if not masks:
        return Mask(np.zeros((0, 0), np.bool_))
    top, left = min(one.top for one in masks), min(one.left for one in masks)
    bottom = max(one.top + one.crop.shape[0] for one in masks)
    right = max(one.left + one.crop.shape[1] for one in masks)
    whole = np.zeros((bottom - top, right - left), np.bool_)
    for one in masks:
        height, width = one.crop.shape
        rows, columns = one.top - top, one.left - left
        whole[rows : rows + height, columns : columns + width] |= one.crop
    return Mask(whole, top, left)


def mask_to_rle(mask: Mask, height: int, width: int) -> dict[str, Any]:
    """A mask of a picture of that size as COCO's tools write it: `size` and packed `counts`.

    >>> mask_to_rle(mask_of([[0, 1], [0, 1]]), 2, 2)
    {'size': [2, 2], 'counts': '22'}
    """
    flat = mask.pasted(height, width).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = [0, *changes.tolist(), flat.size]
    runs = [end - start for start, end in pairwise(ends)]
    if flat.size and flat[0]:
        runs = [0, *runs]
    return {"size": [height, width], "counts": packed(runs)}


def rle_to_mask(rle: Mapping[str, Any]) -> Mask:
    """The opposite of `mask_to_rle`; `counts` may also be plain numbers, as those of crowds are.

    Runs that do not fill the picture are a `ValueError`.

    >>> rle_to_mask({"size": [2, 2], "counts": [2, 2]})
    Mask(1 x 2 at 1, 0)
    """
    height, width = (int(side) for side in rle["size"])
    counts = rle["counts"]
    runs = unpacked(counts) if isinstance(counts, (str, bytes)) else [int(one) for one in counts]
    if min(height, width, *runs, 0) < 0 or sum(runs) != height * width:
        raise ValueError(f"counts must be of {width} x {height} pixels, got {sum(runs)}.")
    inside = np.arange(len(runs)) % 2 == 1
    flat = np.repeat(inside, np.asarray(runs, np.intp))
    return mask_of(flat.reshape((height, width), order="F"))


def packed(runs: Sequence[int]) -> str:
    """COCO's string of run lengths: from the fourth on, what each is more than the last but one.

    >>> packed([6, 1, 40, 4])
    '61X13'
    """
    letters = []
    for index, run in enumerate(runs):
        left = run - runs[index - 2] if index > 2 else run
        while True:
            bits, left = left & (MORE - 1), left >> BITS
            is_last = left == (-1 if bits & SIGN else 0)
            letters.append(chr(FIRST + (bits if is_last else bits | MORE)))
            if is_last:
                break
    return "".join(letters)


def unpacked(text: str | bytes) -> list[int]:
    """The opposite of `packed`; what cannot be such a string is a `ValueError`.

    >>> unpacked("61X13")
    [6, 1, 40, 4]
    """
    letters = text.encode() if isinstance(text, str) else text
    runs: list[int] = []
    number = shift = 0
    for letter in letters:
        bits = letter - FIRST
        if not 0 <= bits < 2 * MORE:
            raise ValueError(f"counts must be packed into letters, got {chr(letter)!r}.")
        number |= (bits & (MORE - 1)) << shift
        shift += BITS
        if bits & MORE:
            continue
        if bits & SIGN:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        number = shift = 0
    if shift:
        raise ValueError("counts are cut off: the last letter says that more follow.")
    return runs


def polygons_to_mask(polygons: Sequence[Sequence[float]], height: int, width: int) -> Mask:
    """The pixels whose centers lie in any of the polygons, in a picture of that size.

    A polygon is x, y, x, y ... of its corners. Where it crosses itself, what lies in it twice is
    outside. Other lengths than even ones from 6 on are a `ValueError`.

    >>> polygons_to_mask([[1, 0, 3, 0, 3, 2, 1, 2]], 4, 4)
    Mask(2 x 2 at 1, 0)
    """
    whole = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon needs x and y of 3 corners or more, got {len(polygon)}.")
        whole |= _filled(np.asarray(polygon, np.float64).reshape(-1, 2), height, width)
    return mask_of(whole)


def _filled(corners: NDArray[np.float64], height: int, width: int) -> Bools:
    """(height, width): whether a line from the left crosses the sides an odd number of times."""
    crossings = np.zeros((height, width + 1), np.int32)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        first, last = np.clip(np.ceil(np.sort([y1, y2]) - 0.5), 0, height).astype(int)
        rows = np.arange(first, last)
        if rows.size:
            x = x1 + (rows + 0.5 - y1) * (x2 - x1) / (y2 - y1)
            columns = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
            np.add.at(crossings, (rows, columns), 1)
    return np.asarray(np.cumsum(crossings[:, :width], axis=1) % 2 == 1)


def _shared(mask: Mask, other: Mask) -> int:
    """How many pixels belong to both."""
    top, left = max(mask.top, other.top), max(mask.left, other.left)
    bottom = min(one.top + one.crop.shape[0] for one in (mask, other))
    right = min(one.left + one.crop.shape[1] for one in (mask, other))
    if bottom <= top or right <= left:
        return 0
    parts = [
        one.crop[top - one.top : bottom - one.top, left - one.left : right - one.left]
        for one in (mask, other)
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))
