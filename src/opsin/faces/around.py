"""Squares around faces, as networks for faces want them: upright, the face in the middle."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb
from opsin.faces.pipeline import Face, Faces, turned_by

Pixels: TypeAlias = NDArray[np.uint8]


def square_around(faces: Faces, face: Face, share: float) -> Pixels:
    """sRGB pixels (S, S, 3) around one of `faces`, upright.

    S is `share` times the longer side of its box, above 0. What would lie outside of the photograph
    repeats its border; of a damaged one, that of the part that is there.
    """
    photo = faces.photo
    whole = slice(0, photo.height), slice(0, photo.width)
    down, across = photo.metadata.there or whole
    center = (face.box[:2] + face.box[2:]) / 2
    side = max(1, round(share * float((face.box[2:] - face.box[:2]).max())))
    left, top = np.rint(center - side / 2).astype(int)
    rows = np.arange(top, top + side).clip(down.start, down.stop - 1)
    columns = np.arange(left, left + side).clip(across.start, across.stop - 1)
    part = photo.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rgb = as_rgb(part)[rows - rows[0]][:, columns - columns[0]]
    upright: Pixels = np.ascontiguousarray(turned_by(rgb, faces.turned))
    return upright
