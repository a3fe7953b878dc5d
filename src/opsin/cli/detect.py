"""`opsin detect`: what things are on photographs, and where; drawn, cut out, or told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from opsin.archive.jobs import plan, plan_into
from opsin.archive.result import Result
from opsin.cli.batch import Words, over
from opsin.cli.options import (
    Damaged,
    Device,
    Json,
    Overwrite,
    PixelLimit,
    Quality,
    Workers,
)
from opsin.cli.pipe import tell_of
from opsin.defaults import LEVELS, OBJECTS, PIXEL_LIMIT, QUALITY
from opsin.errors import SaveError, WrongCallError
from opsin.files import check_writable, shown, write_atomically
from opsin.objects.pipeline import MOST_LEVELS
from opsin.objects.work import PICTURES, Detecting

WORDS = Words(
    doing="looking for things",
    done="looked at",
    skipped={"exists": "done already (--overwrite does it again)"},
)


def detect(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    model: Annotated[
        str, typer.Option(help="See opsin models list: a model whose task is detect.")
    ] = OBJECTS,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.01, max=1, help="The least score. [default: the model's]"),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these, with commas: person,dog."),
    ] = None,
    levels: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_LEVELS, help="How often a large photograph is halved into tiles."
        ),
    ] = LEVELS,
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
        threshold=threshold,
        classes=None if classes is None else _names(classes),
        levels=levels,
        quality=quality,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    folders = {"draw": draw, "crop": crop}
    wanted = {role: folder for role, folder in folders.items() if folder is not None}
    if "-" in paths:
        refused = {"--coco": coco, **{f"--{role}": folder for role, folder in folders.items()}}
        tell_of(work, paths, print_things, refused=refused, as_json=as_json)
        return
    table = None if coco is None else coco_file(coco, wanted, overwrite=overwrite)
    told: dict[str, Mapping[str, Any]] = {}
    if wanted:
        planned = plan_into(paths, wanted, words=PICTURES, formats={"draw": "jpeg"})
    else:
        planned = plan(paths, picture=None)

    def take(result: Result) -> None:
        if result.status == "done":
            told[result.input] = result.part
            if not as_json and table is None:
                print_things(result.input, result.part)

    try:
        over(
            planned,
            work,
            WORDS,
            workers=workers,
            overwrite=overwrite,
            on_result=take,
            is_watched=as_json or table is not None or not sys.stdout.isatty(),
            as_json=as_json,
        )
    finally:  # also of a run that was stopped, or in which some failed
        if table is not None and told:
            write_atomically(table, instances(told, labels_of(model), table.parent))


def print_things(name: str, part: Mapping[str, Any]) -> None:
    """How many things a photograph has and, a line each, what, where, how large, how sure."""
    things = part["objects"]
    count = {0: "nothing", 1: "1 thing"}.get(len(things), f"{len(things)} things")
    print(f"{shown(name)}: {count}")
    for thing in things:
        x1, y1, x2, y2 = thing["box"]
        where = f"{x1:.0f},{y1:.0f}  {x2 - x1:.0f} x {y2 - y1:.0f}"
        print(f"  {thing['name']:14}  {where:22}  {thing['score']:.2f}")


def instances(told: Mapping[str, Mapping[str, Any]], labels: Sequence[str], folder: Path) -> bytes:
    """COCO's instances.json, of all photographs and what was found on each, with its score.

    Photographs are named as seen from `folder`, in which the file is.
    """
    number = {label: index for index, label in enumerate(labels, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, (name, part) in enumerate(sorted(told.items()), 1):
        size = {"width": part["width"], "height": part["height"]}
        images.append({"id": image, "file_name": _from(folder, name), **size})
        for thing in part["objects"]:
            x1, y1, x2, y2 = thing["box"]
            sides = round(x2 - x1, 1), round(y2 - y1, 1)
            outline = {"segmentation": thing["mask"]} if "mask" in thing else {}
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": number[thing["name"]],
                    "bbox": [x1, y1, *sides],
                    "area": thing.get("area", round(sides[0] * sides[1], 1)),
                    "iscrowd": 0,
                    "score": thing["score"],
                    **outline,
                }
            )
    kinds = [{"id": index, "name": label} for label, index in number.items()]
    whole = {"images": images, "annotations": annotations, "categories": kinds}
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _from(folder: Path, name: str) -> str:
    try:
        return Path(os.path.relpath(name, folder)).as_posix()
    except ValueError:  # on another drive
        return name


def coco_file(name: str, wanted: Mapping[str, str], *, overwrite: bool) -> Path:
    """Where the table goes, if it may; `wanted` are the folders of pictures by option."""
    if wanted:
        others = " or ".join(f"--{role}" for role in wanted)
        raise WrongCallError(f"--coco: not with {others}. Call it once more for those.")
    if not name or Path(name).is_dir():
        raise WrongCallError("--coco: give the name of a file.")
    if Path(name).suffix.lower() != ".json":
        raise WrongCallError(f"--coco {shown(name)}: end the name with .json.")
    if os.path.lexists(name):
        if not _is_instances(Path(name)):
            raise SaveError(
                f"{shown(name)}: it exists and is no COCO instances.json. Choose another name."
            )
        if not overwrite:
            raise SaveError(f"{shown(name)}: already there. Choose another name, or --overwrite.")
    if not Path(name).resolve().parent.is_dir():
        raise SaveError(f"{shown(name)}: there is no such folder to write it to.")
    check_writable(Path(name).parent)
    return Path(name)


def _is_instances(path: Path) -> bool:
    """Whether a file is one of these, which may be written anew; a link is none."""
    try:
        found = json.loads(path.read_bytes()) if path.is_file() and not path.is_symlink() else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"images", "annotations"} <= found.keys()


def labels_of(model: str) -> Sequence[str]:
    """What a detector's numbers stand for."""
    from opsin.models.store import find

    return find(model).card.labels


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise WrongCallError("--classes: name one or more, as in person,dog.")
    return names
