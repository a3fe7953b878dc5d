"""Files on disk: names that can be shown, and writing that is whole or not at all.

While a file is written it is called `.opsin-HOST-PID-TOKEN.part`, so that what a killed process
left behind can be told from what another one is writing now.
"""

import errno
import hashlib
import mmap
import os
import re
import secrets
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from opsin.errors import SaveError

NO_ADDRESS = "this is an address, and opsin works offline. Give a file on this machine."

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CANNOT_SETTLE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # some network disks
_CANNOT_LINK = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # exFAT, some others
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_PART = re.compile(r"\.opsin-(?:([0-9a-f]{8})-(\d+)-)?[0-9a-f]{16}\.part")
_FEW = 3  # names in a sentence
_DAY = 86_400  # seconds
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # one letter alone is a disk
_END = 1 << 16  # bytes at a file's beginning and end that tell it from others


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
    temporary = final.parent / _part_name()
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            _settle(file.fileno())
        os.replace(temporary, final)
    except BaseException as error:
        _discard(temporary)
        if isinstance(error, OSError):
            raise _save_error(final, error) from error
        raise


@contextmanager
def new_file(path: str | os.PathLike[str], *, parts: Path) -> Iterator[BinaryIO]:
    """As `whole_file`, for a name that is free: a taken one stays, and is a `FileExistsError`.

    Which of two processes is first is decided by the disk. Until then the file lies in the folder
    `parts` of the same disk, where a killed process leaves it for `clean`.
    """
    final = Path(os.path.abspath(path))
    for folder in (final.parent, parts):
        _make_folder(folder)
    temporary = parts / _part_name()
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            _settle(file.fileno())
        _name(temporary, final)
    except FileExistsError:
        raise
    except OSError as error:
        raise _save_error(final, error) from error
    finally:
        _discard(temporary)


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


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file, or of a pipe; `ValueError` if nobody writes to the pipe."""
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        if not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            return file.readall()
        first = b""
        with suppress(BlockingIOError):  # there is somebody who has not written yet
            if not (first := os.read(file.fileno(), _END)):
                raise ValueError("it is a pipe that nobody writes to")
        os.set_blocking(file.fileno(), True)
        return first + file.readall()


def cache_folder(name: str) -> Path:
    """The folder for what can be made anew: `$XDG_CACHE_HOME/opsin`, or one in the home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home_folder() / ".cache") / "opsin" / name


def data_folder() -> Path:
    """The folder for what is the user's own: `opsin` in the platform's data folder."""
    try:
        home = Path.home()
    except RuntimeError:  # a user without one, as in some containers
        home = Path(os.path.abspath(os.sep)) / "nonexistent"
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "opsin"


def home_folder() -> Path:
    """The user's home folder; a user who has none gets one among the temporary files."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"opsin-{os.getuid()}"


def fingerprint(data: bytes) -> str:
    """What tells a photograph's file from any other: 32 hexadecimal digits.

    They are of its length, its first and its last 64 KiB, so that of a file of any size they are
    known at once (`fingerprint_of`). It is a name, no protection against forgery.
    """
    return _fingerprint(len(data), data[:_END], data[-_END:])


def fingerprint_of(path: Path) -> str:
    """The `fingerprint` of a file."""
    with open(path, "rb") as file:
        return _fingerprint(os.fstat(file.fileno()).st_size, *_ends(file))


def find_in_file(path: Path, pattern: re.Pattern[bytes]) -> bytes | None:
    """The first group of a pattern in a file, or None; its ends are looked at first.

    Large metadata may push it beyond the first 64 KiB, so the rest is searched, too.
    """
    with suppress(OSError, ValueError), open(path, "rb") as file:
        for part in _ends(file):
            if found := pattern.search(part):
                return found[1]
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            if found := pattern.search(whole):
                return bytes(found[1])
    return None


def clean(folder: Path) -> None:
    """Removes the unfinished files that killed processes left in a folder.

    Those of a process of this machine that is no more, and of any that are older than a day.
    """
    try:
        names = [name for name in os.listdir(folder) if _PART.fullmatch(name)]
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            path = folder / name
            if _is_left_behind(name) or time.time() - path.stat().st_mtime > _DAY:
                path.unlink()


def check_writable(folder: Path) -> None:
    """Makes a folder, and raises `SaveError` if nothing can be written there."""
    _make_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        raise _save_error(folder, error) from error


def _fingerprint(size: int, head: bytes, tail: bytes) -> str:
    digest = hashlib.sha256(str(size).encode())
    digest.update(head)
    digest.update(tail)
    return digest.hexdigest()[:32]


def _ends(file: BinaryIO) -> tuple[bytes, bytes]:
    head = file.read(_END)
    file.seek(max(0, os.fstat(file.fileno()).st_size - _END))
    return head, file.read(_END)


def _part_name() -> str:
    return f".opsin-{_host()}-{os.getpid()}-{secrets.token_hex(8)}.part"


def _discard(temporary: Path) -> None:
    """Removes a file; what keeps it there, as a disk that may only be read, is no error of its own.

    `clean` removes it later.
    """
    with suppress(OSError):
        temporary.unlink()


def _name(temporary: Path, final: Path) -> None:
    """Gives a file a second name if that is free; `FileExistsError` if not."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        if os.path.lexists(final):
            raise FileExistsError(final) from error
        os.replace(temporary, final)


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _is_left_behind(name: str) -> bool:
    """Whether the process that a temporary name tells of ran here, and has ended."""
    found = _PART.fullmatch(name)
    if not found or found[1] != _host():
        return False
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def shown(path: str | os.PathLike[str]) -> str:
    """A name that can be printed and put into XML, even where the file's own cannot."""
    text = os.fspath(path)
    with suppress(UnicodeEncodeError):  # half of a pair of code points, which no disk has
        text = os.fsencode(text).decode("utf-8", "replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def plain_text(text: str) -> str:
    r"""Text that can be stored: bytes of a name that are no letters are spelled out.

    >>> plain_text("caf\udce9")
    'caf\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_address(name: str) -> bool:
    """Whether a name is an address (URL), and no file on the disk.

    >>> [is_address(name) for name in ("https://example.org/a.jpg", "C://a.jpg", "a.jpg")]
    [True, False, False]
    """
    return _ADDRESS.match(name) is not None and not os.path.exists(name)


def few(names: Sequence[str]) -> str:
    """The first of some names, in brackets; nothing where there are none.

    >>> few([])
    ''
    >>> few(["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    ' (a.jpg, b.jpg, c.jpg, ...)'
    """
    listed = [*map(shown, names[:_FEW]), *(["..."] if len(names) > _FEW else [])]
    return f" ({', '.join(listed)})" if names else ""


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
    if error.errno == errno.EISDIR:
        return SaveError(f"{where}: this is a folder. Give the name of a file.")
    return SaveError(f"{where}: cannot be written ({error.strerror}). Choose another place.")
