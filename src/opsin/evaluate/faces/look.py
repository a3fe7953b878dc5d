"""What a network sees on each picture of a set of people: the middle face, as numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.errors import DataError
from opsin.evaluate.report import Metric, in_order
from opsin.evaluate.seen import SEEN
from opsin.faces.pipeline import Face, find_faces
from opsin.faces.recognize import embed_pixels
from opsin.files import few, shown
from opsin.machine import cores
from opsin.models.engine import Engine
from opsin.sets.pictures import read

Pixels: TypeAlias = NDArray[np.uint8]

WEAK: Final = 0.3
"""Score of a face that is believed where there is no better one, for each picture has a face."""

MISSED: Final = Metric("missed", "no face", ".0f", "lower", "pictures on which no face is found")
MILLISECONDS: Final = Metric("milliseconds", "ms", ".1f", "lower", "a picture, on one core")


class Seen(NamedTuple):
    """What was seen of one picture, and how long it took."""

    vector: Floats | None
    """(D,) of length 1; None if no face was found."""
    milliseconds: float


def look(
    path: Path,
    wanted: set[str],
    engines: Mapping[str, Engine],
    ways: Sequence[str],
    *,
    needs_all: bool = True,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> dict[str, dict[str, Seen]]:
    """For each model and way, in one name: what was seen of each wanted picture.

    Pictures that the set lacks, or that cannot be read, are a `DataError` if it `needs_all`.
    """
    rows = {
        (name, way): f"{name}, {way}" if len(ways) > 1 else name for name in engines for way in ways
    }
    found: dict[str, dict[str, Seen]] = {row: {} for row in rows.values()}

    def work(picture: tuple[str, Pixels]) -> tuple[str, dict[str, Seen]]:
        name, rgb = picture
        shown = {way: SEEN[way](rgb, name) for way in ways}
        return name, {row: seen(shown[way], engines[one]) for (one, way), row in rows.items()}

    pictures = read(path, on_skip=on_skip, only=lambda name: plain(name) in wanted)
    for name, ones in in_order(work, pictures, cores()):
        for row, one in ones.items():
            found[row][plain(name)] = one
        if on_picture:
            on_picture(name)
    missing = sorted(wanted - next(iter(found.values())).keys())
    if missing and (needs_all or len(missing) == len(wanted)):
        raise DataError(f"{shown(path)}: {len(missing)} pictures are not in it{few(missing)}.")
    return found


def seen(rgb: Pixels, engine: Engine) -> Seen:
    """The face nearest to the middle of sRGB pixels (H, W, 3), embedded."""
    began = time.perf_counter()
    face = middle_face(rgb)
    vector = None if face is None else embed_pixels(rgb, [face.landmarks], engine).vectors[0]
    return Seen(vector, 1000 * (time.perf_counter() - began))


def middle_face(rgb: Pixels) -> Face | None:
    """The face nearest to the middle; None if there is none, not even a weak one."""
    for threshold in (None, WEAK):
        if found := list(find_faces(rgb, threshold=threshold, threads=1)):
            middle = np.array([rgb.shape[1], rgb.shape[0]]) / 2
            return min(found, key=lambda face: float(np.hypot(*(_center(face) - middle))))
    return None


def plain(name: str) -> str:
    """A picture's name as pairs have it: its folder and its file's name without the suffix."""
    return "/".join(PurePosixPath(name).with_suffix("").parts[-2:])


def _center(face: Face) -> Floats:
    return np.asarray((face.box[:2] + face.box[2:]) / 2)
