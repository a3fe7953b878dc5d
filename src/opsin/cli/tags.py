"""What `opsin people write` and `opsin tag` share: names go into the metadata of photographs, one
photograph after the other, and what is told of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from opsin.archive.attempt import is_full_disk
from opsin.archive.batch import Run
from opsin.archive.jobs import Job, plan
from opsin.archive.result import Result
from opsin.cli.batch import Words, finish, print_failure, progress
from opsin.errors import OpsinError, WrongCallError
from opsin.files import shown
from opsin.formats.tag_files import Tags, Written, write_copy, write_sidecar
from opsin.interrupt import as_interrupts

Embed: TypeAlias = Annotated[
    bool,
    typer.Option("--embed/--sidecar", help="Into copies, or into files beside the photographs."),
]
CopiesTo: TypeAlias = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="DIR", help="Where copies go: with --embed."),
]
Remove: TypeAlias = Annotated[
    bool, typer.Option("--remove", help="Take out what was written, and nothing else.")
]


def write_tags(
    paths: Sequence[str],
    found: Callable[[Path], Tags],
    words: Words,
    *,
    embed: bool,
    output: str | None,
    remove: bool,
    dry_run: bool,
    pixel_limit: int,
    as_json: bool,
) -> None:
    """Writes what is `found` on each photograph of `paths` into its sidecar, or into a copy in the
    folder `output`; tells of it, and leaves with the exit code that fits."""
    if embed and output is None:
        raise WrongCallError("--embed writes copies of the photographs. Add -o DIR.")
    if output is not None and not embed:
        raise WrongCallError("-o: sidecars lie beside their photographs. Add --embed for copies.")

    def one(job: Job) -> Result:
        tags = found(job.source)
        if output is None:
            done = write_sidecar(job.source, tags, dry_run=dry_run, pixel_limit=pixel_limit)
        elif not tags.named and not remove and not job.outputs["output"].exists():
            done = Written("nothing")
        else:
            target = job.outputs["output"]
            done = write_copy(job.source, tags, target, dry_run=dry_run, pixel_limit=pixel_limit)
        outputs = {} if done.file is None else {"output": str(done.file)}
        if done.status in ("unchanged", "nothing"):
            notes = (done.status, *tags.notes, *done.notes)
            return Result(str(job.source), "skipped", outputs, notes=notes, part=done.document())
        status: Literal["planned", "done"] = "planned" if dry_run else "done"
        notes = (*tags.notes, *done.notes)
        return Result(str(job.source), status, outputs, notes=notes, part=done.document())

    def show(result: Result) -> None:
        names = ", ".join(result.part["names"]) or "no names any more"
        arrow = f"{shown(result.input)} -> {shown(result.outputs['output'])}"
        print(f"{arrow}: {shown(names)}")

    one_by_one(*planned(paths, output), one, show, words, as_json=as_json)


def planned(
    paths: Sequence[str], output: str | None
) -> tuple[list[Job], Sequence[tuple[Path, str]]]:
    """The photographs, and where their copies go: under their own names."""
    if "-" in paths:
        raise WrongCallError("-: not for a pipe, whose photograph has no name. Give a file's name.")
    if output is None:
        return plan(paths, picture=None)
    jobs, unread = plan(paths, output=os.path.join(output, ""))
    copies = [
        Job(job.source, {"output": job.outputs["output"].with_name(job.source.name)})
        for job in jobs
    ]
    targets = [job.outputs["output"] for job in copies]
    if len(set(targets)) < len(targets):
        twice = next(target for target in targets if targets.count(target) > 1)
        raise WrongCallError(
            f"{shown(twice)} would be two photographs' copy. Write their folders one by one."
        )
    return copies, unread


def one_by_one(
    jobs: Sequence[Job],
    unread: Sequence[tuple[Path, str]],
    one: Callable[[Job], Result],
    show: Callable[[Result], None],
    words: Words,
    *,
    as_json: bool,
) -> None:
    """Does `one` with each photograph, tells of it and leaves with the exit code that fits."""
    known = [Result(str(path), "failed", error=error) for path, error in unread]
    for result in known:
        print_failure(result)
    began, results = time.perf_counter(), []
    stopped: Literal["asked", "full disk"] | None = None
    try:
        watched = as_json or not sys.stdout.isatty()
        with as_interrupts(), progress(len(jobs), words, is_watched=watched) as advance:
            for job in jobs:
                result = _tried(job, one)
                results.append(result)
                advance(result)
                if not as_json and result.status in ("done", "planned"):
                    show(result)
    except KeyboardInterrupt:
        stopped = "asked"
    except (OpsinError, OSError) as error:
        if not is_full_disk(error):
            raise
        stopped = "full disk"
    total = len(jobs) + len(known)
    finish(known, Run(results, time.perf_counter() - began, stopped), total, words, as_json=as_json)


def _tried(job: Job, one: Callable[[Job], Result]) -> Result:
    began = time.perf_counter()
    try:
        result = one(job)
    except (OpsinError, OSError) as error:
        if is_full_disk(error):
            raise
        text = f"{error.strerror}." if isinstance(error, OSError) else str(error)
        return Result(str(job.source), "failed", error=text.removeprefix(f"{shown(job.source)}: "))
    if result.status == "skipped":
        for note in result.notes[1:]:
            print(f"opsin: {shown(job.source)}: {note}", file=sys.stderr)
        return result
    seconds = round(time.perf_counter() - began, 3)
    return Result(**{**vars(result), "seconds": seconds})
