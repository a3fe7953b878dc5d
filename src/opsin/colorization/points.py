"""Colors that a user knows at points of a photograph, as the hints that networks take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.colorization.upsample import cell_means
from opsin.models.view import View

Floats: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[float, float, "str | tuple[int, int, int]"]

NEAR = 1 / 7  # of the short side (8 cells of the default's answer), and
LIKE = 8.0  # L*: how far from a point what is left there is added
POINT = 5  # side of a point on the network's picture; it has learned from 1 to 9


def hint_map(points: Sequence[Point], view: View) -> Floats:
    """`points` as the network's hints, (3, H, W) of what it sees: a*, b* and a mask of 0 and 1."""
    hints, (height, width) = np.zeros((3, *view.seen), np.float32), view.photo
    for point in points:
        if len(point) != 3:
            raise ValueError(f"a point must be (x, y, color), got {point!r}.")
        x, y, color = point
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"point ({x}, {y}) is outside of the photograph, "
                f"which has {width} x {height} pixels."
            )
        columns, rows = map(_around, view.to_seen(np.array([x, y])))
        _, a, b = rgb_to_lab(np.array(rgb_of(color), np.float32) / 255)
        hints[:, rows, columns] = np.array([a, b, 1], np.float32)[:, None, None]
    return hints


def within(points: Sequence[Point], there: tuple[slice, slice] | None) -> Sequence[Point]:
    """`points` of a photograph, counted in the part of it that is there, if it is damaged."""
    if there is None:
        return points
    rows, columns = there
    for x, y, _ in points:
        if not (columns.start <= x < columns.stop and rows.start <= y < rows.stop):
            raise ValueError(f"point ({x}, {y}) lies where the photograph is missing.")
    return [(x - columns.start, y - rows.start, color) for x, y, color in points]


def settle(ab: Floats, light: Floats, asked: Floats, *, stride: int) -> Floats:
    """The answer (h, w, 2) with the colors asked for where they were asked for.

    The network has carried them as far as it sees one thing; at the points themselves it may stop
    short, or go too far. What is left there is added around each point, less with distance and
    where it is lighter or darker. `light` is (H, W), `asked` as from `hint_map`; a cell of the
    answer stands for `stride` x `stride` pixels, those at the edge in part.
    """
    height, width = ab.shape[:2]
    padding = [
        (0, side * stride - size) for side, size in zip((height, width), light.shape, strict=True)
    ]
    mask = _cells(np.pad(asked[2], padding), stride)
    places = np.argwhere(mask > 0)
    if not len(places):
        return ab
    shade = cell_means(light[None], stride)[0]
    colors = [
        _cells(np.pad(asked[channel], padding), stride) / mask.clip(1e-6) for channel in (0, 1)
    ]
    rows, columns = np.indices((height, width))
    near = max(1.0, NEAR * min(height, width))
    total, weights = np.zeros_like(ab), np.full((height, width), 1e-12, np.float32)
    strongest = np.zeros((height, width), np.float32)
    for y, x in places:
        weight = np.exp(
            -((rows - y) ** 2 + (columns - x) ** 2) / (2 * near**2)
            - (shade - shade[y, x]) ** 2 / (2 * LIKE**2)
        )
        left = np.array([color[y, x] for color in colors]) - ab[y, x]
        strongest = np.maximum(strongest, weight)
        weight = weight**4  # between points the nearer one counts
        total += weight[..., None] * left
        weights += weight
    return np.asarray(ab + total * (strongest / weights)[..., None], np.float32)


def _cells(values: Floats, stride: int) -> Floats:
    """Means over cells of `stride` x `stride`."""
    height, width = (side // stride for side in values.shape)
    return np.asarray(values.reshape(height, stride, width, stride).mean(axis=(1, 3)), np.float32)


def _around(position: float) -> slice:
    return slice(max(0, int(position) - POINT // 2), int(position) + POINT // 2 + 1)


def rgb_of(color: str | tuple[int, int, int]) -> tuple[int, int, int]:
    """Red, green and blue in 0..255; a `ValueError` where it is no color."""
    try:
        red, green, blue = bytes.fromhex(color[1:]) if isinstance(color, str) else color
        good = all(0 <= part <= 255 for part in (red, green, blue))
    except (ValueError, TypeError):
        good = False
    if not good or (isinstance(color, str) and color[:1] != "#"):
        raise ValueError(f"a color must be '#rrggbb' or (r, g, b) in 0..255, got {color!r}.")
    return red, green, blue
