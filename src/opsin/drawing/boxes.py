"""Boxes drawn on pictures: frames with a dark rim, seen on light and on dark, and names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import as_boxes
from opsin.drawing.pixels import as_rgb, resized
from opsin.drawing.sheet import lettering

COLOR: Final = (255, 210, 0)
RIM: Final = (0, 0, 0)
NAME_WIDTH: Final = 400  # pixels that a name may take
MARGIN: Final = 4  # pixels of paper after it
LEGIBLE: Final = 1200  # on pictures with a longer side, names are written larger
SHARE: Final = 1 / 300  # of the picture's longer side: how thick a line is
SMALL: Final = 1 / 16  # of a box's shorter side: no thicker, or it would hide what it frames


def framed(
    pixels: NDArray[Any], boxes: Any, points: Any = (), names: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """A copy (H, W, 3) of a picture (H, W, 1 or 3) with boxes (N, 4) and points (..., 2) on it.

    `names`, if there are any, is one for each box, written in its upper left corner.

    >>> framed(np.zeros((20, 20, 1), np.uint8), [[2, 2, 12, 12]])[2, 5].tolist()
    [255, 210, 0]
    """
    out = as_rgb(pixels).copy()
    line = max(1, round(max(out.shape[:2]) * SHARE))
    for box in np.rint(as_boxes(boxes)).astype(int):
        thin = max(1, min(line, round(float((box[2:] - box[:2]).min()) * SMALL)))
        for grow, color in ((thin // 2 + 1, RIM), (0, COLOR)):
            _frame(out, box, thin, grow, color)
    for x, y in np.rint(np.asarray(points, np.float64).reshape(-1, 2)).astype(int):
        _fill(out, x - line, y - line, x + line, y + line, COLOR)
    for box, name in zip(np.rint(as_boxes(boxes)).astype(int), names, strict=bool(names)):
        _write(out, name, int(box[0]) + line, int(box[1]) + line)
    return out


def _write(out: NDArray[np.uint8], name: str, left: int, top: int) -> None:
    """A name in a strip of paper, from a place in the picture on; what does not fit is cut."""
    strip = lettering(name, NAME_WIDTH)
    ink = np.flatnonzero((strip != strip[0, -1]).any(axis=(0, 2)))
    strip = strip[:, : (ink[-1] + MARGIN if ink.size else 0)]
    scale = max(1.0, max(out.shape[:2]) / LEGIBLE)
    if scale > 1 and strip.size:
        strip = resized(strip, round(len(strip) * scale), round(strip.shape[1] * scale))
    left, top = max(0, left), max(0, top)
    place = out[top : top + len(strip), left : left + strip.shape[1]]
    place[...] = strip[: len(place), : place.shape[1]]


def _frame(
    out: NDArray[np.uint8], box: NDArray[Any], line: int, grow: int, color: tuple[int, int, int]
) -> None:
    """The four sides of a box, `line` wide and `grow` wider on both sides."""
    left, top, right, bottom = box
    outer, inner = grow, line + grow
    _fill(out, left - outer, top - outer, right + outer, top + inner, color)
    _fill(out, left - outer, bottom - inner, right + outer, bottom + outer, color)
    _fill(out, left - outer, top - outer, left + inner, bottom + outer, color)
    _fill(out, right - inner, top - outer, right + outer, bottom + outer, color)


def _fill(
    out: NDArray[np.uint8],
    left: int,
    top: int,
    right: int,
    bottom: int,
    color: tuple[int, int, int],
) -> None:
    """A rectangle; what does not fit is cut."""
    out[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = color
