"""Splits and classes of a set of pictures: which are to train on, and what each one shows.

A set is a tar or a folder. It may hold a `splits.json`, in one of two layouts:

    {"train": ["a.jpg", ...], "val": [...], "test": [...]}
    {"classes": ["cat", "dog"], "splits": {"train": ["cat/a.jpg", ...], ...}}

Names are those of the tar's members, or paths below the folder, with `/`. Wherever a set is
asked for, `SET:SPLIT` means only the pictures of that split.

A picture's class is the first folder of its name, where `classes` lists it. `classes` may also be
a table of folders and what they are called: {"008": "Aston Martin V8", ...}.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from opsin.errors import DataError

FILE: Final = "splits.json"
LARGEST: Final = 1 << 28  # bytes of it: a sparse member of a tar may claim any
WORD: Final = re.compile(r"\w[\w-]*")
"""What a split may be called."""


class Splits(NamedTuple):
    """What a splits.json says."""

    names: dict[str, list[str]]
    """The pictures of each split."""
    classes: dict[str, str] | None
    """Folders and what they are called, in order; None if classes are not told."""


def split_of(path: str | Path) -> tuple[Path, str | None]:
    """The set and the split that a path means; a path that exists as it is written has no split.

    >>> split_of("no-such-faces.tar:val")
    (PosixPath('no-such-faces.tar'), 'val')
    >>> split_of("no-such-faces.tar")
    (PosixPath('no-such-faces.tar'), None)
    """
    place, colon, word = os.fspath(path).rpartition(":")
    drive = len(place) < 2  # C:photos
    if not colon or drive or not WORD.fullmatch(word) or os.path.lexists(path):
        return Path(path), None
    return Path(place), word


def choose(names: Sequence[str], path: Path, split: str | None, told: Splits | None) -> list[int]:
    """Which of a set's pictures, by number, are in a split; all of them where there is none."""
    if split is None:
        return list(range(len(names)))
    wanted = {plain(name): name for name in _names_in(path, split, told)}
    chosen = [index for index, name in enumerate(names) if plain(name) in wanted]
    missing = wanted.keys() - {plain(names[index]) for index in chosen}
    if missing:
        raise DataError(
            f"{path}: {len(missing)} of the {len(wanted)} pictures that {FILE} names for "
            f"'{split}' are not there, as {wanted[min(missing)]}."
        )
    return chosen


def read_splits(folder: Path) -> Splits | None:
    """What the splits.json in a folder says; None if there is none."""
    try:
        file = folder / FILE
        return parse(file.read_bytes(), folder) if file.is_file() else None
    except OSError as error:
        raise DataError(f"{folder}: {FILE} cannot be read ({error}).") from error


@contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar whose members lie in it as they are; `DataError` if it is packed, or no tar."""
    try:
        with tarfile.open(path, "r:") as archive:
            yield archive
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{path}: cannot be read as a plain tar ({error}).") from error


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> Splits | None:
    """What the member that is a splits.json says; None if it is no file."""
    content = archive.extractfile(member)
    if content is None:
        return None
    if member.size > LARGEST:
        raise DataError(f"{path}: {FILE} is larger than {LARGEST >> 20} MB.")
    return parse(content.read(), path)


def beside(path: Path, name: str) -> bytes:
    """Another file of the set at `path`, such as "pairs.txt", from its folder or the tar's top.

    `DataError` if there is none.
    """
    try:
        if path.is_dir():
            return (path / name).read_bytes()
        with open_tar(path) as archive:
            for member in archive:
                if plain(member.name) == name and member.isfile() and member.size <= LARGEST:
                    content = archive.extractfile(member)
                    return content.read() if content else b""
    except OSError as error:
        raise DataError(f"{path}: {name} cannot be read ({error.strerror}).") from error
    raise DataError(f"{path}: there is no {name} in it.")


def parse(data: bytes, path: Path) -> Splits:
    """The content of the splits.json of the set at `path`."""
    try:
        document = json.loads(data)
    except RecursionError:
        raise DataError(f"{path}: {FILE} is nested too deeply.") from None
    except ValueError as error:
        raise DataError(f"{path}: {FILE} is not valid JSON ({error}).") from error
    document = document if isinstance(document, dict) else {}
    classes = document.pop("classes", None)
    found = document.get("splits", document)
    found = found if isinstance(found, dict) else {}
    names = {split: listed for split, listed in found.items() if _are_texts(listed)}
    return Splits(names, _classes(classes, path))


def class_of(name: str, classes: Mapping[str, str]) -> str | None:
    """What a picture shows, by the first folder of its name.

    >>> class_of("cat/7.jpg", {"cat": "cat", "dog": "dog"})
    'cat'
    """
    return classes.get(first_folder(name))


def first_folder(name: str) -> str:
    """The first folder of a picture's name in its set, "" if it lies in none."""
    folder, slash, _ = plain(name).partition("/")
    return folder if slash else ""


def folders_as_classes(names: Iterable[str]) -> dict[str, str] | None:
    """Each first folder as a class, where there are several."""
    folders = sorted({first_folder(name) for name in names} - {""})
    return {folder: folder for folder in folders} if len(folders) > 1 else None


def plain(name: str) -> str:
    """A name by which two ways of writing it are equal: without ./, letters composed."""
    return unicodedata.normalize("NFC", name.removeprefix("./"))


def _names_in(path: Path, split: str, told: Splits | None) -> list[str]:
    if told is None:
        raise DataError(
            f"{path}: there is no {FILE} in it, so '{split}' is not known. "
            f"To take all its pictures, leave out ':{split}'."
        )
    if split not in told.names:
        known = ", ".join(told.names) or "none"
        raise DataError(f"{path}: no split '{split}'. Available: {known}.")
    return told.names[split]


def _classes(value: Any, path: Path) -> dict[str, str] | None:
    if value is None:
        return None
    if _are_texts(value):
        return {plain(one): one for one in value}
    if isinstance(value, dict) and _are_texts(list(value.values())):
        return {plain(folder): name for folder, name in value.items()}
    raise DataError(f"{path}: classes in {FILE} must be a list of folders, or a table of them.")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
