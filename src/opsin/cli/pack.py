"""`opsin pack`: pictures into one tar to train on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.options import SEEDS, Json
from opsin.cli.screen import print_json, progress_bar

if TYPE_CHECKING:
    from opsin.sets.pack import Packed


def pack(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE",
            help="Folders, .tar files, a split of one (faces.tar:val), CIFAR-10's .tar.gz, .npz.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The .tar.")],
    size: Annotated[
        int | None,
        typer.Option(min=8, help="Make larger pictures smaller: pixels of the short side."),
    ] = None,
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="Of the JPEGs that are made smaller.")
    ] = 90,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES",
            help="Draw splits, as train=0.8,val=0.1,test=0.1. [default: as in the sources]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEEDS, help="Of the draw.")] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the .tar if it exists.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Names keep their folders, the first of which is the picture's class. Pictures that are not
    made smaller are stored as they are. The same pictures give the same file. What cannot be read
    is passed over and reported.

    Example: opsin pack cifar10.npz -o cifar10.tar
    and then: opsin train RECIPE --data cifar10.tar:train --validation cifar10.tar:test -o RUN
    """
    from opsin.sets.pack import pack as run

    shares = _shares(split) if split is not None else None
    with progress_bar() as move:
        packed = run(
            paths,
            output,
            size=size,
            quality=quality,
            split=shares,
            seed=seed,
            overwrite=overwrite,
            progress=lambda done, total: move(done, total=total),
        )
    if as_json:
        print_json(_document(packed))
    for text in _sentences(packed):
        print(text, file=sys.stderr)
    if packed.unreadable or packed.missing:
        raise typer.Exit(1)


def _shares(text: str) -> dict[str, float]:
    from opsin.sets.pack import check_shares

    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return check_shares({name.strip(): float(share) for name, _, share in pairs})
    except ValueError as error:
        raise typer.BadParameter(
            f"'{text}' is not shares that add up to 1, as train=0.8,val=0.1,test=0.1."
        ) from error


def _document(packed: Packed) -> dict[str, object]:
    return {
        "path": str(packed.path),
        "pictures": packed.pictures,
        "bytes": packed.path.stat().st_size,
        "splits": dict(packed.splits),
        "classes": dict(packed.classes),
        "unreadable": list(packed.unreadable),
        "missing": list(packed.missing),
    }


def _sentences(packed: Packed) -> list[str]:
    from opsin.files import few, shown

    size = packed.path.stat().st_size / 1e6
    told = [f"{shown(packed.path)}: {packed.pictures} pictures, {size:.1f} MB"]
    if packed.splits:
        told[0] += "; " + ", ".join(f"{name} {count}" for name, count in packed.splits.items())
    if packed.classes:
        told[0] += f"; {len(packed.classes)} first folders"
    if names := packed.unreadable:
        told.append(f"passed over, unreadable: {len(names)}{few(names)}")
    if names := packed.missing:
        told.append(f"named in splits.json, but not there: {len(names)}{few(names)}")
    return told
