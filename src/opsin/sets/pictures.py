"""Pictures to measure on and to look at, read one at a time, in the order of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb
from opsin.errors import DataError, PhotoError
from opsin.formats.suffixes import READ
from opsin.photo import Photo
from opsin.photo import open as open_photo
from opsin.sets import splits
from opsin.sets.sources import Paths, Picture, chosen, listed
from opsin.sets.sources import read as read_bytes
from opsin.sets.walk import OnSkip

Pixels: TypeAlias = NDArray[np.uint8]


def read(
    paths: Paths,
    *,
    limit: int | None = None,
    on_skip: Callable[[str], None] | None = None,
    only: Callable[[str], bool] | None = None,
) -> Iterator[tuple[str, Pixels]]:
    """Name and sRGB pixels (H, W, 3) of each picture in `paths`, in the order of the names.

    A path is a folder, which is searched with all below it, a tar file, which is read without
    unpacking it, one of their splits, or a picture. Gray pictures have three equal channels.
    With `only`, pictures whose names it refuses are not read.
    """
    for name, photo in islice(photos(paths, on_skip=on_skip, only=only), limit):
        yield name, as_rgb(photo.pixels)


def read_labeled(
    paths: Paths, *, on_skip: Callable[[str], None] | None = None
) -> Iterator[tuple[str, str | None, Pixels]]:
    """As `read`, with what each picture shows (`Source.class_of`) in the middle."""
    for name, label, photo in _photos(paths, on_skip):
        yield name, label, as_rgb(photo.pixels)


def photos(
    paths: Paths,
    *,
    on_skip: Callable[[str], None] | None = None,
    only: Callable[[str], bool] | None = None,
) -> Iterator[tuple[str, Photo]]:
    """Name and `Photo` of each picture; see `read`.

    One that cannot be read is passed over if `on_skip` is there to be told, else it is an error, as
    it is if none can be read.
    """
    return ((name, photo) for name, _, photo in _photos(paths, on_skip, only))


def _photos(
    paths: Paths,
    on_skip: Callable[[str], None] | None,
    only: Callable[[str], bool] | None = None,
) -> Iterator[tuple[str, str | None, Photo]]:
    failures: list[str] = []
    found = opened = 0

    def skip(told: str, error: BaseException | None = None) -> None:
        if on_skip is None:
            raise DataError(told) from error
        on_skip(told)
        failures.append(told)

    for path in listed(paths):
        before = found
        for name, label, picture in _ordered(path, lambda place, why: skip(f"{place}: {why}")):
            if only and not only(name):
                continue
            found += 1
            try:
                photo = _opened(picture)
            except (PhotoError, OSError, MemoryError) as error:
                short = "there is not enough memory for it"
                why = short if isinstance(error, MemoryError) else error
                skip(f"{path}: {name} cannot be read ({why})", error)
            else:
                opened += 1
                yield name, label, photo
        if found == before:
            raise DataError(f"{path}: no pictures in it. Kinds: {' '.join(sorted(READ))}.")
    if not opened:
        raise DataError(f"none of the photographs can be read, as {failures[0]}")


def _ordered(path: str | Path, on_skip: OnSkip) -> Iterator[tuple[str, str | None, Picture]]:
    for source, numbers in chosen(path, on_skip):
        names = {number: splits.plain(source.names[number]) for number in numbers}
        for number in sorted(numbers, key=lambda number: names[number].split("/")):
            yield names[number], source.class_of(number), source.pictures[number]


def _opened(picture: Picture) -> Photo:
    lies_in_a_tar = picture.offset > 0
    return open_photo(read_bytes(picture) if lies_in_a_tar else Path(picture.path))
