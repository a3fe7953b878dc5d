"""A photograph that was changed: which of the faces that are found now are those of before.

Boxes are compared where they lie on the photograph, whatever size it was given and by however many
quarters it was turned. Two faces are one if their boxes share more than half, and if they look
alike: another picture may have got the name of the file.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from opsin import boxes
from opsin.boxes import QUARTERS, Floats

SHARED: Final = 0.5
"""Of what both boxes cover (IoU): two of one face share more."""
ASPECT: Final = 0.02  # how much of the sides' ratio may change: resizing rounds to whole pixels


def on_new(old: Floats, before: tuple[int, int], now: tuple[int, int], new: Floats) -> Floats:
    """Boxes (N, 4) of before on the photograph as it is now, whose faces are `new` (M, 4).

    `before` and `now` are (height, width). Of the turns that keep the sides' ratio that is taken
    which makes most of the boxes lie on new ones. Where none keeps it, they stay as they are.
    """
    best, most = old, -1.0
    for degrees in QUARTERS:
        height, width = before if degrees in (0, 180) else before[::-1]
        if abs(np.log(height * now[1] / (width * now[0]))) > ASPECT:
            continue
        turned = boxes.turn(old, degrees, *before)
        placed = boxes.scale(turned, now[1] / width, now[0] / height)
        lying = boxes.iou(placed, new)
        sum_of = float(lying[lying > SHARED].sum())
        if sum_of > most:
            best, most = placed, sum_of
    return best


def pairs(old: Floats, new: Floats) -> list[tuple[int, int]]:
    """Rows of old and new boxes that are one face, those first that share most; each is in one."""
    shared = boxes.iou(old, new)
    found: list[tuple[int, int]] = []
    for at in np.argsort(-shared, axis=None, kind="stable"):
        row, column = divmod(int(at), shared.shape[1])
        if not shared[row, column] > SHARED:
            break
        if all(row != one and column != other for one, other in found):
            found.append((row, column))
    return found
