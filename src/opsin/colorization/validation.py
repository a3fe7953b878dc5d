"""What a run is told of itself while it trains: figures on held-back pictures, and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from opsin.appearance import colorfulness
from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.colorization.bins import BINS
from opsin.colorization.objectives import ColorObjective
from opsin.errors import DataError
from opsin.files import write_atomically
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.sets.sources import Picture, read
from opsin.training.loop import Batch

Float = NDArray[np.float32]

BATCH = 16
SHOWN = 24  # pictures on the sheet


class Validation:
    """Figures of the averaged network on held-back pictures, and a sheet of some of them.

    Called with the step and the network. Every answer of the objective is compared with the
    truth: PSNR over that of the gray picture, in dB; its colorfulness as a share of the truth's;
    and the share of pixels at which the larger of a* and b* (signed) is the same one.
    """

    def __init__(
        self,
        objective: ColorObjective,
        pictures: Sequence[Picture],
        out: Path,
        *,
        size: int,
        stride: int,
        labels: Sequence[int] | NDArray[np.int64] = (),
    ) -> None:
        squares = [square(picture, size) for picture in pictures]
        good = [index for index, one in enumerate(squares) if one is not None]
        if not good:
            raise DataError("too few pictures to hold some back for validation: at least 2.")
        self.objective, self.out, self.stride = objective, out, stride
        self.rgb = np.stack([one for one in squares if one is not None])
        self.lab = rgb_to_lab(self.rgb)
        self.labels = np.array(labels, np.int64)[good] if len(labels) else None
        self.colorfulness = float(np.mean([colorfulness(one) for one in self.rgb]))

    def __call__(self, step: int, network: nn.Module) -> dict[str, float]:
        sums: dict[str, float] = {}
        rows: list[Float] = []
        for start in range(0, len(self.lab), BATCH):
            part = slice(start, start + BATCH)
            batch = self._batch(part)
            count = len(batch["light"])
            for key, value in self.objective.losses(network, batch).items():
                sums[key] = sums.get(key, 0.0) + value * count
            answers = self.objective.answers(network, batch["light"])
            painted = {name: self._compare(name, ab, part, sums) for name, ab in answers.items()}
            for index in range(min(count, SHOWN - len(rows))):
                truth = self.rgb[start + index]
                gray = lab_to_rgb(self.lab[start + index] * np.array([1, 0, 0], np.float32))
                shown = [truth, gray, *(pictures[index] for pictures in painted.values())]
                rows.append(np.concatenate(shown, axis=1))
        save_sheet(rows, self.out / "sheets" / f"step-{step:07d}.jpg")
        return {key: value / len(self.lab) for key, value in sums.items()}

    def _batch(self, part: slice) -> Batch:
        lab, stride = self.lab[part], self.stride
        count, height, width, _ = lab.shape
        cells = lab[..., 1:].reshape(count, height // stride, stride, width // stride, stride, 2)
        batch = {
            "light": np.ascontiguousarray(lab[..., 0][:, None]),
            "ab": np.ascontiguousarray(cells.mean(axis=(2, 4)).transpose(0, 3, 1, 2)),
            "hints": np.zeros((count, 3, height, width), np.float32),
            "things": np.zeros((count, 1, height // stride, width // stride), np.float32),
            "condition": np.zeros((count, len(BINS)), np.float32),
        }
        tensors = {key: torch.from_numpy(value) for key, value in batch.items()}
        if self.labels is not None:
            tensors["label"] = torch.from_numpy(self.labels[part])
        return tensors

    def _compare(self, name: str, ab: Float, part: slice, sums: dict[str, float]) -> list[Float]:
        """The pictures with these colors; adds their figures to the sums."""
        ending = f", {name}" if name else ""
        pictures = []
        for lab, truth, color in zip(self.lab[part], self.rgb[part], ab, strict=True):
            picture = lab_to_rgb(np.concatenate([lab[..., :1], color], axis=2))
            gray = lab_to_rgb(lab * np.array([1, 0, 0], np.float32))
            larger = color.argmax(axis=2) == lab[..., 1:].argmax(axis=2)
            for key, value in (
                ("psnr over gray", _psnr(picture, truth) - _psnr(gray, truth)),
                ("colorfulness, share of truth", colorfulness(picture) / self.colorfulness),
                ("larger channel", float(larger.mean())),
            ):
                sums[key + ending] = sums.get(key + ending, 0.0) + value
            pictures.append(picture)
        return pictures


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


def _psnr(one: Float, other: Float) -> float:
    return float(-10 * np.log10(max(float(((one - other) ** 2).mean()), 1e-10)))
