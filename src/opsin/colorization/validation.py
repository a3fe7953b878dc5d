"""How near a colorizer in training is to the true colors of held-back pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from opsin.appearance import colorfulness
from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.colorization.objectives import ColorObjective
from opsin.sets.sources import Picture
from opsin.training.loop import Batch
from opsin.training.validation import Validation

Float = NDArray[np.float32]


class ColorValidation(Validation):
    """Figures of the averaged network on held-back pictures, and a sheet of some of them.

    Every answer of the objective is compared with the truth: PSNR over that of the gray picture,
    in dB; its colorfulness as a share of the truth's; and the share of pixels at which the larger
    of a* and b* (signed) is the same one.
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
        super().__init__(objective, pictures, out, size=size, labels=labels)
        self.stride, self.lab = stride, rgb_to_lab(self.rgb)
        self.colorfulness = float(np.mean([colorfulness(one) for one in self.rgb]))

    def example(self, part: slice) -> dict[str, NDArray[Any]]:
        lab, stride = self.lab[part], self.stride
        count, height, width, _ = lab.shape
        cells = lab[..., 1:].reshape(count, height // stride, stride, width // stride, stride, 2)
        light = np.ascontiguousarray(lab[..., 0][:, None])
        given = self.objective.network.given(torch.from_numpy(light))
        return {
            **{name: values.numpy() for name, values in given.items()},
            "ab": np.ascontiguousarray(cells.mean(axis=(2, 4)).transpose(0, 3, 1, 2)),
            "things": np.zeros((count, 1, height // stride, width // stride), np.float32),
        }

    def judge(
        self, network: nn.Module, batch: Batch, part: slice, sums: dict[str, float]
    ) -> list[Float]:
        answers = self.objective.answers(network, batch["light"])
        painted = [self._compare(name, ab, part, sums) for name, ab in answers.items()]
        rows = zip(self.rgb[part], map(_gray, self.lab[part]), *painted, strict=True)
        return [np.concatenate(row, axis=1) for row in rows]

    def _compare(self, name: str, ab: Float, part: slice, sums: dict[str, float]) -> list[Float]:
        """The pictures with these colors; adds their figures to the sums."""
        ending = f", {name}" if name else ""
        pictures = []
        for lab, truth, color in zip(self.lab[part], self.rgb[part], ab, strict=True):
            picture = lab_to_rgb(np.concatenate([lab[..., :1], color], axis=2))
            larger = color.argmax(axis=2) == lab[..., 1:].argmax(axis=2)
            for key, value in (
                ("psnr over gray", _psnr(picture, truth) - _psnr(_gray(lab), truth)),
                ("colorfulness, share of truth", colorfulness(picture) / self.colorfulness),
                ("larger channel", float(larger.mean())),
            ):
                sums[key + ending] = sums.get(key + ending, 0.0) + value
            pictures.append(picture)
        return pictures


def _gray(lab: Float) -> Float:
    return lab_to_rgb(lab * np.array([1, 0, 0], np.float32))


def _psnr(one: Float, other: Float) -> float:
    return float(-10 * np.log10(max(float(((one - other) ** 2).mean()), 1e-10)))
