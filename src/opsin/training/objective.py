"""What objectives have in common: one network, one loss, one optimizer.

A task's objective gives the `loss`; one with more networks than one adds them to `others` and
their optimizers to `optimizers`, and has a `step` of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from opsin.training.loop import Batch, Stepper

Loss = tuple[Tensor, dict[str, Tensor]]
"""The loss to minimize, and its parts for the log."""


class Objective:
    """A network with its loss and its optimizer, as the loop wants it."""

    def __init__(
        self,
        network: nn.Module,
        stepper: Stepper,
        groups: Sequence[tuple[list[nn.Parameter], float]] | None = None,
    ) -> None:
        """`groups` are parameters and their share of the learning rate; all of it by default."""
        self.stepper = stepper
        # channels last: convolutions are fastest so
        self.network: nn.Module = network.to(memory_format=torch.channels_last).to(stepper.device)  # type: ignore[call-overload]
        self.others: dict[str, nn.Module] = {}
        self.optimizer = stepper.adamw(groups or [(list(network.parameters()), 1)])
        self.optimizers: list[Optimizer] = [self.optimizer]

    def loss(self, network: Any, batch: Batch) -> Loss:
        """The loss of `network`, of the type of its own, on a batch that is where it is."""
        raise NotImplementedError

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step on a batch; the losses for the log."""
        batch = self.stepper.to_device(batch)
        with self.stepper.autocast():
            loss, parts = self.loss(self.network, batch)
        self.stepper.step(loss, self.optimizer)
        return as_numbers(parts)

    @torch.no_grad()
    def losses(self, network: nn.Module, batch: Batch) -> dict[str, float]:
        """The losses of `network` on a batch of validation pictures; nothing is learned."""
        with self.stepper.autocast():
            parts = self.loss(network, self.stepper.to_device(batch))[1]
        return as_numbers(parts)


def as_numbers(parts: Mapping[str, Tensor]) -> dict[str, float]:
    return {key: float(value) for key, value in parts.items()}
