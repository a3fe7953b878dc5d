"""Folders of teaching pictures: whose picture a file is, by where it lies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def names_by_folder(folder: Path, files: Iterable[Path]) -> dict[Path, str]:
    """Whose each file below `folder` is: the first folder on its way has the person's name, as
    Ada_Lovelace/1.jpg; a file that lies in none has it itself, as Ada_Lovelace.jpg. An underscore
    stands for a space.

    >>> files = [Path("set/Ada_Lovelace/1.jpg"), Path("set/Ben.jpg")]
    >>> list(names_by_folder(Path("set"), files).values())
    ['Ada Lovelace', 'Ben']
    """
    found = {}
    for file in files:
        first, *rest = file.relative_to(folder).parts
        found[file] = (first if rest else file.stem).replace("_", " ")
    return found
