"""`opsin suggest`: the likely colors of a place on a photograph, for `opsin colorize --point`."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from opsin.cli.options import Damaged, Device, Json, Model, PixelLimit, Size
from opsin.cli.screen import print_json, print_table
from opsin.defaults import PIXEL_LIMIT
from opsin.errors import WrongCallError
from opsin.files import shown


class Places(TyperCommand):
    """In `opsin suggest photo.jpg -1,5` the place is none of the photograph, but no option either:
    behind a space it is read as a place, and told to be outside."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        number = r"\d+(\.\d*)?"
        place = re.compile(f"-{number},-?{number}")
        return super().parse_args(ctx, [f" {w}" if place.fullmatch(w) else w for w in args])


def suggest(
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="A photograph.")],
    place: Annotated[str, typer.Argument(metavar="X,Y", help="A pixel, from the upper left.")],
    count: Annotated[int, typer.Option(min=1, max=50, help="At most so many.")] = 5,
    model: Model = "default",
    size: Size = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Each color comes with how likely it is. Take one with opsin colorize --point X,Y,COLOR.

    Example: opsin suggest scan.jpg 120,300
    """
    from opsin.colorization import suggest as suggesting
    from opsin.photo import open as open_photo

    number = r"\s*(-?\d+(?:\.\d*)?)\s*"  # that one is outside is told when the photograph is known
    found = re.fullmatch(f"{number},{number}", place)
    if not found:
        raise WrongCallError(f"'{shown(place)}' is no place: write X,Y, as in 120,300.")
    x, y = float(found[1]), float(found[2])
    colors = suggesting.suggest(
        open_photo(photo, pixel_limit=pixel_limit, damaged=damaged),
        x,
        y,
        count=count,
        model=model,
        size=size,
        device=device,
    )
    if as_json:
        print_json({"input": photo, "colors": [color.document() for color in colors]})
        return
    print_table(("color", "likely"), [(one.color, f"{one.share:.0%}") for one in colors])


suggest.reader = Places  # type: ignore[attr-defined]
