"""What several verbs show on a terminal: tables, a count while they work, reports, JSON."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

    from opsin.evaluate.report import Metric, Report

WIDE: Final = 160  # columns, where no terminal says how many there are
MOST_FIGURES: Final = 7  # in a table


def console() -> Console:
    """Where tables go: as wide as the terminal, or wide enough for what reads them."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=WIDE)


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:  # names that are not text, or a terminal that is not UTF-8
        text = json.dumps(document, indent=2)
    print(text)


def print_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    words: int = 1,
    dim: Sequence[int] = (),
) -> None:
    """Rows below their titles: the first `words` columns are text, the others numbers.

    The rows with a number in `dim` are paler.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, title in enumerate(titles):
        left = index < words
        table.add_column(
            title, justify="left" if left else "right", overflow="fold", no_wrap=not left
        )
    for index, row in enumerate(rows):
        cells = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
        table.add_row(*cells, style="dim" if index in dim else "")
    console().print(table, "")


def print_report(report: Report) -> None:
    """Tables of its figures and their intervals, and what the figures mean."""
    from opsin.evaluate.bootstrap import INTERVAL

    tables = -(-len(report.metrics) // MOST_FIGURES)
    each = -(-len(report.metrics) // tables)
    for start in range(0, len(report.metrics), each):
        metrics = report.metrics[start : start + each]
        rows = []
        for row in report.rows:
            shown = [(row.figures[one.name], one.form) for one in metrics]
            rows.append([row.system, *(number(one.value, form) for one, form in shown)])
            rows.append(["", *(_interval(one.low, one.high, form) for one, form in shown)])
        heads = ["system", *(one.label for one in metrics)]
        print_table(heads, rows, dim=range(1, len(rows), 2))
    for note in report.notes:
        console().print(note, highlight=False)
    explain(report.metrics)
    console().print(f"{len(report.pictures)} {report.unit}; dim: {INTERVAL}.", highlight=False)


def explain(metrics: Sequence[Metric]) -> None:
    """A line for each figure: what it means, and which way is better."""
    for one in metrics:
        better = "" if one.better == "zero" else f"; {one.better} is better"
        console().print(f"{one.label:12} {one.meaning}{better}", style="dim", highlight=False)


def number(value: float, form: str) -> str:
    """A figure for a table; a dash where it is not defined."""
    return "-" if value != value else format(value, form)


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[object], None]]:
    """A line that counts, shown only where somebody watches; call what it gives for each."""
    from rich.console import Console

    done = 0
    with Console(stderr=True).status("reading") as status:

        def count(_: object) -> None:
            nonlocal done
            done += 1
            status.update(f"{done} {what}")

        yield count


@contextlib.contextmanager
def progress_bar(
    total: int | None = None, *, text: str = "", console: Console | None = None
) -> Iterator[Callable[..., None]]:
    """A bar, drawn only where somebody watches, and gone at the end; call what it gives with how
    many are done, and if need be with `total` or `text`, the words before the bar."""
    from rich import progress
    from rich.console import Console

    console = console or Console(stderr=True)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("left"),
    )
    disable = not console.is_terminal
    with progress.Progress(*columns, console=console, transient=True, disable=disable) as bar:
        task = bar.add_task(text, total=total)

        def move(done: int, *, total: int | None = None, text: str = "") -> None:
            bar.update(task, completed=done, total=total, description=text or None)

        yield move


def _interval(low: float, high: float, form: str) -> str:
    if low != low and high != high:
        return ""
    return f"{number(low, form)} {number(high, form)}".replace("%", "")
