"""MTCNN: three networks in turn, each of which looks closer at fewer places.

Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment using Multitask Cascaded Convolutional
Networks, IEEE Signal Processing Letters 23(10), 2016.

    photograph at many sizes -> P-Net says of each square of 12 pixels whether it is a face
                             -> what is left, cut out at 24 pixels  -> R-Net says it again
                             -> what is left, cut out at 48 pixels  -> O-Net, and five points

Each network also says by how much a face's box differs from the square that it was shown, as a
share of the square's side. So what goes on to the next is moved there, and made square again.
Between the stages only the best of those that overlap are kept.

The weights are those of the package facenet-pytorch, whose authors took them from the paper's. As
there, a square that reaches beyond the photograph is cut off, and what is left fills the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.faces.found import POINTS, Found
from opsin.faces.integral import Sums, cut, integral, shrunk
from opsin.faces.parts import in_parts, looks_at
from opsin.models.card import CROPS, WINDOW, FaceTable
from opsin.models.engine import Engine

Pixels: TypeAlias = NDArray[Any]

STRIDE: Final = 2  # pixels between two squares that P-Net looks at
SAME_SCALE: Final = 0.5  # of two squares at one scale that share more, the better is kept
SAME: Final = 0.7  # the same of all scales, and after the other networks
SEEN: Final = 24.0  # pixels that the smallest wanted face needs
BATCH: Final = 256  # crops for a run: more would take memory, and no less time


class Boxes(NamedTuple):
    """What a stage leaves to the next: boxes (N, 4) in the photograph's pixels, their scores (N,)
    and by how much the faces' boxes differ from them (N, 4), in units of their sides."""

    boxes: Floats
    scores: Floats
    moves: Floats

    def only(self, rows: NDArray[Any]) -> Self:
        return type(self)(self.boxes[rows], self.scores[rows], self.moves[rows])

    def best(self, most: float) -> Self:
        return self.only(boxes.nms(self.boxes, self.scores, most=most))


def search(
    pixels: Pixels, engine: Engine, table: FaceTable, *, min_size: float, threshold: float
) -> Found:
    """All faces on pixels (H, W, 1 or 3) of 8 or 16 bits, the best first, whichever way it lies.

    `min_size` is the least width and height of a box, in pixels; `threshold` the least score that
    the last network gives. Those of the others stand in the card.
    """
    size = engine.card.size
    looks = list(looks_at(pixels.shape[0], pixels.shape[1], min_size, size, seen=SEEN))
    least = min_size * looks[0]

    def look(part: NDArray[np.uint8], scale: float) -> Found:
        return faces_on(part, engine, table, min_size=least, last=threshold)

    overlap = table.overlap
    return in_parts(pixels, look, looks, size=size, overlap=overlap, min_size=min_size)


def faces_on(
    pixels: NDArray[np.uint8], engine: Engine, table: FaceTable, *, min_size: float, last: float
) -> Found:
    """The faces on a part of a photograph; `last` is the least score of the last network."""
    first, second = table.stages
    sums = integral(pixels)
    found = _proposed(sums, engine, table, min_size, first)
    squares = squared(moved(found.boxes, found.moves))
    found, _ = _refined(sums, engine, 0, squares, second)
    found = found.best(SAME)
    squares = squared(moved(found.boxes, found.moves))
    found, points = _refined(sums, engine, 1, squares, last)
    at = found.boxes[:, None, :2] + points * (found.boxes[:, None, 2:] - found.boxes[:, None, :2])
    seen = Found(moved(found.boxes, found.moves), found.scores, at)
    return seen.only(boxes.nms(seen.boxes, seen.scores, most=SAME, of="smaller"))


def scales(height: int, width: int, min_size: float, table: FaceTable) -> Iterator[float]:
    """By how much P-Net's picture is smaller than the photograph, the finest first.

    >>> table = FaceTable(threshold=0.7, overlap=0.6, smallest=12, largest=24, stages=(0.6, 0.7))
    >>> list(scales(100, 200, 24, table))
    [0.5, 0.25, 0.125]
    """
    scale = table.smallest / min_size
    while min(height, width) * scale >= WINDOW:
        yield scale
        scale *= table.smallest / table.largest


def moved(squares: Floats, moves: Floats) -> Floats:
    """The boxes (N, 4) of the faces in squares, by what a network says of them.

    >>> moved(np.array([[10, 10, 20, 20.0]]), np.array([[0.1, 0, -0.2, 0.1]])).tolist()
    [[11.0, 10.0, 18.0, 21.0]]
    """
    sides = squares[:, 2:] - squares[:, :2]
    return np.asarray(squares + moves * np.concatenate([sides, sides], axis=1))


