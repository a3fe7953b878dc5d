"""What a worker process of a cluster does: a portion of the photographs, one after the other.

A portion may be done twice, in part or as a whole: its worker may die, or be cut off and go on
unseen while another does it again. It is written once all the same, for a file is only ever
created, never replaced, and what is there already, made of the same photograph, is left as it is.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from opsin.archive.attempt import attempt, failed, result_of
from opsin.archive.jobs import Job, job_by_name
from opsin.archive.manifest import Manifest, key_of
from opsin.archive.result import Result
from opsin.archive.resume import may_be_of
from opsin.archive.stores import Entry, Store, open_store
from opsin.files import fingerprint, shown
from opsin.machine import keep_memory
from opsin.work import Work

THREADS: Final = 1  # of a network: a machine's cores are shared out by the number of workers


@dataclass(frozen=True)
class Order:
    """What is to be done with the photographs below `source`; see `archive.jobs.plan`."""

    work: Work
    source: str
    target: str
    picture: str | None = "color"
    format: str | None = None
    extras: Mapping[str, str] = field(default_factory=dict)

    def job(self, name: str) -> Job:
        """The job of a photograph, by its name in the source and the target."""
        return job_by_name(
            Path(PurePosixPath(name)), picture=self.picture, format=self.format, extras=self.extras
        )

    def manifest(self) -> Manifest:
        name = f"{type(self.work).__module__}.{type(self.work).__qualname__}"
        # what makes no files knows by its manifest alone what is done, and with which options
        options = repr(self.work) if self.picture is None else self.format
        facts = (open_store(self.source).address, name, self.picture, options, *self.extras)
        return Manifest(open_store(self.target), key_of(*facts))


@dataclass(frozen=True)
class Portion:
    """Photographs that one task is to do, and the part of the manifest that tells of them."""

    part: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Tally:
    """What became of some photographs: how many of each status, and which failed."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: tuple[Result, ...] = ()

    @classmethod
    def of(cls, lines: Iterable[Mapping[str, Any]]) -> Tally:
        lines = list(lines)
        bad = [line for line in lines if line["status"] == "failed"]
        results = [Result(str(line["input"]), "failed", error=line.get("error")) for line in bad]
        return cls(Counter(str(line["status"]) for line in lines), tuple(results))


def do_portion(order: Order, portion: Portion) -> Tally:
    """Does a portion's photographs, writes its part of the manifest and tells what became of them.

    Raises `OpsinError` where not a photograph but a store or a disk is at fault; a task of Dask, it
    is then tried again.
    """
    keep_memory()
    manifest = order.manifest()
    lines = manifest.read(portion.part)
    if lines is None:
        order.work.load(threads=THREADS)
        source, target = open_store(order.source), open_store(order.target)
        found = [line(entry, _do(order, source, target, entry)) for entry in portion.entries]
        return Tally.of(manifest.write(portion.part, found))
    return Tally.of(lines)


def line(entry: Entry, result: Result) -> dict[str, Any]:
    """A photograph's line in the manifest."""
    return {"size": entry.size, **result.document()}


def _do(order: Order, source: Store, target: Store, entry: Entry) -> Result:
    job = order.job(entry.name)
    try:
        data = source.read(entry.name)
        standing = _standing(job, target, data)
    except FileNotFoundError:
        result = failed(job, "it is gone.")
    except Exception as error:  # each backend has its own
        words = str(error) or type(error).__name__
        result = failed(job, words.removeprefix(f"{shown(entry.name)}: "))
    else:
        places = _Places(entry.name, data, target)
        result = standing or attempt(order.work, job, store=places, threads=THREADS)
    if result.status == "failed":  # of all that fail, one in a million is a store that is gone
        source.check()
        target.check(may_be_empty=True)
    return result


class _Named(io.BytesIO):
    """A file in memory with a name, which the copy and an error's text tell."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


@dataclass(frozen=True)
class _Places:
    """A photograph that has been read, and where its files go; see `archive.attempt.Store`."""

    name: str
    data: bytes
    target: Store

    def read(self, path: Path) -> BinaryIO:
        name = path.as_posix()
        return _Named(self.data if name == self.name else self.target.read(name), path.name)

    def exists(self, path: Path) -> bool:
        return self.target.exists(path.as_posix())

    def write(self, path: Path, data: bytes) -> object:
        return self.target.create(path.as_posix(), data)


def _standing(job: Job, target: Store, data: bytes) -> Result | None:
    """What is to be said of a photograph whose files exist, or None if there is work to do."""
    there = {role: target.exists(path.as_posix()) for role, path in job.outputs.items()}
    picture = job.outputs.get("output")
    if picture and there["output"]:
        made = target.read(picture.as_posix())
        if not _is_of(made, data):
            return failed(
                job,
                f"{shown(picture)} exists and was not made from this photograph as it is now. "
                "Choose another folder with -o.",
            )
    return result_of(job, "skipped", notes=("exists",)) if there and all(there.values()) else None


def _is_of(made: bytes, data: bytes) -> bool:
    from opsin.formats.xmp import ORIGIN

    if origin := ORIGIN.search(made):
        return origin[1].decode() == fingerprint(data)
    return may_be_of(io.BytesIO(data), io.BytesIO(made))


def check(order: Order) -> None:
    """Raises the error that would stop a run, before it begins.

    `DataError` of a source that cannot be reached, `SaveError` of a target that cannot be written
    to, `ModelError` of a network.
    """
    open_store(order.source).check()
    target = open_store(order.target)
    target.prepare()
    target.tidy()
    order.work.load(threads=THREADS)
