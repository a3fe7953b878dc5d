"""The one walk through folders: which pictures lie in them, or are meant by a pattern, in order.

Hidden files and folders are left out, links to folders are not followed, and what is no file (a
pipe, a device) is passed over. Names come one at a time, so that a million never lie in memory.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from opsin.errors import WrongCallError
from opsin.formats.suffixes import READ

OnSkip = Callable[[Path, str], None]
"""Told of what was passed over, and why."""


def is_picture(name: str) -> bool:
    """Whether a name, with the folders before it, is that of a picture that is not hidden.

    >>> [is_picture(name) for name in ("./sea/a.JPG", ".trash/a.jpg", "a.txt")]
    [True, False, False]
    """
    hidden = any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))
    return os.path.splitext(name)[1].lower() in READ and not hidden


def walk(folder: Path, on_skip: OnSkip, *, without: Path | None = None) -> Iterator[Path]:
    """The pictures in a folder and its folders; one of these may be left out, with all below it."""
    skipped = without.resolve() if without and without.resolve() != folder.resolve() else None

    def pass_over(error: OSError) -> None:
        on_skip(Path(error.filename), f"cannot read this folder ({error.strerror}).")

    for place, folders, files in os.walk(folder, onerror=pass_over):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and (skipped is None or Path(place, name).resolve() != skipped)
        )
        for name in sorted(files):
            if is_picture(name) and _may_be_read(path := Path(place, name)):
                yield path


def matches(
    pattern: str, on_skip: OnSkip, *, without: Path | None = None
) -> Iterator[tuple[Path, Path]]:
    """The pictures that a pattern means, each with the folder before its first *, ? or [.

    Folders that it means are walked through. `WrongCallError` if it means nothing.
    """
    parts = Path(pattern).parts
    magic = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:magic])
    if "**" in parts:  # glob itself would follow links, in circles too
        wanted = _expression(parts[magic:])
        every = walk(base, on_skip, without=without)
        found: Iterator[Path] = (
            path for path in every if wanted.fullmatch(path.relative_to(base).as_posix())
        )
    else:
        found = iter(sorted(map(Path, glob.glob(pattern))))
    is_empty = True
    for path in found:
        is_empty = False
        if path.is_dir():
            yield from ((file, base) for file in walk(path, on_skip, without=without))
        elif is_picture(path.name) and _may_be_read(path):
            yield path, base
    if is_empty:
        raise WrongCallError(f"nothing matches '{pattern}'.")


def _may_be_read(path: Path) -> bool:
    """Whether it is a file: a pipe would wait for ever, a device never end.

    What cannot be looked at, as a link to nothing, is a picture that will fail with a word.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _expression(parts: Sequence[str]) -> re.Pattern[str]:
    """A pattern's parts as a regular expression; ** stands for any number of folders, or none."""
    *folders, last = ("(?:[^/]+/)*" if part == "**" else _one_name(part) + "/" for part in parts)
    last = "(?:[^/]+/)*[^/]+" if parts[-1] == "**" else last.removesuffix("/")
    return re.compile("".join((*folders, last)), re.DOTALL)


def _one_name(pattern: str) -> str:
    return fnmatch.translate(pattern).replace(".*", "[^/]*").removesuffix("\\Z")
