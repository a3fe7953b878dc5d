"""Pixels made fit to be drawn: another size, three channels of 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.formats.encode import to_8_bits
from opsin.formats.vips import vips


def as_rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Gray or color pixels (H, W, 1 or 3) of 8 or 16 bits as uint8 (H, W, 3).

    >>> as_rgb(np.full((1, 1, 1), 257 * 200, np.uint16)).tolist()
    [[[200, 200, 200]]]
    """
    pixels = to_8_bits(pixels)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def resized(
    pixels: NDArray[Any], height: int, width: int, *, kernel: str = "lanczos3"
) -> NDArray[Any]:
    """`pixels` (H, W, C) at another size, without aliasing; `kernel` is one of libvips'."""
    if pixels.shape[:2] == (height, width):
        return pixels
    image = vips().Image.new_from_array(np.ascontiguousarray(pixels))
    image = image.resize(width / image.width, vscale=height / image.height, kernel=kernel)
    out: NDArray[Any] = image.numpy().reshape(height, width, pixels.shape[-1])
    return out


def fitted(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """`pixels` (H, W, C) made small enough for a square of that side; never enlarged."""
    scale = min(1, side / max(pixels.shape[:2]))
    height, width = (max(1, round(scale * length)) for length in pixels.shape[:2])
    return resized(pixels, height, width)
