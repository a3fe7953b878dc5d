"""The one door to sets of pictures: folders, tar shards, their splits, and single pictures.

A shard is a plain, uncompressed tar of pictures (WebDataset's layout), which is read by position
and never unpacked. `SET:SPLIT` means one split of a set; see `splits`.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from opsin.errors import DataError, NotAPhotoError, TruncatedPhotoError
from opsin.files import read_whole, shown
from opsin.sets import splits
from opsin.sets.walk import OnSkip, is_picture, walk

Paths: TypeAlias = str | Path | Sequence[str | Path]

LARGEST: Final = 1 << 31  # bytes of a picture in a tar, whatever it claims


class Picture(NamedTuple):
    """Where a picture's bytes are: a file (at 0), or a stretch of a tar file."""

    path: str
    offset: int
    bytes: int
    """How many; -1 for a sparse member of a tar, which does not lie in it as it is."""
    name: str
    changed: int = 0
    """When its file was last changed, in nanoseconds."""


class Source(NamedTuple):
    """A tar, a folder with all that is below it, or one picture."""

    path: Path
    group: str
    pictures: list[Picture]
    names: list[str]
    """What splits.json would call each picture."""
    splits: splits.Splits | None = None
    """What its splits.json says."""

    def class_of(self, number: int) -> str | None:
        """What a picture shows: what splits.json calls the first folder of its name; without one,
        that folder."""
        name = self.names[number]
        if self.splits and self.splits.classes:
            return splits.class_of(name, self.splits.classes)
        return splits.first_folder(name) or None

    def chosen(self, split: str | None) -> list[int]:
        """Which of its pictures, by number, are in a split; all of them where there is none."""
        return splits.choose(self.names, self.path, split, self.splits)


def listed(paths: Paths) -> list[str | Path]:
    """One path or several, as a list."""
    return [paths] if isinstance(paths, str | Path) else list(paths)


def chosen(paths: Paths, on_skip: OnSkip) -> Iterator[tuple[Source, list[int]]]:
    """Each source that `paths` mean, and which of its pictures, by number."""
    for path in listed(paths):
        place, split = splits.split_of(path)
        yield from ((source, source.chosen(split)) for source in sources(place, on_skip))


def sources(path: Path, on_skip: OnSkip) -> Iterable[Source]:
    """A tar; a picture; or a folder's own pictures and each tar that lies in it."""
    if path.is_dir():
        yield from _folder(path, on_skip)
        for tar in sorted(path.glob("*.tar")):
            yield _tar(tar, on_skip)
    elif path.suffix.lower() == ".tar" and path.is_file():
        yield _tar(path, on_skip)
    elif path.exists():
        yield Source(path, path.stem, [_picture(path)], [path.name])
    else:
        raise DataError(f"{shown(path)}: no such file or folder.")


def classes_of(paths: Paths) -> list[str]:
    """The classes of the pictures that `paths` mean, in the order of their names.

    What splits.json says; else, where pictures lie in two first folders or more, those.
    """
    found: dict[str, None] = {}
    for source, numbers in chosen(paths, lambda place, why: None):
        known = source.splits and source.splits.classes
        known = known or splits.folders_as_classes(source.names) or {}
        names = (splits.class_of(source.names[number], known) for number in numbers)
        found |= dict.fromkeys(name for name in names if name is not None)
    return sorted(found)


def read(picture: Picture) -> bytes:
    """The picture's file, as bytes; `PhotoError`, `OSError` or `ValueError` if there is none."""
    if picture.bytes < 0:
        raise NotAPhotoError("it is sparse in its tar: most of it was never written")
    if picture.bytes > LARGEST:
        raise NotAPhotoError(f"{picture.bytes >> 20:,} MB are more than a photograph has")
    if not picture.offset:
        return read_whole(picture.path)
    with open(picture.path, "rb") as file:
        file.seek(picture.offset)
        data = file.read(picture.bytes)
    if len(data) < picture.bytes:
        raise TruncatedPhotoError(f"the tar ends within it, {len(data):,} bytes are there")
    return data


def _folder(path: Path, on_skip: OnSkip) -> Iterable[Source]:
    files = sorted(walk(path, on_skip))
    if files:
        names = [file.relative_to(path).as_posix() for file in files]
        group = path.name or path.resolve().name
        yield Source(path, group, list(map(_picture, files)), names, splits.read_splits(path))


def _picture(file: Path) -> Picture:
    """A link to nothing has no bytes, and cannot be read."""
    try:
        status = file.stat()
    except OSError:
        return Picture(str(file), 0, 0, file.name)
    return Picture(str(file), 0, status.st_size, file.name, _changed(status))


def _changed(status: os.stat_result) -> int:
    """A file that took another's name and time is noticed by when it took the name."""
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _tar(path: Path, on_skip: OnSkip) -> Source:
    told = None
    pictures = []
    with splits.open_tar(path) as archive:
        changed = _changed(path.stat())
        for member in archive:
            if member.isfile() and is_picture(member.name):
                size = -1 if member.issparse() else member.size
                pictures.append(Picture(str(path), member.offset_data, size, member.name, changed))
            elif splits.plain(member.name) == splits.FILE:
                told = splits.read_member(archive, member, path)
        is_whole = _ends_as_it_must(path, archive.offset)
    if not is_whole:
        on_skip(path, f"this tar is cut off or damaged after {len(pictures)} pictures.")
    # SET-000.tar, SET-001.tar ... are one set
    group = path.stem.rstrip("0123456789").rstrip("-_") or path.stem
    return Source(path, group, pictures, [picture.name for picture in pictures], told)


def _ends_as_it_must(path: Path, offset: int) -> bool:
    """Whether an empty block ends the tar where its reader stopped: that also stops, without a
    word, at the end of the file and at what is no head of a member."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)
