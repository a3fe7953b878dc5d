"""What A6 learns: to be near the true colors, and to be taken for true by a judge that learns too.

Nazeri et al. 2018 (arXiv 1803.05400), sections 3.2 and 3.3: the generator's loss is the
discriminator's cross-entropy for "true" plus lambda times the mean absolute error. With
`adversarial = 0` what remains is the U-Net alone.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.colorization.networks.conditional_gan import REACH, Discriminator
from opsin.colorization.objectives.adversary import Adversary, Smoothing
from opsin.colorization.objectives.regression import edge_error, squared_error
from opsin.training.loop import Batch, Stepper
from opsin.training.recipe import Weight


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table of A6."""

    l1_weight: Weight = 100.0
    """lambda: weight of the mean absolute error of a*b*, in units of the tanh's range."""
    adversarial: Weight = 1.0
    """Weight of the discriminator's opinion; 0 trains the U-Net alone, without a discriminator."""
    smoothing: Smoothing = 0.1
    """How far the discriminator's target for true pictures lies below 1."""
    edge_weight: Weight = 0.0
    """Weight of an added error of the colors' differences between neighbors, against leaking."""
    generator_steps: Annotated[int, Meta(ge=1, le=100)] = 1
    """How often the generator learns from a batch for each time the discriminator does."""


class AdversarialObjective:
    """Generator, discriminator, their losses and their two optimizers."""

    def __init__(
        self, network: nn.Module, discriminator: Discriminator, settings: Settings, stepper: Stepper
    ) -> None:
        self.settings, self.stepper = settings, stepper
        self.network = network.to(memory_format=torch.channels_last).to(stepper.device)  # type: ignore[call-overload]
        self.adversary = Adversary(discriminator, stepper, smoothing=settings.smoothing)
        self.discriminator = self.adversary.discriminator
        self.optimizer = stepper.adamw([(list(self.network.parameters()), 1)])
        judged = settings.adversarial > 0
        self.others: dict[str, nn.Module] = {"discriminator": self.discriminator} if judged else {}
        self.optimizers: list[torch.optim.Optimizer] = [self.optimizer]
        self.optimizers += [self.adversary.optimizer] if judged else []

    def step(self, batch: Batch) -> dict[str, float]:
        """One step of the discriminator, then the generator's; the losses for the log."""
        batch = self.stepper.to_device(batch)
        light, parts = batch["light"], {}
        for turn in range(self.settings.generator_steps):
            with self.stepper.autocast():
                answer = self.network(light)
            if turn == 0 and self.settings.adversarial:
                parts = self.adversary.learn(light, batch["ab"], answer.detach())
            with self.stepper.autocast():
                loss, own = self.loss(answer, batch)
            self.stepper.step(loss, self.optimizer)
        return {key: float(value) for key, value in (own | parts).items()}

    def loss(self, answer: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The generator's loss, and its parts."""
        ab, truth = answer.float() / REACH, batch["ab"] / REACH
        total = self.settings.l1_weight * F.l1_loss(ab, truth)
        parts = {"absolute_error": total.detach() / max(self.settings.l1_weight, 1e-9)}
        parts["squared_error"] = squared_error(answer, batch["ab"])
        if self.settings.edge_weight:
            edges = edge_error(ab, truth)
            parts["edges"] = edges.detach()
            total = total + self.settings.edge_weight * edges
        if self.settings.adversarial:
            caught = self.adversary.caught(batch["light"], answer)
            parts["generator"] = caught.detach()
            total = total + self.settings.adversarial * caught
        parts["loss"] = total.detach()
        return total, parts

    @torch.no_grad()
    def losses(self, network: nn.Module, batch: Batch) -> dict[str, float]:
        batch = self.stepper.to_device(batch)
        with self.stepper.autocast():
            parts = self.loss(network(batch["light"]), batch)[1]
        return {key: float(value) for key, value in parts.items()}

    @torch.no_grad()
    def answers(self, network: nn.Module, light: Tensor) -> dict[str, NDArray[np.float32]]:
        with self.stepper.autocast():
            ab = network(self.stepper.to_device({"light": light})["light"])
        return {"": ab.float().permute(0, 2, 3, 1).cpu().numpy()}
