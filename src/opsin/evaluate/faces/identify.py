"""Whose face is it: the nearest of some people, some of whose pictures are known.

A person is known by one embedding, the mean of those of the pictures in the `train` split. Of the
`test` split each picture is named after the nearest person (rank 1). Open set: a name is given
only above a similarity, one that few strangers reach, of whom the set has one picture each
(Grother, Ngan and Hanaoka, NISTIR 8271, 2019: identification and false positive rates).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from opsin.boxes import Floats
from opsin.errors import DataError
from opsin.evaluate.faces.look import MILLISECONDS, MISSED, Seen, plain
from opsin.evaluate.report import Metric, Report, Scores, ratio, summarize
from opsin.files import shown
from opsin.sets.sources import chosen
from opsin.sets.splits import FILE, beside

STRANGERS: Final = 1000
"""At most so many people who are not known, the first picture of each."""
RATE: Final = 0.01
"""Of the strangers so many may be given a name."""

RANK1: Final = Metric("right", "rank 1", ".2%", "higher", "pictures that get the right name")
BALANCED: Final = Metric(
    "balanced", "by person", ".2%", "higher", "the mean over people", ratio("weighted", "weight")
)
OPEN: Final = Metric(
    "open", "open set", ".2%", "higher", "right names that are also given, at FPIR 0.01"
)
LEAST: Final = Metric(
    "least", "at 0.01", ".3f", "zero", "similarity at which 0.01 of strangers get a name"
)


class Gallery(NamedTuple):
    """Names of pictures, without suffixes."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    strangers: tuple[str, ...]


def gallery_of(path: Path, limit: int | None) -> Gallery:
    """What the set's splits.json says in `identify`, or as a whole; `limit` is of test pictures."""
    document = _parsed(path)
    document = document.get("identify", document) if isinstance(document, dict) else {}
    splits: Any = document.get("splits", document) if isinstance(document, dict) else {}
    if not all(isinstance(splits.get(part), list) and splits[part] for part in ("train", "test")):
        raise DataError(f"{shown(path)}: {FILE} must tell pictures of `train` and of `test`.")
    train, test = (tuple(plain(str(name)) for name in splits[part]) for part in ("train", "test"))
    known = set(map(person, train))
    if unknown := [name for name in test if person(name) not in known]:
        raise DataError(f"{shown(path)}: {unknown[0]} is of `test`, and nobody of `train`.")
    first: dict[str, str] = {}
    for source, numbers in chosen(path, lambda place, why: None):
        for name in sorted(plain(source.names[number]) for number in numbers):
            first.setdefault(person(name), name)
    others = [name for who, name in first.items() if who not in known]
    return Gallery(train, tuple(_spread(test, limit)), tuple(_spread(others, STRANGERS)))


def measured(rows: Mapping[str, Mapping[str, Seen]], gallery: Gallery) -> Report:
    """The report on all that `opsin.evaluate.faces.look` has seen."""
    found = Report(gallery.test, (RANK1, BALANCED), ())
    figures: dict[Metric, dict[str, float]] = {}
    done = []
    for row, ones in rows.items():
        scores, more = _scored(ones, gallery)
        done.append(summarize(row, scores, found.metrics))
        for metric, value in more.items():
            figures.setdefault(metric, {})[row] = value
    found = replace(found, rows=tuple(done))
    for metric, values in figures.items():
        found = found.with_figure(metric, values)
    return found


def _parsed(path: Path) -> Any:
    try:
        return json.loads(beside(path, FILE))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{shown(path)}: {FILE} is not valid JSON ({error}).") from error


def _scored(ones: Mapping[str, Seen], gallery: Gallery) -> tuple[list[Scores], dict[Metric, float]]:
    people, known = prototypes((person(name), ones[name].vector) for name in gallery.train)
    counts = Counter(map(person, gallery.test))
    scores: list[Scores] = []
    for name in gallery.test:
        who, alike = _nearest(ones[name].vector, people, known)
        right, weight = float(who == person(name)), 1 / counts[person(name)]
        scores.append(
            {"right": right, "similarity": alike, "weight": weight, "weighted": right * weight}
        )
    strange = [_nearest(ones[name].vector, people, known)[1] for name in gallery.strangers]
    least = least_similarity(strange, RATE)
    given = [one["right"] * (one["similarity"] >= least) for one in scores]
    return scores, {
        OPEN: float(np.mean(given)) if strange else float("nan"),
        LEAST: least,
        MISSED: float(sum(one.vector is None for one in ones.values())),
        MILLISECONDS: float(np.mean([one.milliseconds for one in ones.values()])),
    }


def prototypes(seen: Iterable[tuple[str, Floats | None]]) -> tuple[list[str], Floats]:
    """People, and for each the mean of their embeddings, made of length 1: (P, D)."""
    found: dict[str, list[Floats]] = {}
    for who, vector in seen:
        if vector is not None:
            found.setdefault(who, []).append(vector)
    if not found:
        raise DataError("on none of the pictures of `train` is a face found.")
    means = np.array([np.mean(vectors, axis=0) for vectors in found.values()], np.float32)
    return list(found), means / np.linalg.norm(means, axis=1, keepdims=True)


def least_similarity(strangers: Sequence[float], rate: float) -> float:
    """The least similarity that no larger share of strangers reaches; nan if there are none.

    >>> least_similarity([0.1, 0.2, 0.3, 0.4], 0.25) > 0.3
    True
    """
    if not len(strangers):
        return float("nan")
    ranked = np.sort(np.array(strangers))[::-1]
    return float(np.nextafter(ranked[int(rate * len(ranked))], np.inf))


def person(name: str) -> str:
    """Whose picture it is: its folder."""
    return name.split("/")[0]


def _nearest(vector: Floats | None, people: Sequence[str], known: Floats) -> tuple[str, float]:
    """Who is nearest, and how alike; nobody where no face was found."""
    if vector is None:
        return "", -1.0
    alike = known @ vector
    best = int(np.argmax(alike))
    return people[best], float(alike[best])


def _spread(names: Sequence[str], limit: int | None) -> Sequence[str]:
    return names[:: -(-len(names) // limit)] if limit and names else names
