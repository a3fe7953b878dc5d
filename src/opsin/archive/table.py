"""A CSV table with a line for each photograph, by which a run goes on where it was.

A line is written as soon as its photograph is done, whole. When the table is opened again, the
lines of photographs that failed are taken out, as is a last line that was not finished: those are
done again.

A photograph is called by its path below the table's folder, or in full where it lies elsewhere, so
that two of one name are told apart wherever a run was started. No cell begins with what a
spreadsheet takes for a formula: such a path gets ./ in front, any other text an apostrophe.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Self

from opsin.archive.result import Result
from opsin.errors import SaveError
from opsin.files import check_writable, shown, whole_file

INPUT, ERROR, MODEL = "input", "error", "model"
KEEP: Final = {"encoding": "utf-8", "errors": "surrogateescape"}  # a name need not be text
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


class Table:
    """The columns `input`, `error` and `model`, and those of the task; a context that closes its
    file."""

    def __init__(self, path: str | Path, columns: Sequence[str], *, model: str) -> None:
        """Opens the table; a `SaveError` if it cannot be written, is another one, or one of another
        `model` (in words: all that the cells depend on)."""
        self.path = Path(path)
        self.header = [INPUT, ERROR, MODEL, *columns]
        self._model = _cell(model)
        self._folder = os.path.realpath(self.path.parent)
        _check_name(path)
        check_writable(self.path.parent)
        self._file = self._open()
        try:
            rows, is_as_it_was = self._read()
            if not is_as_it_was:
                self._rewrite(rows)
        except BaseException:
            self._file.close()
            raise
        self._known = {row[0] for row in rows}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, photograph: str | Path) -> bool:
        """Whether it tells of a photograph, and not that it failed."""
        return self.name_of(photograph) in self._known

    def name_of(self, photograph: str | Path) -> str:
        """What a photograph is called in `input`; links to its folder are followed."""
        folder, name = os.path.split(os.path.abspath(photograph))
        full = os.path.join(os.path.realpath(folder), name)
        below = os.path.join(self._folder, "")
        short = full.removeprefix(below)
        return f"./{short}" if short.startswith(FORMULAS) else short

    def add(self, result: Result, cells: Sequence[object]) -> None:
        """A line; fewer `cells` than columns leave the others empty."""
        row: list[object] = [self.name_of(result.input), _cell(result.error or ""), self._model]
        row += [_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        row += [""] * (len(self.header) - len(row))
        try:
            _append(self._file, _text([row]))
        except OSError as error:
            raise self._error(error) from error

    def _read(self) -> tuple[list[list[str]], bool]:
        """The finished lines of an earlier run without their header, and whether there is nothing
        else; a `SaveError` if this is another table, which then stays as it is."""
        try:
            data = self.path.read_bytes()
            text = data.decode("utf-8-sig", errors=KEEP["errors"])
            found = list(csv.reader(io.StringIO(text, newline=""), strict=False))
        except OSError as error:
            raise self._error(error) from error
        except csv.Error:
            found = [[]]
        if not data:
            return [], False
        if found[:1] != [self.header]:
            raise SaveError(
                f"{shown(self.path)} is another table: its columns are not those of this run "
                f"({', '.join(self.header[:3])}, ...). Choose another name."
            )
        whole = found[1:] if text.endswith("\n") else found[1:-1]
        done = (row for row in whole if len(row) == len(self.header) and not row[1])
        rows = list({row[0]: row for row in done}.values())
        if others := [row[2] for row in rows if row[2] != self._model]:
            raise SaveError(
                f"{shown(self.path)} was made otherwise: by {shown(others[0])}; now it is "
                f"{shown(self._model)}. Choose another name for the table."
            )
        return rows, data == _text([self.header, *rows])

    def _open(self) -> BinaryIO:
        """The file to add to, which no other run adds to while it is open."""
        try:
            file = open(self.path, "ab", buffering=0)  # noqa: SIM115  # until __exit__
        except OSError as error:
            raise self._error(error) from error
        try:
            lock(file)
            is_there = os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except OSError:
            is_there = False
        if not is_there:  # it is locked, or another run has put a new one in its place
            file.close()
            raise SaveError(
                f"{shown(self.path)}: another run is writing it. Wait for it, or give another name."
            )
        return file

    def _rewrite(self, rows: Sequence[Sequence[str]]) -> None:
        """Puts a new file in the place of the open one, locked before it gets the name: at no time
        has the table no lock."""
        before = self._file
        try:
            with whole_file(self.path) as file:
                lock(file)
                file.write(_text([self.header, *rows]))
                self._file = os.fdopen(os.dup(file.fileno()), "ab", buffering=0)  # keeps the lock
        finally:
            before.close()

    def _error(self, error: OSError) -> SaveError:
        return SaveError(f"{shown(self.path)}: cannot be written ({error.strerror}).")


def lock(file: BinaryIO) -> None:
    """Keeps a file from other processes that ask, until it is closed; `OSError` if one has it.

    Where a system or a disk has no such locks, nothing is kept.
    """
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a network disk without locks
            pass


def _check_name(path: str | Path) -> None:
    """`SaveError` for what cannot be a table: a folder, a link, a device."""
    found = Path(path)
    if found.is_symlink() or (found.exists() and not found.is_file()):
        raise SaveError(
            f"{shown(path)} is no file of its own, but a folder, a link or a device. "
            "Choose another name."
        )


def _append(file: BinaryIO, line: bytes) -> None:
    """Writes a line to an unbuffered file, or nothing of it."""
    before = file.seek(0, os.SEEK_END)
    try:
        written = 0
        while written < len(line):
            written += file.write(line[written:])
    except BaseException:
        with suppress(OSError):
            os.ftruncate(file.fileno(), before)
        raise


def _cell(text: str) -> str:
    """A text that no spreadsheet runs.

    >>> _cell("cat"), _cell("=1+1")
    ('cat', "'=1+1")
    """
    return f"'{text}" if text.startswith(FORMULAS) else text


def _text(rows: Sequence[Sequence[object]]) -> bytes:
    """Lines of CSV; a carriage return ends a line for many a program, so it is quoted, too."""
    out = io.StringIO(newline="")
    for row in rows:
        has_return = any("\r" in str(cell) for cell in row)
        if has_return:
            csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
        else:
            csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue().encode(**KEEP)
