"""AdaBoost: how a stage of a cascade is learned from windows with a face and windows without.

Viola and Jones 2001, table 1 and section 4. Each round takes the one question ("is this feature's
value below that threshold?") that is wrong about the least weight of windows, among all features
and all thresholds between two neighboring values. Then the windows it is wrong about weigh more. A
stage has questions enough when it lets no more windows without a face pass than it is asked to, its
threshold being so low that it still lets the asked share of faces pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.faces.haar import CONTRAST, RIM
from opsin.faces.integral import integral
from opsin.models.cascade import Node, Rectangle, Stage, Tree

Feature: TypeAlias = tuple[Rectangle, ...]
Values: TypeAlias = NDArray[np.float32]

PART: Final = 64  # features that are looked through together: it bounds the memory
SURE: Final = 1e-6  # a question is never taken to be wrong less often


def every_feature(side: int, grid: int) -> list[Feature]:
    """All features of two, three and four rectangles in a window, corners `grid` pixels apart.

    The second half of a pair counts against the first, the middle of three against both others,
    and of four those that touch at a corner against the other two, which takes three rectangles:
    the whole, and twice each of two. Viola and Jones 2001, figure 1.

    >>> len(every_feature(8, 4)), every_feature(8, 4)[0]
    (7, (Rectangle(x=0, y=0, width=8, height=4, weight=-1), \
Rectangle(x=4, y=0, width=4, height=4, weight=2)))
    """
    found: list[Feature] = []
    steps = range(grid, side + 1, grid)
    places = (
        (x, y, across, down)
        for down in steps
        for across in steps
        for y in range(0, side - down + 1, grid)
        for x in range(0, side - across + 1, grid)
    )
    for x, y, wide, high in places:
        whole = Rectangle(x, y, wide, high, -1)
        if wide % (2 * grid) == 0:
            found.append((whole, Rectangle(x + wide // 2, y, wide // 2, high, 2)))
        if high % (2 * grid) == 0:
            found.append((whole, Rectangle(x, y + high // 2, wide, high // 2, 2)))
        if wide % (3 * grid) == 0:
            found.append((whole, Rectangle(x + wide // 3, y, wide // 3, high, 3)))
        if high % (3 * grid) == 0:
            found.append((whole, Rectangle(x, y + high // 3, wide, high // 3, 3)))
        if wide % (2 * grid) == 0 and high % (2 * grid) == 0:
            half, low = wide // 2, high // 2
            pair = Rectangle(x, y, half, low, 2), Rectangle(x + half, y + low, half, low, 2)
            found.append((whole, *pair))
    return found


def sums_of(windows: NDArray[np.uint8]) -> tuple[Values, Values]:
    """The integral images (N, (S + 1)²) of gray windows (N, S, S), and what evens out the contrast
    of each (N,): 1 / (area * deviation); 0 where there is none, see `opsin.faces.haar`."""
    sums = integral(np.ascontiguousarray(windows.transpose(1, 2, 0)))
    inner = windows[:, RIM:-RIM, RIM:-RIM].reshape(len(windows), -1).astype(np.float64)
    deviation = inner.std(axis=1)
    spread = np.where(deviation > CONTRAST, 1 / (inner.shape[1] * np.maximum(deviation, 1)), 0)
    return (
        sums.reshape(-1, len(windows)).T.astype(np.float32),
        spread.astype(np.float32),
    )


def values_of(features: list[Feature], sums: Values, spread: Values, side: int) -> Values:
    """(F, N): each feature's value in each window. All sums are whole numbers below 2^24, so they
    are exact in single precision."""
    found = np.empty((len(features), len(sums)), np.float32)
    for start in range(0, len(features), PART):
        some = features[start : start + PART]
        counts = np.zeros((len(some), (side + 1) ** 2), np.float32)
        for row, feature in enumerate(some):
            for x, y, wide, high, weight in feature:
                for column, line, sign in ((x, y, 1), (x + wide, y, -1)):
                    counts[row, line * (side + 1) + column] += sign * weight
                    counts[row, (line + high) * (side + 1) + column] -= sign * weight
        found[start : start + PART] = counts @ sums.T
    found *= spread
    return found


@dataclass(frozen=True)
class Stump:
    """One question of a stage."""

    feature: int
    """Its row among the features."""
    threshold: float
    below: bool
    """Whether a face is where the value is below the threshold."""
    weight: float
    """What its answer counts: the logarithm of how much more often it is right than wrong."""

    def answers(self, values: Values) -> Values:
        """(N,): `weight` where it says face, else minus that."""
        face = (values[self.feature] < np.float32(self.threshold)) == self.below
        return np.where(face, np.float32(self.weight), np.float32(-self.weight))


@dataclass(frozen=True, eq=False)
class Sorted:
    """The values of features (F, N), put in order once for all rounds."""

    values: Values
    order: NDArray[np.int32]
    """(F, N): the windows, by rising value."""
    equal: NDArray[np.bool_]
    """(F, N - 1): where the next value is the same, so that no threshold lies between."""

    @classmethod
    def of(cls, values: Values) -> Self:
        order = np.empty(values.shape, np.int32)
        equal = np.empty((values.shape[0], values.shape[1] - 1), bool)
        for row, some in enumerate(values):
            order[row] = np.argsort(some, kind="stable")
            ranked = some[order[row]]
            equal[row] = ranked[1:] == ranked[:-1]
        return cls(values, order, equal)


def boosted(known: Sorted, faces: NDArray[np.bool_]) -> Iterator[Stump]:
    """The questions, the most useful first, without an end; `faces` (N,) tells which windows show
    one."""
    weights = np.where(faces, 0.5 / faces.sum(), 0.5 / (~faces).sum())
    while True:
        feature, cut, below, error = best_question(known, faces, weights)
        low, high = known.values[feature, known.order[feature, cut - 1 : cut + 1]]
        threshold = np.float32((np.float64(low) + np.float64(high)) / 2)
        threshold = high if threshold <= low else threshold  # neighbors in single precision
        odds = (1 - max(error, SURE)) / max(error, SURE)
        stump = Stump(feature, float(threshold), below, float(np.log(odds)) / 2)
        yield stump
        wrong = (stump.answers(known.values) > 0) != faces
        weights = weights * np.where(wrong, odds, 1)
        weights /= weights.sum()


def best_question(
    known: Sorted, faces: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[int, int, bool, float]:
    """Which feature, before which place of its order the threshold lies, whether faces are below
    it, and the weight of the windows that this is wrong about, the least there is."""
    signed = np.where(faces, weights, -weights)
    total = float(weights[faces].sum())
    best = (0, 1, True, np.inf)
    for start in range(0, len(known.values), PART):
        rows = slice(start, start + PART)
        # the weight of faces below a threshold, less that of the others: all at once
        more = np.cumsum(signed.take(known.order[rows]), axis=1)[:, :-1]
        for below, worst in ((True, -np.inf), (False, np.inf)):
            np.copyto(more, worst, where=known.equal[rows])
            at = int(more.argmax() if below else more.argmin())
            row, place = divmod(at, more.shape[1])
            error = float(total - more[row, place] if below else 1 - total + more[row, place])
            if error < best[3]:
                best = (start + row, place + 1, below, error)
    return best


@dataclass(frozen=True)
class Learned:
    """A stage, and how good it is on the windows that it was learned from."""

    stumps: tuple[Stump, ...]
    threshold: float
    detection: float
    """The share of faces that pass."""
    false_alarms: float
    """The share of the others that pass."""


def learned_stage(
    values: Values, faces: NDArray[np.bool_], *, detection: float, false_alarms: float, most: int
) -> Learned:
    """A stage of `most` questions or less, that lets the share `detection` of faces pass, or more,
    and of the others at most the share `false_alarms` if so many questions are enough."""
    known = Sorted.of(values)
    total = np.zeros(len(faces))
    stumps: list[Stump] = []
    lost = int(np.floor((1 - detection) * faces.sum() + 1e-9))
    for stump in boosted(known, faces):
        stumps.append(stump)
        total += stump.answers(values)
        threshold = float(np.sort(total[faces])[lost])
        passed = total >= threshold
        alarms = float(passed[~faces].mean())
        if alarms <= false_alarms or len(stumps) >= most:
            break
    return Learned(tuple(stumps), threshold, float(passed[faces].mean()), alarms)


def stage_of(learned: Learned, numbers: dict[int, int]) -> Stage:
    """The stage as a cascade has it; `numbers` are the cascade's of the features' rows."""
    trees = []
    for stump in learned.stumps:
        face, none = stump.weight, -stump.weight
        leaves = (face, none) if stump.below else (none, face)
        trees.append(Tree((Node(0, -1, numbers[stump.feature], stump.threshold),), leaves))
    return Stage(learned.threshold, tuple(trees))
