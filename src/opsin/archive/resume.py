"""What is left to do of some jobs: what exists is done, and nothing of others is touched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from opsin.archive.attempt import failed, result_of
from opsin.archive.jobs import Job
from opsin.archive.result import Result
from opsin.colorization.work import ANSWER
from opsin.errors import SaveError
from opsin.files import check_writable, clean, find_in_file, fingerprint_of, shown


def to_do(jobs: Iterable[Job], *, overwrite: bool = False) -> tuple[list[Result], list[Job]]:
    """What is known of some jobs before any work, and the jobs that remain."""
    known, left = [], []
    for job in jobs:
        if result := _in_the_way(job) or (None if overwrite else _standing(job)):
            known.append(result)
        else:
            left.append(job)
    return known, left


def prepare(jobs: Sequence[Job]) -> tuple[list[Result], list[Job]]:
    """The photographs whose folder cannot be written to, known before any work, and the others.

    Raises `SaveError` if nothing of any can be written. Also removes what killed runs left.
    """
    grounds = {place: _ground(place) for job in jobs for place in _places(job)}
    errors = {}
    for ground in set(grounds.values()):
        try:
            check_writable(ground)
        except SaveError as refusal:
            errors[ground] = refusal
    for place in grounds:
        clean(place)
    refused, left = [], []
    for job in jobs:
        if error := next((errors.get(grounds[place]) for place in _places(job)), None):
            refused.append(failed(job, str(error)))
        else:
            left.append(job)
    if errors and not left:
        raise next(iter(errors.values()))
    return refused, left


def _places(job: Job) -> set[Path]:
    return {path.parent for path in job.outputs.values()}


def _ground(folder: Path) -> Path:
    """The nearest folder that exists: what is missing below it is made when it is needed."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _in_the_way(job: Job) -> Result | None:
    """What is to be said if one of the names to write to is no file: through a link, another
    photograph would be written to, and a pipe would wait for ever."""
    for path in job.outputs.values():
        if os.path.lexists(path) and not os.path.isfile(path):
            what = "a link to nothing" if os.path.islink(path) else "no file"
        elif os.path.islink(path):
            what = "a link"
        else:
            continue
        error = f"{shown(path)} is {what}, and stays so. Write to another folder."
        return failed(job, error)
    return None


def _standing(job: Job) -> Result | None:
    """What is to be said of a photograph whose files exist, or None if there is work to do."""
    for role, picture in job.outputs.items():
        if os.path.exists(picture) and (error := _of_another(job.source, picture, role)):
            return failed(job, error)
    return result_of(job, "skipped", notes=("exists",)) if job.is_done() else None


def _of_another(source: Path, picture: Path, role: str) -> str | None:
    """Why an existing picture is not this photograph's; None if it is, or does not say."""
    from opsin.formats.xmp import ORIGIN

    origin = find_in_file(picture, ORIGIN)
    is_whole = role == "output" or role.startswith(ANSWER)  # as large as the photograph
    if is_whole and origin is None and not may_be_of(source, picture):
        return (
            f"{shown(picture)} exists and was not made from this photograph. "
            "Choose another folder, or replace it with --overwrite."
        )
    try:
        if origin is None or origin.decode() == fingerprint_of(source):
            return None
    except OSError:
        return None  # what is wrong with the photograph will be said when it is opened
    return (
        f"{shown(picture)} exists and was made from another photograph, or from this one before "
        "it was changed. Choose another folder, or replace it with --overwrite."
    )


def may_be_of(source: Path | BinaryIO, picture: Path | BinaryIO) -> bool:
    """Whether an existing picture that does not say what it was made from has the same size.

    Other programs leave out the XMP that says it, and BMP has none.
    """
    from PIL import Image

    try:
        with Image.open(picture) as found:
            size = sorted(found.size)  # turned or not
    except Exception:  # empty, cut off, not a picture, or not to be read
        return False
    with suppress(Exception), Image.open(source) as photograph:
        return size == sorted(photograph.size)
    return True
