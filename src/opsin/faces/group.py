"""Which faces are of one person: groups of them, where nobody is known or only some are.

Average linkage: two groups are as alike as their faces are on average, each of one with each of the
other. The two most alike become one, again and again, until no two are as alike as `least`.

The sum of a group's vectors is all that this takes, for the average over pairs is the product of
two sums over how many pairs there are. And any two groups that are each other's most alike may be
joined at once, in any order, with the same result (Sumengen et al. 2021, Scaling Hierarchical
Agglomerative Clustering to Billion-sized Datasets, section 3), so that each round is a product of
matrices.

What is known comes first: faces of one known person stay together, those of two stay apart, and
nobody is twice on one photograph.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats

Numbers: TypeAlias = NDArray[np.int64]

UNKNOWN: Final = -1
BLOCK: Final = 1024  # groups that are compared with all others at a time
NEVER: Final = np.float32(-2)  # less alike than any two


def group(
    vectors: Any,
    least: float,
    *,
    known: Any = None,
    photos: Any = None,
    apart: Iterable[tuple[int, int]] = (),
) -> Numbers:
    """The number of each face's group, (N,), from 0 on in the order of their first faces.

    `vectors` are (N, D), a row of length 1 for each face. `least`, from -1 to 1, is how alike two
    groups must be to become one. `known` (N,) are numbers of people, -1 for faces of nobody known.
    `photos` (N,) are numbers of the photographs that they are on. `apart` are pairs of faces that
    are of two people. What is known to be one person is never divided, not even if the others say
    so. Time grows with the square of N, memory with N.

    >>> group([[1, 0], [0, 1], [0.8, 0.6]], 0.5).tolist()
    [0, 1, 0]
    """
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2:
        raise ValueError(f"vectors must be (N, D), got {rows.shape}.")
    if not -1 <= least <= 1:
        raise ValueError(f"least must be from -1 to 1, got {least}.")
    people = _numbers(known, len(rows), "known")
    state = _Groups(rows, people, _apart(_numbers(photos, len(rows), "photos"), apart))
    while state.join(least):
        pass
    _, first, inverse = np.unique(state.owner, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return np.asarray(order[inverse], np.int64)


class _Groups:
    """The groups of a moment; each goes by one of its faces' numbers."""

    def __init__(self, rows: Floats, people: Numbers, apart: Numbers) -> None:
        self.owner = np.arange(len(rows), dtype=np.int64)
        for person in np.unique(people[people != UNKNOWN]):
            faces = np.flatnonzero(people == person)
            self.owner[faces] = faces[0]
        self.people = people.copy()
        self.sums = np.zeros_like(rows)
        np.add.at(self.sums, self.owner, rows)
        self.counts = np.bincount(self.owner, minlength=len(rows)).astype(np.float32)
        self.apart = apart
        self.open = np.unique(self.owner)
        """Those that may still be joined with another."""

    def join(self, least: float) -> bool:
        """Joins all that are each other's most alike; False if there were none."""
        nearest, alike = self._nearest()
        near = alike >= least
        if not near.any():
            return False
        mutual = near & (nearest[nearest] == np.arange(len(nearest)))
        if not mutual.any():  # by rounding, three may each be nearest to the next
            best = int(alike.argmax())
            pairs = np.array([[best, nearest[best]]])
        else:
            firsts = np.flatnonzero(mutual)
            pairs = np.stack([firsts, nearest[firsts]], axis=1)
            pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        kept, gone = self.open[pairs].T
        self.sums[kept] += self.sums[gone]
        self.counts[kept] += self.counts[gone]
        self.people[kept] = np.maximum(self.people[kept], self.people[gone])
        into = np.arange(len(self.owner))
        into[gone] = kept
        self.owner = into[self.owner]
        # what is alike to none stays so: an average is never above both of what it is made of
        self.open = np.setdiff1d(self.open[near], gone)
        return True

    def _nearest(self) -> tuple[Numbers, Floats]:
        """For each open group which of them is most like it, and how much."""
        here = self.open
        sums, counts, people = self.sums[here], self.counts[here], self.people[here]
        ones, others = self._apart_here()
        nearest = np.zeros(len(here), np.int64)
        best = np.full(len(here), NEVER)
        for start in range(0, len(here), BLOCK):
            part = slice(start, start + BLOCK)
            alike = (sums[part] @ sums.T) / (counts[part, None] * counts)
            named = people != UNKNOWN
            others_names = people[part, None] != people
            alike[others_names & named[part, None] & named] = NEVER
            first, last = np.searchsorted(ones, [start, start + BLOCK])
            alike[ones[first:last] - start, others[first:last]] = NEVER
            own = np.arange(len(alike))
            alike[own, own + start] = NEVER
            nearest[part] = alike.argmax(axis=1)
            best[part] = alike[own, nearest[part]]
        return nearest, best

    def _apart_here(self) -> tuple[Numbers, Numbers]:
        """Places in `open` of two groups that must not be joined, both ways, in order."""
        pairs = np.unique(np.sort(self.owner[self.apart], axis=1), axis=0)
        pairs = pairs[np.isin(pairs, self.open).all(axis=1)]
        places = np.searchsorted(self.open, pairs)
        both = np.concatenate([places, places[:, ::-1]])
        both = both[np.argsort(both[:, 0], kind="stable")]
        return both[:, 0], both[:, 1]


def _apart(photos: Numbers, told: Iterable[tuple[int, int]]) -> Numbers:
    """(M, 2) pairs of faces that are of two people: told, or on one photograph."""
    pairs = [*told]
    on_one = np.flatnonzero(photos != UNKNOWN)
    order = on_one[np.argsort(photos[on_one], kind="stable")]
    for faces in np.split(order, np.flatnonzero(np.diff(photos[order])) + 1):
        pairs += combinations(faces.tolist(), 2)
    return np.array(pairs, np.int64).reshape(-1, 2)


def _numbers(given: Any, count: int, name: str) -> Numbers:
    if given is None:
        return np.full(count, UNKNOWN, np.int64)
    found = np.asarray(given, np.int64)
    if found.shape != (count,) or (found < UNKNOWN).any():
        raise ValueError(f"{name} must be {count} numbers from -1 on, got shape {found.shape}.")
    return found
