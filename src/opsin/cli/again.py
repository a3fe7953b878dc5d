"""`opsin again`: a colored copy made once more, as it says it was made, or with changes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli import FAILED
from opsin.cli.options import InWords, PaletteColors, Point, Points, Quality, Reference
from opsin.defaults import QUALITY, SIZES
from opsin.errors import OpsinError, SaveError, WrongCallError
from opsin.files import find_in_file, shown

END = "-again"


def again(
    copies: Annotated[list[str], typer.Argument(metavar="COPY", help="Pictures opsin colored.")],
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
    size: Annotated[
        int | None,
        typer.Option(min=SIZES[0], max=SIZES[1], help="Another one. [default: as it was]"),
    ] = None,
    point: Point = None,
    points: Points = None,
    reference: Reference = None,
    palette: PaletteColors = None,
    strength: Annotated[
        float | None, typer.Option(min=0, max=1, help="Another one. [default: as it was]")
    ] = None,
    matching: Annotated[
        float | None, typer.Option(min=0, max=1, help="Another one. [default: as it was]")
    ] = None,
    words: InWords = None,
    quality: Quality = QUALITY,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also replace what exists, even the copy itself.")
    ] = False,
) -> None:
    """A colored copy says in its XMP with which model, vividness, points, palette, reference and
    words it was made. The photograph beside it is used if it is still the same file, else the
    copy's own lightness.

    Points that are given take the place of those it was made with.

    Example: opsin again scan-color.jpg --vividness 0.8
    """
    from opsin.colorization.again import again as make
    from opsin.colorization.request import all_points, colors_asked, words_of

    known = all_points(point, points) or None
    shares, swatches = colors_asked(reference, palette)
    said = None if words is None else words_of(words)
    if len(copies) > 1 and (output or original or known):
        raise WrongCallError("-o, --original, --point and --points are for one picture. Give one.")
    failed = False
    for copy in copies:
        target = Path(output) if output else Path(copy).with_stem(Path(copy).stem + END)
        try:
            _check(target, overwrite=overwrite)
            done = make(
                copy,
                original=original,
                model=model,
                vividness=vividness,
                size=size,
                points=known,
                palette=shares,
                strength=strength,
                reference=swatches,
                matching=matching,
                words=said,
            )
            done.save(target, quality=quality)
        except (OpsinError, ValueError) as error:
            failed = True
            text = str(error)
            print(f"opsin: {text if copy in text else f'{shown(copy)}: {text}'}", file=sys.stderr)
            continue
        print("; ".join([f"{shown(target)} written", *done.notes]))
    if failed:
        raise typer.Exit(FAILED)


def _check(target: Path, *, overwrite: bool) -> None:
    """Nothing is replaced but a picture that opsin has colored, and that only when asked for."""
    from opsin.formats.xmp import ORIGIN

    if not os.path.lexists(target):
        return
    if not overwrite:
        raise SaveError(f"{shown(target)}: already there. Type --overwrite, or another -o.")
    if find_in_file(target, ORIGIN) is None:
        raise SaveError(
            f"{shown(target)} was not colored by opsin, and stays as it is. Choose another name."
        )
