"""Folders of photographs, wherever they lie: on this machine, s3://, gs://, sftp://, whatever
fsspec opens.

A store lists what lies below a folder without holding its names in memory, reads whole files, and
creates new ones: whole or not at all, and never over one that is there. It is sent to other
processes as its address alone, so that no password travels: each machine has its own.
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opsin.errors import DataError, ExtraMissingError, SaveError, WrongCallError, needs_extra
from opsin.files import clean, new_file, shown

STATE: Final = ".opsin"
"""The folder in a target for what is not a picture: unfinished files, manifests."""

OnUnread = Callable[[str, str], None]
"""Called with a folder that cannot be listed, and why."""

# A put of these is whole or not at all; elsewhere a file is written under another name first.
_WHOLE: Final = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "memory"}
_PAGE: Final = 1000  # names, as S3 lists them
_AT_ONCE: Final = 64  # small files that are asked for together


@dataclass(frozen=True)
class Entry:
    """A file below a folder: its name there, with /, and its size in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Store:
    """A folder that fsspec opens."""

    url: str

    @property
    def fs(self) -> Any:
        return _opened(self.url)[0]

    @property
    def root(self) -> str:
        return _opened(self.url)[1]

    @property
    def address(self) -> str:
        """The same for two stores of one folder, however they were named."""
        return str(self.fs.unstrip_protocol(self.root))

    def entries(self, *, skip: str | None = None, on_unread: OnUnread) -> Iterator[Entry]:
        """All files below the folder, in any order, read as they are asked for.

        Not those in hidden folders, nor those below the folder of address `skip`. What cannot be
        listed is passed over and told; that the folder itself cannot be is a `DataError`.
        """
        inside = _inside(self.address, skip)
        start = len(self.root) + bool(self.root)
        for info in self._infos(on_unread):
            name = info["name"][start:]
            *folders, last = name.split("/")
            hidden = any(folder.startswith(".") and folder != ".." for folder in folders)
            if last and not hidden and not (inside and name.startswith(inside)):
                yield Entry(name, int(info.get("size") or 0))

    def names(self, folder: str) -> list[str]:
        """The files in a folder of the store; none if it does not exist."""
        try:
            found = self.fs.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return [f"{folder}/{path.rstrip('/').rpartition('/')[2]}" for path in found]

    def read(self, name: str) -> bytes:
        return bytes(self.fs.cat_file(self._path(name)))

    def read_all(self, names: Sequence[str]) -> Iterator[bytes]:
        """The bytes of several small files, in any order; those that are gone are left out."""
        for start in range(0, len(names), _AT_ONCE):
            paths = [self._path(name) for name in names[start : start + _AT_ONCE]]
            yield from self.fs.cat(paths, on_error="omit").values()

    def exists(self, name: str) -> bool:
        return bool(self.fs.exists(self._path(name)))

    def create(self, name: str, data: bytes) -> bool:
        """Whether a new file was written: all of it. A name that is taken stays as it is.

        S3, Google's and Azure's stores and this machine's disks decide that in one step; of others
        (sftp) two that write one name in the same moment may both do so.
        """
        path = self._path(name)
        try:
            return (
                _put(self.fs, path, data) if self._is_whole else self._create_and_rename(path, data)
            )
        except FileExistsError:
            return False
        except Exception as error:  # each backend has its own
            raise SaveError(
                f"{shown(name)}: cannot be written to {shown(self.url)} ({_words(error)})."
            ) from error

    def check(self, *, may_be_empty: bool = False) -> None:
        """Raises `DataError` if the store cannot be reached: then no single file is at fault."""
        try:
            self.fs.info(self.root)
        except FileNotFoundError as error:  # as a folder of S3 in which there is nothing
            if not may_be_empty:
                where = shown(self.url)
                raise DataError(f"{where}: there is no such folder. Check its name.") from error
        except Exception as error:  # each backend has its own
            raise _out_of_reach(self.url, error) from error

    def prepare(self) -> None:
        """Makes the folder, and raises `SaveError` if it cannot be written to."""
        probe = self._path(f"{STATE}/probe")
        try:
            if not self._is_whole:  # it would make a bucket
                self.fs.makedirs(self._path(STATE), exist_ok=True)
            self.fs.pipe_file(probe, b"opsin")
            self.fs.rm_file(probe)
        except Exception as error:  # each backend has its own
            raise SaveError(
                f"{shown(self.url)}: cannot be written to ({_words(error)}). "
                "Check its name and your rights."
            ) from error

    def tidy(self) -> None:
        """Removes what killed processes left unfinished, as far as that can be told."""

    @property
    def _is_whole(self) -> bool:
        return not _WHOLE.isdisjoint(_protocols(self.fs))

    def _path(self, name: str) -> str:
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise DataError(f"{shown(name)}: no name of a file in a folder.")
        return f"{self.root}/{name}" if self.root else name

    def _infos(self, on_unread: OnUnread) -> Iterator[dict[str, Any]]:
        if hasattr(self.fs, "_iterdir"):  # s3fs, page by page: its `find` would hold all names
            try:
                yield from _pages(self.fs, self.root)
            except Exception as error:  # each backend has its own
                raise _out_of_reach(self.url, error) from error
            return
        folders = [self.root]
        while folders:
            folder = folders.pop()
            try:
                found = self.fs.ls(folder, detail=True)
            except Exception as error:  # each backend has its own
                if folder == self.root:
                    raise _out_of_reach(self.url, error) from error
                on_unread(folder, _words(error))
                continue
            for info in found:
                if info["type"] == "directory" and info["name"] != folder:
                    folders.append(info["name"])
                elif info["type"] == "file":
                    yield info

    def _create_and_rename(self, path: str, data: bytes) -> bool:
        from secrets import token_hex

        if self.fs.exists(path):
            return False
        part = self._path(f"{STATE}/{token_hex(8)}.part")
        self.fs.makedirs(self._path(STATE), exist_ok=True)
        self.fs.pipe_file(part, data)
        try:
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            if self.fs.exists(path):
                return False
            self.fs.mv(part, path)
        finally:
            if self.fs.exists(part):
                self.fs.rm_file(part)
        return True


