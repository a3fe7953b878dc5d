"""What the verbs over many photographs say of a run on a cluster; see `opsin.archive.cluster`."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from opsin.archive.attempt import result_of
from opsin.archive.jobs import NOTHING
from opsin.archive.result import STATUSES, Result
from opsin.cli import FAILED, STOPPED
from opsin.cli.batch import Words, print_failure, print_plan
from opsin.drawing.page import duration
from opsin.errors import OpsinError, WrongCallError
from opsin.files import shown
from opsin.interrupt import as_interrupts
from opsin.work import Work

if TYPE_CHECKING:  # what needs the extra is loaded when it is asked for
    from opsin.archive.cluster import State
    from opsin.archive.portion import Order

EVERY: Final = 60  # seconds between two lines of progress in a log


def order_of(
    work: Work,
    paths: Sequence[str],
    output: str | None,
    *,
    picture: str | None = "color",
    format: str | None = None,
    extras: Mapping[str, str] = NOTHING,
    overwrite: bool = False,
) -> Order:
    """What a cluster is to do; a `WrongCallError` for what it cannot."""
    from opsin.archive.jobs import format_of
    from opsin.archive.portion import Order

    if len(paths) != 1 or output is None:
        raise WrongCallError("--cluster takes one folder or address, and -o with another.")
    if overwrite:
        raise WrongCallError("--overwrite: not with --cluster. Give another folder with -o.")
    format = format_of(format) if format else None
    return Order(work, paths[0], output, picture=picture, format=format, extras=extras)


def on_cluster(
    order: Order,
    cluster: str,
    words: Words,
    *,
    workers: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Does an order on a cluster, tells of it and leaves with its exit code."""
    from opsin.archive.cluster import State, photographs, run

    if dry_run:
        entries = photographs(order, lambda folder, why: None)
        planned = (result_of(order.job(entry.name), "planned") for entry in entries)
        if as_json:
            _print_frame((result.document() for result in planned), lambda: {})
        else:
            for result in planned:
                print_plan([result], as_json=False)
        return
    state, stop = State(), None
    try:
        with as_interrupts(), _progress(state) as on_progress:
            run(order, cluster, workers=workers, state=state, on_progress=on_progress)
    except (KeyboardInterrupt, OpsinError) as error:
        if isinstance(error, OpsinError) and not state.finished:
            raise  # it has not begun
        stop = error
    if as_json:
        _print_frame(order.manifest().lines(state.name), lambda: _counts(state))
    elif state.finished or stop is None:
        print(f"{_summary(state, words)} Each is told of in {_where(order)}.", file=sys.stderr)
    _leave(state, stop)


def _leave(state: State, stop: BaseException | None) -> None:
    if stop is not None:
        print(
            f"opsin: stopped after {_progress_of(state)}. The same command again goes on there.",
            file=sys.stderr,
        )
    if isinstance(stop, OpsinError):
        raise stop
    if stop is not None:
        raise typer.Exit(STOPPED)
    if state.counts["failed"]:
        raise typer.Exit(FAILED)


@contextmanager
def _progress(state: State) -> Iterator[Callable[[tuple[Result, ...]], None]]:
    """Called with what has failed; shows how far the run is: in one line, or now and then."""
    is_seen = sys.stderr.isatty()
    last = time.monotonic()

    def on_progress(failed: tuple[Result, ...]) -> None:
        nonlocal last
        if is_seen:
            print("\r\033[K", end="", file=sys.stderr)
        for result in failed:
            print_failure(result)
        if is_seen or time.monotonic() - last >= EVERY:
            last = time.monotonic()
            end = "" if is_seen else "\n"
            print(f"opsin: {_progress_of(state)}", end=end, file=sys.stderr, flush=True)

    yield on_progress
    if is_seen:
        print("\r\033[K", end="", file=sys.stderr)


def _progress_of(state: State) -> str:
    of = f" of {state.total:,}" if state.total is not None else ""
    left = f", {duration(state.seconds_left)} left" if state.seconds_left is not None else ""
    return f"{state.finished:,}{of} photographs, {state.rate:,.1f}/s{left}"


def _summary(state: State, words: Words) -> str:
    counts = state.counts
    parts = [f"{counts['done']:,} {words.done} in {duration(state.seconds)}"]
    parts += [f"{counts[word]:,} {word}" for word in ("skipped", "failed") if counts[word]]
    return "; ".join(parts if counts["done"] else parts[1:] or ["nothing to do"]) + "."


def _where(order: Order) -> str:
    return shown(f"{order.target.rstrip('/')}/{order.manifest().folder}")


def _print_frame(lines: Iterable[Mapping[str, Any]], rest: Callable[[], dict[str, Any]]) -> None:
    """The one JSON document of all verbs, a photograph at a time; `rest` is asked at the end."""
    counts = Counter(dict.fromkeys(STATUSES, 0))
    print('{\n  "files": [', end="")
    comma = ""
    for line in lines:
        counts[str(line["status"])] += 1
        print(f"{comma}\n    {json.dumps(line)}", end="")
        comma = ","
    print("\n  ],\n  " + json.dumps({**counts, **rest()})[1:-1] + "\n}")


def _counts(state: State) -> dict[str, Any]:
    """How far a run came: also those that an earlier run has done, of which no line tells."""
    left = None if state.total is None else state.total - state.finished
    counts = {status: state.counts[status] for status in STATUSES}
    return {**counts, "left": left, "seconds": round(state.seconds, 3)}
