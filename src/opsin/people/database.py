"""A SQLite file that is safe to share: opened with care, changed whole or not at all.

Writing is journaled ahead (WAL) and on the disk before it is reported (synchronous = FULL), so a
killed process loses nothing that it has told of, and two processes may use one file at once. What
SQLite reports becomes one sentence that says what to do.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from opsin.errors import DataError, OpsinError, SaveError
from opsin.files import shown
from opsin.people.schema import APPLICATION, TABLES, VERSION

WAIT: Final = 30.0
"""Seconds to wait for another process that is writing."""
HEAD: Final = b"SQLite format 3\0"
_PAUSE: Final = 0.05  # seconds between two tries


class Database:
    """One open file. Its connection may be used by several threads, one at a time."""

    def __init__(self, path: Path, *, wait: float = WAIT) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._wait = wait
        if path.is_dir():
            raise SaveError(f"{shown(path)}: this is a folder. Give the name of a people file.")
        with self._told():
            _begin(path)
            self._connection = sqlite3.connect(
                path, timeout=wait, isolation_level=None, check_same_thread=False
            )
        self._connection.row_factory = sqlite3.Row
        try:
            with self._told():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a question."""
        with self._lock, self._told():
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        with self._lock, self._told():
            return self._connection.execute(sql, values).fetchone()

    def do(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Changes something; the id of a new row. Only within `change`."""
        with self._lock, self._told():
            return int(self._connection.execute(sql, values).lastrowid or 0)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Changes that are made together: all are on the disk at the end, or none is made.

        One within another is a part of it.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            with self._told():
                self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            try:
                with self._told():
                    self._connection.execute("COMMIT")
            except OpsinError:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def view(self) -> Iterator[None]:
        """Questions that are answered from one moment, whatever others write meanwhile."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            with self._told():
                self._connection.execute("BEGIN")
            try:
                yield
            finally:
                with suppress(sqlite3.Error):
                    self._connection.execute("COMMIT")

    def wipe(self) -> None:
        """Takes what was deleted out of the file's bytes, and out of its journal's.

        A `SaveError` if another process that reads keeps the journal.
        """
        with self._lock, self._told():
            self._connection.execute("VACUUM")  # pages may hold copies of rows that were moved
            end = time.monotonic() + self._wait
            while True:
                row = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not row[0]:
                    return
                if time.monotonic() > end:
                    break
                time.sleep(_PAUSE)
        raise SaveError(
            f"{shown(self.path)}: deleted, but another program is using the file, so that its "
            "journal may still hold what was deleted. Close that program and try again."
        )

    def _prepare(self) -> None:
        """Checks whose file it is, makes the tables of a new one, and sets how it is written."""
        run = self._connection.execute
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA secure_delete = ON")
        run("PRAGMA temp_store = MEMORY")  # no copy of anybody's embedding beside the file
        self._check()
        self._journal_ahead()
        run("PRAGMA synchronous = FULL")
        if self._version() == 0:
            with self.change():
                if self._version() == 0:  # no other process was quicker
                    for statement in TABLES.split(";\n"):
                        run(statement)
                    run(f"PRAGMA application_id = {APPLICATION}")
                    run(f"PRAGMA user_version = {VERSION}")
            self._check()

    def _check(self) -> None:
        run = self._connection.execute
        [application] = run("PRAGMA application_id").fetchone()
        [tables] = run("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION and (application or tables):
            raise DataError(
                f"{shown(self.path)}: not a people file, but another program's database. "
                "Name another with --people."
            )
        if self._version() > VERSION:
            raise DataError(
                f"{shown(self.path)}: made by a newer opsin than this one. Install that, or name "
                "another file with --people."
            )

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _journal_ahead(self) -> None:
        """Switches to WAL; SQLite does not wait by itself where another process does so, too."""
        end = time.monotonic() + self._wait
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > end:
                    raise
            time.sleep(_PAUSE)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite reports, as one sentence."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # a rule of the tables; who changes them knows what it means
        except sqlite3.Error as error:
            raise _sentence(self.path, error) from error


def _begin(path: Path) -> None:
    """Makes an empty file that only its owner may read, or refuses one that is no database."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{shown(path)}: not a file. Name another with --people.")
        with open(path, "rb") as file:
            head = file.read(len(HEAD))
    except OSError as error:
        raise SaveError(
            f"{shown(path)}: cannot be opened ({error.strerror}). Name another file with --people."
        ) from error
    if head and head != HEAD:
        raise DataError(
            f"{shown(path)}: not a people file, or damaged. Name another with --people, or put "
            "a backup in its place."
        )


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: sqlite3.Error) -> int:
    """SQLite's main code of an error; 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _sentence(path: Path, error: sqlite3.Error) -> OpsinError:
    where, code = shown(path), _code(error)
    if _is_busy(error):
        return SaveError(f"{where}: another program is writing to it. Try again when it is done.")
    if code == sqlite3.SQLITE_READONLY:
        return SaveError(
            f"{where}: it may only be read. Change the permissions of the file and its folder."
        )
    if code == sqlite3.SQLITE_FULL:
        return SaveError(f"{where}: the disk is full, nothing was changed. Make room, try again.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return SaveError(f"{where}: cannot be opened. Check its folder's permissions.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DataError(f"{where}: damaged; nothing was changed. Put a backup in its place.")
    return SaveError(f"{where}: cannot be used ({error}). Check the disk.")
