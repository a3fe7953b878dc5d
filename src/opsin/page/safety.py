"""Who may ask the server, and what every answer says about itself.

A server on 127.0.0.1 is reached by every page that the user's browser has open. Three things keep
those out: the name in `Host` must be the server's own, or a foreign name could be made to point at
127.0.0.1 (DNS rebinding); what changes something must come from the page itself (`Origin`), as
must what shows something (`Sec-Fetch-Site`); and the cookie goes nowhere else (SameSite).
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
READING: Final = ("GET", "HEAD")

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Hosts:
    """The names by which a server that listens on `own` may be called."""

    own: str

    @property
    def local(self) -> bool:
        """Whether it is reached from this machine alone."""
        return self.own == "localhost" or _is_loopback(self.own)

    def allows(self, host: str) -> bool:
        """Whether a `Host` header names this server; the port is left aside, for it may have been
        forwarded. A number is no name, so nobody can point it elsewhere.

        >>> Hosts("127.0.0.1").allows("localhost:8421"), Hosts("127.0.0.1").allows("evil.example")
        (True, False)
        """
        name = name_of(host)
        if name in LOOPBACK or name == self.own.lower():
            return True
        return not self.local and (_is_number(name) or name == socket.gethostname().lower())


def name_of(host: str) -> str:
    """The name in a `Host` header, without its port and in small letters; "" if it is none.

    >>> name_of("[::1]:8421"), name_of("Localhost:80"), name_of("a@b")
    ('::1', 'localhost', '')
    """
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  # raises if it is no number
    except ValueError:
        return ""
    return parts.hostname or "" if parts.netloc == host and "@" not in host else ""


class Safety:
    """Around the whole application: refuses what is foreign, and signs every answer."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if why := self.refused(scope["method"], scope["path"], Headers(scope=scope)):
            answer = JSONResponse({"code": "foreign", "error": why}, 403)
            await answer(scope, receive, signed)
            return
        await self.app(scope, receive, signed)

    def refused(self, method: str, path: str, headers: Headers) -> str:
        """Why a request is not taken; "" if it is."""
        host = headers.get("host", "")
        if not self.hosts.allows(host):
            return "This server has another name. Open the address that opsin page has printed."
        if method not in READING:
            origin = headers.get("origin", "").lower()
            if origin not in (f"http://{host.lower()}", f"https://{host.lower()}"):
                return "This was asked by another page."
            return ""
        asked_by = headers.get("sec-fetch-site", "same-origin")  # old browsers do not say
        if path.startswith("/api/") and asked_by not in ("same-origin", "none"):
            return "This was asked by another page."
        return ""


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_number(name) and ipaddress.ip_address(name).is_loopback
