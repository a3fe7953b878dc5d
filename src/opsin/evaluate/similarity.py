"""How alike two pictures are: PSNR and SSIM on sRGB pixels in 0..255.

SSIM is that of Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error
visibility to structural similarity, IEEE Trans. Image Processing 13 (2004) 600-612: a Gaussian
window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, on each channel at full size, averaged
over the windows that lie inside of the picture and then over the channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

PEAK = 255
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
WINDOW_RADIUS = 5
SMALLEST = 2 * WINDOW_RADIUS + 1  # pixels a side
_WINDOW = np.exp(-(np.arange(-WINDOW_RADIUS, WINDOW_RADIUS + 1) ** 2) / (2 * 1.5**2))
_WINDOW /= _WINDOW.sum()
_MIDDLE = np.float32(128)  # taken off first: variances in float32 lose fewer digits
_BAND = 32  # rows filtered at once, so that they stay in the cache


def psnr(truth: Pixels, other: Pixels) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; infinite if alike.

    >>> black = np.zeros((2, 2, 3), np.uint8)
    >>> round(psnr(black, black + 5), 2), psnr(black, black)
    (34.15, inf)
    """
    difference = truth.astype(np.float32) - other
    error = float(np.mean(np.square(difference), dtype=np.float64))
    return float(10 * np.log10(PEAK**2 / error)) if error else float("inf")


@dataclass(frozen=True, eq=False)
class Reference:
    """The half of SSIM that belongs to the true picture, computed once."""

    planes: Floats  # (3, H, W), less 128
    mean: Floats  # (3, H - 10, W - 10)
    variance: Floats


def reference(truth: Pixels) -> Reference:
    """What `ssim` needs of `truth` (H, W, 3), both sides at least 11 pixels."""
    if min(truth.shape[:2]) < SMALLEST:
        height, width = truth.shape[:2]
        raise ValueError(
            f"SSIM needs pictures of at least {SMALLEST} x {SMALLEST} pixels, "
            f"got {width} x {height}."
        )
    planes = _planes(truth)
    mean = _blur(planes)
    return Reference(planes, mean, _blur(planes * planes) - mean * mean)


def ssim(truth: Pixels | Reference, other: Pixels) -> float:
    """Structural similarity, 1 for equal pictures."""
    true = truth if isinstance(truth, Reference) else reference(truth)
    planes = _planes(other)
    mean = _blur(planes)
    covariance = _blur(planes * true.planes) - mean * true.mean
    variance = _blur(planes * planes) - mean * mean
    mean += _MIDDLE
    true_mean = true.mean + _MIDDLE
    same = (2 * mean * true_mean + _C1) * (2 * covariance + _C2)
    same /= (mean * mean + true_mean * true_mean + _C1) * (variance + true.variance + _C2)
    return float(same.mean(dtype=np.float64))


def _planes(pixels: Pixels) -> Floats:
    planes = np.array(np.moveaxis(pixels, -1, 0), np.float32, order="C")
    planes -= _MIDDLE
    return planes


def _blur(planes: Floats) -> Floats:
    """Gaussian means over all windows inside of the planes (C, H, W): (C, H - 10, W - 10)."""
    channels, height, width = planes.shape
    out = np.empty((channels, height - 2 * WINDOW_RADIUS, width - 2 * WINDOW_RADIUS), np.float32)
    for plane, result in zip(planes, out, strict=True):
        for top in range(0, len(result), _BAND):
            part = result[top : top + _BAND]
            rows = _fold(plane[top : top + len(part) + 2 * WINDOW_RADIUS])
            part[...] = _fold(rows.T).T
    return out


def _fold(rows: Floats) -> Floats:
    """The window slid along the first axis; it is symmetric, so its two arms share a product."""
    count = len(rows) - 2 * WINDOW_RADIUS
    total = rows[WINDOW_RADIUS : WINDOW_RADIUS + count] * np.float32(_WINDOW[WINDOW_RADIUS])
    scratch = np.empty_like(total)
    for near in range(WINDOW_RADIUS):
        far = 2 * WINDOW_RADIUS - near
        np.add(rows[near : near + count], rows[far : far + count], out=scratch)
        scratch *= np.float32(_WINDOW[near])
        total += scratch
    return total
