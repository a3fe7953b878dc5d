"""A real browser for tests: Chromium, driven by the WebDriver protocol (W3C) over HTTP."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx2

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's own name
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


class Chromium:
    """One window. `scripts` are run in the page; `folder` is for its profile and downloads."""

    def __init__(self, folder: Path, *, width: int = 1280, height: int = 800, **more: Any) -> None:
        """`more` are Chrome's own options, as mobileEmulation."""
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        line = next(line for line in self._driver.stdout if "successfully on port" in line)
        port = line.rstrip(". \n").rpartition(" ")[2]
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)
        options = {
            "binary": CHROMIUM,
            "args": [*SWITCHES, f"--user-data-dir={folder}", f"--window-size={width},{height}"],
            **more,
        }
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._ask("POST", "", capabilities={"alwaysMatch": capabilities})
        self._session = f"/{answer['sessionId']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("DELETE", self._session)
        self._http.close()
        self._driver.terminate()
        self._driver.wait()
        self._driver.stdout.close()

    def open(self, address: str) -> None:
        self._ask("POST", f"{self._session}/url", url=address)

    def run(self, script: str, *values: Any) -> Any:
        """What a function with this body gives; a promise is waited for."""
        return self._ask("POST", f"{self._session}/execute/sync", script=script, args=list(values))

    def until(self, script: str, *, seconds: float = 60) -> Any:
        """The first value of an expression that is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(f"return {script}")):
            assert time.monotonic() < end, f"never true: {script}\n{self.log()}"
            time.sleep(0.05)
        return found

    def upload(self, selector: str, *files: Path) -> None:
        """Chooses files for an input."""
        found = self._ask("POST", f"{self._session}/element", using="css selector", value=selector)
        text = "\n".join(map(str, files))
        self._ask("POST", f"{self._session}/element/{found[ELEMENT]}/value", text=text)

    def pointer(self, *moves: tuple[float, float], press: bool = True) -> None:
        """Presses at the first place of the window, goes to the others, and lets go."""
        steps: list[dict[str, Any]] = []
        for number, (x, y) in enumerate(moves):
            steps.append({"type": "pointerMove", "x": round(x), "y": round(y), "duration": 20})
            if number == 0 and press:
                steps.append({"type": "pointerDown", "button": 0})
        steps.append({"type": "pointerUp", "button": 0})
        self._act({"type": "pointer", "id": "mouse", "actions": steps})

    def keys(self, *keys: str, held: str = "") -> None:
        """Types keys, while another is held."""
        steps = [{"type": "keyDown", "value": one} for one in held]
        for key in keys:
            steps += [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        steps += [{"type": "keyUp", "value": one} for one in held]
        self._act({"type": "key", "id": "keyboard", "actions": steps})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    def command(self, name: str, **values: Any) -> Any:
        """One of Chrome's own, as Emulation.setEmulatedMedia."""
        at = f"{self._session}/goog/cdp/execute"
        return self._ask("POST", at, cmd=name, params=values)

    def log(self) -> list[str]:
        """What the console was told since the last time."""
        return [
            one["message"] for one in self._ask("POST", f"{self._session}/se/log", type="browser")
        ]

    def _act(self, source: dict[str, Any]) -> None:
        self._ask("POST", f"{self._session}/actions", actions=[source])

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self._http.request(
            method, f"/session{path}", json=body if method == "POST" else None
        )
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value
