"""What the colorizers learn: an objective owns its networks, losses and optimizers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.training.loop import Batch, Objective


class ColorObjective(Objective, Protocol):
    """An objective whose answers are colors."""

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, float]:
        """The losses of `network` on a batch of validation pictures; nothing is learned."""
        ...

    def answers(self, network: nn.Module, light: Tensor) -> dict[str, NDArray[np.float32]]:
        """a*b* (B, H, W, 2) of plain gray pictures (B, 1, H, W), by the way they were decoded."""
        ...
