"""`opsin people write` and `opsin people read`: names into photographs' metadata, and out of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from opsin.archive.attempt import is_full_disk
from opsin.archive.batch import Run
from opsin.archive.jobs import Job, plan
from opsin.archive.result import Result
from opsin.cli.batch import Words, finish, print_failure, progress
from opsin.cli.options import DryRun, Json, PixelLimit
from opsin.cli.people_options import PeopleFile
from opsin.defaults import PIXEL_LIMIT
from opsin.errors import DataError, OpsinError, WrongCallError
from opsin.files import shown
from opsin.interrupt import as_interrupts
from opsin.people.file import People
from opsin.people.look import Looking, facts_of, resolved
from opsin.people.metadata import names_in
from opsin.people.records import NamedPhoto
from opsin.people.write import Named, Written, write_copy, write_sidecar

WRITING: Final = Words(
    doing="writing names",
    done="written",
    skipped={"unchanged": "written already", "nobody": "with nobody named on them"},
)
REMOVING: Final = Words(
    doing="taking names out",
    done="without them now",
    skipped={"nobody": "without names from opsin"},
)
READING: Final = Words(
    doing="reading names",
    done="with names",
    skipped={"nobody": "with nobody named in them"},
)


def write(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or globs.")],
    embed: Annotated[
        bool,
        typer.Option(
            "--embed/--sidecar", help="Into copies, or into files beside the photographs."
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where copies go: with --embed."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take out what was written, and nothing else.")
    ] = False,
    file: PeopleFile = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Confirmed names and where the faces are, as XMP that other programs read: in photo.jpg.xmp
    beside each photograph, or in copies. Photographs are never changed. What other programs wrote
    into a sidecar stays, and the file as it was is kept as photo.jpg.xmp.bak.

    Example: opsin people write album --dry-run
    """
    if embed and output is None:
        raise WrongCallError("--embed writes copies of the photographs. Add -o DIR.")
    if output is not None and not embed:
        raise WrongCallError("-o: sidecars lie beside their photographs. Add --embed for copies.")
    jobs, unread = _planned(paths, output)
    named = {} if remove else _named(file)

    def one(job: Job) -> Result:
        found = _found(named.get(resolved(job.source)), job.source)
        if output is None:
            done = write_sidecar(job.source, found, dry_run=dry_run, pixel_limit=pixel_limit)
        elif not found.faces and not remove and not job.outputs["output"].exists():
            done = Written("nobody")
        else:
            target = job.outputs["output"]
            done = write_copy(job.source, found, target, dry_run=dry_run, pixel_limit=pixel_limit)
        return _result(job, done, dry_run=dry_run)

    def show(result: Result) -> None:
        names = ", ".join(result.part["names"]) or "no names any more"
        arrow = f"{shown(result.input)} -> {shown(result.outputs['output'])}"
        print(f"{arrow}: {shown(names)}")

    _over(jobs, unread, one, show, REMOVING if remove else WRITING, as_json=as_json)


def read(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or globs.")],
    own: Annotated[
        bool,
        typer.Option(
            "--own", help="Also names that opsin wrote, as for a people file that is lost."
        ),
    ] = False,
    file: PeopleFile = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what names there are.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Faces that digiKam, Lightroom, Picasa or Windows have named, in photographs and in sidecars:
    they are taken as confirmed, and teach how these people look. What you have said yourself stays.

    Example: opsin people read album
    """
    jobs, unread = _planned(paths, None)
    people = None if dry_run else People.open(file, looking=Looking(pixel_limit=pixel_limit))

    def one(job: Job) -> Result:
        told = names_in(job.source, own=own, pixel_limit=pixel_limit)
        new = people.teach(job.source, told.faces) if people and told.faces else []
        part = {**told.document(), "new": [face.name for face in new]}
        if not told.faces and not told.others:
            return Result(str(job.source), "skipped", notes=("nobody", *told.notes), part=part)
        return Result(str(job.source), "done", notes=told.notes, part=part)

    def show(result: Result) -> None:
        new = set(result.part["new"])
        names = [
            f"{one['name']}{' (new)' if one['name'] in new else ''}"
            for one in result.part["people"]
        ]
        names += [f"{name} (no place)" for name in result.part["others"]]
        print(f"{shown(result.input)}: {shown(', '.join(names))}")

    try:
        _over(jobs, unread, one, show, READING, as_json=as_json)
    finally:
        if people is not None:
            people.close()


def _planned(
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


def _found(photo: NamedPhoto | None, source: Path) -> Named:
    """Who is on a photograph; a `DataError` if it is not the file that the faces were seen in."""
    if photo is None:
        return Named()
    if facts_of(source).digest != photo.digest:
        raise DataError(
            f"{shown(source)}: it was changed since its faces were seen. Look at it again first: "
            "opsin people name."
        )
    return Named(photo.faces, photo.width, photo.height)


def _named(file: str | None) -> dict[Path, NamedPhoto]:
    """The photographs with confirmed faces, by path."""
    with People.open(file, new=False) as people:
        return {photo.path: photo for photo in people.named()}


def _result(job: Job, done: Written, *, dry_run: bool) -> Result:
    outputs = {} if done.file is None else {"output": str(done.file)}
    if done.status in ("unchanged", "nobody"):
        notes = (done.status, *done.notes)
        return Result(str(job.source), "skipped", outputs, notes=notes, part=done.document())
    status: Literal["planned", "done"] = "planned" if dry_run else "done"
    return Result(str(job.source), status, outputs, notes=done.notes, part=done.document())


def _over(
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
