"""A colored copy, made again: with what it says was asked for, or with some of that changed.

The photograph is taken where the copy says it came from, if that file still lies beside it; else
from the copy itself, whose lightness is the photograph's (to the rounding of its file format).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from opsin.colorization.palette import Palette, shares_of
from opsin.colorization.pipeline import NOTES, paint, predict
from opsin.colorization.points import Point
from opsin.colorization.reference import swatches_of
from opsin.colorization.request import Request, plain_points, request_of
from opsin.defaults import PIXEL_LIMIT
from opsin.errors import PhotoError, WrongCallError
from opsin.files import fingerprint_of, shown
from opsin.formats import xmp
from opsin.photo import Photo
from opsin.photo import open as open_photo

FROM_COPY = "made from the copy's own lightness: its photograph does not lie beside it"
OTHER_PHOTOGRAPH = "made from another file than the copy was, or from one that has changed"
OTHER_NETWORK = "the model has changed since: its colors may be others"


def again(
    path: str | os.PathLike[str],
    *,
    original: str | os.PathLike[str] | None = None,
    model: str | None = None,
    vividness: float | None = None,
    size: int | None = None,
    points: Sequence[Point] | None = None,
    palette: Palette | None = None,
    strength: float | None = None,
    reference: Any = None,
    matching: float | None = None,
    words: str | None = None,
    threads: int | None = None,
    pixel_limit: int = PIXEL_LIMIT,
) -> Photo:
    """The photograph of a colored copy in color once more; what is given takes the place of what
    its XMP says was asked for. `notes` tell what may make it differ.

    `original` is the photograph, by default the file beside the copy that it was made from.
    Raises `PhotoError` where the copy does not say how it was made, `WrongCallError` for a strength
    without a palette or matching without a reference.
    """
    copy = open_photo(path, pixel_limit=pixel_limit)
    packet = copy.metadata.xmp or b""
    text = xmp.value(packet, xmp.OPSIN, "Request") if b"Request" in packet else None
    if text is None:
        raise PhotoError(
            f"{shown(path)}: does not say how it was made. Only copies that opsin has colored do; "
            "use opsin colorize."
        )
    before = request_of(text)
    changes: dict[str, Any] = {
        "model": model,
        "vividness": vividness,
        "size": size,
        "strength": strength,
        "matching": matching,
        "words": words,
    }
    if reference is not None:
        changes["reference"] = swatches_of(reference, threads=threads)
    if palette is not None:
        changes["palette"] = tuple(map(float, shares_of(palette)))
    request = msgspec.structs.replace(
        before,
        points=before.points if points is None else plain_points(points),
        **{key: value for key, value in changes.items() if value is not None},
    )
    if strength is not None and not request.palette:
        raise WrongCallError(
            f"{shown(path)}: was made without a palette, so there is none to count more or less. "
            "Give one, too."
        )
    if matching is not None and not request.reference:
        raise WrongCallError(
            f"{shown(path)}: was made without a reference, so nothing can match. Give one, too."
        )
    place = Path(original) if original is not None else _original(Path(path), packet)
    damaged = b"opsin:Damage" in packet  # then its photograph was taken so before
    photo = open_photo(place, pixel_limit=pixel_limit, damaged=damaged) if place else copy
    if place is None:
        note = FROM_COPY
    elif _is_origin(place, packet):
        note = ""
    else:
        note = OTHER_PHOTOGRAPH
    return _painted(photo, request, before, threads, note)


def _painted(
    photo: Photo, request: Request, before: Request, threads: int | None, note: str
) -> Photo:
    colors = predict(
        photo,
        model=request.model,
        vividness=request.vividness,
        size=request.size,
        points=request.points,
        palette=request.palette or None,
        strength=request.strength,
        reference=request.reference or None,
        matching=request.matching,
        words=request.words,
        threads=threads,
    )
    done = paint(photo, colors, threads=threads)
    networks = colors.request.networks if colors.request else ()
    notes = [one for one in done.notes if not (note == FROM_COPY and one == NOTES["color"])]
    notes += [note] if note else []
    changed = request.model == before.model and networks != before.networks
    notes += [OTHER_NETWORK] if changed else []
    return replace(done, metadata=replace(done.metadata, notes=tuple(notes)))


def _original(copy: Path, packet: bytes) -> Path | None:
    """The photograph that a copy was made from, if it lies beside it and is still that file."""
    name = xmp.source(packet)
    if not name or Path(name).name != name:
        return None
    with suppress(OSError, ValueError):
        place = copy.parent / name
        if place.is_file() and _is_origin(place, packet):
            return place
    return None


def _is_origin(photograph: Path, packet: bytes) -> bool:
    """Whether a copy's packet names this file, as it is now."""
    origin = xmp.ORIGIN.search(packet)
    return origin is not None and fingerprint_of(photograph) == origin[1].decode()
