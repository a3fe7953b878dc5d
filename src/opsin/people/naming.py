"""Which name a face gets, if any: arrays in, guesses out.

A face is named only where that is nearly certain; where it is merely likely, the name is a
suggestion; else the face is unknown, which is an answer. Nobody is on a photograph twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats

MARGIN: Final = 0.1
"""By how much a face must look more like one person than like the second to be named."""
NAMED_RATE: Final = 0.01
"""Of strangers at most such a share is to be given a name, among all that are known."""
MAYBE_RATE: Final = 0.1
"""Of strangers at most such a share is to be given a suggestion."""
MOST_RATE: Final = 0.001
"""Of pairs of strangers: no suggestion asks for less, however few people are known."""


@dataclass(frozen=True)
class Limits:
    """How alike a face must be to somebody."""

    sure: float
    """The least similarity of a name that is given."""
    maybe: float
    """The least of a name that is suggested."""
    margin: float = MARGIN


@dataclass(frozen=True)
class Guess:
    """Who a face may be."""

    person: int | None = None
    """The column of who is named or suggested; None if the face is unknown."""
    is_sure: bool = False
    similarity: float | None = None
    """To that person, or of an unknown face to the nearest; None if nobody is known."""
    margin: float | None = None
    """How much less it is to the second; None if there is none."""


UNKNOWN: Final = Guess()


def limits_of(rates: Sequence[tuple[float, float]], people: int) -> Limits:
    """The limits for so many known persons, of a card's `rates`: pairs of a false-accept rate and
    the least similarity that keeps to it.

    The more people are known, the more likely a stranger looks like one of them: so the rate that
    a pair must keep to is `NAMED_RATE` or `MAYBE_RATE` divided by their number; for a name it is
    never above the card's lowest, and for a suggestion never above `MOST_RATE`.

    >>> rates = [(0.01, 0.3), (0.001, 0.4), (0.0001, 0.5)]
    >>> [round(limits_of(rates, people).sure, 3) for people in (1, 100, 1000)]
    [0.5, 0.5, 0.6]
    >>> [round(limits_of(rates, people).maybe, 3) for people in (1, 100, 1000)]
    [0.4, 0.4, 0.5]
    """
    people = max(1, people)
    lowest = min(rate for rate, _ in rates)
    sure = similarity_at(rates, min(lowest, NAMED_RATE / people))
    maybe = similarity_at(rates, min(MOST_RATE, MAYBE_RATE / people))
    return Limits(sure, min(maybe, sure))


def similarity_at(rates: Sequence[tuple[float, float]], rate: float) -> float:
    """The similarity that keeps to a false-accept rate: on the line through the two nearest of
    `rates`, over the rates' logarithms, and beyond them on the line through the last two.

    >>> round(similarity_at([(0.01, 0.3), (0.001, 0.4)], 0.0001), 3)
    0.5
    """
    ordered = sorted(rates, reverse=True)
    at = [float(np.log(one)) for one, _ in ordered]
    after = next((row for row in range(1, len(at)) if at[row] <= np.log(rate)), len(at) - 1)
    (x, y), (u, v) = ((at[row], ordered[row][1]) for row in (after - 1, after))
    return min(1.0, y + (v - y) * (float(np.log(rate)) - x) / (u - x))


def guesses(scores: Floats, allowed: NDArray[np.bool_], limits: Limits) -> list[Guess]:
    """For each face of one photograph who it may be.

    `scores` (F, P) are how much each looks like each person, and `allowed` (F, P) who may be
    proposed for it: not who was rejected, nor who is confirmed on another face. Persons go to the
    faces that look most like them, each to one. A name that is not the face's best, because
    another face has got that, is a suggestion at most.
    """
    found = [_nearest(row, may) for row, may in zip(scores, allowed, strict=True)]
    likely = np.argwhere(allowed & (scores >= limits.maybe))
    order = np.argsort(-scores[tuple(likely.T)], kind="stable")
    taken: set[int] = set()
    for face, person in likely[order].tolist():
        if person in taken or found[face].person is not None:
            continue
        taken.add(person)
        found[face] = _guess(scores[face], allowed[face], person, limits)
    return found


def _guess(row: Floats, allowed: NDArray[np.bool_], person: int, limits: Limits) -> Guess:
    others = np.delete(row, person)[np.delete(allowed, person)]
    similarity = float(row[person])
    margin = similarity - float(others.max()) if others.size else None
    is_sure = similarity >= limits.sure and (margin is None or margin >= limits.margin)
    return Guess(person, is_sure, similarity, margin)


def _nearest(row: Floats, allowed: NDArray[np.bool_]) -> Guess:
    """An unknown face, and how alike it is to whom it is most alike."""
    left = np.sort(row[allowed])[::-1]
    if not left.size:
        return UNKNOWN
    margin = float(left[0] - left[1]) if left.size > 1 else None
    return Guess(similarity=float(left[0]), margin=margin)
