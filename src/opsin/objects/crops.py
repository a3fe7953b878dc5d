"""Parts of a picture as squares: what a network is shown of it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.formats.vips import vips

PAD: Final = 114.0
"""Gray, where a picture does not fill a square, as YOLOX learned it."""
CONTEXT: Final = 16 / 195
"""What is shown around a region on each side, as a share of its sides: 16 pixels of the 227 that
R-CNN saw (Girshick et al. 2014, appendix A)."""


def warped(picture: Floats, regions: Floats, size: int) -> Floats:
    """(N, 3, size, size): each region (N, 4) of a picture (1, 3, S, S), with some of what is around
    it, squashed to a square; blue first, from 0 to 255, as the picture."""
    pixels = np.ascontiguousarray(picture[0].transpose(1, 2, 0).astype(np.uint8))
    image = vips().Image.new_from_array(pixels)
    found = np.empty((len(regions), 3, size, size), np.float32)
    for number, (start, end) in enumerate(regions.astype(np.float64).reshape(-1, 2, 2)):
        sides = np.maximum(end - start, 1)
        part = cut(image, start - CONTEXT * sides, sides * (1 + 2 * CONTEXT), size)
        found[number] = 255 * part.transpose(2, 0, 1)
    return found


def cut(image: Any, corner: NDArray[np.float64], sides: NDArray[np.float64], size: int) -> Floats:
    """(size, size, 3) in 0..1: what a window shows of a libvips image, squashed to a square.

    The window begins at `corner` and has `sides`, both x, y in the image's pixels. It is gray where
    it shows nothing.
    """
    whole = np.array([image.width, image.height])
    first = np.clip(np.floor(corner), 0, whole - 1).astype(int)
    last = np.clip(np.ceil(corner + sides), first + 1, whole).astype(int)
    scale = size / sides
    start = np.clip(np.rint((first - corner) * scale), 0, size - 1).astype(int)
    end = np.clip(np.rint((last - corner) * scale), start + 1, size).astype(int)
    part = image.crop(*first.tolist(), *(last - first).tolist())
    width, height = (end - start).tolist()
    part = part.thumbnail_image(width, height=height, size="force")
    rgb = np.full((size, size, 3), PAD / 255, np.float32)
    rgb[start[1] : end[1], start[0] : end[0]] = part.numpy() / np.float32(255)
    return rgb
