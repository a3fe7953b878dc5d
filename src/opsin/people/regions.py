"""Regions that other programs drew around faces, and the faces that a detector finds there.

They draw them larger or smaller, and some around the whole head, so that overlap alone says little:
a region and a face are one if each holds the other's center.
"""

from __future__ import annotations

import numpy as np

from opsin import boxes
from opsin.boxes import Floats


def matched(regions: Floats, faces: Floats) -> dict[int, int]:
    """For the rows of regions (N, 4) those of faces (M, 4) that are theirs, the nearest first.

    >>> head, face, neighbor = [0, 0, 60, 80], [10, 20, 50, 70], [60, 0, 120, 80]
    >>> matched(boxes.as_boxes([neighbor, head]), boxes.as_boxes([face]))
    {1: 0}
    """
    shared = boxes.iou(regions, faces)
    fits = _holds(regions, faces) & _holds(faces, regions).T
    found: dict[int, int] = {}
    for at in np.argsort(-shared, axis=None, kind="stable"):
        row, column = divmod(int(at), shared.shape[1])
        if fits[row, column] and row not in found and column not in found.values():
            found[row] = column
    return found


def _holds(outer: Floats, inner: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """(N, M): whether the center of each of `inner` lies in each of `outer`."""
    center = (inner[:, :2] + inner[:, 2:]) / 2
    after = (center[None] >= outer[:, None, :2]).all(axis=-1)
    before = (center[None] <= outer[:, None, 2:]).all(axis=-1)
    return np.asarray(after & before, bool)
