"""All that was made of a session's photographs in one ZIP, sent piece by piece."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePath

from opsin.page.opened import Made

FAILURES = "failures.txt"
PART = 1 << 20  # bytes that are held at once


class Sink:
    """A file to write to, whose bytes are taken as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self._parts = b"".join(self._parts), []
        return data


async def zipped(made: Sequence[Made], failures: Sequence[str]) -> AsyncIterator[bytes]:
    """The parts of a ZIP of what was made; what could not be is told in a text at its end."""
    sink, taken = Sink(), {FAILURES}
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # pictures get no smaller
        for one in made:
            if one.file.closed:  # its photograph was closed meanwhile
                continue
            entry = zipfile.ZipInfo(unlike(one.name, taken), time.localtime()[:6])
            entry.file_size = one.bytes
            # Its photograph may be closed while it is read, and another download may read it, too.
            own = os.fdopen(os.dup(one.file.fileno()), "rb", buffering=0)
            with own, archive.open(entry, "w") as into:
                for at in range(0, one.bytes, PART):
                    own.seek(at)
                    into.write(own.read(PART))
                    yield sink.take()
        if failures:
            archive.writestr(FAILURES, "\n".join([*failures, ""]))
    yield sink.take()


def unlike(name: str, taken: set[str]) -> str:
    """The name, or one with a number, that is not taken; it is taken then.

    >>> taken = {"a.jpg"}
    >>> unlike("A.jpg", taken), unlike("a.jpg", taken)
    ('A-2.jpg', 'a-3.jpg')
    """
    path, number, found = PurePath(name), 1, name
    while found.lower() in taken:
        number += 1
        found = f"{path.stem}-{number}{path.suffix}"
    taken.add(found.lower())
    return found
