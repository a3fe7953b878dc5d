"""`opsin explain`: how detectors come to their answers, side by side on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.options import Damaged, Device, Json, PixelLimit
from opsin.cli.screen import print_json, print_table
from opsin.defaults import OBJECTS, PIXEL_LIMIT

CELL = 400  # pixels of each picture


def explain(
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="A photograph.")],
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"May be given more than once. [default: {OBJECTS}]"),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the page is written.")
    ] = Path("explain.png"),
    threshold: Annotated[
        float | None,
        typer.Option(min=0.01, max=1, help="The least score. [default: each model's]"),
    ] = None,
    cell: Annotated[int, typer.Option(min=64, max=2048, help="Pixels of each picture.")] = CELL,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """The page has a row for each model: the regions that it looks at, those that something is
    told of, and what is left when of answers that overlap the best are kept; with the seconds of
    each step. A model of one's own is named by its card: --model ./rcnn.toml.

    Example: opsin explain photo.jpg --model rcnn.toml --model fast-rcnn.toml -o page.png
    """
    from opsin.drawing.sheet import layout, save
    from opsin.evaluate.colorization.compare import spare
    from opsin.formats.encode import format_of
    from opsin.objects import explain as explaining
    from opsin.objects.pipeline import engine_of
    from opsin.photo import open as open_photo

    names = model or [OBJECTS]
    format_of(output)  # what cannot be written, or is no detector, stops before any look
    spare(photo, output)
    for name in names:
        engine_of(name, threads=1, device=device)
    opened = open_photo(photo, pixel_limit=pixel_limit, damaged=damaged)
    found = [
        explaining.explain(opened, model=name, threshold=threshold, threads=1, device=device)
        for name in names
    ]
    save(layout([one.cells(cell) for one in found], cell=cell), output)
    documents = [one.document() for one in found]
    if as_json:
        print_json({"input": photo, "page": str(output), "models": documents})
        return
    steps = [step for step in explaining.STEPS if any(step in one.seconds for one in found)]
    rows = [
        (
            *(one["model"], one["regions"] or "", one["survived"], len(one["objects"])),
            *(f"{one['seconds'][step]:.3f}" if step in one["seconds"] else "" for step in steps),
            f"{sum(one['seconds'].values()):.3f}",
        )
        for one in documents
    ]
    print_table(("model", "looks at", "survive", "told", *steps, "seconds"), rows)
    print(output)
