"""`opsin people group`: unknown people as groups of faces, which are named at once or split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from opsin.archive.batch import run
from opsin.archive.jobs import plan
from opsin.archive.result import Result
from opsin.cli import FAILED, STOPPED
from opsin.cli.batch import Words, print_failure, progress
from opsin.cli.options import Json, PixelLimit, Workers
from opsin.cli.people_options import FaceNumber, Name, PeopleFile, Photo
from opsin.cli.screen import print_json
from opsin.defaults import PIXEL_LIMIT
from opsin.files import shown
from opsin.people.file import People
from opsin.people.groups import Group
from opsin.people.look import Looking, resolved
from opsin.people.work import Naming

LOOKING: Final = Words(doing="looking for faces", done="looked at", skipped={})
Number = Annotated[int, typer.Argument(min=1, metavar="GROUP", help="A group's number.")]


def group(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Files, folders or globs to look at. [default: all that were looked at before]",
        ),
    ] = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    workers: Workers = None,
    file: PeopleFile = None,
    as_json: Json = False,
) -> None:
    """Put the faces of unknown people into groups that each look like one person's. A group keeps
    its number; opsin people name-group names all of its faces, opsin people split takes one out.

    Example: opsin people group shoebox
    """
    with People.open(file, looking=Looking(pixel_limit=pixel_limit)) as known:
        code, places = 0, None
        if paths:
            jobs, unread = plan(paths, picture=None)
            failed = [Result(str(path), "failed", error=error) for path, error in unread]
            for result in failed:
                print_failure(result)
            with progress(len(jobs), LOOKING) as advance:
                done = run(jobs, Naming(known), workers=workers, on_result=advance)
            if done.stopped:
                raise typer.Exit(STOPPED if done.stopped == "asked" else FAILED)
            failed += [result for result in done.results if result.status == "failed"]
            code = FAILED if failed else 0
            places = {resolved(job.source) for job in jobs}
        found = [
            one
            for one in known.group()
            if places is None or any(face.path in places for face in one.faces)
        ]
    if as_json:
        print_json({"groups": [one.document() for one in found]})
    else:
        print_groups(found)
    if code:
        raise typer.Exit(code)


def name_group(number: Number, name: Name, file: PeopleFile = None, as_json: Json = False) -> None:
    """Confirm all faces of a group as one person's. Look at them first.

    Example: opsin people name-group 3 "Ada Lovelace"
    """
    with People.open(file, new=False) as known:
        count = known.name_group(number, name)
    if as_json:
        print_json({"group": number, "name": name, "faces": count})
        return
    print(f"{count} faces are {shown(name)}.")


def split(number: Number, photo: Photo, face: FaceNumber = None, file: PeopleFile = None) -> None:
    """Take a face out of a group. It is never put together again with those that stay there.

    Example: opsin people split 3 party.jpg --face 2
    """
    with People.open(file, new=False) as known:
        known.split(number, photo, face=face)
    print(f"{shown(photo)}: its face is in group {number} no more.")


def print_groups(groups: Sequence[Group]) -> None:
    """Each group with its faces, a line each."""
    if not groups:
        print("No two faces of unknown people look like one person's.")
    for one in groups:
        print(f"group {one.number}: {len(one)} faces")
        for face in one.faces:
            where = "a photograph that is gone" if face.path is None else shown(face.path)
            print(f"  {where}: face {face.number}")
