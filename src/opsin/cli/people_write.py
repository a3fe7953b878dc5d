"""`opsin people write` and `opsin people read`: names into photographs' metadata, and out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from opsin.archive.jobs import Job
from opsin.archive.result import Result
from opsin.cli.batch import Words
from opsin.cli.options import DryRun, Json, PixelLimit
from opsin.cli.people_options import PeopleFile
from opsin.cli.tags import CopiesTo, Embed, Remove, one_by_one, planned, write_tags
from opsin.defaults import PIXEL_LIMIT
from opsin.errors import DataError
from opsin.files import shown
from opsin.formats.tag_files import Tags
from opsin.formats.tag_writer import PEOPLE
from opsin.people.file import People
from opsin.people.look import Looking, facts_of, resolved
from opsin.people.metadata import names_in
from opsin.people.records import NamedPhoto

WRITING: Final = Words(
    doing="writing names",
    done="written",
    skipped={"unchanged": "written already", "nothing": "with nobody named on them"},
)
REMOVING: Final = Words(
    doing="taking names out",
    done="without them now",
    skipped={"nothing": "without names from opsin"},
)
READING: Final = Words(
    doing="reading names",
    done="with names",
    skipped={"nobody": "with nobody named in them"},
)


def write(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or globs.")],
    embed: Embed = False,
    output: CopiesTo = None,
    remove: Remove = False,
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
    named = {} if remove else _named(file)
    write_tags(
        paths,
        lambda photo: _tags(named.get(resolved(photo)), photo),
        REMOVING if remove else WRITING,
        embed=embed,
        output=output,
        remove=remove,
        dry_run=dry_run,
        pixel_limit=pixel_limit,
        as_json=as_json,
    )


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
    jobs, unread = planned(paths, None)
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
        one_by_one(jobs, unread, one, show, READING, as_json=as_json)
    finally:
        if people is not None:
            people.close()


def _tags(photo: NamedPhoto | None, source: Path) -> Tags:
    """Who is on a photograph; a `DataError` if it is not the file that the faces were seen in."""
    if photo is None:
        return Tags(PEOPLE)
    if facts_of(source).digest != photo.digest:
        raise DataError(
            f"{shown(source)}: it was changed since its faces were seen. Look at it again first: "
            "opsin people name."
        )
    faces = [(face.name, face.box) for face in photo.faces]
    return Tags(PEOPLE, faces, photo.width, photo.height)


def _named(file: str | None) -> dict[Path, NamedPhoto]:
    """The photographs with confirmed faces, by path."""
    with People.open(file, new=False) as people:
        return {photo.path: photo for photo in people.named()}
