"""The pictures of docs/first-touchup.md: a real browser goes the tutorial's way.

    python benchmarks/tutorial.py docs/pictures

It needs Chromium with its driver, which the tests of the page drive, too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from page.driver import Chromium  # noqa: E402

import opsin  # noqa: E402

PHOTO = ROOT / "samples" / "photographer.jpg"
LAWN, COAT = (205, 360), (102, 230)  # pixels of the photograph
BROWN = "#3a2a1e"
WIDTH, HEIGHT = 1000, 640
QUALITY = 70
QUIET = "document.getElementById('after').naturalWidth && document.getElementById('busy').hidden"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    call = [sys.executable, "-m", "opsin", "page", "--port", "0"]
    with tempfile.TemporaryDirectory() as own:
        models = {**os.environ, "OPSIN_MODELS": own}
        with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=models) as server:
            try:
                with Chromium(Path(own) / "profile", width=WIDTH, height=HEIGHT) as window:
                    window.open(server.stdout.readline().strip())
                    go(window, folder)
            finally:
                server.terminate()


def go(window: Chromium, folder: Path) -> None:
    """The ten clicks; a file is chosen without one, for a window of the system would open."""
    window.command(
        "Emulation.setDeviceMetricsOverride",
        **{"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False},
    )
    window.until("document.getElementById('choose').textContent")
    window.upload("#files", PHOTO)
    keep(window, folder / "touchup-1.webp")
    click(window, LAWN)
    window.until("document.querySelectorAll('#swatches button').length > 1")
    keep(window, folder / "touchup-2.webp")
    window.run("document.querySelectorAll('#swatches button')[1].click()")
    keep(window, folder / "touchup-3.webp")
    click(window, COAT)
    window.until("document.querySelectorAll('#swatches button').length > 1")
    put(window, "color", BROWN)
    put(window, "vividness", "0.4")
    window.until("!document.getElementById('redo').hidden")
    keep(window, folder / "touchup-4.webp")
    put(window, "compare", "50")
    keep(window, folder / "touchup-5.webp")


def click(window: Chromium, place: tuple[int, int]) -> None:
    """On a place of the photograph."""
    left, top, scale = window.run(
        "const box = document.getElementById('sheet').getBoundingClientRect();"
        "return [box.x, box.y, box.width / document.getElementById('after').naturalWidth]"
    )
    window.pointer((left + scale * place[0], top + scale * place[1]))


def put(window: Chromium, field: str, value: str) -> None:
    """A value into a field, as if it was chosen there."""
    window.run(
        "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
        "field.dispatchEvent(new Event('input')); field.dispatchEvent(new Event('change'))",
        *(field, value),
    )
    window.until(QUIET)


def keep(window: Chromium, path: Path) -> None:
    """What is seen, once all is done."""
    window.until(QUIET)
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        window.screenshot(shot)
        path.write_bytes(opsin.open(shot).encode("webp", quality=QUALITY))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
