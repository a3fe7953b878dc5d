"""What YuNet's numbers mean: boxes, scores and five points of each face.

YuNet (Wu, Peng, Yu: YuNet, a tiny millisecond-level face detector, Machine Intelligence Research
20, 2023; weights of ShiqiYu/libfacedetection.train) answers for three grids, a cell for each 8, 16
and 32 pixels. Of a cell at column x and row y of the grid with stride s:

    score      sqrt(cls * obj)
    center     ((x, y) + bbox[:2]) * s
    sides      exp(bbox[2:]) * s
    points     ((x, y) + kps) * s
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.drawing.pixels import as_rgb
from opsin.faces.found import POINTS, Found, joined
from opsin.faces.parts import STEP, in_parts
from opsin.models.card import GRIDS, Card, FaceTable
from opsin.models.engine import Engine

LARGEST: Final = 8.0  # exp(8) * 32 is a face of 95,000 pixels: beyond it numbers would overflow


def search(
    pixels: NDArray[Any], engine: Engine, table: FaceTable, *, min_size: float, threshold: float
) -> Found:
    """All faces on pixels (H, W, 1 or 3) of 8 or 16 bits, the best first, whichever way it lies.

    `min_size` is the least width and height of a box, in pixels; `threshold` the least score.
    """
    card = engine.card

    def look(part: NDArray[np.uint8], scale: float) -> Found:
        picture = picture_of(as_rgb(part), card)
        return decode(
            engine.run({card.inputs[0].name: picture}), picture.shape[-1], threshold=threshold
        )

    looks = scales(pixels.shape[0], pixels.shape[1], min_size, table)
    return in_parts(pixels, look, looks, size=card.size, overlap=table.overlap, min_size=min_size)


def scales(height: int, width: int, min_size: float, table: FaceTable) -> Iterator[float]:
    """By how much a photograph of that size is made smaller for each look, the finest first.

    >>> table = FaceTable(threshold=0.6, overlap=0.3, smallest=15, largest=400)
    >>> list(scales(3000, 4000, 20, table)), list(scales(300, 400, 20, table))
    ([0.75, 0.1875, 0.046875], [0.75])
    """
    scale = table.smallest / min_size
    yield scale
    while min(height, width) * scale > table.largest:
        scale /= STEP
        yield scale


def picture_of(rgb: NDArray[np.uint8], card: Card) -> NDArray[np.float32]:
    """(1, 3, H, W): sRGB pixels (h, w, 3) as the network takes them, black below and beside."""
    height, width = (-(-side // card.multiple) * card.multiple for side in rgb.shape[:2])
    picture = np.zeros((1, 3, height, width), np.float32)
    picture[0, :, : rgb.shape[0], : rgb.shape[1]] = rgb[..., ::-1].transpose(2, 0, 1)
    return picture


def decode(output: Mapping[str, Floats], width: int, *, threshold: float) -> Found:
    """What the network's output says of a picture that is `width` pixels wide.

    Only cells with that score are looked at. Nothing is left out that overlaps.
    """
    return joined([_of_grid(output, width // stride, stride, threshold) for stride in GRIDS])


def _of_grid(output: Mapping[str, Floats], columns: int, stride: int, threshold: float) -> Found:
    known, there = (output[f"{name}_{stride}"][0, :, 0].clip(0, 1) for name in ("cls", "obj"))
    scores = np.sqrt(known * there)
    [cells] = np.nonzero(scores >= threshold)
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    box = output[f"bbox_{stride}"][0, cells]
    center = (corner + box[:, :2]) * stride
    half = np.exp(np.minimum(box[:, 2:], LARGEST)) * stride / 2
    points = output[f"kps_{stride}"][0, cells].reshape(-1, POINTS, 2)
    placed = (points + corner[:, None]) * stride
    found = Found(np.concatenate([center - half, center + half], axis=1), scores[cells], placed)
    return Found(*(np.asarray(values, np.float32) for values in found))
