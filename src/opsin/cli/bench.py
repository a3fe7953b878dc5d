"""`opsin bench`: how fast opsin is on this machine; a table, or JSON with --json."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from opsin.cli.options import Json
from opsin.cli.screen import print_json, print_table
from opsin.defaults import CLASSIFIER
from opsin.errors import WrongCallError

COLORING = ("network", "photo", "cold", "memory", "folder")
ANSWERS = {"classify": ("classify", "classify"), "faces": ("faces find", "find_faces")}
ANSWERS |= {"detect": ("detect", "detect")}  # part: (verb, what it is in Python)
PARTS = (*COLORING, *ANSWERS)


def bench(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART]...", help=f"{', '.join(PARTS)}; or all.")
    ] = None,
    photo: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your own JPEG instead of a made 12-megapixel one."),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="A model, or an ensemble with commas; see opsin models list."
        ),
    ] = "default",
    classifier: Annotated[
        str, typer.Option(metavar="NAME", help="A model, for the part classify.")
    ] = CLASSIFIER,
    count: Annotated[
        int, typer.Option(min=1, metavar="N", help="Photographs in the folder.")
    ] = 100,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="As of opsin colorize.")
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, metavar="N", help="The median of so many is shown.")
    ] = 3,
    as_json: Json = False,
) -> None:
    """Example: opsin bench network photo"""
    for part in parts or ():
        if part not in PARTS:
            raise WrongCallError(f"unknown part '{part}'. Parts: {', '.join(PARTS)}.")
    figures = _measure(parts or PARTS, photo, model, classifier, count, workers, runs)
    if as_json:
        print_json(figures)
    else:
        _print_table(figures)


def _measure(
    parts: Any,
    photo: Path | None,
    model: str,
    classifier: str,
    count: int,
    workers: int | None,
    runs: int,
) -> dict[str, dict[str, float]]:
    import opsin
    from opsin.colorization.ensemble import cards
    from opsin.evaluate import speed
    from opsin.models.store import find, members
    from opsin.photo import open as open_photo
    from opsin.recognition.pipeline import labels_of

    cards(model)  # an unknown name stops here, not after minutes
    labels_of([find(name).card for name in members(classifier)])
    jpeg = None
    if photo:
        open_photo(photo)  # what is wrong with it is said of the file
        jpeg = photo.read_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways: dict[str, Callable[[], dict[str, float]]] = {
            "network": lambda: speed.network_speed(model, runs=5 * runs),
            "photo": lambda: speed.photo_speed(jpeg, model=model, runs=runs),
            "cold": lambda: speed.cold_speed(folder, model=model, runs=runs),
            "memory": lambda: speed.peak_memory(folder, model=model),
            "folder": lambda: speed.folder_speed(folder, count=count, model=model, workers=workers),
        }
        for part, (verb, call) in ANSWERS.items():
            named = {"model": classifier} if part == "classify" else {}
            ways[part] = partial(
                speed.answer_speed,
                folder,
                verb=verb,
                answer=getattr(opsin, call),
                count=count,
                runs=runs,
                **named,
            )
        return {part: ways[part]() for part in parts}


def _print_table(figures: dict[str, dict[str, float]]) -> None:
    rows = [
        (part, what, _printable(what, value))
        for part, values in figures.items()
        for what, value in values.items()
    ]
    print_table(("part", "what", ""), rows, words=2)


def _printable(what: str, value: float) -> str:
    if what in ("photos", "megapixels", "per_second", "coding_per_second"):
        return f"{value:.4g}"
    if what == "over_coding":
        return f"{value:.1f} times"
    if what == "peak_mb":
        return f"{value:.0f} MB"
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
