"""A CSV table with a line for each photograph, by which a run goes on where it was.

A line is written as soon as its photograph is done, whole. When the table is opened again, the
lines of photographs that failed are taken out, as is a last line that was not finished: those are
done again.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, Self

from opsin.archive.result import Result
from opsin.errors import SaveError
from opsin.files import shown, write_atomically

INPUT, ERROR = "input", "error"
KEEP: Final = {"encoding": "utf-8", "errors": "surrogateescape"}  # a name need not be text


class Table:
    """The columns `input` and `error`, and those of the task; a context that closes its file."""

    def __init__(self, path: str | Path, columns: Sequence[str]) -> None:
        self.path = Path(path)
        self.header = [INPUT, ERROR, *columns]
        rows = self._read()
        self.known = frozenset(row[0] for row in rows)
        """The photographs that it tells of, as `Result.input`, but for those that failed."""
        before = self._open() if os.path.exists(self.path) else None  # no other run may have it
        write_atomically(self.path, _text([self.header, *rows]))
        self._file = self._open()
        if before:
            before.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, result: Result, cells: Sequence[object]) -> None:
        """A line; fewer `cells` than columns leave the others empty."""
        row = [result.input, result.error or "", *cells]
        row += [""] * (len(self.header) - len(row))
        try:
            self._file.write(_text([row]))
        except OSError as error:
            raise self._error(error) from error

    def _read(self) -> list[list[str]]:
        """The finished lines of an earlier run without their header; a `SaveError` if this is
        another table, which then stays as it is."""
        if not os.path.lexists(self.path):
            return []
        if not self.path.is_file() or self.path.is_symlink():
            raise SaveError(f"{shown(self.path)} is no file of its own. Choose another name.")
        try:
            text = self.path.read_bytes().decode("utf-8-sig", errors=KEEP["errors"])
        except OSError as error:
            raise self._error(error) from error
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=False))
        if not rows:
            return []
        if rows[0] != self.header:
            raise SaveError(
                f"{shown(self.path)} is another table: its columns are not those of this run "
                f"({', '.join(self.header[:3])}, ...). Choose another name."
            )
        whole = rows[1:] if text.endswith("\n") else rows[1:-1]
        return [row for row in whole if len(row) == len(self.header) and not row[1]]

    def _open(self) -> BinaryIO:
        """The file to add to, which no other run adds to while it is open."""
        try:
            file = open(self.path, "ab", buffering=0)  # noqa: SIM115  # until __exit__
        except OSError as error:
            raise self._error(error) from error
        try:
            lock(file)
        except OSError as error:
            file.close()
            raise SaveError(
                f"{shown(self.path)}: another run is writing it. Wait for it, or give another name."
            ) from error
        return file

    def _error(self, error: OSError) -> SaveError:
        return SaveError(f"{shown(self.path)}: cannot be written ({error.strerror}).")


def lock(file: BinaryIO) -> None:
    """Keeps a file from other processes that ask, until it is closed; `OSError` if one has it.

    Where a system has no such locks, nothing is kept.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _text(rows: Sequence[Sequence[object]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode(**KEEP)
