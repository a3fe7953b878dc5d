"""`opsin detect`: what things are on photographs, and where; drawn, cut out, or told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from opsin.cli.options import (
    Accurate,
    Classes,
    Damaged,
    Detector,
    Device,
    Json,
    Levels,
    Overwrite,
    PixelLimit,
    Quality,
    ThingScore,
    Workers,
)
from opsin.cli.things import names_of, tell_or_write
from opsin.defaults import LEVELS, OBJECTS, PIXEL_LIMIT, QUALITY
from opsin.files import shown
from opsin.objects.work import PICTURES, Detecting


def detect(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    model: Detector = None,
    accurate: Accurate = False,
    threshold: ThingScore = None,
    classes: Classes = None,
    levels: Levels = LEVELS,
    draw: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write NAME-objects.jpg there, with frames and names."),
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write each there: NAME-object-1, NAME-object-2 ..."),
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
    """Boxes are in pixels of the photograph as it is shown upright. The names are the model's
    labels alone (opsin models show picodet-s): what it has no name for gets another, or none.

    Example: opsin detect scans --classes person,horse --draw framed
    """
    work = Detecting(
        model=model,
        accurate=accurate,
        threshold=threshold,
        classes=None if classes is None else names_of(classes),
        levels=levels,
        quality=quality,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    tell_or_write(
        paths,
        work,
        print_things,
        detector=model or OBJECTS,
        folders={"draw": draw, "crop": crop},
        words=PICTURES,
        formats={"draw": "jpeg"},
        coco=coco,
        overwrite=overwrite,
        workers=workers,
        as_json=as_json,
    )


def print_things(name: str, part: Mapping[str, Any]) -> None:
    """How many things a photograph has and, a line each, what, where, how large, how sure."""
    things = part["objects"]
    count = {0: "nothing", 1: "1 thing"}.get(len(things), f"{len(things)} things")
    print(f"{shown(name)}: {count}")
    for thing in things:
        x1, y1, x2, y2 = thing["box"]
        where = f"{x1:.0f},{y1:.0f}  {x2 - x1:.0f} x {y2 - y1:.0f}"
        print(f"  {thing['name']:14}  {where:22}  {thing['score']:.2f}")
