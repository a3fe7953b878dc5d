"""What `opsin track` and `opsin background` share: videos one after the other, each read to its
end, drawn into another one, and stopped without losing what was done.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from opsin.errors import OpsinError, WrongCallError
from opsin.files import check_writable, shown
from opsin.formats.suffixes import VIDEOS
from opsin.interrupt import as_interrupts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from opsin.formats.video import Picture, Video

CAMERA = "camera"


def is_film(name: str) -> bool:
    """Whether a name is that of a video or of a camera.

    >>> is_film("street.MP4"), is_film("scan.jpg")
    (True, False)
    """
    return os.path.splitext(name)[1].lower() in VIDEOS or is_camera(name)


def is_camera(name: str) -> bool:
    return name.partition(":")[0] == CAMERA and not os.path.exists(name)


def films_of(paths: Sequence[str], *, without: str) -> Iterator[str]:
    """The videos that names of files and folders mean; in folders not those whose names end with
    `without`, which were made of others."""
    for text in paths:
        if is_camera(text):
            yield text
        elif os.path.isdir(text):
            every = sorted(path for path in Path(text).rglob("*") if is_film(path.name))
            found = [
                path
                for path in every
                if path.is_file()
                and not path.name.endswith(without)
                and not any(part.startswith(".") for part in path.relative_to(text).parts)
            ]
            if not found:
                raise WrongCallError(f"no video in {shown(text)}.")
            yield from map(str, found)
        elif os.path.exists(text):
            yield text
        else:
            raise WrongCallError(f"{shown(text)}: no such file or folder.")


def targets_in(folder: str | None, films: Sequence[str], suffix: str) -> list[Path]:
    """Where a video is made of each, NAME with `suffix`: in a folder, or beside it. Two of one name
    are a `WrongCallError`, and one that is a video of these."""
    if folder == "":
        raise WrongCallError("an empty name of a folder. For the current folder, type a dot.")
    places = [Path(film).parent if folder is None else Path(folder) for film in films]
    made = [
        place / (Path(film.replace(":", "-")).stem + suffix)
        for place, film in zip(places, films, strict=True)
    ]
    sources = {os.path.realpath(film) for film in films}
    for index, path in enumerate(made):
        if path in made[:index]:
            both = films[made.index(path)], films[index]
            raise WrongCallError(
                f"{shown(both[0])} and {shown(both[1])} would both be {shown(path)}. "
                "Give them one after the other, with two folders."
            )
        if os.path.realpath(path) in sources:
            raise WrongCallError(f"{shown(path)} is one of the videos; it would be overwritten.")
    for place in dict.fromkeys(places):
        place.mkdir(parents=True, exist_ok=True)
        check_writable(place)
    return made


def each_film(
    films: Sequence[str],
    targets: Sequence[Path | None],
    one: Callable[[str, Path | None], None],
    *,
    overwrite: bool,
) -> None:
    """Does `one` with each video, tells what cannot be done, and leaves with the exit code that
    fits; those whose target exists are passed over."""
    failed = False
    for film, target in zip(films, targets, strict=True):
        if target is not None and os.path.lexists(target) and not overwrite:
            print(f"{shown(target)} exists, skipped (--overwrite does it again).", file=sys.stderr)
            continue
        try:
            one(film, target)
        except (OpsinError, OSError) as error:
            if isinstance(error, WrongCallError | BrokenPipeError):
                raise
            failed = True
            print(f"opsin: {_words(film, error)}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def run_through(
    video: Video,
    pictures: Iterable[tuple[Picture, Callable[[], NDArray[np.uint8]]]],
    target: Path | None,
    *,
    at_end: Callable[[], object] = lambda: None,
) -> None:
    """Takes the pictures of a video one by one, and if there is a `target` draws them and writes
    them into it, with the sound; then tells how quick that was, and what was odd. Ctrl-C ends it,
    and what was done is kept."""
    from opsin.formats.video import Writing

    count, began, stopped = 0, time.perf_counter(), False
    with ExitStack() as stack:
        writing = stack.enter_context(Writing(target, video)) if target else None
        try:
            with as_interrupts():
                for picture, draw in pictures:
                    if writing:
                        writing.write(picture, draw())
                    count += 1
        except KeyboardInterrupt:
            stopped = True
    seconds = time.perf_counter() - began
    at_end()
    made = f" -> {shown(target)}" if target and count else ""
    rate = f"{count} pictures in {seconds:.1f} s, {count / max(seconds, 1e-9):.1f} a second"
    print(f"{shown(video.name)}{made}: {rate}.", file=sys.stderr)
    notes: list[Any] = [*video.notes, *(writing.notes if writing else ())]
    for note in [*notes, "it ends where you stopped it"] if stopped and made else notes:
        print(f"  {note}", file=sys.stderr)
    if stopped and not is_camera(video.name):
        raise KeyboardInterrupt


def _words(film: str, error: OpsinError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{shown(error.filename or film)}: {error.strerror}."
    return str(error)
