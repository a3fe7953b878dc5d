"""Looking for faces of every size, a part of a photograph at a time.

A detector finds faces from some pixels to some hundred. So a photograph is looked at at several
scales, each a quarter of the one before: at the first the smallest face that is wanted is as small
as the detector can see, at the last the largest possible is small enough. What is then larger than
a tile is cut into tiles that overlap. Only a tile is in memory at a time, whatever the photograph's
size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.drawing.pixels import resized
from opsin.faces.found import Found, joined
from opsin.formats.encode import to_8_bits

Pixels: TypeAlias = NDArray[Any]
Look: TypeAlias = Callable[[NDArray[np.uint8], float], Found]
"""The faces on (H, W, 1 or 3) pixels of 8 bits, which show the photograph at that scale."""

STEP: Final = 4  # from one scale to the next; the sizes that both can find overlap
SHARED: Final = 128  # pixels of the detector's picture that two tiles share: the faces that the
# next scale does not find are smaller, so that each lies whole in a tile
EDGE: Final = 2  # pixels: a box that comes so near to where a tile was cut is that of a part
INSIDE: Final = 0.8  # a weaker box of which so much lies in a much larger one is a part of its face
LARGER: Final = 4.0  # how many times the area makes it much larger


def in_parts(
    pixels: Pixels,
    look: Look,
    scales: Iterable[float],
    *,
    size: int,
    overlap: float,
    min_size: float,
) -> Found:
    """What `look` finds on pixels (H, W, 1 or 3) of 8 or 16 bits, the best first.

    `size` is the longest side of a part, as it is looked at. Of boxes that share more than
    `overlap` the best is kept, and none whose width or height is below `min_size`.
    """
    height, width = pixels.shape[:2]
    parts = [
        _in_tile(pixels, look, scale, rows, columns, overlap)
        for scale in scales
        for rows in tiles(height, scale, size)
        for columns in tiles(width, scale, size)
    ]
    found = joined(parts)
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    found = found.only(sides.min(axis=1, initial=np.inf) >= min_size).best(overlap)
    return found.only(_is_whole(found))


def looks_at(
    height: int, width: int, min_size: float, size: int, *, seen: float
) -> Iterator[float]:
    """By how much a photograph of that size is made smaller for each look, the finest first, for a
    detector that finds faces of `seen` pixels and more: all is seen at once at the last.

    >>> list(looks_at(480, 640, 15, 1024, seen=24)), list(looks_at(3000, 4000, 48, 1024, seen=24))
    ([1.0], [0.5, 0.125])
    """
    scale = min(1.0, seen / min_size)
    yield scale
    while max(height, width) * scale > size:
        scale /= STEP
        yield scale


def tiles(length: int, scale: float, size: int) -> Iterator[tuple[int, int]]:
    """Where the tiles of a side of a photograph begin and end, in its pixels.

    Made smaller by `scale` none is longer than `size`, and neighbors share `SHARED` pixels or more.

    >>> list(tiles(1000, 1.0, 1024)), list(tiles(4000, 0.5, 1024))
    ([(0, 1000)], [(0, 1504), (1248, 2752), (2496, 4000)])
    """
    seen = length * scale
    count = 1 if seen <= size else int(np.ceil((seen - SHARED) / (size - SHARED)))
    shared = SHARED / scale if count > 1 else 0
    each = (length + (count - 1) * shared) / count
    for index in range(count):
        start = index * (each - shared)
        yield int(start), min(length, int(np.ceil(start + each)))


def _in_tile(
    pixels: Pixels,
    look: Look,
    scale: float,
    rows: tuple[int, int],
    columns: tuple[int, int],
    overlap: float,
) -> Found:
    """The faces in a part of a photograph, in the photograph's pixels."""
    tile = pixels[slice(*rows), slice(*columns)]
    height, width = (max(1, round(side * scale)) for side in tile.shape[:2])
    picture = to_8_bits(resized(tile, height, width, kernel="linear"))
    found = look(picture, scale).best(overlap)
    by = width / tile.shape[1], height / tile.shape[0]
    found = found.to_photo(by, (columns[0], rows[0]))
    edge = EDGE / scale
    return found.only(boxes.uncut(found.boxes, pixels.shape, rows, columns, (edge, edge)))


def _is_whole(found: Found) -> NDArray[np.bool_]:
    """Which faces, the best first, are no part of a better one: an eye of a face that fills the
    photograph looks like a face where only the eye is seen."""
    whole = np.ones(len(found.scores), bool)
    for index, box in enumerate(found.boxes):
        better = found.boxes[:index][whole[:index]]
        sides = np.minimum(better[:, 2:], box[2:]) - np.maximum(better[:, :2], box[:2])
        shared = np.maximum(sides, 0).prod(axis=1)
        own, theirs = (box[2:] - box[:2]).prod(), (better[:, 2:] - better[:, :2]).prod(axis=1)
        whole[index] = not np.any((shared > INSIDE * own) & (theirs > LARGER * own))
    return whole