def squared(found: Floats) -> Floats:
    """Squares with the boxes' middles and their longer sides.

    >>> squared(np.array([[10, 10, 20, 14.0]])).tolist()
    [[10.0, 7.0, 20.0, 17.0]]
    """
    center = (found[:, :2] + found[:, 2:]) / 2
    half = (found[:, 2:] - found[:, :2]).max(axis=1, initial=0, keepdims=True) / 2
    return np.concatenate([center - half, center + half], axis=1)


def crops(sums: Sums, squares: Floats, side: int) -> Floats:
    """(N, 3, side, side): what is in each square, as sRGB from 0 to 255."""
    size = np.array([sums.shape[1], sums.shape[0]]) - 1
    first = np.floor(squares[:, :2]).clip(0, size - 1).astype(np.intp)
    last = np.floor(squares[:, 2:]).clip(first + 1, size).astype(np.intp)
    seen = cut(sums, np.concatenate([first, last], axis=1), side)
    return np.ascontiguousarray(np.broadcast_to(seen, (*seen.shape[:3], 3)).transpose(0, 3, 1, 2))


def _proposed(
    sums: Sums, engine: Engine, table: FaceTable, min_size: float, threshold: float
) -> Boxes:
    """What P-Net takes for faces, at all scales."""
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    looks = scales(height, width, min_size, table)
    parts = [_at_scale(sums, engine, scale, threshold).best(SAME_SCALE) for scale in looks]
    return _joined(parts).best(SAME)


def _at_scale(sums: Sums, engine: Engine, scale: float, threshold: float) -> Boxes:
    """What P-Net takes for faces on the picture made smaller by `scale`.

    Boxes are whole pixels, and a hair wider than the picture says, as the authors' program has it,
    which counts from 1: the other networks learned from those.
    """
    height, width = (int((length - 1) * scale + 1) for length in sums.shape[:2])
    seen = shrunk(sums, height, width).transpose(2, 0, 1)
    picture = np.ascontiguousarray(np.broadcast_to(seen, (3, height, width))[None])
    answer = _run(engine, engine.card.inputs[0].name, picture)
    scores, moves = answer["p_score"][0, 0], answer["p_box"][0]
    y, x = np.nonzero(scores >= threshold)
    corner = STRIDE * np.stack([x, y], axis=1)
    first, last = np.floor((corner + 1) / scale) - 1, np.floor((corner + WINDOW) / scale)
    less = (1 - 1 / (last - first)).astype(np.float32)  # its boxes end at the last pixel's middle
    found = np.concatenate([first, last], axis=1, dtype=np.float32)
    return Boxes(found, scores[y, x], moves[:, y, x].T * np.tile(less, 2))


def _refined(
    sums: Sums, engine: Engine, stage: int, squares: Floats, threshold: float
) -> tuple[Boxes, Floats]:
    """Those squares that the next network takes for faces, too, and their points (N, 5, 2) in units
    of the square; of R-Net, which tells none, they are all 0."""
    name, side, letter = engine.card.inputs[stage + 1].name, CROPS[stage], "ro"[stage]
    scores, moves, points = [], [], []
    for start in range(0, len(squares), BATCH):
        pictures = crops(sums, squares[start : start + BATCH], side)
        answer = _run(engine, name, pictures)
        none = np.zeros((len(pictures), 2 * POINTS), np.float32)
        scores.append(answer[f"{letter}_score"][:, 0])
        moves.append(answer[f"{letter}_box"])
        points.append(answer["o_points"] if letter == "o" else none)
    if not scores:
        return _joined([]), np.zeros((0, POINTS, 2), np.float32)
    seen = Boxes(squares, np.concatenate(scores), np.concatenate(moves))
    rows = seen.scores >= threshold
    at = np.concatenate(points)[rows].reshape(-1, 2, POINTS).transpose(0, 2, 1)
    return seen.only(rows), at


def _run(engine: Engine, name: str, pictures: Floats) -> dict[str, Floats]:
    """The answers of the network whose input that is; the others see nothing."""
    first, *others = engine.card.inputs
    feeds = {first.name: np.zeros((1, 3, WINDOW, WINDOW), np.float32)}
    for entry, side in zip(others, CROPS, strict=True):
        feeds[entry.name] = np.zeros((0, 3, side, side), np.float32)
    return engine.run(feeds | {name: pictures})


def _joined(parts: list[Boxes]) -> Boxes:
    nothing = Boxes(*(np.zeros(shape, np.float32) for shape in ((0, 4), (0,), (0, 4))))
    return Boxes(*(np.concatenate(column) for column in zip(nothing, *parts, strict=True)))
