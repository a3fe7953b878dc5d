"""The browser's part, as files of the package: each has its address in one table, so that no
address reaches any other file."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def routes() -> list[Route]:
    """One for each file, and `/` for the page."""
    place = resources.files(__name__)
    names = sorted(one.name for one in place.iterdir() if _suffix(one.name) in TYPES)
    return [
        Route("/" if name == "index.html" else f"/static/{name}", _sender(name)) for name in names
    ]


def attachment(name: str, data: bytes) -> Response:
    """A file to keep, under that name."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"content-disposition": disposition}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _sender(name: str):  # type: ignore[no-untyped-def]  # Starlette's own type is Any
    async def send(request: Request) -> Response:
        return Response(_read(name), media_type=TYPES[_suffix(name)])

    return send


@cache
def _read(name: str) -> bytes:
    return resources.files(__name__).joinpath(name).read_bytes()


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
