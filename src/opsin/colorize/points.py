"""Colors that a user knows at points of a photograph, as the hints that networks take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.photo import Photo

Floats: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[float, float, "str | tuple[int, int, int]"]

POINT = 5  # side of a point on the network's picture; it has learned from 1 to 9


def hint_map(points: Sequence[Point], photo: Photo, height: int, width: int) -> Floats:
    """`points` as the network's hints, (3, height, width): a*, b* and a mask of 0 and 1."""
    hints = np.zeros((3, height, width), np.float32)
    for point in points:
        if len(point) != 3:
            raise ValueError(f"a point must be (x, y, color), got {point!r}.")
        x, y, color = point
        if not (0 <= x < photo.width and 0 <= y < photo.height):
            raise ValueError(
                f"point ({x}, {y}) is outside of the photograph, "
                f"which has {photo.width} x {photo.height} pixels."
            )
        rows, columns = _around(y * height / photo.height), _around(x * width / photo.width)
        _, a, b = rgb_to_lab(np.array(_rgb(color), np.float32) / 255)
        hints[:, rows, columns] = np.array([a, b, 1], np.float32)[:, None, None]
    return hints


def _around(position: float) -> slice:
    return slice(max(0, int(position) - POINT // 2), int(position) + POINT // 2 + 1)


def _rgb(color: str | tuple[int, int, int]) -> tuple[int, int, int]:
    try:
        red, green, blue = bytes.fromhex(color[1:]) if isinstance(color, str) else color
    except (ValueError, TypeError):
        red = green = blue = -1
    if (isinstance(color, str) and color[:1] != "#") or not all(
        0 <= part <= 255 for part in (red, green, blue)
    ):
        raise ValueError(f"a color must be '#rrggbb' or (r, g, b) in 0..255, got {color!r}.")
    return red, green, blue
