"""`opsin track`: what is on videos and where, each thing with a number that it keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsin.cli.films import each_film, films_of, run_through, targets_in
from opsin.cli.options import Device, Overwrite, PixelLimit
from opsin.cli.things import names_of
from opsin.defaults import OBJECTS, PIXEL_LIMIT
from opsin.files import shown
from opsin.machine import cores
from opsin.objects.tracking import LEAST, PATIENCE

if TYPE_CHECKING:
    from opsin.formats.video import Picture
    from opsin.objects.video import Frame

SUFFIX: Final = "-tracked.mp4"
"""What the name of a drawn video ends with."""


@dataclass
class Seen:
    """When a thing was seen on a video."""

    name: str
    first: float
    last: float
    pictures: int = 0
    score: float = 0.0


def track(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Videos, folders of them, or camera (camera:1 ...)."),
    ],
    model: Annotated[
        str, typer.Option(help="See opsin models list: a model whose task is detect.")
    ] = OBJECTS,
    threshold: Annotated[
        float | None,
        typer.Option(min=LEAST, max=1, help="The least score. [default: the model's]"),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these, with commas: person,dog."),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long a hidden thing is waited for."),
    ] = PATIENCE,
    draw: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write NAME-tracked.mp4 there, with frames and numbers."),
    ] = None,
    overwrite: Overwrite = False,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    device: Device = "cpu",
    as_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON for each picture, as it is looked at.")
    ] = False,
) -> None:
    """Needs the extra video. A thing is told from the second picture on that it is seen on, and
    keeps its number while it is hidden for a moment. Ctrl-C ends a camera.

    Example: opsin track street.mp4 --classes person,bicycle --draw tracked
    """
    how = {
        "model": model,
        "threshold": threshold,
        "classes": None if classes is None else names_of(classes),
        "patience": patience,
        "device": device,
    }
    films = list(films_of(paths, without=SUFFIX))
    targets = [None] * len(films) if draw is None else targets_in(draw, films, SUFFIX)

    def one(film: str, target: Path | None) -> None:
        _track(film, target, how, pixel_limit=pixel_limit, as_json=as_json)

    each_film(films, targets, one, overwrite=overwrite)


def _track(
    film: str, target: Path | None, how: dict[str, Any], *, pixel_limit: int, as_json: bool
) -> None:
    """Follows the things of one video, and tells of them."""
    from opsin.formats.video import Video
    from opsin.objects.video import track as frames_of

    seen: dict[int, Seen] = {}

    def pictures(frames: Iterator[Frame]) -> Iterator[tuple[Picture, Callable[[], Any]]]:
        for frame in frames:
            _note(frame, seen)
            if as_json:
                print(json.dumps({"input": film, **frame.document()}), flush=True)
            yield frame.picture, frame.draw

    video = Video(film, pixel_limit=pixel_limit, threads=cores())
    followed = pictures(frames_of(video, **how))
    run_through(video, followed, target, at_end=lambda: None if as_json else _tell(film, seen))


def _note(frame: Frame, seen: dict[int, Seen]) -> None:
    for thing in frame.things:
        now = frame.picture.seconds
        one = seen.setdefault(thing.number, Seen(thing.name, now, now))
        one.last, one.pictures = now, one.pictures + 1
        one.score = max(one.score, thing.score)


def _tell(video: str, seen: dict[int, Seen]) -> None:
    """How many things a video shows and, a line each, what, from when to when, how sure."""
    count = {0: "nothing", 1: "1 thing"}.get(len(seen), f"{len(seen)} things")
    print(f"{shown(video)}: {count}")
    for number, one in sorted(seen.items()):
        when = f"{one.first:.1f} to {one.last:.1f} s"
        print(
            f"  {one.name + f' {number}':18}  {when:18}  {one.pictures:5} pictures  {one.score:.2f}"
        )
