"""`opsin again`: a colored copy made once more, as it says it was made, or with changes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli import FAILED
from opsin.cli.options import Point, Points, Quality
from opsin.defaults import QUALITY
from opsin.errors import OpsinError, WrongCallError
from opsin.files import shown

END = "-again"


def again(
    copies: Annotated[list[str], typer.Argument(metavar="COPY...", help="Pictures opsin colored.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="COPY-again.EXT if not given."),
    ] = None,
    original: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The photograph, where it does not lie beside the copy."),
    ] = None,
    vividness: Annotated[
        float | None, typer.Option(min=0, max=1, help="Another one. [default: as it was]")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Another one. [default: as it was]")] = None,
    size: Annotated[int | None, typer.Option(help="Another one. [default: as it was]")] = None,
    point: Point = None,
    points: Points = None,
    quality: Quality = QUALITY,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also replace what exists, even the copy itself.")
    ] = False,
) -> None:
    """A colored copy says in its XMP which model, vividness, size and points it was made with.
    The photograph beside it is used if it is still the same file, else the copy's own lightness.

    Points that are given take the place of those it was made with.

    Example: opsin again scan-color.jpg --vividness 0.8
    """
    from opsin.colorization.again import again as make
    from opsin.colorization.request import all_points

    known = all_points(point, points) or None
    if len(copies) > 1 and (output or original or known):
        raise WrongCallError("-o, --original, --point and --points are for one picture. Give one.")
    failed = False
    for copy in copies:
        target = Path(output) if output else Path(copy).with_stem(Path(copy).stem + END)
        try:
            done = make(
                copy, original=original, model=model, vividness=vividness, size=size, points=known
            )
            _refuse_photograph(target, copy, original)
            done.save(target, quality=quality, overwrite=overwrite)
        except (OpsinError, ValueError) as error:
            failed = True
            text = str(error)
            print(f"opsin: {text if copy in text else f'{shown(copy)}: {text}'}", file=sys.stderr)
            continue
        print("; ".join([f"{shown(target)} written", *done.notes]))
    if failed:
        raise typer.Exit(FAILED)


def _refuse_photograph(target: Path, copy: str, original: str | None) -> None:
    """The photograph is never written to, whatever name or link leads to it."""
    from opsin.colorization.again import original_of

    photograph = Path(original) if original else original_of(copy)
    if photograph and target.exists() and os.path.samefile(photograph, target):
        raise WrongCallError(
            f"{shown(target)} is the photograph; it would be overwritten. Choose another name."
        )
