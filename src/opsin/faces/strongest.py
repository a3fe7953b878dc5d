"""A picture of what a cascade asks: its strongest features on a face."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb, resized
from opsin.models.cascade import Cascade, Rectangle

SHOWN: Final = 12
COLUMNS: Final = 6
SIDE: Final = 192  # pixels of a face
GAP: Final = 8
VEIL: Final = 0.55  # how much of the face is hidden by a rectangle


def strongest(cascade: Cascade, face: NDArray[Any]) -> NDArray[np.uint8]:
    """sRGB (H, W, 3): the features of most weight, the first the strongest, each on a gray face
    (S, S) of the window's size: white is added, black is subtracted."""
    weights: dict[int, float] = {}
    for stage in cascade.stages:
        for tree in stage.trees:
            reach = max(tree.leaves) - min(tree.leaves)
            for node in tree.nodes:
                weights[node.feature] = max(reach, weights.get(node.feature, 0.0))
    order = sorted(weights, key=lambda number: (-weights[number], number))[:SHOWN]
    gray = np.clip(np.rint(face), 0, 255).astype(np.uint8)
    large = as_rgb(resized(gray[..., None], SIDE, SIDE, kernel="cubic")).astype(np.float32)
    rows = -(-len(order) // COLUMNS)
    sheet = np.full((rows * (SIDE + GAP) + GAP, COLUMNS * (SIDE + GAP) + GAP, 3), 255, np.uint8)
    for place, number in enumerate(order):
        row, column = divmod(place, COLUMNS)
        top, left = GAP + row * (SIDE + GAP), GAP + column * (SIDE + GAP)
        part = on_face(cascade.features[number], large, cascade)
        sheet[top : top + SIDE, left : left + SIDE] = part
    return sheet


def on_face(
    feature: tuple[Rectangle, ...], face: NDArray[np.float32], cascade: Cascade
) -> NDArray[np.uint8]:
    """A feature on a face (H, W, 3): what each place counts in all, as black or white."""
    counts = np.zeros((cascade.height, cascade.width))
    for x, y, width, height, weight in feature:
        counts[y : y + height, x : x + width] += weight
    rows = np.arange(face.shape[0]) * cascade.height // face.shape[0]
    columns = np.arange(face.shape[1]) * cascade.width // face.shape[1]
    large = counts[rows][:, columns, None]
    ink = np.where(large > 0, 255.0, 0.0)
    return np.where(large != 0, VEIL * ink + (1 - VEIL) * face, face).astype(np.uint8)
