"""Pictures to measure on: folders, tar files and single files, read one at a time."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError, PhotoError
from opsin.photo import Photo
from opsin.photo import open as open_photo

Pixels: TypeAlias = NDArray[np.uint8]
Paths: TypeAlias = str | Path | Sequence[str | Path]

ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".avif"}


def read(paths: Paths, *, limit: int | None = None) -> Iterator[tuple[str, Pixels]]:
    """Name and sRGB pixels (H, W, 3) of each picture in `paths`, in the order of the names.

    A path is a folder, which is searched with all below it, a tar file, which is read without
    unpacking it, or a picture. Gray pictures have three equal channels.
    """
    for name, photo in islice(photos(paths), limit):
        yield name, rgb_of(photo)


def photos(paths: Paths) -> Iterator[tuple[str, Photo]]:
    """Name and `Photo` of each picture; see `read`."""
    for path in listed(paths):
        found = False
        for name, source in _sources(Path(path)):
            found = True
            try:
                yield name, open_photo(source)
            except PhotoError as error:
                raise DataError(f"{path}: {name} cannot be read ({error})") from error
        if not found:
            raise DataError(f"{path}: no pictures in it. Kinds: {' '.join(sorted(ENDINGS))}.")


def listed(paths: Paths) -> list[str | Path]:
    """One path or several, as a list."""
    return [paths] if isinstance(paths, str | Path) else list(paths)


def rgb_of(photo: Photo) -> Pixels:
    """The pixels of `photo` as uint8 (H, W, 3)."""
    pixels = photo.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _sources(path: Path) -> Iterator[tuple[str, Path | bytes]]:
    if path.is_dir():
        files = (file for file in sorted(path.rglob("*")) if file.is_file())
        yield from ((str(file.relative_to(path)), file) for file in _pictures(files))
    elif path.is_file() and path.suffix.lower() == ".tar":
        yield from _members(path)
    elif path.is_file():
        yield path.name, path
    else:
        raise DataError(f"{path}: no such file or folder.")


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as tar:
            members = {member.name: member for member in tar if member.isfile()}
            for name in _pictures(Path(name) for name in sorted(members)):
                file = tar.extractfile(members[name.as_posix()])
                assert file is not None  # only links and folders have none
                yield name.as_posix(), file.read()
    except tarfile.TarError as error:
        raise DataError(f"{path}: not a readable tar file ({error}).") from error


def _pictures(files: Iterable[Path]) -> Iterator[Path]:
    return (
        file for file in files if file.suffix.lower() in ENDINGS and not file.name.startswith(".")
    )
