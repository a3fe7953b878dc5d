"""A cascade's stages laid out for many windows at once.

The sum over a rectangle takes the integral image at its four corners. Where rectangles of a feature
touch they share corners, so a feature of two takes six numbers, one of three eight, and the
checkerboard of four nine. The sums are whole numbers and stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.models.cascade import Cascade, Rectangle, Stage, Tree

EPSILON: Final = 1e-5  # that much below a stage's threshold is enough, as OpenCV has it


@dataclass(frozen=True, eq=False)
class Corners:
    """The corners of those features of a stage that have equally many, P."""

    questions: NDArray[np.intp]
    """(K,): which questions of the stage ask for them."""
    y: NDArray[np.intp]
    """(P, K): rows below a window's upper left corner."""
    x: NDArray[np.intp]
    """(P, K): columns to the right of it."""
    weights: NDArray[np.int32]
    """(P, K): what the integral image counts there."""


@dataclass(frozen=True, eq=False)
class Questions:
    """All questions of a stage's trees, and where their answers lead."""

    corners: tuple[Corners, ...]
    thresholds: NDArray[np.float32]
    """(K,)"""
    goals: NDArray[np.intp]
    """(2, K): where to go if the value is not below the threshold, and if it is: a question, or
    below 0 a leaf, -1 being the first."""
    roots: NDArray[np.intp]
    """(T,): the first question of each tree."""
    leaves: NDArray[np.float64]
    depth: int
    least: np.float32
    """The least sum of the trees' leaves."""

    def passed(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(N,): which windows pass, by the values (K, N) of all questions' features."""
        below = (values < self.thresholds[:, None]).astype(np.intp)
        every = np.arange(below.shape[1])
        at = self.goals[below[self.roots], self.roots[:, None]]
        for _ in range(1, self.depth):
            asked = np.maximum(at, 0)
            at = np.where(at < 0, at, self.goals[below[asked, every], asked])
        return np.asarray(self.leaves[-1 - at].sum(axis=0) >= self.least)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A cascade, laid out."""

    width: int
    height: int
    stages: tuple[Questions, ...]


def prepared(cascade: Cascade) -> Prepared:
    """The cascade, laid out once for all pictures."""
    corners = [_corners(feature) for feature in cascade.features]
    stages = tuple(_of_stage(stage, corners) for stage in cascade.stages)
    return Prepared(cascade.width, cascade.height, stages)


def _of_stage(stage: Stage, corners: list[dict[tuple[int, int], int]]) -> Questions:
    roots = np.cumsum([0, *(len(tree.nodes) for tree in stage.trees)])[:-1]
    firsts = np.cumsum([0, *(len(tree.leaves) for tree in stage.trees)])[:-1]
    nodes = [node for tree in stage.trees for node in tree.nodes]
    goals = [
        [_goal(goal, root, leaf) for goal in (node.right, node.left)]
        for tree, root, leaf in zip(stage.trees, roots, firsts, strict=True)
        for node in tree.nodes
    ]
    return Questions(
        corners=_grouped([corners[node.feature] for node in nodes]),
        thresholds=np.array([node.threshold for node in nodes], np.float32),
        goals=np.array(goals, np.intp).T,
        roots=roots,
        leaves=np.array([leaf for tree in stage.trees for leaf in tree.leaves], np.float64),
        depth=max(_depth(tree) for tree in stage.trees),
        least=np.float32(stage.threshold) - np.float32(EPSILON),
    )


def _goal(goal: int, root: Any, leaf: Any) -> int:
    return int(goal + root) if goal > 0 else int(-1 - (leaf - goal))


def _depth(tree: Tree, start: int = 0) -> int:
    node = tree.nodes[start]
    return 1 + max(_depth(tree, goal) if goal > 0 else 0 for goal in (node.left, node.right))


def _grouped(asked: list[dict[tuple[int, int], int]]) -> tuple[Corners, ...]:
    found = []
    for count in sorted({len(one) for one in asked}):
        rows = [number for number, one in enumerate(asked) if len(one) == count]
        places = np.array([list(asked[row]) for row in rows], np.intp).reshape(len(rows), count, 2)
        weights = np.array([list(asked[row].values()) for row in rows], np.int32)
        x, y = places.T[1], places.T[0]
        found.append(Corners(np.array(rows), y, x, weights.T))
    return tuple(found)


def _corners(feature: tuple[Rectangle, ...]) -> dict[tuple[int, int], int]:
    """What the integral image counts at each corner, by its row and column."""
    found: dict[tuple[int, int], int] = {}
    for x, y, width, height, weight in feature:
        for place, count in (
            ((y, x), weight),
            ((y, x + width), -weight),
            ((y + height, x), -weight),
            ((y + height, x + width), weight),
        ):
            found[place] = found.get(place, 0) + count
    return {place: count for place, count in found.items() if count} or {(0, 0): 0}
