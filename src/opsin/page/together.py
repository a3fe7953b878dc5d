"""All photographs of a session in one ZIP, sent while it is made: no more than one is held."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import PurePath

from opsin.errors import OpsinError
from opsin.page.opened import Opened

FAILURES = "failures.txt"


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


async def zipped(
    photographs: Sequence[Opened], make: Callable[[Opened], Awaitable[tuple[str, bytes]]]
) -> AsyncIterator[bytes]:
    """The parts of a ZIP; `make` gives a photograph's name and bytes.

    What cannot be made is told in a text at the end, and the others come all the same.
    """
    sink, taken, failures = Sink(), {FAILURES}, []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # pictures get no smaller
        for one in photographs:
            try:
                name, data = await make(one)
            except OpsinError as error:
                failures.append(f"{one.name}: {error}")
                continue
            archive.writestr(unlike(name, taken), data)
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
