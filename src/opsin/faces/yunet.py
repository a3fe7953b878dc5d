"""What YuNet's numbers mean: boxes, scores and five points of each face.

YuNet (Wu, Peng, Yu: YuNet, a tiny millisecond-level face detector, Machine Intelligence Research
20, 2023; weights of ShiqiYu/libfacedetection.train) answers for three grids, a cell for each 8, 16
and 32 pixels. Of a cell at column x and row y of the grid with stride s:

    score      sqrt(cls * obj)
    center     ((x, y) + bbox[:2]) * s
    sides      exp(bbox[2:]) * s
    points     ((x, y) + kps) * s
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.models.card import GRIDS

POINTS: Final = 5
LARGEST: Final = 8.0  # exp(8) * 32 is a face of 95,000 pixels: beyond it numbers would overflow


class Found(NamedTuple):
    """Faces of one picture, a row each."""

    boxes: Floats
    """(N, 4), see `opsin.boxes`."""
    scores: Floats
    """(N,), from 0 to 1."""
    points: Floats
    """(N, 5, 2): the person's right eye, left eye, tip of the nose, right and left corner of the
    mouth, as x, y in pixels."""

    def only(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        return type(self)(self.boxes[rows], self.scores[rows], self.points[rows])

    def to_photo(self, scale: tuple[float, float], corner: tuple[float, float]) -> Self:
        """The same on a photograph, whose part from `corner` on, made `scale` as large, it was."""
        by, start = np.array(scale, np.float32), np.array(corner, np.float32)
        placed = self.boxes.reshape(-1, 2, 2) / by + start
        return type(self)(placed.reshape(-1, 4), self.scores, self.points / by + start)

    def turned(self, degrees: int, height: int, width: int) -> Self:
        """The same once their picture, of that size before, is turned clockwise."""
        return type(self)(
            boxes.turn(self.boxes, degrees, height, width),
            self.scores,
            boxes.turn_points(self.points, degrees, height, width),
        )

    def best(self, overlap: float) -> Self:
        """The best of those that share more than `overlap` with another, the best first."""
        return self.only(boxes.nms(self.boxes, self.scores, most=overlap))


def joined(parts: list[Found]) -> Found:
    """All faces of several answers; none if there are none."""
    nothing = Found(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, POINTS, 2), np.float32),
    )
    columns = zip(nothing, *parts, strict=True)
    return Found(*(np.concatenate(column) for column in columns))


def decode(output: Mapping[str, Floats], width: int, *, threshold: float) -> Found:
    """What the network's output says of a picture that is `width` pixels wide.

    Only cells with that score are looked at. Nothing is left out that overlaps.
    """
    return joined([_of_grid(output, width // stride, stride, threshold) for stride in GRIDS])


def _of_grid(output: Mapping[str, Floats], columns: int, stride: int, threshold: float) -> Found:
    known, there = (output[f"{name}_{stride}"][0, :, 0].clip(0, 1) for name in ("cls", "obj"))
    scores = np.sqrt(known * there)
    [cells] = np.nonzero(scores >= threshold)
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    box = output[f"bbox_{stride}"][0, cells]
    center = (corner + box[:, :2]) * stride
    half = np.exp(np.minimum(box[:, 2:], LARGEST)) * stride / 2
    points = output[f"kps_{stride}"][0, cells].reshape(-1, POINTS, 2)
    placed = (points + corner[:, None]) * stride
    found = Found(np.concatenate([center - half, center + half], axis=1), scores[cells], placed)
    return Found(*(np.asarray(values, np.float32) for values in found))
