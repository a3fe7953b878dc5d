"""What the colorizers learn: an objective owns its networks, losses and optimizers."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.colorization.networks.colorizer import Colorizer
from opsin.training.loop import Batch
from opsin.training.objective import Objective


class ColorObjective(Objective):
    """An objective whose answers are colors."""

    network: Colorizer

    def answer(self, network: Colorizer, batch: Batch) -> Tensor:
        """a*b* (B, 2, H, W) of a batch, of which only what is not the truth is looked at."""
        ab: Tensor = network(batch["light"])
        return ab

    @torch.no_grad()
    def answers(self, network: Colorizer, light: Tensor) -> dict[str, NDArray[np.float32]]:
        """a*b* (B, H, W, 2) of plain gray pictures (B, 1, H, W), by the way they were decoded."""
        with self.stepper.autocast():
            ab = self.answer(network, self.stepper.to_device({"light": light}))
        return {"": ab.float().permute(0, 2, 3, 1).cpu().numpy()}
