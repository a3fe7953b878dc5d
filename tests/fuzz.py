"""Fuzzing: sound files, hurt in ways that files are hurt; whatever comes, the error is ours.

    python tests/fuzz.py --seconds 600 --seed 1     # `make fuzz`

Photographs of every format with EXIF, XMP, IPTC and ICC inside, tars to train on, splits.json,
cards and recipes. Each is opened, and a photograph that opens is copied with its metadata. Any
exception but an `OpsinError` is a failure, and so are a crash and a hang: the work is done in a
process of its own, with a limit on memory and time. What failed is kept as a file.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import multiprocessing
import shutil
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

GRAY = np.linspace(20, 230, 40 * 30).astype(np.uint8).reshape(30, 40)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:Orientation="6"><dc:title><rdf:Alt><rdf:li '
    b'xml:lang="x-default">Oma</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>'
)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF)
SECONDS = 20  # that one file may take
MEMORY = 3 << 30  # bytes
ROUND = 200  # files between two signs of life

Case = tuple[str, bytes]


def photographs() -> list[Case]:
    """A small photograph in every format, with metadata."""
    import opsin.photo

    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x0131] = 6, "Grandmother", "Scanner 1.0"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    color = np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])
    found: list[Case] = []

    def add(array: np.ndarray, format: str, **options: Any) -> None:
        out = io.BytesIO()
        Image.fromarray(array).save(out, format, **options)
        found.append((format.lower(), out.getvalue()))

    for array in (GRAY, color):
        add(array, "JPEG", exif=exif, icc_profile=profile if array.ndim == 3 else None, xmp=XMP)
        add(array, "PNG", exif=exif)
        add(array, "TIFF", exif=exif, compression="tiff_lzw")
        add(array, "WEBP", exif=exif, xmp=XMP)
        add(array, "GIF")
        add(array, "BMP")
        add(array, "JPEG2000")
    add(color, "JPEG", progressive=True)
    add(GRAY.astype(np.uint16) * 257, "TIFF")
    photo = opsin.photo.made_by_opsin(opsin.open(color), color, model="m", version="1")
    found += [(format, photo.encode(format)) for format in ("tiff", "avif", "png", "jpeg")]
    return found


def others() -> list[Case]:
    """A tar to train on, its splits, a card and a recipe."""
    from opsin.models.store import PACKAGED

    splits = json.dumps({"classes": ["cat"], "splits": {"train": ["cat/a.jpg"], "val": []}})
    picture, tar = io.BytesIO(), io.BytesIO()
    Image.fromarray(GRAY).save(picture, "JPEG")
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, data in (("cat/a.jpg", picture.getvalue()), ("splits.json", splits.encode())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    recipe = Path(__file__).parents[1] / "recipes" / "default.toml"
    return [
        ("tar", tar.getvalue()),
        ("splits", splits.encode()),
        ("card", (PACKAGED / "color-bins.toml").read_bytes()),
        ("recipe", recipe.read_bytes()),
    ]


def hurt(data: bytes, rng: np.random.Generator) -> bytes:
    """The file with a few bytes changed, copied, moved, lost, or cut off."""
    hurt = bytearray(data)
    for _ in range(int(rng.geometric(0.35))):
        if not hurt:
            break
        at, kind = int(rng.integers(len(hurt))), rng.random()
        length = int(min(rng.geometric(0.1), len(hurt) - at))
        if kind < 0.45:
            hurt[at] = NUMBERS[int(rng.integers(5))] if rng.random() < 0.6 else rng.integers(256)
        elif kind < 0.6:  # a number of several bytes, very large
            hurt[at : at + length] = b"\xff" * length
        elif kind < 0.75:
            del hurt[at : at + length]
        elif kind < 0.9:
            hurt[at:at] = hurt[at : at + length] * int(rng.integers(1, 4))
        else:
            del hurt[at:]
    return bytes(hurt)


def check(kind: str, data: bytes, folder: Path) -> None:
    """Uses a file as opsin would; raises what is not ours."""
    from opsin.errors import OpsinError

    try:
        _use(kind, data, folder)
    except OpsinError as error:
        text = str(error)
        if not text or "\x1b" in text or len(text) > 2000:
            raise AssertionError(f"not a sentence: {text[:300]!r}") from error


def _use(kind: str, data: bytes, folder: Path) -> None:
    import opsin.photo

    if kind == "tar":
        from opsin.sets.sources import sources

        (folder / "set.tar").write_bytes(data)
        list(sources(folder / "set.tar", lambda *_: None))
    elif kind == "splits":
        from opsin.sets.splits import parse

        parse(data, folder)
    elif kind == "card":
        from opsin.models.card import read_card

        (folder / "card.toml").write_bytes(data)
        read_card(folder / "card.toml")
    elif kind == "recipe":
        from opsin.training.recipe import read_recipe

        (folder / "recipe.toml").write_bytes(data)
        read_recipe(folder / "recipe.toml")
    else:
        photo = opsin.open(data, pixel_limit=1_000_000)
        copy = opsin.photo.made_by_opsin(photo, photo.pixels, model="m", version="1")
        copy.encode("tiff" if len(data) % 2 else "jpeg")


def walk(
    seed: int, files: int, folder: Path, report: Callable[[int, str, bytes, str], None]
) -> None:
    """Hurts and uses so many files, each at `folder`/last; `report` is told of each failure."""
    rng = np.random.default_rng(seed)
    cases = photographs() + others()
    for number in range(files):
        kind, sound = cases[int(rng.integers(len(cases)))]
        data = hurt(sound, rng)
        (folder / "last").write_bytes(data)
        try:
            check(kind, data, folder)
        except Exception:
            report(number, kind, data, traceback.format_exc())


def _child(seed: int, folder: Path, keep: Path, queue: Any) -> None:
    faulthandler.enable()  # a crash says where
    if sys.platform != "win32":
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(SECONDS * 10)  # a whole round takes a few seconds

    def report(number: int, kind: str, data: bytes, text: str) -> None:
        path = keep / f"{seed}-{number}.{kind}"
        path.write_bytes(data)
        queue.put(f"{path}\n{text}")

    walk(seed, ROUND, folder, report)
    queue.put("")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    began, seed, failures = time.monotonic(), arguments.seed * 1_000_000, 0
    while time.monotonic() - began < arguments.seconds:
        arguments.keep.mkdir(exist_ok=True)
        queue = context.Queue()
        with tempfile.TemporaryDirectory() as name:
            Path(name, "last").touch()
            child = context.Process(target=_child, args=(seed, Path(name), arguments.keep, queue))
            child.start()
            child.join()
            while not queue.empty():
                if text := queue.get():
                    failures += 1
                    print(text, flush=True)
            if child.exitcode:
                failures += 1
                last = shutil.copy(Path(name, "last"), arguments.keep / f"{seed}-last")
                print(f"{last}\nround {seed} ended with {child.exitcode} at it", flush=True)
        seed += 1
    rounds = seed - arguments.seed * 1_000_000
    print(f"{rounds * ROUND} files in {time.monotonic() - began:.0f} s: {failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
