"""One photograph: read, given to a task's work, and what was made of it kept.

It does not matter where photographs lie: a `Store` reads and writes. A photograph that fails is a
result; what would stop all of them (a full disk) is raised.
"""

from __future__ import annotations

import errno
import itertools
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from opsin.archive.jobs import Job
from opsin.archive.result import Result, Status
from opsin.errors import OpsinError, SaveError
from opsin.files import find_in_file, fingerprint_of, shown, write_atomically
from opsin.formats.xmp import ORIGIN
from opsin.work import Made, Work

FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT)
LEFT: Final = "what was there already is as it was (--overwrite does it again)"
"""Said where only some of a photograph's files were missing."""


class Store(Protocol):
    """Where photographs lie, and where what is made of them goes."""

    def read(self, path: Path) -> Any:
        """What is there, as `opsin.open` takes it: a path, or a binary file with a name."""

    def exists(self, path: Path) -> bool: ...

    def write(self, path: Path, data: bytes) -> object:
        """Writes a file, whole or not at all; `SaveError` or `OSError` if it cannot be."""


class Disk:
    """Files of this machine."""

    def read(self, path: Path) -> Path:
        return path

    def exists(self, path: Path) -> bool:
        return os.path.exists(path)

    def write(self, path: Path, data: bytes) -> Path:
        return write_atomically(path, data)


DISK: Final = Disk()


def attempt(
    work: Work, job: Job, *, store: Store = DISK, overwrite: bool = False, threads: int = 1
) -> Result:
    """What became of one photograph. Of its files only those that are missing are made.

    Raises `OSError` or `SaveError` where the disk is full, and nothing else on purpose.
    """
    began = time.perf_counter()
    try:
        made = _made(work, job, store, overwrite, threads)
        for role, data in made.files.items():
            path = job.path(role)
            if role in job.outputs or overwrite or not store.exists(path):
                store.write(path, data)
            elif not _is_of(job.source, path):
                raise SaveError(
                    f"{shown(path)} exists and was not made from this photograph. "
                    "Choose another folder, or replace it with --overwrite."
                )
        if overwrite:
            _remove_earlier(job, made.files)
    except (OpsinError, OSError) as error:
        if is_full_disk(error):
            raise
        return failed(job, _words(error, job))
    except MemoryError:
        size = _megapixels(store.read(job.source))
        return failed(job, f"there is not enough memory for it{size}. Try --workers 1.")
    except Exception as error:  # no photograph ends a run
        found = f"{type(error).__name__}: {error}".splitlines()[0]
        return failed(
            job, f"this is a mistake in opsin ({found}). Please report it, with the photograph."
        )
    if made.skipped is not None:
        return result_of(job, "skipped", notes=(made.skipped,), part=made.part)
    seconds = round(time.perf_counter() - began, 3)
    there = {
        role: path
        for role, path in job.outputs.items()
        if role in made.files or store.exists(path)  # no crop where there is no face
    }
    job = replace(job, outputs=there)
    left = () if there.keys() <= made.files.keys() else (LEFT,)
    return result_of(job, "done", seconds=seconds, notes=(*made.notes, *left), part=made.part)


def result_of(job: Job, status: Status, **more: Any) -> Result:
    """A result that names the job's photograph and its files."""
    names = {role: str(path) for role, path in job.outputs.items()}
    return Result(str(job.source), status, names, **more)


def failed(job: Job, error: str) -> Result:
    """A result that says why there are no files."""
    return Result(str(job.source), "failed", error=error)


def is_full_disk(error: BaseException) -> bool:
    """Whether this is what a full disk raises, or was raised from it."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno in FULL_DISK


def _made(work: Work, job: Job, store: Store, overwrite: bool, threads: int) -> Made:
    wanted, there = {}, {}
    for role, path in job.outputs.items():
        if overwrite or not store.exists(path):
            wanted[role] = path.suffix
        else:
            there[role] = store.read(path)
    return work.do(store.read(job.source), wanted=wanted, there=there, threads=threads)


def _remove_earlier(job: Job, made: Mapping[str, bytes]) -> None:
    """Removes the pictures of things that an earlier run told and this one does not: NAME-face-3
    where there are two faces now. What was not made from this photograph stays."""
    for role, first in job.outputs.items():
        if role == "output" or not first.stem.endswith("-1"):  # -o may be any name
            continue
        count = sum(name.partition(" ")[0] == role for name in made)
        for number in itertools.count(count + 1):
            path = first if number == 1 else job.path(f"{role} {number}")
            if not (path.is_file() and _is_of(job.source, path)):
                break
            path.unlink()


def _is_of(source: Path, picture: Path) -> bool:
    """Whether a picture says that it was made from this photograph."""
    origin = find_in_file(picture, ORIGIN)
    return origin is not None and origin.decode() == fingerprint_of(source)


def _words(error: OpsinError | OSError, job: Job) -> str:
    """An error's text; the photograph's name is said by who shows it."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}."
    text = str(error)
    for name in (shown(job.source), shown(job.source.name), "the photograph"):
        text = text.removeprefix(f"{name}: ")
    return text


def _megapixels(source: Any) -> str:
    """How large a photograph is, as its head tells; nothing where it cannot be told."""
    from opsin.formats.vips import vips

    with suppress(Exception):  # memory is short: a word less is better than no word
        image = vips().Image.new_from_file(str(source), access="sequential")
        return f" ({image.width * image.height / 1e6:,.0f} megapixels)"
    return ""
