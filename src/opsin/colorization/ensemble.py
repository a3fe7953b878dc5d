"""Several models as one: whose names they are, and their answers laid over each other.

`a,b` is the ensemble of the models a and b. Each sees the photograph at its own size and answers
on its own grid, with cells of `stride` pixels of what it saw; the last cells reach over the edge
where the sides are no multiples. So grids are laid over each other not by their shapes but by
how many cells the photograph takes on each, as fractions: pixels seen / stride, down and across.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.errors import ModelError
from opsin.models.card import Card, Colorize
from opsin.models.store import find, members

Floats: TypeAlias = NDArray[np.float32]


class Grid(NamedTuple):
    """A network's numbers (h, w, ...), and how many of its cells the photograph takes."""

    values: Floats
    cells: tuple[float, float]


def cards(model: str) -> list[Card]:
    """The card of each member; an unknown one is a `ModelError`."""
    return [find(name).card for name in members(model)]


def table_of(card: Card) -> Colorize:
    """What a model's card says of its colors; one of another task is a `ModelError`."""
    if card.colorize is None:
        raise ModelError(f"model '{card.name}' does not colorize: its task is '{card.task}'.")
    return card.colorize


def mean(grids: Sequence[Grid], like: Grid) -> Floats:
    """The mean of all `grids` at the cells of `like`, the finest of them.

    >>> fine, coarse = np.eye(2, dtype=np.float32), np.ones((1, 1), np.float32)
    >>> mean([Grid(fine, (2, 2)), Grid(coarse, (1, 1))], Grid(fine, (2, 2))).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    total: Floats = np.mean([_onto(grid, like) for grid in grids], axis=0, dtype=np.float32)
    return total


def _onto(grid: Grid, like: Grid) -> Floats:
    """The values of `grid` between whose cells' centers those of `like` lie, bilinearly."""
    values = grid.values
    for axis in (0, 1):
        index, weight = _positions(grid, like, axis)
        plane = np.moveaxis(values, axis, -1)
        left, right = plane[..., index], plane[..., np.minimum(index + 1, plane.shape[-1] - 1)]
        values = np.moveaxis(left + (right - left) * weight, -1, axis)
    return values


def _positions(grid: Grid, like: Grid, axis: int) -> tuple[NDArray[np.intp], Floats]:
    """For each cell of `like` the cell of `grid` at or before its center, and the way to the next.

    Beyond the outermost centers the outermost values go on.
    """
    count, last = like.values.shape[axis], grid.values.shape[axis] - 1
    centers = (np.arange(count) + 0.5) * (grid.cells[axis] / like.cells[axis]) - 0.5
    centers = np.clip(centers, 0, last)
    index = centers.astype(np.intp)
    return index, (centers - index).astype(np.float32)
