"""The 313 bins of the a*b* plane: where they lie, and which of them a color falls into.

Source: Zhang et al. 2016, Colorful Image Colorization (arXiv 1603.08511), section 2.1 (bins of
10 x 10, 313 of them in sRGB's gamut). Here they are computed, not copied.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

GRID: Final = 10
"""Distance between neighboring bins, in Lab units."""

# For each a*, the first and the last b*: the 313 points of the 10-unit grid that lie nearest
# to the a*b* of some sRGB color (12.5 units at most). tests/colorization/test_decode.py has proof.
_ROWS: Final = {
    -90: (50, 90), -80: (20, 90), -70: (0, 90), -60: (-20, 100), -50: (-30, 100),
    -40: (-40, 100), -30: (-40, 100), -20: (-50, 100), -10: (-60, 100), 0: (-70, 100),
    10: (-80, 90), 20: (-80, 90), 30: (-90, 90), 40: (-100, 80), 50: (-100, 80),
    60: (-110, 80), 70: (-110, 80), 80: (-120, 80), 90: (-110, 70), 100: (-80, -10),
    110: (-60, -60),
}  # fmt: skip

BINS: Final[Float] = np.array(
    [(a, b) for a, (first, last) in _ROWS.items() for b in range(first, last + 1, GRID)],
    dtype=np.float32,
)
"""a*, b* of each bin's center, (313, 2)."""

GRID_RADIUS: Final = 13
"""The grid of cells goes from -GRID_RADIUS to GRID_RADIUS times `GRID`."""


def nearest_bins(ab: Float) -> NDArray[np.int16]:
    """The number of the bin nearest to each a*b*: its point of the 10-unit grid, (..., 2) -> (...).

    A grid point that is no bin is replaced by the bin nearest to it.
    """
    cell = np.rint(ab / GRID).astype(np.int16).clip(-GRID_RADIUS, GRID_RADIUS) + GRID_RADIUS
    nearest: NDArray[np.int16] = BIN_OF_CELL[cell[..., 0], cell[..., 1]]
    return nearest


def histogram(ab: Float) -> Float:
    """The share of the colors (..., 2) in each of the 313 bins, (313,), summing to 1."""
    counts = np.bincount(nearest_bins(ab).ravel(), minlength=len(BINS))
    share: Float = (counts / counts.sum()).astype(np.float32)
    return share


def _bin_of_cell() -> NDArray[np.int16]:
    axis = np.arange(-GRID_RADIUS, GRID_RADIUS + 1, dtype=np.float32) * GRID
    cells = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    distance = ((cells[..., None, :] - BINS) ** 2).sum(axis=-1)
    return np.asarray(distance.argmin(axis=-1), np.int16)


BIN_OF_CELL: Final = _bin_of_cell()
"""The nearest bin of each cell of the grid, (2 GRID_RADIUS + 1, 2 GRID_RADIUS + 1)."""
