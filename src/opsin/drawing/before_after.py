"""What we draw for people: pictures that explain, never the result itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from opsin.formats.vips import vips
from opsin.photo import Photo

LONGEST = 1600  # of each half
GAP = 8


def side_by_side(before: Photo, after: Photo) -> Photo:
    """Both photographs beside each other, 8 bit, no side of either above 1600 pixels."""
    left, right = _shown(before), _shown(after)
    gap = np.full((left.shape[0], GAP, 3), 255, np.uint8)
    return replace(after, pixels=np.concatenate([left, gap, right], axis=1), alpha=None)


def _shown(photo: Photo) -> Any:
    image = vips().Image.new_from_array(photo.pixels)
    scale = min(1, LONGEST / max(image.width, image.height))
    pixels = image.resize(scale).numpy() if scale < 1 else photo.pixels
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
