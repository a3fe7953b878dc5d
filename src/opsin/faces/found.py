"""What a detector finds on one picture, before it becomes `Face`s: a row of numbers each."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats

POINTS: Final = 5


class Found(NamedTuple):
    """Faces of one picture, a row each."""

    boxes: Floats
    """(N, 4), see `opsin.boxes`."""
    scores: Floats
    """(N,), from 0 to 1."""
    points: Floats
    """(N, 5, 2): the person's right eye, left eye, tip of the nose, right and left corner of the
    mouth, as x, y in pixels; of a detector that knows no landmarks (N, 0, 2)."""

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
    points = parts[0].points.shape[1] if parts else POINTS
    nothing = Found(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, points, 2), np.float32),
    )
    columns = zip(nothing, *parts, strict=True)
    return Found(*(np.concatenate(column) for column in columns))
