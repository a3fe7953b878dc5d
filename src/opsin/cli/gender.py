"""`opsin gender`: what the faces on photographs seem to show, with probabilities."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from opsin.archive.gender import Gendering
from opsin.archive.jobs import plan
from opsin.archive.result import Result
from opsin.cli.batch import Words, over
from opsin.cli.options import (
    Damaged,
    Device,
    FaceThreshold,
    Json,
    MinFace,
    Model,
    PixelLimit,
    Workers,
)
from opsin.cli.pipe import tell_of
from opsin.defaults import GENDER, MIN_FACE, PIXEL_LIMIT
from opsin.files import shown

WORDS: Final = Words(doing="looking at faces", done="looked at", skipped={}, goes_on=False)


def gender(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    model: Model = GENDER,
    min_size: MinFace = MIN_FACE,
    threshold: FaceThreshold = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """A line for each face: where it is, its size in pixels, and the likelier of two labels with
    its probability. The labels say what a face seemed to show to somebody, nothing of a person:
    do not decide anything about anybody by them (opsin models show gender says more).

    Example: opsin gender photo.jpg
    """
    work = Gendering(
        model=model,
        threshold=threshold,
        min_size=min_size,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    if "-" in paths:
        tell_of(work, paths, print_faces, refused={}, as_json=as_json)
        return

    def take(result: Result) -> None:
        if not as_json and result.status == "done":
            print_faces(result.input, result.part)

    over(
        plan(paths, picture=None),
        work,
        WORDS,
        on_result=take,
        workers=workers,
        is_watched=as_json or not sys.stdout.isatty(),
        as_json=as_json,
    )


def print_faces(name: str, part: Mapping[str, Any]) -> None:
    """The faces of a photograph, a line each."""
    print(f"{shown(name)}{'' if part['faces'] else ': no face'}")
    for face in part["faces"]:
        x1, y1, x2, y2 = face["box"]
        best = face["classes"][0]
        where = f"{x1:.0f},{y1:.0f}  {x2 - x1:.0f} x {y2 - y1:.0f}"
        print(f"  {where:22}  {shown(best['name'])} {best['probability']:.1%}")
