"""Options that several verbs of `opsin people` share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

PeopleFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--people",
        metavar="FILE",
        help="The people file. [default: $OPSIN_PEOPLE, or one in your data folder]",
    ),
]
FaceNumber: TypeAlias = Annotated[
    int | None,
    typer.Option("--face", min=1, metavar="N", help="Which face: opsin people name tells them."),
]
Photo: TypeAlias = Annotated[str, typer.Argument(metavar="PHOTO")]
Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME")]
