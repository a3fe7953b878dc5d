"""What became of the photographs of a run on many machines, kept beside what was made of them.

A task writes one part, JSON lines, when it is through with its photographs, under a name of its
own: as a new file, whole or not at all, so that no two tasks share one and no store needs to
append. A task that is done a second time (its worker was lost before it could tell) finds its part
and tells that. The task writes it, not the client: what is done is known although the client is
gone.

Parts lie in TARGET/.opsin/manifest-KEY/, where KEY stands for the source and what was asked for:
two boxes of photographs with the same names do not pass for each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opsin.archive.stores import STATE, Entry, Store

_BYTES = 16  # of a digest: a million photographs are 16 MB, and two are one by a chance of 1e-27


@dataclass(frozen=True)
class Manifest:
    """The parts of one source and what was asked for, in a target."""

    target: Store
    key: str

    @property
    def folder(self) -> str:
        return f"{STATE}/manifest-{self.key}"

    def write(self, part: str, lines: Iterable[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """The lines of a part: these, or those of another that has written it before."""
        lines = list(lines)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        if self.target.create(self._name(part), text.encode()):
            return lines
        return self.read(part) or lines

    def read(self, part: str) -> list[dict[str, Any]] | None:
        """The lines of a part; None if it was not written."""
        try:
            return list(_lines(self.target.read(self._name(part))))
        except FileNotFoundError:
            return None

    def lines(self, run: str = "") -> Iterator[dict[str, Any]]:
        """All lines, or those of one run, a few parts in memory at a time."""
        names = [name for name in self.target.names(self.folder) if _is_of(name, run)]
        for data in self.target.read_all(names):
            yield from _lines(data)

    def done(self) -> Done:
        """The photographs that need not be looked at again: all but those that failed."""
        digests = bytearray()
        for line in self.lines():
            if line.get("status") in ("done", "skipped"):
                digests += _digest(Entry(str(line["input"]), int(line["size"])))
        return Done(np.sort(np.frombuffer(bytes(digests), f"S{_BYTES}")))

    def _name(self, part: str) -> str:
        return f"{self.folder}/{part}.jsonl"


class Done:
    """A set of photographs, by digests of their names and sizes: a changed one is another."""

    def __init__(self, digests: np.ndarray[Any, Any]) -> None:
        self._digests = digests

    def __len__(self) -> int:
        return len(self._digests)

    def __contains__(self, entry: Entry) -> bool:
        digest = np.array(_digest(entry), self._digests.dtype)  # as there, without closing zeros
        at = int(np.searchsorted(self._digests, digest))
        return at < len(self._digests) and bool(self._digests[at] == digest)


def key_of(*facts: object) -> str:
    """A short name for what a manifest is about."""
    return hashlib.sha256("\0".join(map(str, facts)).encode("utf-8", "replace")).hexdigest()[:16]


def _digest(entry: Entry) -> bytes:
    text = f"{entry.size} {entry.name}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_BYTES).digest()


def _is_of(name: str, run: str) -> bool:
    file = name.rpartition("/")[2]
    return file.endswith(".jsonl") and file.startswith(run)


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    """The lines that are whole; a photograph whose line was damaged is looked at again."""
    for text in data.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and {"input", "size", "status"} <= line.keys():
            yield line
