"""Files on disk: names that can be shown, and writing that is whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from opsin.errors import SaveError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CANNOT_SETTLE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # some network disks
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_atomically(path: str | os.PathLike[str], data: bytes) -> Path:
    """The path, once `data` is safely under it.

    The bytes go to a temporary name in the same folder, which is made if need be, and
    are renamed when they are all on the disk. Whatever happens, the final name holds
    either what it held before or all of `data`. A link is followed, not replaced.

    >>> import tempfile
    >>> write_atomically(Path(tempfile.mkdtemp()) / "note.txt", b"hello").read_bytes()
    b'hello'
    """
    with whole_file(path) as file:
        file.write(data)
    return Path(path)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to, as `write_atomically` does: it gets its name when all is on the disk."""
    final = Path(os.path.realpath(path))
    _make_folder(final.parent)
    temporary = final.parent / f".opsin-{secrets.token_hex(8)}.part"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            _settle(file.fileno())
        os.replace(temporary, final)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _save_error(final, error) from error
        raise


def read_regular(path: str | os.PathLike[str], *, most: int) -> bytes:
    """The bytes of a file, of which there are at most so many.

    Raises `OSError` if it cannot be read, and `ValueError` if it is no file (a pipe, a device) or
    too large; neither waits for a pipe.
    """
    if "\0" in os.fspath(path):
        raise ValueError("its name holds a NUL")
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not a file")
        if found.st_size > most:
            raise ValueError(f"it is larger than {most >> 10:,} KB")
        return file.read()


def cache_folder(kind: str) -> Path:
    """The folder for what can be made anew: `$XDG_CACHE_HOME/opsin`, or one in the home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "opsin" / kind


def shown(path: str | os.PathLike[str]) -> str:
    """A name that can be printed and put into XML, even where the file's own cannot."""
    text = os.fspath(path)
    with suppress(UnicodeEncodeError):  # half of a pair of code points, which no disk has
        text = os.fsencode(text).decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe that nobody writes to at once, so that it can be refused."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _settle(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SETTLE:
            raise


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise SaveError(
            f"{shown(folder)}: cannot make this folder, a file has the name. Choose another folder."
        ) from error
    except OSError as error:
        raise SaveError(
            f"{shown(folder)}: cannot make this folder ({error.strerror}). "
            "Choose a folder you may write to."
        ) from error


def _save_error(path: Path, error: OSError) -> SaveError:
    where = shown(path)
    if error.errno in _FULL:
        return SaveError(
            f"{where}: the disk is full, nothing was written. Make room and try again."
        )
    if error.errno in _FORBIDDEN:
        return SaveError(f"{where}: no permission to write here. Choose a folder you may write to.")
    if error.errno == errno.ENAMETOOLONG:
        return SaveError(f"{where}: the name is too long for this disk. Choose a shorter one.")
    if path.is_dir():
        return SaveError(f"{where}: this is a folder. Give the name of a file.")
    return SaveError(f"{where}: cannot be written ({error.strerror}). Choose another place.")
