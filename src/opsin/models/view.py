"""How a network sees a photograph: shrunk to `seen`, padded to multiples, answered in cells.

Sizes are (height, width) in pixels, positions are x, y with (0, 0) at the photograph's upper left
corner. Everything that goes from one to the other is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

LONGEST = 8  # the network's long side is at most this many times `size`: a strip stays a strip


@dataclass(frozen=True)
class View:
    """A photograph of `photo` pixels, as a network with these multiples and this stride sees it."""

    photo: tuple[int, int]
    seen: tuple[int, int]
    """Without padding."""
    multiple: int = 1
    stride: int = 1
    """A cell of the output stands for stride x stride pixels of what was seen."""

    @classmethod
    def of(cls, height: int, width: int, size: int, *, multiple: int = 1, stride: int = 1) -> Self:
        """Short side `size`, aspect kept.

        Of a strip longer than `LONGEST` to one the short side gets smaller, not the long longer.

        >>> View.of(3000, 4000, 256).seen, View.of(5, 2000, 256).seen
        ((256, 341), (5, 2048))
        """
        scale = min(size / min(height, width), LONGEST * size / max(height, width))
        seen = max(1, round(height * scale)), max(1, round(width * scale))
        return cls((height, width), seen, multiple, stride)

    @property
    def padded(self) -> tuple[int, int]:
        """What the network is given.

        >>> View((600, 800), (256, 341), multiple=32).padded
        (256, 352)
        """
        height, width = (-(-side // self.multiple) * self.multiple for side in self.seen)
        return height, width

    @property
    def cells(self) -> tuple[float, float]:
        """How many cells the photograph takes, down and across: those at the edge in part."""
        return self.seen[0] / self.stride, self.seen[1] / self.stride

    def pad(self, values: NDArray[Any], mode: Any = "reflect") -> NDArray[Any]:
        """Values (..., H, W) of what is seen, padded at the bottom and at the right."""
        if mode == "reflect" and min(self.seen) == 1:  # nothing to reflect
            mode = "edge"
        missing = ((0, full - side) for full, side in zip(self.padded, self.seen, strict=True))
        return np.pad(values, [*[(0, 0)] * (values.ndim - 2), *missing], mode=mode)

    def cut(self, output: NDArray[Any]) -> NDArray[Any]:
        """An output (..., h, w) without the cells of the padding."""
        rows, columns = (-(-side // self.stride) for side in self.seen)
        return output[..., :rows, :columns]

    def to_seen(self, xy: NDArray[Any]) -> NDArray[Any]:
        """Positions (..., 2) of the photograph, on what the network sees.

        >>> View((600, 800), (150, 200)).to_seen(np.array([400, 300])).tolist()
        [100.0, 75.0]
        """
        return xy * self._scale

    def to_photo(self, xy: NDArray[Any]) -> NDArray[Any]:
        """The way back; of boxes (..., 4) x1, y1, x2, y2 reshape to (..., 2, 2)."""
        return xy / self._scale

    @property
    def _scale(self) -> NDArray[np.float64]:
        height, width = (seen / full for seen, full in zip(self.seen, self.photo, strict=True))
        return np.array([width, height])
