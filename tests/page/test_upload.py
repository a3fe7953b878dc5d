"""What comes in part by part: counted, limited, and given back where it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect

from opsin.page.refusal import RefusedError
from opsin.page.sessions import Sessions
from opsin.page.upload import received


class Sender:
    """A request whose body comes in parts, of which it says no length."""

    headers: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, *parts: bytes | Exception) -> None:
        self.parts = parts

    async def stream(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part


def test_a_body_of_many_parts() -> None:
    sessions = Sessions()
    file, size = asyncio.run(received(Sender(b"one ", b"", b"two"), sessions))
    with file:
        assert (file.read(), size, sessions.on_disk) == (b"one two", 7, 7)


@pytest.mark.parametrize(
    ("last", "code"),
    [(bytes(6), "large"), (ClientDisconnect(), "cut"), (OSError(28, "full"), "full")],
)
def test_what_is_refused_on_the_way_is_not_counted(monkeypatch, last, code) -> None:
    monkeypatch.setattr("opsin.page.upload.MOST_UPLOAD", 10)
    sessions = Sessions()
    sessions.take(3)
    with pytest.raises(RefusedError) as refused:
        asyncio.run(received(Sender(bytes(5), last), sessions))
    assert refused.value.code == code
    assert sessions.on_disk == 3
