"""The server itself: where it listens, what its address is, and until when it runs."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import uvicorn

from opsin.colorization.touchup import Touchup
from opsin.errors import OpsinError, WrongCallError
from opsin.files import shown
from opsin.page.app import Application, make_app
from opsin.page.limits import MOST_PIXELS
from opsin.page.safety import Hosts

ENDING: Final = 2  # seconds that works have to end when the server stops
EVERYWHERE: Final = ("0.0.0.0", "::")
MOST_CONNECTIONS: Final = 200


@dataclass(frozen=True)
class Place:
    """Where a server listens."""

    listening: socket.socket
    host: str
    token: str
    """To be said by each browser; "" where none is needed."""

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    @property
    def address(self) -> str:
        """What to open. The token is behind a #, which no browser sends or hands on."""
        name = socket.gethostname() if self.host in EVERYWHERE else self.host
        name = f"[{name}]" if ":" in name else name
        return f"http://{name}:{self.port}/" + (f"#token={self.token}" if self.token else "")


def listen(host: str, port: int, *, private: bool) -> Place:
    """A place to listen at; port 0 is any that is free.

    Whoever reaches it from another machine, or is to see what is `private`, must have its token.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, at = found[0]
        listening = socket.socket(family, kind, protocol)
        if os.name == "posix":  # elsewhere this would let two programs share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(at)
    except socket.gaierror as error:
        raise WrongCallError(
            f"--host {shown(host)}: no such name or number on this machine."
        ) from error
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise WrongCallError(
                f"port {port} is taken. Choose another, as in --port {port + 1}."
            ) from error
        raise WrongCallError(
            f"cannot listen at {shown(host)}, port {port} ({error.strerror})."
        ) from error
    needed = private or not Hosts(host).local
    return Place(listening, host, secrets.token_urlsafe(24) if needed else "")


def serve(
    place: Place,
    photographs: Sequence[Path] = (),
    *,
    pixel_limit: int = MOST_PIXELS,
    on_start: Callable[[str], None] = print,
    browse: bool = False,
) -> None:
    """Serves until it is stopped (Ctrl-C); `on_start` is told the address."""
    application = Application(
        cookie=f"opsin-{place.port}",  # browsers share cookies among the ports of a machine
        token=place.token,
        given=photographs,
        pixel_limit=pixel_limit,
    )
    config = uvicorn.Config(
        make_app(application, Hosts(place.host)),
        log_level="error",
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=ENDING,
    )
    warming = threading.Thread(target=warm)
    warming.start()
    place.listening.listen()  # who comes now waits until all is loaded
    on_start(place.address)
    if browse:
        webbrowser.open(place.address)
    try:
        uvicorn.Server(config).run(sockets=[place.listening])
    finally:
        warming.join()  # a process that ends while ONNX Runtime works is aborted


def warm() -> None:
    """Loads the default network, so that the first photograph need not wait for it."""
    with suppress(OpsinError):  # told to whoever asks for a picture
        Touchup(np.full((64, 64), 128, np.uint8)).picture(64)
