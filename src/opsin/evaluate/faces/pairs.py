"""Are two pictures of one person: the protocol of Labeled Faces in the Wild (Huang et al. 2007).

Its 6,000 pairs are in ten folds. The threshold for each fold is the best one of the other folds.
Nothing is learned from the set but that, so its results are those "with labeled outside data".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from opsin.boxes import Floats
from opsin.errors import DataError
from opsin.evaluate.faces.look import MILLISECONDS, MISSED, Seen
from opsin.evaluate.report import Metric, Report, Scores, summarize
from opsin.evaluate.roc import area, best_threshold, equal_error
from opsin.files import shown

PAIRS: Final = "pairs.txt"
RATES: Final = (1e-2, 1e-3, 1e-4)
"""False-accept rates whose thresholds are told."""
BINS: Final = 20_000  # of similarity, from -1 to 1
BLOCK: Final = 512  # faces that are compared with all others at a time

ACCURACY: Final = Metric("right", "accuracy", ".2%", "higher", "pairs that are told rightly")
ERROR: Final = Metric("error", "± error", ".2%", "zero", "standard error of it, over the folds")
AUC: Final = Metric("auc", "AUC", ".4f", "higher", "area below the ROC curve")
EER: Final = Metric("eer", "EER", ".2%", "lower", "errors where both kinds are as frequent")
TAR: Final = Metric(
    "tar", "TAR 0.001", ".2%", "higher", "same pairs above the threshold of FAR 0.001"
)


class Pair(NamedTuple):
    """Two pictures, by their names without a suffix, and whether they are of one person."""

    first: str
    second: str
    same: bool
    fold: int


def parse_pairs(text: str, path: str) -> list[Pair]:
    """The pairs of an LFW `pairs.txt`; what is wrong with it is a `DataError`.

    Its first line tells how many folds there are and how many pairs of each kind one has. Then
    come, fold by fold, NAME N M for pictures NAME/NAME_000N and NAME/NAME_000M of one person, and
    NAME N OTHER M of two, with tabs between them.

    >>> parse_pairs("1\\t1\\nAda\\t1\\t2\\nAda\\t1\\tBo\\t13", "faces")[1]
    Pair(first='Ada/Ada_0001', second='Bo/Bo_0013', same=False, fold=0)
    """
    head, *lines = [line.split("\t") for line in text.splitlines() if line.strip()] or [[]]
    if len(head) != 2 or not all(one.isdecimal() and int(one) for one in head):
        raise DataError(f"{shown(path)}: the first line of {PAIRS} must be two numbers.")
    folds, each = map(int, head)
    if len(lines) != 2 * folds * each:
        raise DataError(
            f"{shown(path)}: {PAIRS} has {len(lines)} pairs, its first line promises "
            f"{2 * folds * each}."
        )
    return [_pair(line, number, each, path) for number, line in enumerate(lines)]


def thresholds(vectors: Floats, people: Sequence[str], rates: Iterable[float]) -> list[float]:
    """For each false-accept rate the least similarity that no larger share of strangers reaches.

    `vectors` are (N, D) of length 1, `people` whose each is; all pairs of different people count.
    """
    _, owners = np.unique(np.array(people), return_inverse=True)
    counts = np.zeros(BINS, np.int64)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        alike = vectors[part] @ vectors.T
        strangers = alike[owners[part, None] != owners[None]]
        counts += np.histogram(strangers.clip(-1, 1), BINS, (-1, 1))[0]
    if not counts.any():
        return [float("nan") for _ in rates]
    above = np.append(counts[::-1].cumsum()[::-1], 0) / counts.sum()  # at or above each edge
    edges = np.linspace(-1, 1, BINS + 1)
    return [float(edges[np.argmax(above <= rate)]) for rate in rates]


def some(pairs: list[Pair], limit: int | None) -> list[Pair]:
    """At most `limit` pairs, from all folds and of both kinds."""
    some = pairs[:: -(-len(pairs) // limit)] if limit else pairs
    if len({pair.fold for pair in some}) < 2 or len({pair.same for pair in some}) < 2:
        raise DataError("the pairs must be of two folds or more, and of both kinds.")
    return some


def measured(rows: Mapping[str, Mapping[str, Seen]], pairs: Sequence[Pair]) -> Report:
    names = tuple(f"{pair.first} {pair.second}" for pair in pairs)
    told = [ACCURACY]
    found = Report(names, (ACCURACY,), (), unit="pairs")
    figures: dict[Metric, dict[str, float]] = {}
    done = []
    for row, ones in rows.items():
        scores, more = _scored(ones, pairs)
        done.append(summarize(row, scores, told))
        for metric, value in more.items():
            figures.setdefault(metric, {})[row] = value
    found = replace(found, rows=tuple(done))
    for metric, values in figures.items():
        found = found.with_figure(metric, values)
    return found


def _scored(
    ones: Mapping[str, Seen], pairs: Sequence[Pair]
) -> tuple[list[Scores], dict[Metric, float]]:
    """What each pair scored, and the figures that are known of all together."""
    alike = np.array([_similarity(ones[pair.first], ones[pair.second]) for pair in pairs])
    same, folds = np.array([pair.same for pair in pairs]), np.array([pair.fold for pair in pairs])
    right = np.zeros(len(pairs), bool)
    for fold in np.unique(folds):
        own = folds == fold
        right[own] = (alike[own] >= best_threshold(alike[~own], same[~own])) == same[own]
    each = np.array([right[folds == fold].mean() for fold in np.unique(folds)])
    there = {name: one.vector for name, one in ones.items() if one.vector is not None}
    vectors = np.array(list(there.values()), np.float32)
    limits = thresholds(vectors, [name.split("/")[0] for name in there], RATES)
    figures = {
        ERROR: float(each.std(ddof=1) / np.sqrt(len(each))),
        AUC: area(alike, same),
        EER: equal_error(alike, same),
        TAR: float((alike[same] >= limits[RATES.index(1e-3)]).mean()),
        **{_limit(rate): value for rate, value in zip(RATES, limits, strict=True)},
        MISSED: float(len(ones) - len(there)),
        MILLISECONDS: float(np.mean([one.milliseconds for one in ones.values()])),
    }
    columns = zip(right, alike, same, folds, strict=True)
    return [
        {"right": float(r), "similarity": float(s), "same": float(t), "fold": float(f)}
        for r, s, t, f in columns
    ], figures


def _limit(rate: float) -> Metric:
    meaning = f"similarity that {rate:g} of all pairs of strangers reach"
    return Metric(f"at {rate:g}", f"at {rate:g}", ".3f", "zero", meaning)


def _similarity(one: Seen, other: Seen) -> float:
    """0, as strangers', where a face is missing."""
    if one.vector is None or other.vector is None:
        return 0.0
    return float(one.vector @ other.vector)


def _pair(line: list[str], number: int, each: int, path: str) -> Pair:
    fold, place = divmod(number, 2 * each)
    match line:
        case [name, first, second] if first.isdecimal() and second.isdecimal() and place < each:
            return Pair(_picture(name, first), _picture(name, second), True, fold)
        case [name, first, other, second] if first.isdecimal() and second.isdecimal():
            if place >= each:
                return Pair(_picture(name, first), _picture(other, second), False, fold)
    raise DataError(f"{shown(path)}: line {number + 2} of {PAIRS} is no pair of its kind.")


def _picture(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}"
