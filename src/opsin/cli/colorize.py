"""`opsin colorize`: photographs, folders, globs or a pipe, in color.

The same words and defaults as `opsin.colorize` and `Photo.save`. Photographs whose pictures
exist are passed over, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from opsin.archive.jobs import KEPT, WRITABLE, Job, format_of, plan
from opsin.cli import FAILED, STOPPED, write_to_stdout
from opsin.cli.options import Json, Size
from opsin.errors import ModelError, OpsinError, WrongCallError
from opsin.files import check_writable, clean, find_in_file, fingerprint_of, shown
from opsin.interrupt import as_interrupts

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
MOST_NOTES = 12
# The confidence that is drawn black and white. Of the default model's on the samples, 98 % lie
# between 0.15 and 0.85: a scale from 0 to 1 would show gray everywhere.
UNSURE, SURE = 0.2, 0.8


@dataclass(frozen=True)
class Options:
    """How each photograph is done."""

    model: str = "default"
    vividness: float = 0.5
    size: int | None = None
    quality: int = 90
    mark: bool = False
    skip_color: bool = False
    pixel_limit: int = 250_000_000
    overwrite: bool = False
    damaged: bool = False
    threads: int | None = None


@dataclass
class Result:
    """What became of one photograph."""

    input: str
    status: str  # "done", "skipped" or "failed"
    output: str | None = None
    compare: str | None = None
    confidence: str | None = None
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)
    error: str | None = None


def colorize(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs, or - for a pipe.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE_OR_DIR",
            help="Beside the photograph if not given; - is stdout.",
        ),
    ] = None,
    vividness: Annotated[
        float, typer.Option(min=0, max=1, help="From 0, muted, to 1, saturated.")
    ] = 0.5,
    size: Size = None,
    model: Annotated[
        str, typer.Option(help="See opsin models list; several with commas are an ensemble.")
    ] = "default",
    format: Annotated[
        str | None, typer.Option(help=f"{', '.join(WRITABLE)}. [default: the photograph's]")
    ] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")] = 90,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also write NAME-compare.jpg, before and after.")
    ] = False,
    confidence: Annotated[
        bool,
        typer.Option(
            "--confidence",
            help="Also write NAME-confidence.png: white where it is sure, black where it is not.",
        ),
    ] = False,
    mark: Annotated[
        bool, typer.Option("--mark", help="Draw a small mark that tells the color is not original.")
    ] = False,
    skip_color: Annotated[
        bool, typer.Option("--skip-color", help="Pass over photographs that are in color.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also do what is done already.")
    ] = False,
    pixel_limit: Annotated[
        int, typer.Option(min=1, help="Photographs with more pixels are not opened.")
    ] = 250_000_000,
    damaged: Annotated[
        bool,
        typer.Option(
            "--damaged", help="Take damaged photographs as far as they go; the rest stays gray."
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Photographs at once. [default: the cores + 1]"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be written.")
    ] = False,
    as_json: Json = False,
) -> None:
    """NAME-color.EXT is written beside each photograph, which is never touched. Pictures that
    exist are skipped, so a run that was stopped goes on where it was.

    Example: opsin colorize scans -o colored --vividness 0.6
    """
    options = Options(
        model, vividness, size, quality, mark, skip_color, pixel_limit, overwrite, damaged
    )
    if "-" in (*paths, output):
        _refuse_in_a_pipe(
            {
                "--compare": compare,
                "--confidence": confidence,
                "--json": as_json,
                "--dry-run": dry_run,
                "--skip-color": skip_color,
                "--workers": workers is not None,
            }
        )
        _pipe(paths, output, format, options)
        return
    jobs, unread = plan(paths, output=output, format=format, compare=compare, confidence=confidence)
    known = [Result(str(path), "failed", error=error) for path, error in unread]
    todo = []
    for job in jobs:
        if result := _in_the_way(job) or (None if overwrite else _standing(job)):
            known.append(result)
        else:
            todo.append(job)
    if dry_run:
        _print_plan(known + [_result(job, "planned") for job in todo], as_json)
        return
    if output is not None and todo:
        check_writable(Path(output) if len(jobs) > 1 else todo[0].target.parent)
    for place in {job.target.parent for job in todo}:
        clean(place)
    for result in known:
        _print_failure(result)
    began = time.perf_counter()
    results, stop = _run(todo, options, workers)
    total = len(jobs) + len(unread)
    _report(known + results, total, time.perf_counter() - began, as_json, stop)


def _in_the_way(job: Job) -> Result | None:
    """What is to be said if one of the names to write to is no file: through a link, another
    photograph would be written to, and a pipe would wait for ever."""
    for path in (job.target, job.compare, job.confidence):
        if path is not None and os.path.lexists(path) and not os.path.isfile(path):
            kind = "a link to nothing" if os.path.islink(path) else "no file"
        elif path is not None and os.path.islink(path):
            kind = "a link"
        else:
            continue
        error = f"{shown(path)} is {kind}, and stays so. Choose another folder with -o."
        return _result(job, "failed", error=error)
    return None


def _standing(job: Job) -> Result | None:
    """What is to be said of a photograph whose pictures exist, or None if there is work to do."""
    if os.path.exists(job.target) and (error := _of_another(job)):
        return _result(job, "failed", error=error)
    return _result(job, "skipped", notes=["exists"]) if job.is_done() else None


def _of_another(job: Job) -> str | None:
    """Why the existing color picture is not this photograph's; None if it is, or does not say."""
    from opsin.formats.xmp import ORIGIN

    origin = find_in_file(job.target, ORIGIN)
    if origin is None and not _may_be_of(job):
        return (
            f"{shown(job.target)} exists and is not this photograph in color. "
            "Choose another folder with -o, or replace it with --overwrite."
        )
    try:
        if origin is None or origin.decode() == fingerprint_of(job.source):
            return None
    except OSError:
        return None  # what is wrong with the photograph will be said when it is opened
    return (
        f"{shown(job.target)} exists and was made from another photograph, or from this one before "
        "it was changed. Choose another folder with -o, or replace it with --overwrite."
    )


