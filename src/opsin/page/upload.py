"""What comes in: a photograph's bytes into a file without a name, as long as there is room."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, cast

from starlette.requests import ClientDisconnect, Request

from opsin.page.limits import MOST_JSON, MOST_UPLOAD
from opsin.page.refusal import RefusedError, too_large
from opsin.page.sessions import Sessions

LONGEST: Final = 200  # letters of a name


async def received(request: Request, sessions: Sessions) -> tuple[BinaryIO, int]:
    """A request's body as a file without a name, at its beginning, and its bytes, which are
    counted in `sessions`."""
    _check_announced(request, MOST_UPLOAD, "The photograph")
    file, size = _nameless(), 0
    try:
        async for part in request.stream():
            if size + len(part) > MOST_UPLOAD:
                raise too_large("The photograph", MOST_UPLOAD)
            sessions.take(len(part))
            size += len(part)
            file.write(part)
        file.seek(0)
    except BaseException as error:
        sessions.on_disk -= size
        file.close()
        if isinstance(error, ClientDisconnect):
            raise RefusedError(400, "cut", "The upload was cut off.") from error
        if isinstance(error, OSError):
            raise RefusedError(507, "full", "The disk is full.") from error
        raise
    return file, size


async def small_body(request: Request) -> bytes:
    """A request's body, of which there is little."""
    _check_announced(request, MOST_JSON, "This")
    data = b""
    with suppress(ClientDisconnect):  # nobody waits for the answer
        async for part in request.stream():
            data += part
            if len(data) > MOST_JSON:
                raise too_large("This", MOST_JSON)
    return data


def copied(path: Path) -> tuple[BinaryIO, int]:
    """A file of this machine in the same way: it may change while it is open here."""
    data = path.read_bytes()
    return stored(data), len(data)


def stored(data: bytes) -> BinaryIO:
    """A file without a name that holds these bytes; a `RefusedError` where the disk is full."""
    file = _nameless()
    try:
        file.write(data)
        file.flush()
    except OSError as error:
        file.close()
        raise RefusedError(507, "full", "The disk is full.") from error
    return file


def name_in(request: Request) -> str:
    """The name that the browser gives a file: never a path, and of letters that can be shown."""
    name = request.query_params.get("name", "").replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if letter.isprintable()).strip(". ")[-LONGEST:]
    return name or "photograph"


def _check_announced(request: Request, most: int, what: str) -> None:
    """Refuses before it is sent what says itself that it is too large."""
    with suppress(ValueError):
        if int(request.headers.get("content-length", "0")) > most:
            raise too_large(what, most)


def _nameless() -> BinaryIO:
    return cast(BinaryIO, tempfile.TemporaryFile(prefix="opsin-"))
