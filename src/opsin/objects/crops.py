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


def around(box: Any, shape: tuple[int, ...], margin: float) -> tuple[slice, slice]:
    """Rows and columns of a square around a box (4,), with `margin` of its longer side more on each
    side, as far as it is in a picture of that shape (H, W, ...).

    >>> around([2, 4, 4, 8], (10, 20, 3), 0.5)
    (slice(2, 10, None), slice(0, 7, None))
    """
    box = np.asarray(box, np.float64)
    center, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max() / 2 * (1 + 2 * margin)
    size = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(center - half), 0, size - 1).astype(int)
    high = np.clip(np.ceil(center + half), low + 1, size).astype(int)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def within(box: Any, rows: slice, columns: slice) -> Floats:
    """(4,): a box in shares of a crop's sides, from 0 to 1; what is beyond is cut off.

    >>> within([2, 4, 4, 8], slice(2, 10), slice(0, 8)).tolist()
    [0.25, 0.25, 0.5, 0.75]
    """
    corner = np.tile([columns.start, rows.start], 2)
    sides = np.tile([columns.stop - columns.start, rows.stop - rows.start], 2)
    return np.asarray(np.clip((np.asarray(box) - corner) / sides, 0, 1), np.float32)


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
