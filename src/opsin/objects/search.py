"""Looking for things of every size: a network sees a square of some hundred pixels.

The whole photograph is looked at first, made as small as the network's picture. On a large one
small things are lost by that, so it is looked at again in tiles, which overlap, each about half as
wide as the photograph, then a quarter: as long as there are pixels that were not seen yet. What
reaches to where a tile was cut is left out, for it is a part of something that a look before it
has seen whole. Only a tile is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.drawing.pixels import as_rgb, resized
from opsin.errors import ModelError
from opsin.models.card import Card, Detect
from opsin.models.engine import Engine
from opsin.objects.clock import Clock
from opsin.objects.crops import PAD, warped
from opsin.objects.proposals import regions_of

Pixels: TypeAlias = NDArray[Any]
Span: TypeAlias = tuple[int, int]

SHARED: Final = 0.25  # of a tile's side: what two neighbors both show
EDGE: Final = 2.0  # pixels of the network's picture: so near to a cut a box is that of a part
CROPS: Final = "crops"  # the input of a network that is shown each region on its own
AT_ONCE: Final = 64  # of those
MOST: Final = 300
"""Things that are told of one photograph at most; the surest."""


COMPARED: Final = 1000
"""Boxes of one look that are compared with each other; the surest."""


UNTOLD: Final = np.zeros((0, 0, 0), np.float32)


class Found(NamedTuple):
    """Things on one picture, a row each."""

    boxes: Floats
    """(N, 4), see `opsin.boxes`."""
    scores: Floats
    """(N,), from 0 to 1."""
    labels: NDArray[np.intp]
    """(N,) numbers of the card's labels."""
    masks: Floats = UNTOLD
    """(N, m, m): how much of each cell across its box each is, from 0 to 1; (0, 0, 0) where the
    network does not tell."""

    def only(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        masks = self.masks[rows] if len(self.masks) else self.masks
        return type(self)(self.boxes[rows], self.scores[rows], self.labels[rows], masks)

    def best(self, overlap: float, most: int = MOST) -> Self:
        """Of those with one label that share more than `overlap` the best, the best first."""
        order = np.argsort(-self.scores, kind="stable")[:COMPARED]
        if len(order) < len(self.scores):
            return self.only(order).best(overlap, most)
        kept = boxes.nms_by_class(self.boxes, self.scores, self.labels, most=overlap, limit=most)
        return self.only(kept)


def search(
    pixels: Pixels,
    engine: Engine,
    *,
    threshold: float,
    levels: int,
    labels: NDArray[np.intp] | None = None,
) -> Found:
    """All things on pixels (H, W, 1 or 3) of 8 or 16 bits, the best first.

    `threshold` is the least score; `levels` how often tiles may be halved, 0 for the whole alone;
    `labels` are those that are wanted, None for all.
    """
    height, width = pixels.shape[:2]
    parts = [
        _in_tile(pixels, engine, rows, columns, threshold, labels)
        for side in sides(height, width, engine.card.size, levels)
        for rows in spans(height, side)
        for columns in spans(width, side)
    ]
    found = Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return found.best(table_of(engine.card).overlap)


def sides(height: int, width: int, size: int, levels: int) -> Iterator[int]:
    """The sides of the tiles of each look at a photograph of that size, the whole first.

    >>> list(sides(3000, 4000, 416, 1)), list(sides(480, 640, 416, 1))
    ([4000, 2286], [640])
    >>> list(sides(3000, 4000, 416, 9))
    [4000, 2286, 1231, 640]
    """
    longer = max(height, width)
    yield longer
    for level in range(1, levels + 1):
        count = 2**level
        if longer / count < size:
            return
        yield int(np.ceil(longer / (count - (count - 1) * SHARED)))


def spans(length: int, side: int) -> list[Span]:
    """Where the tiles of a side of a photograph begin and end, at equal distances.

    >>> spans(1000, 572), spans(400, 572)
    ([(0, 572), (428, 1000)], [(0, 400)])
    """
    if length <= side:
        return [(0, length)]
    count = int(np.ceil((length - side * SHARED) / (side * (1 - SHARED)) - 1e-6))
    starts = np.rint(np.linspace(0, length - side, max(2, count))).astype(int)
    return [(int(start), int(start) + side) for start in starts]


def table_of(card: Card) -> Detect:
    """What a model's card says of how it detects; one of another task is a `ModelError`."""
    if card.detect is None:
        raise ModelError(f"model '{card.name}' detects no things: its task is '{card.task}'.")
    return card.detect


def _in_tile(
    pixels: Pixels,
    engine: Engine,
    rows: Span,
    columns: Span,
    threshold: float,
    labels: NDArray[np.intp] | None,
) -> Found:
    """The things in a part of a photograph, in the photograph's pixels."""
    card = engine.card
    tile = pixels[slice(*rows), slice(*columns)]
    answer, by = answer_of(tile, engine)
    found, _ = scored(answer, by, threshold, labels)
    corner = np.array([columns[0], rows[0]] * 2, np.float32)
    found = found._replace(boxes=found.boxes + corner).best(table_of(card).overlap)
    return found.only(boxes.uncut(found.boxes, pixels.shape, rows, columns, EDGE / by))


def scored(
    answer: Mapping[str, Floats],
    by: Floats,
    threshold: float,
    labels: NDArray[np.intp] | None = None,
) -> tuple[Found, NDArray[np.intp]]:
    """All that an answer tells with a score of at least `threshold`, in the tile's pixels, and (N,)
    the row of the answer that each is of; arguments as of `search`."""
    scores = answer["scores"][0]
    if labels is not None:
        unwanted = np.ones(scores.shape[1], bool)
        unwanted[labels] = False
        scores = np.where(unwanted, 0, scores)
    there = np.isfinite(answer["boxes"][0]).all(axis=1, keepdims=True)
    cells, kinds = np.nonzero((scores >= threshold) & there)
    placed = answer["boxes"][0][cells] / np.tile(by, 2)
    told = scores[cells, kinds].astype(np.float32)
    masks = answer["masks"][0][cells] if "masks" in answer else UNTOLD
    return Found(placed.astype(np.float32), told, kinds, masks), cells


def answer_of(
    tile: Pixels, engine: Engine, clock: Clock | None = None
) -> tuple[dict[str, Floats], Floats]:
    """What a network answers for a tile (h, w, 1 or 3): boxes (1, N, 4) in pixels of what it sees,
    scores (1, N, labels) and, if it tells, origins (1, N, 4); and by how much what it sees is
    larger than the tile, in x and y. `clock` is told how long its steps take."""
    card, clock = engine.card, clock or Clock()
    with clock.step("proposals" if table_of(card).proposals else "picture"):
        inputs, by = inputs_of(tile, card.size, table_of(card))
    if CROPS not in card.input_names():
        with clock.step("network"):
            return engine.run(inputs), by
    side = int(next(one for one in card.inputs if one.name == CROPS).shape[-1])
    parts = []
    for start in range(0, len(inputs["regions"]), AT_ONCE):
        some = inputs["regions"][start : start + AT_ONCE]
        with clock.step("crops"):
            crops = warped(inputs["picture"], some, side)
        with clock.step("network"):
            parts.append(engine.run({CROPS: crops, "regions": some}))
    return {name: np.concatenate([one[name] for one in parts], axis=1) for name in parts[0]}, by


def inputs_of(tile: Pixels, size: int, table: Detect) -> tuple[dict[str, Floats], Floats]:
    """What a network that sees squares of `size` pixels is given of a tile (h, w, 1 or 3), and by
    how much that is larger than the tile, in x and y.

    Its inputs are `picture` (1, 3, S, S) and, if it is told where to look, `regions` (N, 4).
    """
    picture, by = fitted(tile, size, table.fit)
    inputs = {"picture": picture}
    if table.proposals:
        inputs["regions"] = boxes.scale(regions_of(tile, table.proposals), *by)
    return inputs, by


def fitted(tile: Pixels, size: int, fit: str) -> tuple[Floats, Floats]:
    """(1, 3, S, S): a tile as a square of `size` pixels, blue first, from 0 to 255; and by how much
    it is larger than the tile. `fit` is as on a card."""
    height, width = tile.shape[:2]
    if fit == "stretch":
        down, across = size, size
    else:
        scale = size / max(height, width)
        down, across = (max(1, round(side * scale)) for side in (height, width))
    small = as_rgb(resized(tile, down, across, kernel="linear"))
    picture = np.full((1, 3, size, size), PAD, np.float32)
    picture[0, :, :down, :across] = small[..., ::-1].transpose(2, 0, 1)
    return picture, np.array([across / width, down / height], np.float32)
