"""What A6 learns: to be near the true colors, and to be taken for true by a judge that learns too.

Nazeri et al. 2018 (arXiv 1803.05400), sections 3.2 and 3.3: the generator's loss is the
discriminator's cross-entropy for "true" plus lambda times the mean absolute error. With
`adversarial = 0` what remains is the U-Net alone.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor

from opsin.colorization.networks.colorizer import Colorizer
from opsin.colorization.networks.conditional_gan import AB_LIMIT, Discriminator
from opsin.colorization.objectives import ColorObjective
from opsin.colorization.objectives.adversary import Adversary, Smoothing
from opsin.colorization.objectives.regression import edge_error, squared_error
from opsin.training.loop import Batch, Stepper
from opsin.training.objective import Loss, as_numbers
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


class AdversarialObjective(ColorObjective):
    """Generator, discriminator, their losses and their two optimizers."""

    def __init__(
        self, network: Colorizer, discriminator: Discriminator, settings: Settings, stepper: Stepper
    ) -> None:
        super().__init__(network, stepper)
        self.settings = settings
        self.adversary = Adversary(discriminator, stepper, smoothing=settings.smoothing)
        self.discriminator = self.adversary.discriminator
        if settings.adversarial:
            self.others["discriminator"] = self.discriminator
            self.optimizers.append(self.adversary.optimizer)

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
                loss, own = self._loss(answer, batch)
            self.stepper.step(loss, self.optimizer)
        return as_numbers(own | parts)

    def loss(self, network: Colorizer, batch: Batch) -> Loss:
        """The generator's loss, and its parts."""
        return self._loss(self.answer(network, batch), batch)

    def _loss(self, answer: Tensor, batch: Batch) -> Loss:
        ab, truth = answer.float() / AB_LIMIT, batch["ab"] / AB_LIMIT
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
