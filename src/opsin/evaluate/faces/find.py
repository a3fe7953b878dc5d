"""How well faces are found on portraits: each picture has one in its middle, as those of LFW have.

Found is a face whose box holds the middle of the picture. All other boxes are counted, too; in LFW
most of them are people in the background, so that is the most that can be false alarms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.evaluate.report import Metric, Report, Scores, report
from opsin.evaluate.seen import SEEN
from opsin.faces.pipeline import find_faces
from opsin.sets.pictures import read
from opsin.sets.sources import chosen

FOUND: Final = Metric("found", "found", ".2%", "higher", "pictures with a face around the middle")
OTHERS: Final = Metric("others", "others", ".3f", "lower", "other boxes, for a picture")
MILLISECONDS: Final = Metric("milliseconds", "ms", ".1f", "lower", "a picture, on one core")


def measured(
    path: Path,
    detectors: Sequence[str],
    ways: Sequence[str],
    *,
    limit: int | None = None,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    """The report on detectors, a row for each, or for each and a way of `opsin.evaluate.seen.SEEN`.

    `limit` is how many pictures are taken, spread over the set.
    """

    def work(picture: tuple[str, NDArray[np.uint8]]) -> tuple[str, dict[str, Scores], str]:
        name, rgb = picture
        shown = {way: SEEN[way](rgb, name) for way in ways}
        rows = {
            f"{one}, {way}" if len(ways) > 1 else one: scored(shown[way], one)
            for one in detectors
            for way in ways
        }
        return name, rows, name

    wanted = some(path, limit)
    pictures = read(path, on_skip=on_skip, only=lambda name: wanted is None or name in wanted)
    return report(work, pictures, (FOUND, OTHERS, MILLISECONDS), on_item=on_picture)


def scored(rgb: NDArray[np.uint8], detector: str) -> Scores:
    """Whether a face is around the middle of sRGB pixels (H, W, 3), how many other boxes there are,
    and how long that took."""
    began = time.perf_counter()
    found = find_faces(rgb, detector=detector, threads=1).boxes
    milliseconds = 1000 * (time.perf_counter() - began)
    x, y = rgb.shape[1] / 2, rgb.shape[0] / 2
    left, top, right, bottom = found.T
    held = bool(((left < x) & (x < right) & (top < y) & (y < bottom)).any())
    return {"found": float(held), "others": float(len(found) - held), "milliseconds": milliseconds}


def some(path: Path, limit: int | None) -> set[str] | None:
    """The names of so many pictures of a set, spread over it; None means all."""
    if limit is None:
        return None
    sources = chosen(path, lambda place, why: None)
    names = sorted(source.names[number] for source, numbers in sources for number in numbers)
    return set(names[:: max(1, -(-len(names) // limit))])
