"""How near to the truth a network could come: its true colors, on the grid that it answers on."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization import upsample
from opsin.evaluate.colorization.scores import Truth
from opsin.models.view import View

Floats: TypeAlias = NDArray[np.float32]


def ceiling(truth: Truth, *, size: int, stride: int) -> Floats:
    """The best a*b* that a network of this size and stride could answer: the truth's, enlarged."""
    height, width = truth.light.shape
    seen = View.of(height, width, size).seen
    ab_seen, light_seen = shrink(truth.ab, seen), shrink(truth.light, seen)
    over = [(0, -side % stride) for side in seen]  # the last cells may reach over the edge
    cells = np.pad(ab_seen, [*over, (0, 0)], mode="edge")
    rows, columns = cells.shape[0] // stride, cells.shape[1] // stride
    small = cells.reshape(rows, stride, columns, stride, 2).mean(axis=(1, 3))
    plan = upsample.fit(small, light_seen)
    ab: Floats = upsample.apply(plan, truth.light, slice(0, height), (height, width))
    return ab


def shrink(values: Floats, size_hw: tuple[int, int]) -> Floats:
    """`values` (H, W) or (H, W, C) averaged over the areas of a grid of another size."""
    rows = _areas(values.shape[0], size_hw[0])
    columns = _areas(values.shape[1], size_hw[1])
    planes = np.moveaxis(values.reshape(*values.shape[:2], -1), -1, 0)
    small = np.moveaxis(rows @ planes @ columns.T, 0, -1).reshape(*size_hw, *values.shape[2:])
    return np.ascontiguousarray(small, np.float32)


def _areas(long: int, short: int) -> Floats:
    """The matrix (short, long) that averages `long` samples over `short` equal intervals."""
    edges = np.arange(short + 1) * (long / short)
    left = np.maximum(edges[:-1, None], np.arange(long))
    right = np.minimum(edges[1:, None], np.arange(1, long + 1))
    shares: Floats = (np.maximum(right - left, 0) * (short / long)).astype(np.float32)
    return shares
