"""The small a*b* a network answers, brought up to the photograph's size without leaking.

Color is enlarged bilinearly, and what the enlarged lightness lacks of the photograph's own
is added in proportion:

    ab = up(ab) + up(slope) * (light - up(light))

where `slope` is the local change of a*b* with L*. `fit` takes such steps from the network's
answer to the size of its input, and `apply` one more to the photograph. Color edges become
as sharp as those of lightness, where the two go together; where they do not, the slope
shrinks and the plain enlargement is left, so that texture and grain stay free of color.

`benchmarks/upsampling.py` compares it with others: it leaks least when a*b* are blurred or
shifted, as a network's are. For a*b* that are exact, plain bicubic enlargement is closer.

Related: He, Sun, Tang: Guided Image Filtering (2013); Vivone et al.: A Critical Comparison
Among Pansharpening Algorithms (2015), on injecting detail by local regression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

VARIANCE = 16.0  # of L* that halves the slope: fainter texture does not move color


@dataclass(frozen=True, eq=False)
class Plan:
    """What `apply` needs: planes (9, h, w), two each but for L*: a*b*, L*, slopes, low, high."""

    planes: Floats


def upsample(ab: Floats, light_small: Floats, light: Floats) -> Floats:
    """a*b* (H, W, 2) for the photograph's L* (H, W); for `ab` and `light_small` see `fit`.

    >>> upsample(np.full((2, 3, 2), 7.0), np.full((8, 12), 50.0), np.full((20, 30), 50.0)).shape
    (20, 30, 2)
    """
    return apply(fit(ab, light_small), light, slice(0, len(light)), light.shape)


def fit(ab: Floats, light: Floats) -> Plan:
    """The plan for a*b* (h, w, 2) that a network answered to L* (H, W).

    H and W are h and w times one whole number, or a little less: the last row and column
    of a*b* may reach over the edge. Best is L* as the network saw it; L* of the size of
    a*b* will do. Both arrays are small: this takes 10 to 20 milliseconds.
    """
    if ab.ndim != 3 or ab.shape[2] != 2:
        raise ValueError(f"ab must have shape (h, w, 2), got {ab.shape}")
    sizes = list(zip(light.shape, ab.shape[:2], strict=True))
    scale = max(-(-large // small) for large, small in sizes)
    if any(not (small - 1) * scale < large <= small * scale for large, small in sizes):
        raise ValueError(f"light {light.shape} is no whole multiple of ab {ab.shape[:2]}.")
    color = np.moveaxis(np.asarray(ab, np.float32), -1, 0)
    fine = np.asarray(light, np.float32)[None]
    coarse = cell_means(fine, scale)
    # A network's colors are softer than averages over its cells: as if they answered a
    # blurred lightness. The first step, in place, sharpens them.
    color = _step(color, _blur(coarse), coarse, 1)
    if scale > 1:
        color = _step(color, coarse, fine, scale)
    return Plan(_planes(color, fine))


def apply(plan: Plan, light: Floats, rows: slice, size_hw: tuple[int, ...]) -> Floats:
    """a*b* (n, W, 2) of the given `rows` of a photograph of `size_hw`, whose L* is (n, W).

    Each row comes out the same however the photograph is cut into strips.
    """
    height, width = size_hw
    _, h, w = plan.planes.shape
    index, weight = (part[rows] for part in _positions(height, h / height, h))
    if light.shape != (len(index), width):
        raise ValueError(f"light must have shape {(len(index), width)}, got {light.shape}")
    result = np.empty((len(index), width, 2), np.float32)
    if not len(index):
        return result
    first = index[0]
    wide = _columns(plan.planes[:, first : index[-1] + 2], *_positions(width, w / width, w))
    # All rows between the same two rows of the plan at once, which needs no gathering.
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(index)], strict=True):
        above = index[start] - first
        below = min(above + 1, wide.shape[1] - 1)
        top = wide[:, above, None]
        planes = (wide[:, below, None] - top) * weight[start:stop, None]
        planes += top
        color, coarse, slope, low, high = np.split(planes, [2, 3, 5, 7])
        np.subtract(light[start:stop], coarse, out=coarse)
        slope *= coarse
        color += slope
        np.minimum(color, high, out=color)  # np.clip is slow on arrays
        np.maximum(color, low, out=color)
        for channel in range(2):  # several times faster than both at once
            result[start:stop, :, channel] = color[channel]
    return result


def _planes(color: Floats, light: Floats) -> Floats:
    """Planes (9, h, w): color and L*, the slopes, and the range of the neighbors' colors.

    Color is kept within that range, against complementary fringes along edges.
    """
    return np.concatenate([color, light, _slope(color, light), _low(color), -_low(-color)])


def _step(color: Floats, coarse: Floats, fine: Floats, scale: int) -> Floats:
    """Color planes (2, H, W) for `fine` (1, H, W) from those (2, h, w) for `coarse` (1, h, w)."""
    _, height, width = fine.shape
    _, h, w = coarse.shape
    planes = _columns(_planes(color, coarse), *_positions(width, 1 / scale, w))
    planes = np.swapaxes(planes, 1, 2)
    planes = np.swapaxes(_columns(planes, *_positions(height, 1 / scale, h)), 1, 2)
    color, coarse, slope, low, high = np.split(planes, [2, 3, 5, 7])
    return np.asarray(np.clip(color + slope * (fine - coarse), low, high), np.float32)


def _slope(color: Floats, light: Floats) -> Floats:
    """Change of color planes (2, h, w) with L* (1, h, w), times how well it explains them."""
    mean, mean_color = _blur(light), _blur(color)
    variance = _blur(light * light) - mean * mean
    covariance = _blur(light * color) - mean * mean_color
    spread = (_blur(color * color) - mean_color * mean_color).sum(axis=0)
    explained = (covariance**2).sum(axis=0) / (variance * spread + 1e-3)
    slope: Floats = covariance / (variance + VARIANCE) * np.clip(explained, 0, 1)
    return slope


def cell_means(planes: Floats, scale: int) -> Floats:
    """Means of planes (k, H, W) over cells of scale x scale; the last ones may be cut off."""
    k, h, w = planes.shape
    planes = np.pad(planes, ((0, 0), (0, -h % scale), (0, -w % scale)), mode="edge")
    cells = planes.reshape(k, -(-h // scale), scale, -(-w // scale), scale)
    return np.asarray(cells.mean(axis=(2, 4)), np.float32)


def _blur(planes: Floats) -> Floats:
    """Weights 1 2 1 each way: a Gaussian of 0.7 pixels."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    blurred: Floats = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16
    return blurred


def _low(planes: Floats) -> Floats:
    """The least of each 3 x 3 pixels."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = np.minimum(np.minimum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    low: Floats = np.minimum(np.minimum(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
    return low


def _positions(count: int, step: float, limit: int) -> tuple[NDArray[np.intp], Floats]:
    """For pixels 0..count: the source pixel at or before each center, and the way to the next."""
    centers = np.clip((np.arange(count) + 0.5) * step - 0.5, 0, limit - 1)
    index = np.minimum(centers.astype(np.intp), max(limit - 2, 0))
    return index, (centers - index).astype(np.float32)


def _columns(planes: Floats, index: NDArray[np.intp], weight: Floats) -> Floats:
    """Planes (k, h, w) interpolated along w; `np.swapaxes` serves for h."""
    following = np.minimum(index + 1, planes.shape[2] - 1)
    left: Floats = planes.take(index, axis=2)
    right: Floats = planes.take(following, axis=2)
    right -= left
    right *= weight
    right += left
    return right
