"""Pictures to measure on: folders, tar files and single files, read one at a time.

A folder or tar that holds a splits.json may be given as `SET:SPLIT`; see `training.splits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tarfile import TarError, TarFile, TarInfo
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb
from opsin.errors import DataError, NotAPhotoError, PhotoError, TruncatedPhotoError
from opsin.formats.suffixes import READ
from opsin.photo import Photo
from opsin.photo import open as open_photo
from opsin.sets import splits

Pixels: TypeAlias = NDArray[np.uint8]
Paths: TypeAlias = str | Path | Sequence[str | Path]

LARGEST = 1 << 31  # bytes of a picture in a tar: a sparse member takes none there


def read(paths: Paths, *, limit: int | None = None) -> Iterator[tuple[str, Pixels]]:
    """Name and sRGB pixels (H, W, 3) of each picture in `paths`, in the order of the names.

    A path is a folder, which is searched with all below it, a tar file, which is read without
    unpacking it, one of their splits, or a picture. Gray pictures have three equal channels.
    """
    for name, photo in islice(photos(paths), limit):
        yield name, as_rgb(photo.pixels)


def photos(
    paths: Paths, *, passed: Callable[[str], None] | None = None
) -> Iterator[tuple[str, Photo]]:
    """Name and `Photo` of each picture; see `read`.

    One that cannot be read is passed over if `passed` is there to be told, else it is an error.
    """
    for path in listed(paths):
        found = False
        for name, source in _sources(*splits.split_of(path)):
            found = True
            try:
                photo = open_photo(_content(source))
            except (PhotoError, MemoryError) as error:
                why = (
                    "there is not enough memory for it" if isinstance(error, MemoryError) else error
                )
                told = f"{path}: {name} cannot be read ({why})"
                if passed is None:
                    raise DataError(told) from error
                passed(told)
                continue
            yield name, photo
        if not found:
            raise DataError(f"{path}: no pictures in it. Kinds: {' '.join(sorted(READ))}.")


def listed(paths: Paths) -> list[str | Path]:
    """One path or several, as a list."""
    return [paths] if isinstance(paths, str | Path) else list(paths)


def _sources(path: Path, split: str | None) -> Iterator[tuple[str, Path | Callable[[], bytes]]]:
    if path.is_file() and path.suffix.lower() == ".tar":
        yield from _members(path, split)
        return
    if path.is_dir():
        files = (file for file in sorted(path.rglob("*")) if file.is_file())
        names = [file.relative_to(path).as_posix() for file in files if _is_picture(file)]
        folder = path
    elif path.is_file():
        names, folder = [path.name], path.parent
    else:
        raise DataError(f"{path}: no such file or folder.")
    yield from ((names[one], folder / names[one]) for one in splits.choose(names, path, split))


def _members(path: Path, split: str | None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with splits.open_tar(path) as tar:
        members = {member.name: member for member in tar if member.isfile()}
        names = [name for name in sorted(members) if _is_picture(Path(name))]
        for one in splits.choose(names, path, split):
            yield splits.plain(names[one]), partial(_read, tar, members[names[one]])


def _read(tar: TarFile, member: TarInfo) -> bytes:
    if member.size > LARGEST:
        raise NotAPhotoError(f"{member.size >> 20:,} MB are more than a photograph has")
    file = tar.extractfile(member)
    assert file is not None  # only links and folders have none
    try:
        return file.read()
    except (OSError, TarError) as error:
        raise TruncatedPhotoError(f"the tar ends within it ({error})") from error


def _content(source: Path | Callable[[], bytes]) -> Path | bytes:
    return source if isinstance(source, Path) else source()


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in READ and not file.name.startswith(".")
