"""What is asked of a colorization: with it and the photograph, the same picture is made again.

A colored copy carries its request in its XMP (`opsin:Request`), as JSON:

    {"model": "color-bins", "vividness": 0.5, "points": [[120, 300, "#a03020"]]}
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from opsin.colorization.bins import BINS
from opsin.colorization.points import Point, rgb_of
from opsin.colorization.reference import MOST_TEXT, read, swatches_of
from opsin.colorization.words import wishes_of
from opsin.defaults import MATCHING, SIZES, STRENGTH
from opsin.errors import PhotoError, WrongCallError
from opsin.files import read_regular, shown
from opsin.photo import open as open_photo

MOST_POINTS = 10_000
MOST_COLORS = 64  # of a palette that is typed
MOST_BYTES = 1 << 22  # of a file of points
WANTED = "X,Y,#RRGGBB, as in 120,300,#a03020"
MUST_BE = {
    "model": "the name of a model",
    "vividness": "a number from 0 (muted) to 1 (saturated)",
    "size": f"a whole number of pixels from {SIZES[0]} to {SIZES[1]}",
    "points": f"at most {MOST_POINTS} of (x, y, color), on the photograph",
    "strength": "a number from 0 to 1",
    "reference": "a photograph, or what opsin has noted of one",
    "matching": "a number from 0 to 1",
    "words": "a text of at most 1000 letters",
}

Coordinate = Annotated[float, Meta(ge=0, le=1e7)]
Color = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")]
PlainPoint: TypeAlias = tuple[Coordinate, Coordinate, Color]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a colored picture depends on, beside the photograph."""

    model: Annotated[str, Meta(min_length=1, max_length=1000)]
    """A name, or several with commas."""
    vividness: Annotated[float, Meta(ge=0, le=1)] = 0.5
    size: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    points: Annotated[
        tuple[tuple[Coordinate, Coordinate, Color], ...], Meta(max_length=10_000)
    ] = ()
    """x, y in pixels of the upright photograph, and "#rrggbb"."""
    palette: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=1)], ...], Meta(max_length=len(BINS))
    ] = ()
    """The share of each of the 313 colors that was asked for, if any."""
    strength: Annotated[float, Meta(ge=0, le=1)] = STRENGTH
    """How much the palette counts."""
    reference: Annotated[str, Meta(max_length=MOST_TEXT)] = ""
    """The swatches of another photograph, see `opsin.colorization.reference`; "" is none."""
    matching: Annotated[float, Meta(ge=0, le=1)] = MATCHING
    """How much of their colors places get that look like them."""
    words: Annotated[str, Meta(max_length=1000)] = ""
    """Colors of things by their names, see `opsin.colorization.words`; "" is none."""
    networks: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    """The first 16 hexadecimal digits of each network's SHA-256."""

    def text(self) -> str:
        """As it stands in the XMP."""
        return msgspec.json.encode(self).decode()


def request_of(text: str) -> Request:
    """The request that a copy carries; a `PhotoError` where it is none."""
    try:
        found = msgspec.json.decode(text, type=Request)
        check_read(found)
    except (ValueError, RecursionError) as error:  # msgspec's errors are such
        raise PhotoError(f"how it was made cannot be understood ({shown(str(error))}).") from None
    return found


def check_read(request: Request) -> None:
    """A `ValueError` where a request that was read from a file says a palette or a reference that
    is none, and would be taken for colors or for the name of a file."""
    if len(request.palette) not in (0, len(BINS)):
        raise ValueError(f"palette must be {len(BINS)} shares, and has {len(request.palette)}.")
    if request.reference:
        read(request.reference)


def plain_points(points: Sequence[Point]) -> tuple[PlainPoint, ...]:
    """Points with their colors as "#rrggbb"; what is no point is a `ValueError`."""
    if isinstance(points, str) or not isinstance(points, Sequence | np.ndarray):
        raise ValueError(f"points must be a list of (x, y, color), got {points!r}.")
    return tuple(map(_plain, points))


def _plain(point: Point) -> PlainPoint:
    try:
        x, y, color = point
        x, y = float(x), float(y)
    except (TypeError, ValueError):
        raise ValueError(f"a point must be (x, y, color), got {point!r}.") from None
    return x, y, "#" + bytes(round(part) for part in rgb_of(color)).hex()