class Disk(Store):
    """A folder of this machine."""

    def entries(self, *, skip: str | None = None, on_unread: OnUnread) -> Iterator[Entry]:
        left_out = os.path.realpath(skip.removeprefix("file://")) if skip else None
        if left_out == os.path.realpath(self.root):
            left_out = None
        folders: list[Any] = []  # that are being read, each in the one before

        def enter(path: str) -> None:
            try:
                folders.append(os.scandir(path))
            except OSError as error:
                if not folders:
                    raise _out_of_reach(self.url, error) from error
                on_unread(path, _words(error))

        start = len(self.root.rstrip(os.sep)) + 1
        enter(self.root)
        try:
            while folders:
                found = next(folders[-1], None)
                if found is None:
                    folders.pop().close()
                elif found.is_dir(follow_symlinks=False):
                    if found.name[0] != "." and os.path.realpath(found.path) != left_out:
                        enter(found.path)
                elif (size := _size(found)) is not None:
                    name = found.path[start:]
                    yield Entry(name.replace(os.sep, "/"), size)
        finally:
            for folder in folders:
                folder.close()

    def names(self, folder: str) -> list[str]:
        path = self._path(folder)
        return [f"{folder}/{name}" for name in os.listdir(path)] if os.path.isdir(path) else []

    def read(self, name: str) -> bytes:
        return Path(self._path(name)).read_bytes()

    def read_all(self, names: Sequence[str]) -> Iterator[bytes]:
        return map(self.read, names)

    def exists(self, name: str) -> bool:
        return os.path.lexists(self._path(name))

    def create(self, name: str, data: bytes) -> bool:
        try:
            with new_file(self._path(name), parts=Path(self._path(f"{STATE}/parts"))) as file:
                file.write(data)
        except FileExistsError:
            return False
        return True

    def tidy(self) -> None:
        clean(Path(self._path(f"{STATE}/parts")))


def open_store(url: str) -> Store:
    """The store of a folder's name or address.

    Raises `WrongCallError` for what no backend of fsspec opens, `ExtraMissingError` for one that is
    not installed.
    """
    fs, _ = _opened(url)
    return Disk(url) if "file" in _protocols(fs) else Store(url)


@functools.cache
def _opened(url: str) -> tuple[Any, str]:
    """The file system and the folder in it."""
    with needs_extra("a run on a cluster", "cluster"):
        from fsspec.core import url_to_fs
    try:
        fs, root = url_to_fs(url)
    except ImportError as error:
        raise ExtraMissingError(f"{shown(url)}: {error}.") from error
    except ValueError as error:
        raise WrongCallError(f"{shown(url)}: {error}.") from error
    except Exception as error:  # a backend that connects at once, as sftp
        raise _out_of_reach(url, error) from error
    fs.dircache.use_listings_cache = False  # it would hold all names, and old ones
    return fs, root.rstrip("/") or root


def _size(found: os.DirEntry[str]) -> int | None:
    """A file's bytes; None for what is none: a folder behind a link, or a pipe, where reading would
    wait for ever. What cannot be looked at (a link to nothing) will fail with a word when read."""
    try:
        status = found.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _inside(address: str, other: str | None) -> str | None:
    """What the names of one folder's files begin with in another; None if it is not in there."""
    if other is None or not other.startswith(f"{address.rstrip('/')}/") or other == address:
        return None
    return other[len(address.rstrip("/")) + 1 :].rstrip("/") + "/"


def _put(fs: Any, path: str, data: bytes) -> bool:
    """Whether an object was created, which the store itself decides where it can."""
    try:
        fs.pipe_file(path, data, mode="create")
    except (TypeError, NotImplementedError, OSError) as error:  # not known here, or there
        if fs.exists(path):  # another was faster, or the answer to an earlier try was lost
            return False
        if isinstance(error, OSError) and "NotImplemented" not in str(error):
            raise
        fs.pipe_file(path, data)
    return True


def _pages(fs: Any, root: str) -> Iterator[dict[str, Any]]:
    """All objects below a folder of S3, a page of names at a time."""
    from fsspec.asyn import sync

    bucket, _, prefix = root.partition("/")
    found = fs._iterdir(bucket, delimiter="", prefix=f"{prefix}/" if prefix else "")

    async def page() -> list[dict[str, Any]]:
        infos = []
        async for info in found:
            infos.append(info)
            if len(infos) == _PAGE:
                break
        return infos

    while infos := sync(fs.loop, page):
        yield from infos


def _out_of_reach(url: str, error: Exception) -> DataError:
    return DataError(f"{shown(url)}: cannot be reached ({_words(error)}).")


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return shown(text.splitlines()[0])