def _may_be_of(job: Job) -> bool:
    """Whether an existing picture that does not say what it was made from has the same size.

    Other programs leave out the XMP that says it, and BMP has none.
    """
    from PIL import Image

    try:
        with Image.open(job.target) as found:
            size = sorted(found.size)  # turned or not
    except Exception:  # empty, cut off, not a picture, or not to be read
        return False
    with suppress(Exception), Image.open(job.source) as source:
        return size == sorted(source.size)
    return True


def _refuse_in_a_pipe(given: dict[str, bool]) -> None:
    if names := [name for name, is_given in given.items() if is_given]:
        raise WrongCallError(
            f"{', '.join(names)}: not in a pipe, which carries one picture. Give a file's name."
        )


def _pipe(
    paths: Sequence[str],
    output: str | None,
    format: str | None,
    options: Options,
) -> None:
    import opsin

    if len(paths) > 1:
        raise WrongCallError("a pipe carries one photograph, but there are several paths.")
    to_stdout = output in (None, "-")
    if output is not None and not to_stdout and (output.endswith("/") or os.path.isdir(output)):
        raise WrongCallError(
            f"-o {shown(output)} is a folder, and what comes through a pipe has no name. "
            "Give the name of a file."
        )
    if to_stdout and sys.stdout.isatty():
        raise WrongCallError("the picture would fill the terminal. Add -o FILE or > FILE.")
    source = sys.stdin.buffer if paths[0] == "-" else Path(paths[0])
    photo = opsin.open(source, pixel_limit=options.pixel_limit, damaged=options.damaged)
    kind = format_of(format) if format else None
    result = opsin.colorize(
        photo, model=options.model, vividness=options.vividness, size=options.size
    )
    if to_stdout:
        own = photo.metadata.format or ""
        kind = kind or (own if own in KEPT else "png")
        write_to_stdout(result.encode(kind, quality=options.quality, mark=options.mark))
    else:
        target = Path(str(output))
        kind = kind or format_of(target.suffix)
        result.save(
            target,
            format=kind,
            quality=options.quality,
            mark=options.mark,
            overwrite=options.overwrite,
        )
    for note in (*result.notes, *result.losses(kind)):
        print(f"opsin: {note}", file=sys.stderr)


