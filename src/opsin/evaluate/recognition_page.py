"""A page of how good classifiers are: figures, what is confused, how sure to be of a name."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

import numpy as np

from opsin.drawing.page import head
from opsin.drawing.shares import confusion_table, share_curves
from opsin.evaluate.report import Report, Row
from opsin.files import shown

MAKER: Final = "opsin evaluate classify"
MOST_CELLS: Final = 40  # classes in a table of confusions
MOST_PAIRS: Final = 20
BINS: Final = 10


def page(report: Report, labels: Sequence[str]) -> str:
    """The HTML of a report of `opsin.evaluate.recognition.evaluate` on models of these labels."""
    style = resources.files("opsin.evaluate").joinpath("recognition.css").read_text("utf-8")
    parts = [
        head("How good classifiers are", style=style, maker=MAKER),
        f"<main>\n<h1>{len(report.pictures):,} pictures, {len(labels):,} classes</h1>\n",
        _figures(report),
        _receivers(report) if len(labels) == 2 else "",
        _certainty(report),
        *(_confusions(row, labels) for row in report.rows),
        "</main>\n</html>\n",
    ]
    return "".join(parts)


def receiver_curve(row: Row) -> list[tuple[float, float]]:
    """The ROC curve of two classes: of the first, the share that is called the second (false
    alarms), and of the second the share that is found, at every threshold."""
    order = np.argsort([-one["p"] for one in row.scores], kind="stable")
    second = np.array([one["truth"] == 1 for one in row.scores])[order]
    steps = np.array([row.scores[at]["p"] for at in order])
    last = np.append(steps[1:] != steps[:-1], True)  # those of one score are passed together
    found = np.cumsum(second)[last] / max(1, second.sum())
    alarms = np.cumsum(~second)[last] / max(1, (~second).sum())
    return [(0.0, 0.0), *zip(alarms.tolist(), found.tolist(), strict=True)]


def certainty_curve(row: Row) -> list[tuple[float, float]]:
    """The mean probability of the likeliest name and how often it is right, where they are alike:
    a tenth of the pictures at a time, by their probability."""
    confidence = np.array([one["confidence"] for one in row.scores])
    right = np.array([one["top1"] for one in row.scores])
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(right)))
    return [(float(confidence[part].mean()), float(right[part].mean())) for part in parts]


def confusions(row: Row, count: int) -> Any:
    """(n, n): how many of the class of the row of the table were called that of the column."""
    pairs = [int(one["truth"]) * count + int(one["called"]) for one in row.scores]
    return np.bincount(pairs, minlength=count**2).reshape(count, count)


def _figures(report: Report) -> str:
    heads = "".join(
        f'<th scope=col title="{html.escape(one.meaning)}">{html.escape(one.label)}'
        for one in report.metrics
    )
    rows = []
    for row in report.rows:
        cells = []
        for metric in report.metrics:
            found = row.figures[metric.name]
            limits = (found.low, found.high)
            between = " to ".join(format(one, metric.form) for one in limits)
            small = "" if np.isnan(limits).any() else f"<br><small>{between}</small>"
            cells.append(f"<td>{found.value:{metric.form}}{small}")
        rows.append(f"<tr><th scope=row>{html.escape(shown(row.system))}{''.join(cells)}\n")
    meanings = "".join(
        f"<li>{html.escape(one.label)}: {html.escape(one.meaning)}\n" for one in report.metrics
    )
    return f"<table>\n<tr><td>{heads}\n{''.join(rows)}</table>\n<ul>\n{meanings}</ul>\n"


def _receivers(report: Report) -> str:
    curves = {row.system: receiver_curve(row) for row in report.rows}
    return (
        "<h2>What is found for what false alarms (ROC)</h2>\n"
        f"{share_curves(curves, across='false alarms', up='found')}{_legend(list(curves))}"
    )


def _certainty(report: Report) -> str:
    curves = {row.system: certainty_curve(row) for row in report.rows}
    drawn = share_curves(curves, across="probability", up="right", dots=True)
    return (
        "<h2>Is it right as often as it says?</h2>\n<p>Each dot is a tenth of the pictures. Below "
        "the diagonal a model is too sure, above it too modest.</p>\n"
        f"{drawn}{_legend(list(curves))}"
    )


def _legend(names: Sequence[str]) -> str:
    items = "".join(
        f"<li class=c{number % 4}><span>{html.escape(shown(name))}</span>\n"
        for number, name in enumerate(names)
    )
    return f"<ul class=legend>\n{items}</ul>\n"


def _confusions(row: Row, labels: Sequence[str]) -> str:
    table = confusions(row, len(labels))
    title = f"<h2>{html.escape(shown(row.system))}: what was called what</h2>\n"
    if len(labels) <= MOST_CELLS:
        words = "<p>Rows are what pictures show, columns what they were called.</p>\n"
        return title + words + confusion_table(labels, table)
    np.fill_diagonal(table, 0)
    items = []
    for flat in np.argsort(-table, axis=None, kind="stable")[:MOST_PAIRS]:
        true, called = (int(n) for n in np.unravel_index(flat, table.shape))
        if table[true, called]:
            names = (html.escape(shown(labels[n])) for n in (true, called))
            items.append(f"<li>{' called '.join(names)}: {table[true, called]}\n")
    return f"{title}<ol>\n{''.join(items)}</ol>\n" if items else f"{title}<p>Nothing else.</p>\n"
