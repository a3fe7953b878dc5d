"""What could it be? The likely colors of a place on a photograph, by what the network says of it.

A coat may be blue or brown, and the mean of both is gray. So what is offered are the colors that
cover most of the distribution over the 313 bins.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import fit_gamut, lab_to_rgb
from opsin.colorization.bins import BINS
from opsin.colorization.ensemble import table_of
from opsin.colorization.pipeline import NetworkOutput, run_model
from opsin.errors import ModelError, WrongCallError
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]

COUNT: Final = 5
AROUND: Final = 1  # cells on each side whose mean is looked at: one cell is noisy
APART: Final = 15.0  # Lab units: what is nearer is nearly one color to the eye
LEAST: Final = 0.02  # a smaller share is no color to offer


class Suggestion(NamedTuple):
    """A color that is likely at a place."""

    color: str
    """"#rrggbb", as light as the photograph is there."""
    share: float
    """How likely it is by the network, from 0 to 1."""

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {"color": self.color, "share": round(self.share, 4)}


def suggest(
    photo: Any,
    x: float,
    y: float,
    *,
    count: int = COUNT,
    model: str = "default",
    size: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> tuple[Suggestion, ...]:
    """The likely colors at `x`, `y` of `photo`, the likeliest first; at most `count`.

    `photo` is a `Photo` or anything that `opsin.open` takes; x and y are in its pixels. The other
    options are those of `opsin.colorize`. A place outside is a `WrongCallError`, a model that gives
    one color without a distribution a `ModelError`.

    >>> [one.share > 0 for one in suggest(np.full((48, 64), 128, np.uint8), 20, 10)][0]
    True
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    check_place(photo, x, y)
    outputs = run_model(photo, model=model, size=size, threads=threads, device=device)
    return suggested(outputs[0], x, y, count=count)


def check_place(photo: Photo, x: float, y: float) -> None:
    """Refuses a place that is not on the photograph, or where nothing of it is there."""
    if not (0 <= x < photo.width and 0 <= y < photo.height):
        raise WrongCallError(
            f"({x:g}, {y:g}) is outside of the photograph, which has {photo.width} x "
            f"{photo.height} pixels."
        )


def suggested(
    output: NetworkOutput, x: float, y: float, *, count: int = COUNT
) -> tuple[Suggestion, ...]:
    """The same of what a network has given for a photograph."""
    if count < 1:
        raise ValueError(f"count must be 1 or more, got {count}")
    if table_of(output.card).answer != "bins":
        raise ModelError(f"model '{output.card.name}' gives one color alone. Take color-bins.")
    place = output.view.to_seen(np.array([x, y]))
    column, row = (int(one) for one in place // output.view.stride)
    shares = shares_at(output.raw, row, column)
    seen_x, seen_y = (int(one) for one in place)
    lightness = float(output.light[min(seen_y, len(output.light) - 1), seen_x])
    return tuple(Suggestion(_named(lightness, ab), share) for ab, share in likely(shares, count))


def shares_at(logits: Floats, row: int, column: int) -> Floats:
    """(313,) how likely each bin is about a cell: the mean over it and its neighbors."""
    height, width = logits.shape[1:]
    row, column = min(row, height - 1), min(column, width - 1)
    rows = slice(max(0, row - AROUND), row + AROUND + 1)
    columns = slice(max(0, column - AROUND), column + AROUND + 1)
    near = logits[:, rows, columns].reshape(len(logits), -1)
    near = np.exp(near - near.max(axis=0))
    return np.asarray((near / near.sum(axis=0)).mean(axis=1), np.float32)


def likely(shares: Floats, count: int) -> list[tuple[Floats, float]]:
    """At most `count` colors that cover a distribution (313,) over the bins, a*b* and share, the
    largest share first.

    Again and again the color is taken that has the most of what is left within `APART` of it, as
    non-maximum suppression takes boxes.
    """
    left = shares.astype(np.float64)
    found: list[tuple[Floats, float]] = []
    for _ in range(count):
        there = _NEAR @ left
        best = int(there.argmax())
        share = float(there[best])
        if found and share < LEAST:
            break
        mine = np.where(_NEAR[best], left, 0)
        found.append((np.asarray(mine @ BINS / mine.sum(), np.float32), share))
        left = left - mine
    return found


def _named(lightness: float, ab: Floats) -> str:
    """The color with that L*, or the nearest that exists, as "#rrggbb"."""
    rgb = lab_to_rgb(fit_gamut(np.array([lightness, *ab], np.float32)))
    return "#" + bytes(int(part) for part in (rgb * 255 + 0.5).clip(0, 255)).hex()


_NEAR: Final = ((BINS[:, None] - BINS[None]) ** 2).sum(axis=-1) <= APART**2
"""(313, 313): which bins are nearly one color."""
