"""What the verbs over many photographs say: progress, failures, the end, JSON, and exit codes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from opsin.archive.attempt import result_of
from opsin.archive.batch import Run, run
from opsin.archive.jobs import Job
from opsin.archive.report import Report
from opsin.archive.result import Result, counts, frame
from opsin.archive.resume import prepare, to_do
from opsin.cli import FAILED, STOPPED
from opsin.cli.screen import print_json, progress_bar
from opsin.errors import OpsinError, SaveError
from opsin.files import check_writable, shown
from opsin.interrupt import as_interrupts
from opsin.work import Work

MOST_NOTES = 12


@dataclass(frozen=True)
class Words:
    """How a verb tells of its photographs."""

    doing: str
    """As "colorizing"."""
    done: str
    """As "colorized"."""
    skipped: Mapping[str, str]
    """Why photographs are skipped, and how that is told."""
    goes_on: bool = True
    """Whether something is kept by which the same command goes on after a stop."""
    elsewhere: str = "give another folder with -o"
    """What helps when the disk is full."""


def over(
    planned: tuple[Sequence[Job], Sequence[tuple[Path, str]]],
    work: Work,
    words: Words,
    *,
    output: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    report: str | None = None,
    known: Sequence[Result] = (),
    on_result: Callable[[Result], None] | None = None,
    is_watched: bool = True,
    as_json: bool = False,
) -> None:
    """Does the work with each photograph of a plan, tells of it and leaves with its exit code.

    `output` is where the files go, as the user named it; None is beside the photographs. `known`
    is what became of photographs that are no longer in the plan. `on_result` is called with each
    result when it is there, and keeps it: what it cannot keep counts as not done. If it prints
    them, `is_watched` is False, and no bar is drawn.
    """
    jobs, unread = planned
    total = len(jobs) + len(unread) + len(known)
    before, todo = to_do(jobs, overwrite=overwrite)
    known = [*known, *before]
    known += [Result(str(path), "failed", error=error) for path, error in unread]
    if dry_run:
        print_plan([*known, *(result_of(job, "planned") for job in todo)], as_json=as_json)
        return
    page = Report(report, title=f"{words.done.capitalize()} photographs") if report else None
    if output is not None and todo:
        check_writable(
            Path(output) if len(jobs) > 1 else next(iter(todo[0].outputs.values())).parent
        )
    refused, todo = prepare(todo)
    known += refused
    for result in known:
        print_failure(result)
    kept: set[int] = set()

    def keep(result: Result) -> None:
        if on_result:
            on_result(result)
        kept.add(id(result))

    with progress(len(todo), words, is_watched=is_watched) as advance:

        def take(result: Result) -> None:
            advance(result)
            keep(result)
            if page:
                page.add(result)

        done = run(todo, work, workers=workers, overwrite=overwrite, on_result=take)
    if on_result and done.stopped:
        done = _settled(done, keep, kept)
    if page:
        _write(page, known, done)
    finish(known, done, total, words, as_json=as_json)


def _settled(done: Run, keep: Callable[[Result], None], kept: Collection[int]) -> Run:
    """A stopped run with those results alone that are kept; those that nobody has seen yet are kept
    now, if there is room for them and nobody is in a hurry."""
    with suppress(KeyboardInterrupt, OpsinError, OSError), as_interrupts():
        for result in done.results:
            if id(result) not in kept:
                keep(result)
    return replace(done, results=[one for one in done.results if id(one) in kept])


def _write(page: Report, known: Sequence[Result], done: Run) -> None:
    """Writes the report. After a stop, what was there before has no rows: that would take time."""
    before = [result for result in known if result.status == "failed" or not done.stopped]
    count = counts([*known, *done.results])
    try:
        with as_interrupts():
            for result in (*done.results, *before):
                page.add(result)
            page.write(count, seconds=done.seconds, stopped=done.stopped is not None)
    except SaveError as error:  # the pictures are written, and that is still told
        print(f"opsin: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"opsin: {shown(page.path)} was not written.", file=sys.stderr)


@contextmanager
def progress(
    total: int, words: Words, *, is_watched: bool = True
) -> Iterator[Callable[[Result], None]]:
    """Called with each result; tells failures, and draws a bar if there is somebody to see it."""
    if not (is_watched and sys.stderr.isatty()):
        yield print_failure
        return
    from rich.console import Console

    console = Console(stderr=True)
    if total == 1:
        with console.status(words.doing):  # a large photograph takes its time
            yield print_failure
        return
    began, done = time.perf_counter(), 0
    with progress_bar(total, console=console) as move:

        def advance(result: Result) -> None:
            nonlocal done
            done += 1
            if result.error:
                console.print(_failure(result), markup=False, highlight=False, soft_wrap=True)
            move(done, text=f"{done / (time.perf_counter() - began):.1f}/s")

        yield advance


def print_failure(result: Result) -> None:
    if result.error:
        print(_failure(result), file=sys.stderr)


def print_plan(results: Sequence[Result], *, as_json: bool) -> None:
    """What would be done."""
    if as_json:
        print_json(frame(results))
        return
    for result in results:
        note = " (exists, skipped)" if result.status == "skipped" else ""
        for output in result.outputs.values():
            print(f"{shown(result.input)} -> {shown(str(output))}{note}")


def finish(known: Sequence[Result], found: Run, total: int, words: Words, *, as_json: bool) -> None:
    """Says what became of all photographs and leaves with the exit code that fits."""
    results = [*known, *found.results]
    count = counts(results)
    if as_json:
        print_json(frame(results, left=total - len(results), seconds=round(found.seconds, 3)))
    else:
        print(_summary(results, count, found.seconds, words), file=sys.stderr)
    finished = count["done"] + count["skipped"]
    if found.stopped == "asked":
        print(
            f"opsin: stopped after {finished} of {total}."
            + (" The same command again goes on there." if words.goes_on else ""),
            file=sys.stderr,
        )
        raise typer.Exit(STOPPED)
    if found.stopped == "full disk":
        print(
            f"opsin: the disk is full; stopped after {finished} of {total}. "
            f"Make room, or {words.elsewhere}; the same command again goes on there.",
            file=sys.stderr,
        )
        raise typer.Exit(FAILED)
    if count["failed"]:
        raise typer.Exit(FAILED)


def _failure(result: Result) -> str:
    return f"opsin: {shown(result.input)}: {result.error}"


def _summary(
    results: Sequence[Result], count: Mapping[str, int], seconds: float, words: Words
) -> str:
    if len(results) == 1 and count["done"] and "output" in results[0].outputs:
        [result] = results
        notes = "".join(f"\n  {note}" for note in result.notes)
        made = ", ".join(shown(str(path)) for path in result.outputs.values())
        return f"{shown(result.input)} -> {made} ({seconds:.1f} s){notes}"
    parts = [f"{count['done']} {words.done} in {seconds:.1f} s"] if count["done"] else []
    if planned := count.get("planned"):
        parts.append(f"{planned} planned, and nothing written")
    for reason, why in words.skipped.items():
        if number := sum(
            result.status == "skipped" and result.notes == (reason,) for result in results
        ):
            parts.append(f"{number} skipped, {why}")
    if count["failed"]:
        parts.append(f"{count['failed']} failed")
    return "; ".join(parts or ["nothing to do"]) + "." + _notes(results)


def _notes(results: Sequence[Result]) -> str:
    """What was noted, most frequent first: one line a note, with the photograph or how many."""
    inputs: dict[str, list[str]] = {}
    for result in results:
        if result.status == "done":
            for note in result.notes:
                inputs.setdefault(note, []).append(result.input)
    notes = sorted(inputs, key=lambda note: -len(inputs[note]))
    lines = [
        f"{shown(inputs[note][0])}: {note}"
        if len(inputs[note]) == 1
        else f"{len(inputs[note])} photographs: {note}"
        for note in notes[:MOST_NOTES]
    ]
    if len(notes) > MOST_NOTES:
        lines.append(f"and {len(notes) - MOST_NOTES} other notes; --json lists them all")
    return "".join(f"\n  {line}" for line in lines)
