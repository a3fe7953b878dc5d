"""Small pictures for the page: numbers as gray, channels, kernels, and rows of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb, resized
from opsin.drawing.sheet import GAP, PAPER, Cell, layout, lettering

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

BESIDE = 12  # tiles in a row of the page
TILE = 96  # pixels, the longer side of a tile
PICTURE = 304  # pixels, the longer side of the pictures at the top


def block(heading: str, cells: Sequence[Cell]) -> list[Pixels]:
    """Cells in rows of the page, below their title."""
    rows = [cells[start : start + BESIDE] for start in range(0, len(cells), BESIDE)]
    text = np.pad(
        lettering(heading, BESIDE * TILE), ((GAP, 0), (GAP, 0), (0, 0)), constant_values=PAPER
    )
    return [text, *(layout([row], cell=TILE) for row in rows)]


def channel(values: Floats) -> Pixels:
    """A channel (h, w), from its least to its most; a few outliers are cut off."""
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        low, high = values.min(), values.max()
    if high <= low:
        return picture(np.full(values.shape, 0.5), TILE)
    return picture((values - low) / (high - low), TILE)


def kernel(weights: Floats, *, color: bool) -> Pixels:
    """A kernel (I, h, w): 0 is gray, its number farthest from 0 is white (above) or black.

    With `color` its three inputs are red, green and blue. Else each input has a small picture of
    its own; several stand in a square.
    """
    most = float(np.abs(weights).max()) or 1.0
    levels = 0.5 + weights / (2 * most)
    drawn = levels.transpose(1, 2, 0) if color else _square_of(levels)
    longer = max(drawn.shape[:2])
    return picture(drawn, longer * max(1, TILE // longer))  # all its numbers equally large


def picture(values: NDArray[Any], side: int) -> Pixels:
    """Values (h, w), or (h, w, 3) in color, of 0..1 as a picture whose longer side is `side`."""
    level = (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    level = level[..., None] if level.ndim == 2 else level
    longer = max(level.shape[:2])
    height, width = (max(1, round(side * count / longer)) for count in level.shape[:2])
    method = "nearest" if side > longer else "lanczos3"  # a cell is shown as one
    return as_rgb(resized(level, height, width, kernel=method))


def _square_of(planes: NDArray[Any]) -> NDArray[Any]:
    """Planes (n, h, w) beside and below each other, with white lines between."""
    across = math.ceil(math.sqrt(len(planes)))
    down = -(-len(planes) // across)
    missing = down * across - len(planes)
    framed = np.pad(planes, ((0, missing), (0, 1), (0, 1)), constant_values=1)
    framed[len(planes) :] = 1
    height, width = framed.shape[1:]
    laid = framed.reshape(down, across, height, width).transpose(0, 2, 1, 3)
    return laid.reshape(down * height, across * width)[:-1, :-1]
