"""`opsin faces`: where faces are on photographs; drawn, cut out, or made unrecognizable."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from opsin.archive.jobs import plan_into
from opsin.archive.result import Result
from opsin.cli.batch import Words, over
from opsin.cli.options import (
    Damaged,
    Device,
    DryRun,
    FaceThreshold,
    Json,
    MinFace,
    Overwrite,
    PixelLimit,
    Quality,
    Workers,
)
from opsin.cli.pipe import tell_of
from opsin.defaults import CROP_MARGIN, DETECTOR, MIN_FACE, PIXEL_LIMIT, QUALITY
from opsin.errors import WrongCallError
from opsin.faces.work import PICTURES, Finding
from opsin.files import shown

faces = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

WORDS: Final = Words(
    doing="looking for faces",
    done="looked at",
    skipped={"exists": "done already (--overwrite does it again)"},
)


@faces.command("find")
def find(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    detector: Annotated[
        str,
        typer.Option(help="yunet, mtcnn, viola-jones, another model, or CASCADE.xml."),
    ] = DETECTOR,
    min_size: MinFace = MIN_FACE,
    threshold: FaceThreshold = None,
    draw: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write NAME-faces.jpg there, a frame around each face."),
    ] = None,
    crop: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Write each face there: NAME-face-1, NAME-face-2 ..."),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0, max=10, help="Around a crop's face, as a share of its longer side."),
    ] = CROP_MARGIN,
    blur: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Write NAME-blurred there, all found faces unrecognizable."
        ),
    ] = None,
    quality: Quality = QUALITY,
    overwrite: Overwrite = False,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Find the faces on photographs; draw frames around them, cut them out or blur them.

    Boxes are in pixels of the photograph as it is shown upright. What was found is not all that
    there is: look at blurred copies before you publish them.

    Example: opsin faces find scans --draw framed
    """
    work = Finding(
        detector=detector,
        threshold=threshold,
        min_size=min_size,
        margin=margin,
        quality=quality,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    folders = {"draw": draw, "crop": crop, "blur": blur}
    wanted = {role: folder for role, folder in folders.items() if folder is not None}
    if "-" in paths:
        refused = {f"--{role}": folder for role, folder in folders.items()}
        tell_of(work, paths, print_faces, refused=refused, as_json=as_json)
        return
    if dry_run and not wanted:
        raise WrongCallError("--dry-run: there is nothing to write. Add --draw, --crop or --blur.")
    formats = {"draw": "jpeg"}
    planned = plan_into(paths, wanted, words=PICTURES, formats=formats)

    def take(result: Result) -> None:
        if not as_json and result.status == "done":
            print_faces(result.input, result.part)

    over(
        planned,
        work,
        WORDS,
        workers=workers,
        overwrite=overwrite,
        dry_run=dry_run,
        on_result=take,
        is_watched=as_json or not sys.stdout.isatty(),
        as_json=as_json,
    )


def print_faces(name: str, part: Mapping[str, Any]) -> None:
    """How many faces a photograph has and, a line each, their place, size and score."""
    count = len(part["faces"])
    words = {0: "no face", 1: "1 face"}.get(count, f"{count} faces")
    turn = f", upright once turned by {part['turned']} degrees" if part["turned"] else ""
    print(f"{shown(name)}: {words}{turn}")
    for face in part["faces"]:
        x1, y1, x2, y2 = face["box"]
        print(f"  {x1:.0f},{y1:.0f}  {x2 - x1:.0f} x {y2 - y1:.0f}  {face['score']:.2f}")
