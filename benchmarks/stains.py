"""How stained answers are: the spread of a*b* where the truth has one color.

    python benchmarks/stains.py eval-diverse.tar [--model NAME...] [--colorfulness 0.82]

Each picture is looked at through windows: squares of an eighth of its short side, and strips of a
quarter that lie and stand. "Stains" is the spread of the answer's a*b* (root mean square distance
from their mean, in Lab units) in those windows in which the truth's is less than 2.5, and
"things" that in windows in which the truth's is more than 12; both are means over pictures. Less
color is fewer stains and fewer things, so compare models of one colorfulness, or the ratio.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.evaluate.colorization.ceiling import shrink
from opsin.evaluate.colorization.measure import Scored, evaluate

Floats = NDArray[np.float32]

SIDE = 56  # cells of the short side
STRIP = 14
PLAIN, RICH = 2.5, 12.0
ENOUGH = 30  # windows of a picture, fewer tell nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--colorfulness", type=float, help="all at this share of the truth's")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}

    def see(scored: Scored) -> None:
        true = spread(scored.truth.rgb)
        for system, pixels in scored.pixels.items():
            if system not in ("gray", "mean color"):
                places = (true < PLAIN, true > RICH)
                found.setdefault(system, []).append(tuple(within(spread(pixels), places)))

    evaluate(
        arguments.data,
        model=arguments.model or "default",
        colorfulness=arguments.colorfulness,
        limit=arguments.limit,
        on_picture=see,
    )
    print("system                    stains  things  ratio")
    for system, rows in found.items():
        stains, things = np.nanmean(rows, axis=0)
        print(f"{system:24} {stains:7.2f} {things:7.2f} {stains / things:6.3f}")


def within(values: Floats, places: tuple[NDArray[np.bool_], ...]) -> Iterator[float]:
    for place in places:
        yield float(values[place].mean()) if place.sum() >= ENOUGH else float("nan")


def spread(pixels: NDArray[np.uint8]) -> Floats:
    """The spread of a*b* in each window of a picture (H, W, 3)."""
    height, width = pixels.shape[:2]
    scale = SIDE / min(height, width)
    size = round(height * scale), round(width * scale)
    ab = shrink(rgb_to_lab(pixels.astype(np.float32) / 255)[..., 1:], size)
    found = []
    for window in ((1, STRIP), (STRIP, 1), (STRIP // 2, STRIP // 2)):
        parts = np.lib.stride_tricks.sliding_window_view(ab, window, (0, 1))[::2, ::2]
        found.append(np.sqrt(parts.var(axis=(-1, -2)).sum(axis=-1)).ravel())
    return np.concatenate(found)


if __name__ == "__main__":
    main()
