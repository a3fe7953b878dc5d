"""Options that several verbs share: the same word, the same meaning, defined once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer

from opsin.cli import FAILED

Size: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=64,
        max=2048,
        help="Short side of the picture that the network sees. [default: the model's]",
    ),
]
Models: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--model", help="May be given more than once; with commas, an ensemble."),
]
Amounts: TypeAlias = Annotated[
    str,
    typer.Option("--vividness", metavar="NUMBERS", help="From 0 to 1; several with commas."),
]
Limit: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Only the first photographs.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def tell(failures: Sequence[str]) -> None:
    """What was passed over, a line each on stderr; any such is exit code 1."""
    for failure in failures:
        print(f"opsin: {failure}", file=sys.stderr)
    if failures:
        raise typer.Exit(FAILED)


def numbers(text: str) -> list[float]:
    """The amounts in the text of `Amounts`.

    >>> numbers("0,0.5")
    [0.0, 0.5]
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 <= number <= 1 for number in found):
        raise typer.BadParameter(f"'{text}' is not numbers from 0 to 1, separated by commas.")
    return found
