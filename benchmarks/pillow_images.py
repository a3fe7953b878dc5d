"""What becomes of a folder of odd pictures: Pillow's own test images, in one run.

    git clone --depth 1 https://github.com/python-pillow/Pillow
    python benchmarks/pillow_images.py Pillow/Tests/images

Runs `opsin colorize FOLDER` once and counts tracebacks, and the sound pictures of formats that
README promises which are refused. Sound is what Pillow reads to the end without a word. All
that is refused is listed with its message.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

PROMISED = {"JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP", "AVIF", "JPEG2000", "GIF"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    done = colorized(folder)
    files = json.loads(done.stdout)["files"]
    refused = [file for file in files if file["status"] == "failed"]
    rows = sorted(
        (*judged(file["input"]), Path(file["input"]).name, file["error"]) for file in refused
    )
    for verdict, format, name, error in rows:
        print(f"| {verdict} | {format} | {name} | {error} |")
    wrong = sum(verdict == "sound" and format in PROMISED for verdict, format, *_ in rows)
    statuses = Counter(file["status"] for file in files)
    print(f"{len(files)} files: {', '.join(f'{n} {status}' for status, n in statuses.items())}")
    print(f"tracebacks: {done.stderr.count('Traceback')}; exit code {done.returncode}")
    print(f"sound pictures of promised formats that are refused: {wrong}")


def colorized(folder: Path) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as out:
        command = ["colorize", str(folder), "-o", out, "--json"]
        return subprocess.run(
            [sys.executable, "-m", "opsin", *command], capture_output=True, text=True
        )


def judged(name: str) -> tuple[str, str]:
    """Whether Pillow reads all of the first picture without a word ("sound"), and its format."""
    format: Any = "?"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(name) as image:
                format = image.format
                image.load()
    except Exception as error:
        return f"Pillow: {type(error).__name__}", format
    return "sound", format


if __name__ == "__main__":
    main()
