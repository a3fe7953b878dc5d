"""What the tests of the page share: a browser's part of the conversation, by Starlette's client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from opsin.page.app import Application, make_app
from opsin.page.safety import Hosts

SAMPLES = Path(__file__).parents[2] / "samples"
HERE = "http://127.0.0.1:8421"
PHOTOGRAPHS = "/api/photographs"


class Browser:
    """A browser that has the page open."""

    def __init__(self, application: Application | None = None, *, host: str = "127.0.0.1") -> None:
        self.application = application or Application()
        app = make_app(self.application, Hosts(host))
        self.client = TestClient(app, base_url=HERE, headers={"origin": HERE})

    def begin(self, token: str = "") -> Any:
        return self.client.post("/api/session", json={"token": token})

    def open(self, name: str = "astronaut.jpg", data: bytes | None = None, **words: Any) -> Any:
        """The answer to an upload."""
        data = (SAMPLES / name).read_bytes() if data is None else data
        return self.client.post(PHOTOGRAPHS, params={"name": name, **words}, content=data)

    def opened(self, name: str = "astronaut.jpg", data: bytes | None = None, **words: Any) -> str:
        """The address of a photograph that was opened."""
        answer = self.open(name, data, **words)
        assert answer.status_code == 201, answer.text
        return f"{PHOTOGRAPHS}/{parted(answer)[0]['id']}"

    def change(self, at: str, **what: Any) -> Any:
        return self.client.post(f"{at}/change", json=what)


def parted(answer: Any) -> tuple[dict[str, Any], bytes]:
    """A picture's answer: what the photograph is, and the JPEG."""
    line, _, picture = answer.content.partition(b"\n")
    return json.loads(line), picture