def checked(request: Request) -> Request:
    """The request, if it is one that can be; else a `ValueError` that says what must be what."""
    values = {name: getattr(request, name) for name in Request.__struct_fields__}
    try:
        return msgspec.convert(values, Request)
    except msgspec.ValidationError as error:
        found = re.search(r"\$\.(\w+)", str(error))
        if not found or found[1] not in MUST_BE:
            raise ValueError(str(error)) from None
        got = reprlib.repr(values[found[1]])
        raise ValueError(f"{found[1]} must be {MUST_BE[found[1]]}, got {got}.") from None


def all_points(typed: Sequence[str] | None, path: str | None) -> tuple[Point, ...]:
    """The points that were typed and those in a file."""
    return (*map(point_of, typed or ()), *(points_in(path) if path else ()))


def point_of(text: str) -> Point:
    """A point as it is typed, `X,Y,#RRGGBB`; a `WrongCallError` where it is none.

    >>> point_of("120, 300, #a03020")
    (120.0, 300.0, '#a03020')
    """
    number = r"\s*(-?\d+(?:\.\d*)?)\s*"  # that one is outside is told when the photograph is known
    found = re.fullmatch(number + "," + number + r",\s*(#?[0-9a-fA-F]{6})\s*", text)
    if not found:
        raise WrongCallError(f"point '{shown(text)}': write {WANTED}.")
    return float(found[1]), float(found[2]), "#" + found[3].lstrip("#")


def colors_asked(
    reference: str | None, colors: str | None, **how: Any
) -> tuple[tuple[float, ...] | None, str | None]:
    """The palette (313 shares) and the swatches of a photograph's path, or the palette of colors as
    they are typed, with commas, and no swatches; None for both if nothing was asked. Both, or what
    is no color, is a `WrongCallError`. `how` is for `opsin.open`."""
    if reference is None and colors is None:
        return None, None
    if reference is not None and colors is not None:
        raise WrongCallError("--reference and --palette both say which colors to take. Give one.")
    from opsin.colorization.palette import shares_of

    if colors is not None:
        named = [one.strip() for one in colors.split(",")]
        if len(named) > MOST_COLORS:
            raise WrongCallError(
                f"--palette: {len(named):,} colors. Give at most {MOST_COLORS}, those of "
                "the things that are there."
            )
        for one in named:
            if not re.fullmatch(r"#?[0-9a-fA-F]{6}", one):
                raise WrongCallError(
                    f"--palette: '{shown(one)}' is no color. Write #RRGGBB, several with commas."
                )
        return tuple(map(float, shares_of(["#" + one.lstrip("#") for one in named]))), ""
    if not reference:
        raise WrongCallError("--reference: an empty name. Give the name of a photograph.")
    photo = open_photo(reference, **how)
    try:
        return tuple(map(float, shares_of(photo))), swatches_of(photo)
    except ValueError as error:
        raise WrongCallError(f"--reference {shown(reference)}: {error}") from None


def words_of(text: str | None) -> str:
    """What was said in words, "" if nothing was; a `WrongCallError` where it is not understood."""
    if text is None:
        return ""
    try:
        return ", ".join(wish.text for wish in wishes_of(text))
    except ValueError as error:
        raise WrongCallError(str(error)) from None


def points_in(path: str | os.PathLike[str]) -> list[Point]:
    """The points in a JSON file: a list of [x, y, "#rrggbb"], or of {"x", "y", "color"}."""
    where = shown(path)
    try:
        values: Any = msgspec.json.decode(read_regular(path, most=MOST_BYTES))
    except OSError as error:
        raise WrongCallError(f"{where}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise WrongCallError(f"{where}: cannot be read as JSON ({shown(str(error))}).") from error
    if isinstance(values, dict):
        values = values.get("points")
    if not isinstance(values, list) or len(values) > MOST_POINTS:
        raise WrongCallError(f'{where}: write a list of points, [[120, 300, "#a03020"], ...].')
    return [_point(value, f"{where}, point {number}") for number, value in enumerate(values, 1)]


def _point(value: Any, where: str) -> Point:
    if isinstance(value, dict):
        value = [value.get(key) for key in ("x", "y", "color")]
    try:
        x, y, color = msgspec.convert(value, PlainPoint)
    except msgspec.ValidationError:
        raise WrongCallError(
            f'{where}: write [120, 300, "#a03020"] or {{"x": 120, "y": 300, "color": "#a03020"}}.'
        ) from None
    return x, y, color
