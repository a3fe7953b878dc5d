"""Before and after, beside each other: a picture that explains, never the result itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb, fitted

LONGEST = 1600  # of each half
GAP = 8


def side_by_side(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.uint8]:
    """Two pictures (H, W, 1 or 3) of one size on one (h, w, 3), no side of either above 1600.

    >>> side_by_side(np.zeros((20, 30, 1), np.uint8), np.zeros((20, 30, 3), np.uint16)).shape
    (20, 68, 3)
    """
    left, right = (as_rgb(fitted(pixels, LONGEST)) for pixels in (before, after))
    return np.concatenate([left, np.full((len(left), GAP, 3), 255, np.uint8), right], axis=1)
