"""HOG and a linear SVM: between Viola-Jones and networks.

Dalal and Triggs: Histograms of Oriented Gradients for Human Detection, CVPR 2005.

    gray picture at many sizes -> gradients, by direction, in cells of 4 x 4 pixels
                               -> blocks of 2 x 2 cells, each of length 1
                               -> one convolution: the SVM's weights, at every place at once

The network is nothing but that convolution and a sigmoid, so a model is an ONNX file as others are.
A face has no landmarks. Votes are not shared among neighboring cells and directions as in the
paper, but as in scikit-image, whose numbers these are.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.faces.found import Found, joined
from opsin.faces.haar import shrunk
from opsin.faces.parts import in_parts, looks_at
from opsin.faces.viola_jones import luma
from opsin.models.card import DIRECTIONS, FaceTable
from opsin.models.engine import Engine

Gray: TypeAlias = NDArray[np.uint8]

CELL: Final = 4  # pixels of a side
RIM: Final = 1  # pixels around a window that its gradients need
MOST: Final = 0.2  # of a block's numbers, before its length is made 1 again (L2-Hys)
LEAST: Final = 1e-5  # a block without gradients has no direction


def cells(gray: NDArray[Any]) -> Floats:
    """(..., 9, h, w): the mean gradient of (..., H, W) in each cell, by direction.

    Directions are 20 degrees each, from that of x on, and opposite ones are one. Cells begin at the
    second row and column, where gradients do; what is left over is left out.
    """
    light = gray.astype(np.float32)
    across = light[..., 1:-1, 2:] - light[..., 1:-1, :-2]
    down = light[..., 2:, 1:-1] - light[..., :-2, 1:-1]
    height, width = (side // CELL * CELL for side in across.shape[-2:])
    across, down = across[..., :height, :width], down[..., :height, :width]
    length = np.hypot(across, down)
    turn = np.rad2deg(np.arctan2(down, across)) % 180
    which = np.minimum(turn // (180 / DIRECTIONS), DIRECTIONS - 1).astype(np.int8)
    shape = (*length.shape[:-2], height // CELL, CELL, width // CELL, CELL)
    found = [
        np.where(which == one, length, 0).reshape(shape).mean(axis=(-3, -1))
        for one in range(DIRECTIONS)
    ]
    return np.stack(found, axis=-3).astype(np.float32)


def blocks(gray: NDArray[Any]) -> Floats:
    """(..., 36, h, w): the four cells of each block, upper left, upper right, lower left, lower
    right, as numbers of length 1 or nearly."""
    every = cells(gray)
    four = [every[..., :-1, :-1], every[..., :-1, 1:], every[..., 1:, :-1], every[..., 1:, 1:]]
    found = np.concatenate(four, axis=-3)
    found = np.minimum(_even(found), MOST)
    return np.asarray(_even(found), np.float32)


def _even(found: Floats) -> Floats:
    length = np.sqrt(np.square(found).sum(axis=-3, keepdims=True) + LEAST**2)
    return np.asarray(found / length)


def search(
    pixels: NDArray[Any], engine: Engine, table: FaceTable, *, min_size: float, threshold: float
) -> Found:
    """All faces on pixels (H, W, 1 or 3) of 8 or 16 bits, the best first, whichever way it lies."""
    card = engine.card
    looks = list(
        looks_at(pixels.shape[0], pixels.shape[1], min_size, card.size, seen=table.smallest)
    )
    least = min_size * looks[0]

    def look(part: NDArray[np.uint8], scale: float) -> Found:
        return faces_on(luma(part), engine, least=least, threshold=threshold)

    overlap = table.overlap
    return in_parts(pixels, look, looks, size=card.size, overlap=overlap, min_size=min_size)


def faces_on(gray: Gray, engine: Engine, *, least: float, threshold: float) -> Found:
    """The windows of a part of a photograph whose score is `threshold` or more."""
    card = engine.card
    assert card.faces is not None
    side, step = card.faces.smallest, card.faces.largest / card.faces.smallest
    found, scale, picture = [], 1.0, gray
    while min(gray.shape) / scale >= side + 2 * RIM:
        height, width = (round(length / scale) for length in gray.shape)
        picture = shrunk(picture, height, width)  # from the one before: never much smaller at once
        if side * scale >= least:
            found.append(
                _at_scale(
                    picture, engine, (width / gray.shape[1], height / gray.shape[0]), threshold
                )
            )
        scale *= step
    return joined(found) if found else nothing()


def _at_scale(picture: Gray, engine: Engine, scale: tuple[float, float], threshold: float) -> Found:
    card = engine.card
    assert card.faces is not None
    answer = engine.run({card.inputs[0].name: blocks(picture)[None]})
    scores = answer[card.outputs[0].name][0, 0]
    y, x = np.nonzero(scores >= threshold)
    corner = np.stack([x, y], axis=1) * CELL + RIM
    boxes = np.concatenate([corner, corner + card.faces.smallest], axis=1).astype(np.float32)
    return Found(boxes, scores[y, x], np.zeros((len(x), 0, 2), np.float32)).to_photo(scale, (0, 0))


def nothing() -> Found:
    return Found(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 0, 2), np.float32)
    )