def _do(job: Job, options: Options) -> Result:
    """Colorize one photograph and write those of its pictures that are missing."""
    from opsin.colorization.pipeline import confidence_of, paint, predict
    from opsin.photo import open as open_photo

    began = time.perf_counter()
    photo = open_photo(job.source, pixel_limit=options.pixel_limit, damaged=options.damaged)
    answer = predict(
        photo,
        model=options.model,
        vividness=options.vividness,
        size=options.size,
        threads=options.threads,
    )
    if options.skip_color and answer.kind == "color":
        return _result(job, "skipped", notes=["in color"])

    def is_wanted(path: Path | None) -> bool:
        return path is not None and (options.overwrite or not os.path.exists(path))

    if is_wanted(job.target):
        result = paint(photo, answer, threads=options.threads)
        notes = [*result.notes, *result.losses(job.format)]
    else:  # it is compared as it is, and left so
        result, notes = open_photo(job.target, pixel_limit=options.pixel_limit), []
    if job.compare and is_wanted(job.compare):
        from opsin.drawing.before_after import side_by_side

        both = side_by_side(photo.pixels, result.pixels)
        replace(result, pixels=both, alpha=None).save(job.compare, quality=options.quality)
    if job.confidence and is_wanted(job.confidence):
        shade = (confidence_of(photo, answer) - UNSURE) / (SURE - UNSURE)
        open_photo((shade.clip(0, 1) * 255 + 0.5).astype("uint8")).save(job.confidence)
    if is_wanted(job.target):
        result.save(job.target, format=job.format, quality=options.quality, mark=options.mark)
    return _result(job, "done", seconds=round(time.perf_counter() - began, 3), notes=notes)


