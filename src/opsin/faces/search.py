"""Looking for faces of every size: a network finds those from 15 to some hundred pixels.

So a photograph is looked at at several scales, each a quarter of the one before: at the first the
smallest face that is wanted is as small as the network can see, at the last the largest possible
is small enough. What is then larger than a tile is cut into tiles that overlap. Only a tile is in
memory at a time, whatever the photograph's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb, resized
from opsin.errors import ModelError
from opsin.faces.yunet import Found, decode, joined
from opsin.models.card import Card, FaceTable
from opsin.models.engine import Engine

Pixels: TypeAlias = NDArray[Any]

STEP: Final = 4  # from one scale to the next; the sizes that both can find overlap
SHARED: Final = 128  # pixels of the network's picture that two tiles share: the faces that the
# next scale does not find are smaller, so that each lies whole in a tile
EDGE: Final = 2  # pixels: a box that comes so near to where a tile was cut is that of a part
INSIDE: Final = 0.8  # a weaker box of which so much lies in a much larger one is a part of its face
LARGER: Final = 4.0  # how many times the area makes it much larger


def search(pixels: Pixels, engine: Engine, *, min_size: float, threshold: float) -> Found:
    """All faces on pixels (H, W, 1 or 3) of 8 or 16 bits, the best first, whichever way it lies.

    `min_size` is the least width and height of a box, in pixels; `threshold` the least score.
    """
    table = table_of(engine.card)
    height, width = pixels.shape[:2]
    parts = [
        _in_tile(pixels, engine, scale, rows, columns, threshold)
        for scale in scales(height, width, min_size, table)
        for rows in tiles(height, scale, engine.card.size)
        for columns in tiles(width, scale, engine.card.size)
    ]
    found = joined(parts)
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    found = found.only(sides.min(axis=1, initial=np.inf) >= min_size).best(table.overlap)
    return found.only(_is_whole(found))


def scales(height: int, width: int, min_size: float, table: FaceTable) -> Iterator[float]:
    """By how much a photograph of that size is made smaller for each look, the finest first.

    >>> table = FaceTable(threshold=0.6, overlap=0.3, smallest=15, largest=400)
    >>> list(scales(3000, 4000, 20, table)), list(scales(300, 400, 20, table))
    ([0.75, 0.1875, 0.046875], [0.75])
    """
    scale = table.smallest / min_size
    yield scale
    while min(height, width) * scale > table.largest:
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


def table_of(card: Card) -> FaceTable:
    """What a model's card says of how it finds faces; one of another task is a `ModelError`."""
    if card.faces is None:
        raise ModelError(f"model '{card.name}' finds no faces: its task is '{card.task}'.")
    return card.faces


def _in_tile(
    pixels: Pixels,
    engine: Engine,
    scale: float,
    rows: tuple[int, int],
    columns: tuple[int, int],
    threshold: float,
) -> Found:
    """The faces in a part of a photograph, in the photograph's pixels."""
    tile = pixels[slice(*rows), slice(*columns)]
    height, width = (max(1, round(side * scale)) for side in tile.shape[:2])
    picture = picture_of(as_rgb(resized(tile, height, width, kernel="linear")), engine.card)
    output = engine.run({engine.card.inputs[0].name: picture})
    found = decode(output, picture.shape[-1], threshold=threshold)
    found = found.best(table_of(engine.card).overlap)
    by = width / tile.shape[1], height / tile.shape[0]
    found = found.to_photo(by, (columns[0], rows[0]))
    return found.only(_uncut(found, pixels.shape, rows, columns, EDGE / scale))


def picture_of(rgb: NDArray[np.uint8], card: Card) -> NDArray[np.float32]:
    """(1, 3, H, W): sRGB pixels (h, w, 3) as the network takes them, black below and beside."""
    height, width = (-(-side // card.multiple) * card.multiple for side in rgb.shape[:2])
    picture = np.zeros((1, 3, height, width), np.float32)
    picture[0, :, : rgb.shape[0], : rgb.shape[1]] = rgb[..., ::-1].transpose(2, 0, 1)
    return picture


def _uncut(
    found: Found,
    shape: tuple[int, ...],
    rows: tuple[int, int],
    columns: tuple[int, int],
    edge: float,
) -> NDArray[np.bool_]:
    """Which boxes do not reach to where a tile was cut out of a photograph of that shape."""
    low = [start + edge if start > 0 else -np.inf for start in (columns[0], rows[0])]
    ends = zip((columns[1], rows[1]), (shape[1], shape[0]), strict=True)
    high = [end - edge if end < whole else np.inf for end, whole in ends]
    inside = (found.boxes[:, :2] >= low) & (found.boxes[:, 2:] <= high)
    return np.asarray(inside.all(axis=1))


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
