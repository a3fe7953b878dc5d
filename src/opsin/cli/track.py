"""`opsin track`: what is on videos and where, each thing with a number that it keeps."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.options import Device, Overwrite, PixelLimit
from opsin.cli.things import names_of
from opsin.defaults import OBJECTS, PIXEL_LIMIT
from opsin.errors import OpsinError, WrongCallError
from opsin.files import check_writable, shown
from opsin.formats.video import SUFFIXES
from opsin.interrupt import as_interrupts
from opsin.objects.tracking import LEAST, PATIENCE

if TYPE_CHECKING:
    from opsin.objects.video import Frame


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
        "pixel_limit": pixel_limit,
        "device": device,
    }
    videos = list(_videos(paths))
    targets = _targets(videos, draw)
    failed = False
    for video, target in zip(videos, targets, strict=True):
        if target is not None and os.path.lexists(target) and not overwrite:
            print(f"{shown(target)} exists, skipped (--overwrite does it again).", file=sys.stderr)
            continue
        try:
            _one(video, how, target, as_json=as_json)
        except (OpsinError, OSError) as error:
            if isinstance(error, WrongCallError | BrokenPipeError):
                raise
            failed = True
            print(f"opsin: {_words(video, error)}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _one(video: str, how: dict[str, Any], target: Path | None, *, as_json: bool) -> None:
    """Follows the things of one video, and tells of them."""
    from opsin.formats.video import Video, Writing
    from opsin.machine import cores
    from opsin.objects.video import track as frames_of

    how = dict(how)
    source = Video(video, pixel_limit=how.pop("pixel_limit"), threads=cores())
    seen: dict[int, Seen] = {}
    count, began, stopped = 0, time.perf_counter(), False
    with ExitStack() as stack:
        frames = frames_of(source, **how)
        writing = stack.enter_context(Writing(target, source)) if target else None
        try:
            with as_interrupts():
                for frame in frames:
                    _note(frame, seen)
                    if as_json:
                        print(json.dumps({"input": video, **frame.document()}), flush=True)
                    if writing:
                        writing.write(frame.picture, frame.draw())
                    count += 1
        except KeyboardInterrupt:
            stopped = True  # what was done so far is kept
            source.notes.append("stopped")
    seconds = time.perf_counter() - began
    notes = [*source.notes, *(writing.notes if writing else ())]
    if not as_json:
        _tell(video, seen)
    rate = f"{count} pictures in {seconds:.1f} s, {count / max(seconds, 1e-9):.1f} a second"
    made = f" -> {shown(str(target))}" if target and count else ""
    print(f"{shown(video)}{made}: {rate}.", file=sys.stderr)
    for note in notes:
        print(f"  {note}", file=sys.stderr)
    if stopped and not video.startswith("camera"):
        raise KeyboardInterrupt


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


def _videos(paths: Sequence[str]) -> Iterator[str]:
    """The videos that names of files and folders mean."""
    for text in paths:
        path = Path(text)
        if text.partition(":")[0] == "camera" and not os.path.exists(text):
            yield text
        elif os.path.isdir(text):
            found = sorted(one for one in path.rglob("*") if _is_video(one, path))
            if not found:
                raise WrongCallError(f"no video in {shown(text)}.")
            yield from map(str, found)
        elif os.path.exists(text):
            yield text
        else:
            raise WrongCallError(f"{shown(text)}: no such file or folder.")


def _is_video(path: Path, folder: Path) -> bool:
    from opsin.objects.video import SUFFIX

    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    is_own = path.name.endswith(SUFFIX)
    return path.suffix.lower() in SUFFIXES and path.is_file() and not hidden and not is_own


def _targets(videos: Sequence[str], draw: str | None) -> list[Path | None]:
    """Where each drawn video goes; two of one name are a `WrongCallError`."""
    from opsin.objects.video import SUFFIX

    if draw is None:
        return [None] * len(videos)
    if not draw:
        raise WrongCallError("--draw: an empty name of a folder. For the current one, type a dot.")
    Path(draw).mkdir(parents=True, exist_ok=True)
    check_writable(Path(draw))
    made = [Path(draw, Path(video.replace(":", "-")).stem + SUFFIX) for video in videos]
    for index, path in enumerate(made):
        if path in made[:index]:
            both = videos[made.index(path)], videos[index]
            raise WrongCallError(
                f"{shown(both[0])} and {shown(both[1])} would both be {shown(path)}. "
                "Give them one after the other, with two folders."
            )
        if os.path.lexists(path) and any(
            os.path.realpath(path) == os.path.realpath(one) for one in videos
        ):
            raise WrongCallError(f"{shown(path)} is one of the videos; it would be overwritten.")
    return list(made)


def _words(video: str, error: OpsinError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{shown(error.filename or video)}: {error.strerror}."
    return str(error)
