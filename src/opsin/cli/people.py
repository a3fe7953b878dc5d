"""`opsin people`: who is on photographs, among people whom the user has introduced."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from opsin.archive.jobs import Job, plan
from opsin.archive.result import Result
from opsin.cli.batch import Words, over
from opsin.cli.options import (
    Damaged,
    Device,
    FaceThreshold,
    Json,
    MinFace,
    Overwrite,
    PixelLimit,
    Workers,
)
from opsin.cli.people_group import group, name_group, split
from opsin.cli.people_options import FaceNumber, Name, PeopleFile, Photo
from opsin.cli.people_report import report
from opsin.cli.people_show import print_face, print_names, print_people, print_taught
from opsin.cli.people_write import read, write
from opsin.cli.pipe import tell_of
from opsin.cli.screen import print_json
from opsin.defaults import DETECTOR, MIN_FACE, PIXEL_LIMIT, RECOGNIZER
from opsin.errors import SaveError, WrongCallError
from opsin.files import shown, write_atomically
from opsin.people.export import as_csv, as_json_text
from opsin.people.file import People
from opsin.people.gallery_folder import names_by_folder
from opsin.people.look import Looking
from opsin.people.records import folded, plain_name
from opsin.people.work import Naming, Teaching

people = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

NAMING: Final = Words(doing="looking who it is", done="looked at", skipped={})
TEACHING: Final = Words(doing="learning faces", done="learned from", skipped={})

Recognizer: TypeAlias = Annotated[
    str, typer.Option("--model", help="See opsin models list: a model whose task is recognize.")
]
Detector: TypeAlias = Annotated[
    str, typer.Option(help="See opsin models list: a model whose task is faces.")
]


@people.command("add")
def add(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME PHOTO", help="A person, and photographs, folders or globs of theirs."
        ),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Many people: a folder for each in DIR, or files with their names."
        ),
    ] = None,
    face: FaceNumber = None,
    largest: Annotated[
        bool, typer.Option("--largest", help="Of several faces take the largest.")
    ] = False,
    model: Recognizer = RECOGNIZER,
    detector: Detector = DETECTOR,
    min_size: MinFace = MIN_FACE,
    threshold: FaceThreshold = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    file: PeopleFile = None,
    as_json: Json = False,
) -> None:
    """Introduce people by photographs that show one face. With several faces, say which one.

    What is told of as learned is on the disk; a stopped run goes on there.

    Example: opsin people add "Ada Lovelace" ada.jpg
    """
    looking = Looking(model, detector, threshold, min_size, pixel_limit, damaged, device)
    planned, names = _teaching(words or [], folder)
    if face is not None and len(names) > 1:
        raise WrongCallError("--face means a face of one photograph. Give one photograph.")

    def take(result: Result) -> None:
        if not as_json and result.status == "done":
            print_taught(result.input, result.part["taught"])

    with People.open(file, looking=looking) as known:
        over(
            planned,
            Teaching(known, names, face, largest),
            TEACHING,
            on_result=take,
            workers=workers,
            is_watched=as_json or not sys.stdout.isatty(),
            as_json=as_json,
        )


@people.command("name")
def name(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Look anew at what was looked at before.")
    ] = False,
    model: Recognizer = RECOGNIZER,
    detector: Detector = DETECTOR,
    min_size: MinFace = MIN_FACE,
    threshold: FaceThreshold = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    file: PeopleFile = None,
    as_json: Json = False,
) -> None:
    """Tell who is on photographs. A line is a face: its number, where it is, its size, who it is
    or may be, and how alike. What was seen is kept in the people file, the photographs stay.

    It is for your own photographs. Do not identify strangers by it, nor decide anything about
    anybody.

    Example: opsin people name shoebox
    """
    looking = Looking(model, detector, threshold, min_size, pixel_limit, damaged, device)

    def take(result: Result) -> None:
        if not as_json and result.status == "done":
            print_names(result.input, result.part)

    with People.open(file, looking=looking) as known:
        work = Naming(known, again)
        if "-" in paths:
            tell_of(work, paths, print_names, refused={}, as_json=as_json)
            return
        over(
            plan(paths, picture=None),
            work,
            NAMING,
            on_result=take,
            workers=workers,
            is_watched=as_json or not sys.stdout.isatty(),
            as_json=as_json,
        )


@people.command("confirm")
def confirm(
    photo: Photo,
    name: Name,
    face: FaceNumber = None,
    file: PeopleFile = None,
    as_json: Json = False,
) -> None:
    """Say who a face is. No later run changes it.

    Example: opsin people confirm party.jpg "Ada Lovelace" --face 2
    """
    with People.open(file) as known:
        before = {folded(person.name) for person in known.list()}
        done = known.confirm(photo, name, face=face)
        _tell(photo, done.document(), as_json)
    if folded(done.name) not in before and not as_json:
        print(f"{shown(done.name)} is new: nobody was called so before.")


@people.command("reject")
def reject(
    photo: Photo,
    name: Name,
    face: FaceNumber = None,
    file: PeopleFile = None,
    as_json: Json = False,
) -> None:
    """Say who a face is not. They are never proposed for it again.

    Example: opsin people reject party.jpg "Ada Lovelace" --face 1
    """
    with People.open(file, new=False) as known:
        _tell(photo, known.reject(photo, name, face=face).document(), as_json)


@people.command("ignore")
def ignore(
    photo: Photo,
    face: FaceNumber = None,
    undo: Annotated[bool, typer.Option("--undo", help="It is an unknown face again.")] = False,
    file: PeopleFile = None,
    as_json: Json = False,
) -> None:
    """Never propose a name for a face, as of a statue or a passer-by.

    Example: opsin people ignore party.jpg --face 3
    """
    with People.open(file) as known:
        _tell(photo, known.ignore(photo, face=face, undo=undo).document(), as_json)


@people.command("forget")
def forget(name: Name, file: PeopleFile = None, as_json: Json = False) -> None:
    """Delete a person and the embeddings of their faces. Photographs are not touched.

    Example: opsin people forget "Ada Lovelace"
    """
    with People.open(file, new=False) as known:
        count = known.forget(name)
    if as_json:
        print_json({"forgotten": name, "faces": count})
        return
    faces = "1 face" if count == 1 else f"{count} faces"
    print(f"{shown(name)} is forgotten; deleted: the embeddings of {faces}.")


@people.command("list")
def list_people(file: PeopleFile = None, as_json: Json = False) -> None:
    """List everybody who was introduced, and where the file is.

    Example: opsin people list
    """
    with People.open(file, new=False) as known:
        there = known.list()
        if as_json:
            people = [person.document() for person in there]
            print_json({"file": shown(known.path), "people": people})
            return
        print_people(known.path, there)


@people.command("rename")
def rename(old: Name, new: Name, file: PeopleFile = None) -> None:
    """Give a person another name.

    Example: opsin people rename "Ada" "Ada Lovelace"
    """
    with People.open(file, new=False) as known:
        known.rename(old, new)
    print(f"{shown(old)} is called {shown(new)}.")


@people.command("merge")
def merge(name: Name, into: Name, file: PeopleFile = None) -> None:
    """Make one person of two, with the second name.

    Example: opsin people merge "Miss Byron" "Ada Lovelace"
    """
    with People.open(file, new=False) as known:
        count = known.merge(name, into)
    faces = "1 face" if count == 1 else f"{count} faces"
    print(f"{shown(name)} is {shown(into)}, who has {faces} more.")


@people.command("export")
def export(
    output: Annotated[
        str, typer.Argument(metavar="FILE.json|FILE.csv", help="Or - for JSON to stdout.")
    ] = "-",
    overwrite: Overwrite = False,
    file: PeopleFile = None,
) -> None:
    """Write down all confirmed faces: path, box and name.

    Example: opsin people export names.csv
    """
    suffix = Path(output).suffix.lower()
    if output != "-" and suffix not in (".json", ".csv"):
        raise WrongCallError(f"cannot write {shown(output)}. Give a name that ends .json or .csv.")
    with People.open(file, new=False) as known:
        if output == "-":
            print_json(known.export())
            return
        if os.path.lexists(output) and not overwrite:
            raise SaveError(f"{shown(output)}: already there. Choose another name, or --overwrite.")
        if not Path(output).resolve().parent.is_dir():
            raise SaveError(f"{shown(output)}: there is no such folder to write it to.")
        data = as_csv(known.named()) if suffix == ".csv" else as_json_text(known.named())
        write_atomically(output, data)


people.command("write")(write)
people.command("read")(read)
people.command("report")(report)
people.command("group")(group)
people.command("name-group")(name_group)
people.command("split")(split)


def _teaching(
    words: list[str], folder: str | None
) -> tuple[tuple[list[Job], list[tuple[Path, str]]], dict[Path, str]]:
    """The photographs, and whose each is."""
    if folder is not None and not words:
        if not Path(folder).is_dir():
            raise WrongCallError(f"{shown(folder)}: no such folder.")
        jobs, unread = plan([folder], picture=None)
        return (jobs, unread), names_by_folder(Path(folder), [job.source for job in jobs])
    if folder is not None and len(words) == 1:
        words = [*words, folder]
    elif folder is not None or len(words) < 2:
        raise WrongCallError(
            "say who, and on which photographs: opsin people add NAME PHOTO..., or give a folder "
            "of folders with --folder DIR."
        )
    plain_name(words[0])  # what is no name stops here, not at each photograph
    jobs, unread = plan(words[1:], picture=None)
    return (jobs, unread), {job.source: words[0] for job in jobs}


def _tell(photo: str, face: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json({"input": photo, "face": face})
        return
    print_face(photo, face)