def _attempt(job: Job, options: Options) -> Result:
    """As `_do`, but a photograph that fails is a result; what would stop all of them is raised."""
    try:
        return _do(job, options)
    except (OpsinError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and cause.errno in FULL_DISK:
            raise
        text = f"{error.filename}: {error.strerror}." if isinstance(error, OSError) else str(error)
        return _result(job, "failed", error=text.removeprefix(f"{shown(job.source)}: "))
    except MemoryError:
        text = f"there is not enough memory for it{_megapixels(job.source)}. Try --workers 1."
        return _result(job, "failed", error=text)
    except Exception as error:  # no photograph ends a run
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        text = f"this is a mistake in opsin ({found}). Please report it, with the photograph."
        return _result(job, "failed", error=text)


def _megapixels(path: Path) -> str:
    """How large a photograph is, as its head tells; nothing where it cannot be told."""
    from opsin.formats.vips import vips

    with suppress(Exception):  # memory is short: a word less is better than no word
        image = vips().Image.new_from_file(str(path), access="sequential")
        return f" ({image.width * image.height / 1e6:,.0f} megapixels)"
    return ""


def _run(
    jobs: Sequence[Job], options: Options, workers: int | None
) -> tuple[list[Result], BaseException | None]:
    """The results, and what stopped the run before its end."""
    from opsin.colorization.ensemble import members
    from opsin.machine import cores
    from opsin.models.engine import MOST_THREADS, load_engine

    if not jobs:
        return [], None
    # one more than the cores, since each now and then waits for the disk
    count = min(workers or min(cores(), MOST_THREADS) + 1, len(jobs))
    options = replace(options, threads=max(1, min(cores(), MOST_THREADS) // count))
    for name in members(options.model):
        load_engine(name, threads=options.threads)  # a bad model stops before the first photograph
    results: list[Result] = []
    stop: BaseException | None = None

    def attempt(job: Job) -> Result:
        result = _attempt(job, options)
        results.append(result)  # here, so that what ends after a stop is counted too
        return result

    pool = ThreadPoolExecutor(count)
    try:
        with as_interrupts(), _progress(len(jobs)) as advance:
            for result in _as_completed(pool, attempt, jobs, at_once=2 * count):
                advance(result)
    except (KeyboardInterrupt, OpsinError, OSError) as error:
        stop = error
    finally:
        with suppress(KeyboardInterrupt):  # who is in a hurry gets the report all the same
            pool.shutdown(wait=True, cancel_futures=True)
    return results, stop


def _as_completed(
    pool: ThreadPoolExecutor,
    attempt: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    at_once: int,
) -> Iterator[Result]:
    """Each result when it is there; few jobs are handed out at a time, so that a stop is quick."""
    waiting: set[Future[Result]] = set()
    for job in jobs:
        waiting.add(pool.submit(attempt, job))
        if len(waiting) >= at_once:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Result], None]]:
    """Called with each result; draws a bar if there is somebody to see it."""
    if not sys.stderr.isatty():
        yield _print_failure
        return
    from rich.console import Console

    if total == 1:
        with Console(stderr=True).status("colorizing"):  # a large photograph takes its time
            yield _print_failure
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    began = time.perf_counter()
    rate = TextColumn("{task.fields[rate]:.1f}/s")
    columns = (BarColumn(), MofNCompleteColumn(), rate, TimeLeft(), TextColumn("left"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, rate=0.0)
        done = 0

        def advance(result: Result) -> None:
            nonlocal done
            done += 1
            if result.error:
                bar.console.print(_failure(result), markup=False, highlight=False, soft_wrap=True)
            bar.update(task, advance=1, rate=done / (time.perf_counter() - began))

        yield advance


def _print_failure(result: Result) -> None:
    if result.error:
        print(_failure(result), file=sys.stderr)


def _failure(result: Result) -> str:
    return f"opsin: {shown(result.input)}: {result.error}"


def _result(job: Job, status: str, **more: Any) -> Result:
    written = status != "failed"
    return Result(
        input=str(job.source),
        status=status,
        output=str(job.target) if written else None,
        compare=str(job.compare) if written and job.compare else None,
        confidence=str(job.confidence) if written and job.confidence else None,
        **more,
    )


def _print_plan(results: Sequence[Result], as_json: bool) -> None:
    if as_json:
        _print_json({"files": [asdict(result) for result in results]})
        return
    for result in results:
        note = " (exists, skipped)" if result.status == "skipped" else ""
        print(f"{shown(result.input)} -> {shown(str(result.output))}{note}")


def _report(
    results: Sequence[Result],
    total: int,
    seconds: float,
    as_json: bool,
    stop: BaseException | None,
) -> None:
    """Say what was done and leave with the exit code that fits."""
    counts = {
        status: sum(result.status == status for result in results)
        for status in ("done", "skipped", "failed")
    }
    if as_json:
        _print_json(
            {
                **counts,
                "left": total - len(results),
                "seconds": round(seconds, 3),
                "files": [asdict(result) for result in results],
            }
        )
    else:
        print(_summary(results, counts, seconds), file=sys.stderr)
    finished = counts["done"] + counts["skipped"]
    if isinstance(stop, KeyboardInterrupt):
        print(
            f"opsin: stopped after {finished} of {total}. The same command again goes on there.",
            file=sys.stderr,
        )
        raise typer.Exit(STOPPED)
    if isinstance(stop, ModelError):
        raise stop
    if stop is not None:
        print(
            f"opsin: the disk is full; stopped after {finished} of {total}. "
            f"Make room, or give another folder with -o; the same command again goes on there.",
            file=sys.stderr,
        )
        raise typer.Exit(FAILED)
    if counts["failed"]:
        raise typer.Exit(FAILED)


def _summary(results: Sequence[Result], counts: dict[str, int], seconds: float) -> str:
    if len(results) == 1 and counts["done"]:
        [result] = results
        notes = "".join(f"\n  {note}" for note in result.notes)
        names = f"{shown(result.input)} -> {shown(str(result.output))}"
        return f"{names} ({seconds:.1f} s){notes}"
    parts = [f"{counts['done']} colorized in {seconds:.1f} s"] if counts["done"] else []
    for reason, why in (
        ("exists", "colored already (--overwrite does it again)"),
        ("in color", "in color"),
    ):
        if number := sum(
            result.status == "skipped" and result.notes == [reason] for result in results
        ):
            parts.append(f"{number} skipped, {why}")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    parts = parts or ["nothing to do"]
    return "; ".join(parts) + "." + _notes(results)


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


def _print_json(document: dict[str, Any]) -> None:
    import json

    text = json.dumps(document, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:  # names that are not text, or a terminal that is not UTF-8
        text = json.dumps(document, indent=2)
    print(text)
