"""`opsin segment`: which pixels of photographs are people; drawn, as masks, or told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from opsin.cli.options import (
    Accurate,
    Damaged,
    Device,
    Json,
    Overwrite,
    PixelLimit,
    Quality,
    ThingScore,
    Workers,
)
from opsin.cli.things import names_of, tell_or_write
from opsin.defaults import MASKS, OBJECTS, PIXEL_LIMIT, QUALITY
from opsin.files import shown
from opsin.objects.masker import finder_of
from opsin.objects.segmenting import PICTURES, Segmenting


def segment(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    model: Annotated[str, typer.Option(help="The mask networks.")] = MASKS,
    detector: Annotated[
        str | None,
        typer.Option(help=f"What finds things. [default: the model itself, or {OBJECTS}]"),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these of the model's, with commas: person,dog."),
    ] = None,
    accurate: Accurate = False,
    threshold: ThingScore = None,
    draw: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write NAME-segments.jpg there, each in its own color."),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write NAME-mask-1.png, -2 ... there: a thing is white."),
    ] = None,
    coco: Annotated[
        str | None,
        typer.Option(metavar="FILE.json", help="Write all that was found, as COCO's instances."),
    ] = None,
    quality: Quality = QUALITY,
    overwrite: Overwrite = False,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """A mask says of each pixel of the upright photograph whether it is of one thing. Where two
    claim a pixel, one has it.

    Example: opsin segment scans --draw colored
    """
    work = Segmenting(
        model=model,
        detector=detector,
        accurate=accurate,
        threshold=threshold,
        classes=None if classes is None else names_of(classes),
        quality=quality,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    tell_or_write(
        paths,
        work,
        print_segments,
        detector=finder_of(model, detector, accurate=accurate).model or OBJECTS,
        folders={"draw": draw, "masks": masks},
        words=PICTURES,
        formats={"draw": "jpeg", "masks": "png"},
        coco=coco,
        overwrite=overwrite,
        workers=workers,
        as_json=as_json,
    )


def print_segments(name: str, part: Mapping[str, Any]) -> None:
    """How many things a photograph has and, a line each, what, where, how much of it, how sure."""
    things, whole = part["objects"], part["width"] * part["height"]
    count = {0: "nothing", 1: "1 thing"}.get(len(things), f"{len(things)} things")
    print(f"{shown(name)}: {count}")
    for thing in things:
        x1, y1, x2, y2 = thing["box"]
        where = f"{x1:.0f},{y1:.0f}  {x2 - x1:.0f} x {y2 - y1:.0f}"
        print(
            f"  {thing['name']:14}  {where:22}  {thing['area'] / whole:6.1%}  {thing['score']:.2f}"
        )
