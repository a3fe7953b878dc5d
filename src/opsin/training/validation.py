"""What a run is told of itself while it trains: figures on held-back pictures, and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from opsin.errors import DataError
from opsin.files import write_atomically
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.sets.sources import Picture, read
from opsin.training.loop import Batch

Float = NDArray[np.float32]

BATCH: Final = 16
SHOWN: Final = 24  # pictures on the sheet


class Validation:
    """Losses of the averaged network on the middle squares of held-back pictures.

    Called with the step and the network. A task says what a batch is (`example`), and may add
    figures and rows of a sheet (`judge`).
    """

    def __init__(
        self,
        objective: Any,
        pictures: Sequence[Picture],
        out: Path,
        *,
        size: int,
        labels: Sequence[int] | NDArray[np.int64] = (),
    ) -> None:
        squares = [square(picture, size) for picture in pictures]
        good = [index for index, one in enumerate(squares) if one is not None]
        if not good:
            raise DataError("too few pictures to hold some back for validation: at least 2.")
        self.objective, self.out = objective, out
        self.rgb = np.stack([one for one in squares if one is not None])
        self.labels = np.array(labels, np.int64)[good] if len(labels) else None

    def __call__(self, step: int, network: nn.Module) -> dict[str, float]:
        sums: dict[str, float] = {}
        rows: list[Float] = []
        for start in range(0, len(self.rgb), BATCH):
            part = slice(start, start + BATCH)
            batch = self._batch(part)
            count = len(self.rgb[part])
            for key, value in self.objective.losses(network, batch).items():
                sums[key] = sums.get(key, 0.0) + value * count
            rows += self.judge(network, batch, part, sums)[: SHOWN - len(rows)]
        if rows:
            save_sheet(rows, self.out / "sheets" / f"step-{step:07d}.jpg")
        return {key: value / len(self.rgb) for key, value in sums.items()}

    def example(self, part: slice) -> dict[str, NDArray[Any]]:
        """The batch of some of the pictures, as in training but for chance; without labels."""
        raise NotImplementedError

    def judge(
        self, network: nn.Module, batch: Batch, part: slice, sums: dict[str, float]
    ) -> list[Float]:
        """Adds figures of each of these pictures to the sums; their rows of the sheet (H, W, 3)."""
        return []

    def _batch(self, part: slice) -> Batch:
        batch = {key: torch.from_numpy(value) for key, value in self.example(part).items()}
        if self.labels is not None:
            batch["label"] = torch.from_numpy(self.labels[part])
        return batch


def square(picture: Picture, size: int) -> Float | None:
    """The middle square of a picture, (size, size, 3) in [0, 1]; None if it cannot be read."""
    try:
        pixels = small.thumbnail(read(picture), size, size, crop="centre").numpy()
    except (vips().Error, OSError):
        return None
    if pixels.shape != (size, size, 3):
        return None
    return np.asarray(pixels, np.float32) / np.float32(255)


def save_sheet(rows: list[Float], path: Path) -> None:
    """Rows of truth, gray and answers, three rows side by side."""
    thirds = [np.concatenate(rows[i::3][: len(rows) // 3 or 1]) for i in range(min(3, len(rows)))]
    sheet = (np.concatenate(thirds, axis=1) * 255).round().astype(np.uint8)
    write_atomically(path, vips().Image.new_from_array(sheet).jpegsave_buffer(Q=88))
