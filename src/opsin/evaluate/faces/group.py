"""Are the faces of an archive put together by person, where nobody was introduced?

All pictures of the people who have several are grouped as `opsin.faces.group` does. A pair of
pictures is right that is in one group and of one person (pairwise precision and recall); and for
each picture, how much of its group is of its person, and how much of its person is in its group
(BCubed; Bagga and Baldwin 1998, Amigo et al. 2009). Pairs weigh people by the square of how many
pictures they have, BCubed by how many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from opsin.errors import DataError, ModelError
from opsin.evaluate.bootstrap import Doubles
from opsin.evaluate.faces.identify import person
from opsin.evaluate.faces.look import MILLISECONDS, MISSED, Seen, plain
from opsin.evaluate.report import Means, Metric, Report, Scores, summarize
from opsin.faces.group import group
from opsin.faces.recognize import table_of
from opsin.files import shown
from opsin.models.card import Card
from opsin.sets.sources import chosen

LEAST_PICTURES: Final = 5
"""People with fewer are left out."""
RATE: Final = 1e-4
"""Two groups become one where so many pairs of strangers are as alike."""


def _f(precision: str, recall: str) -> Metric:
    def of(means: Means) -> Doubles:
        return np.asarray(2 / (1 / means[precision] + 1 / means[recall]))

    return Metric("bcubed", "BCubed F", ".4f", "higher", "harmonic mean of both", of)


PRECISION: Final = Metric(
    "precision", "precision", ".4f", "higher", "share of a picture's group that is of its person"
)
RECALL: Final = Metric(
    "recall", "recall", ".4f", "higher", "share of a person's pictures in a picture's group"
)
BCUBED: Final = _f("precision", "recall")
PAIRWISE: Final = Metric(
    "pairwise", "pairwise F", ".4f", "higher", "the same of pairs, in one group and of one person"
)
GROUPS: Final = Metric("groups", "groups", ".0f", "zero", "that were made")


def least_of(card: Card) -> float:
    """How alike two groups must be, by the card; a card that tells no rates is a `ModelError`."""
    told = dict(table_of(card).thresholds)
    if RATE not in told:
        raise ModelError(f"the card of '{card.name}' has no threshold for a rate of {RATE:g}.")
    return told[RATE]


def wanted(path: Path, limit: int | None) -> set[str]:
    """All pictures of the people who have several; `limit` is of people, in alphabetical order."""
    names = [
        plain(source.names[number])
        for source, numbers in chosen(path, lambda place, why: None)
        for number in numbers
    ]
    counts = Counter(map(person, names))
    people = sorted(who for who, count in counts.items() if count >= LEAST_PICTURES)[:limit]
    if len(people) < 2:
        raise DataError(
            f"{shown(path)}: two people or more must have {LEAST_PICTURES} pictures or more, each "
            "person's in a folder."
        )
    return {name for name in names if person(name) in set(people)}


def measured(rows: Mapping[str, Mapping[str, Seen]], least: Mapping[str, float]) -> Report:
    """The report on all that `opsin.evaluate.faces.look` has seen; `least` is by model."""
    names = tuple(sorted(next(iter(rows.values()))))
    found = Report(names, (BCUBED, PRECISION, RECALL), ())
    figures: dict[Metric, dict[str, float]] = {}
    done = []
    for row, ones in rows.items():
        groups = _grouped([ones[name] for name in names], least[row.split(",")[0]])
        people = [person(name) for name in names]
        done.append(summarize(row, bcubed(people, groups), found.metrics))
        figures.setdefault(PAIRWISE, {})[row] = pairwise(people, groups)
        figures.setdefault(GROUPS, {})[row] = float(len(set(groups)))
        figures.setdefault(MISSED, {})[row] = float(
            sum(one.vector is None for one in ones.values())
        )
        times = [one.milliseconds for one in ones.values()]
        figures.setdefault(MILLISECONDS, {})[row] = float(np.mean(times))
    found = replace(found, rows=tuple(done), notes=(f"{len(set(people))} people",))
    for metric, values in figures.items():
        found = found.with_figure(metric, values)
    return found


def bcubed(people: Sequence[Hashable], groups: Sequence[Hashable]) -> list[Scores]:
    """Precision and recall of each picture.

    >>> bcubed("aab", [0, 1, 1])[1]
    {'precision': 0.5, 'recall': 0.5}
    """
    of_person, of_group = Counter(people), Counter(groups)
    both = Counter(zip(people, groups, strict=True))
    return [
        {"precision": both[who, at] / of_group[at], "recall": both[who, at] / of_person[who]}
        for who, at in zip(people, groups, strict=True)
    ]


def pairwise(people: Sequence[Hashable], groups: Sequence[Hashable]) -> float:
    """F of pairs in one group and of one person; nan where there are none of either.

    >>> pairwise("aaab", [0, 0, 1, 1])
    0.4
    """
    both, one, other = (
        sum(count * (count - 1) / 2 for count in Counter(of).values())
        for of in (zip(people, groups, strict=True), people, groups)
    )
    return 2 * both / (one + other) if one + other else float("nan")


def _grouped(seen: Sequence[Seen], least: float) -> list[int]:
    """Each picture's group; one without a face is alone."""
    there = [number for number, one in enumerate(seen) if one.vector is not None]
    groups = [-1 - number for number in range(len(seen))]
    if there:
        numbers = group([seen[number].vector for number in there], least)
        for number, at in zip(there, numbers.tolist(), strict=True):
            groups[number] = at
    return groups
