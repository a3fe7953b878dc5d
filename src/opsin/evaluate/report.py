"""Reports: how good systems are by several metrics, over the same pictures; of any task.

A task has a function from a picture's truth and an answer to scores, and a `Metric` for each figure
that is told of them. All else is here: the figures over all pictures with their intervals, a
row for each system, what somebody must know to get the same again, and plain values for JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar

import numpy as np

from opsin import __version__
from opsin.errors import DataError
from opsin.evaluate.bootstrap import INTERVAL, Doubles, Estimate, bootstrap
from opsin.machine import cores
from opsin.models.card import Card

BATCH: Final = 8  # pictures in memory at once, for each thread

Scores: TypeAlias = Mapping[str, float]
"""What one answer for one picture scored, by name; `nan` where that is not defined."""

Means: TypeAlias = Mapping[str, Doubles]
"""The means of scores over pictures, by name."""

P = TypeVar("P")
S = TypeVar("S")


@dataclass(frozen=True)
class Metric:
    """A figure, and how it is shown and explained."""

    name: str
    label: str
    form: str
    better: Literal["higher", "lower", "zero"]
    meaning: str
    of: Callable[[Means], Doubles] | None = None
    """Makes it of the means of the scores; None: it is the mean of the score of its name."""


@dataclass(frozen=True)
class Row:
    """One system's figures over all pictures, by the metric's name, and its scores for each."""

    system: str
    figures: Mapping[str, Estimate]
    scores: tuple[Scores, ...]


@dataclass(frozen=True)
class Report:
    """A row for each system, over the same pictures in the same order."""

    pictures: tuple[str, ...]
    metrics: tuple[Metric, ...]
    rows: tuple[Row, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Why its figures may not say what they seem to."""
    unit: str = "pictures"
    """What scores are of: pictures, or pairs of them."""

    def __getitem__(self, system: str) -> Row:
        return by_name(system, self.rows)

    def with_figure(self, metric: Metric, values: Mapping[str, float]) -> Report:
        """The same with one more figure for each system, known of all pictures together only."""
        found = {name: Estimate(value, np.nan, np.nan) for name, value in values.items()}
        rows = (
            replace(row, figures={**row.figures, metric.name: found[row.system]})
            for row in self.rows
        )
        return replace(self, metrics=(*self.metrics, metric), rows=tuple(rows))

    def document(self, *, each: bool = False) -> dict[str, Any]:
        """Plain values for JSON, None where there is no number; with `each`, all scores too."""
        import msgspec

        systems = msgspec.to_builtins(self.rows)
        if not each:
            for row in systems:
                del row["scores"]
        names = {"names": list(self.pictures)} if each else {}
        whole = {**self.provenance, "interval": INTERVAL, self.unit: len(self.pictures)}
        plain: dict[str, Any] = _without_nan({**whole, **names, "systems": systems})
        return plain


def report(
    work: Callable[[P], tuple[str, Mapping[str, Scores], S]],
    items: Iterable[P],
    metrics: Sequence[Metric],
    *,
    threads: int | None = None,
    on_item: Callable[[S], None] | None = None,
) -> Report:
    """The report on all systems that `work` scores, item by item.

    `work` is called from several threads. It gives a picture's name, the scores of each system,
    and what `on_item` is to be given, in the order of the items. No item at all is a
    `DataError`.
    """
    names: list[str] = []
    columns: dict[str, list[Scores]] = {}
    for name, scores, seen in in_order(work, items, threads or cores()):
        names.append(name)
        for system, one in scores.items():
            columns.setdefault(system, []).append(one)
        if on_item:
            on_item(seen)
    if not names:
        raise DataError("none of the pictures can be measured.")
    rows = (summarize(system, scores, metrics) for system, scores in columns.items())
    return Report(tuple(names), tuple(metrics), tuple(rows))


def summarize(system: str, scores: Sequence[Scores], metrics: Sequence[Metric]) -> Row:
    """The figures of `system` over all pictures, each with its bootstrap interval.

    >>> accuracy = Metric("right", "right", ".0%", "higher", "pictures whose class is right")
    >>> summarize("mine", [{"right": 1.0}, {"right": 0.0}], [accuracy]).figures["right"].value
    0.5
    """

    def figures(means: Doubles) -> Doubles:
        named = dict(zip(scores[0], np.moveaxis(means, -1, 0), strict=True))
        found = [one.of(named) if one.of else named[one.name] for one in metrics]
        return np.stack(found, axis=-1)

    estimates = bootstrap(np.array([list(one.values()) for one in scores]), figures)
    names = (one.name for one in metrics)
    return Row(system, dict(zip(names, estimates, strict=True)), tuple(scores))


def ratio(part: str, whole: str) -> Callable[[Means], Doubles]:
    """For a `Metric`: the mean of one score over that of another; `nan` where that is 0.

    >>> float(ratio("errors", "pixels")({"errors": np.array(3.0), "pixels": np.array(4.0)}))
    0.75
    """

    def of(means: Means) -> Doubles:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(means[whole] > 0, means[part] / means[whole], np.nan)

    return of


def provenance(cards: Iterable[Card], **options: Any) -> dict[str, Any]:
    """What somebody must know to get the same figures again: the package, its models, the call."""
    models = [
        {"name": card.name, "version": card.version, "sha256": card.sha256}
        for card in dict.fromkeys(cards)
    ]
    return {"opsin": __version__, "models": models, **options}


def in_order(work: Callable[[P], S], items: Iterable[P], threads: int) -> Iterator[S]:
    """`work` done on each item by a few threads, never with more than a batch in memory."""
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(source, BATCH * threads)):
            yield from pool.map(work, batch)


class Named(Protocol):
    """What is told of one system."""

    @property
    def system(self) -> str: ...


N = TypeVar("N", bound=Named)


def by_name(system: str, rows: Sequence[N]) -> N:
    """The one of that system; `KeyError` with those there are."""
    for row in rows:
        if row.system == system:
            return row
    raise KeyError(f"no system {system!r}. There are: {', '.join(row.system for row in rows)}")


def _without_nan(value: Any) -> Any:
    """JSON has no number that is none: those become null."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and value != value else value
