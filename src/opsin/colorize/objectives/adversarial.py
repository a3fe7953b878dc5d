"""What A6 learns: to be near the true colors, and to be taken for true by a judge that learns too.

Nazeri et al. 2018 (arXiv 1803.05400), sections 3.2 and 3.3: the generator's loss is the
discriminator's cross-entropy for "true" plus lambda times the mean absolute error; the
discriminator's "true" is 0.9 rather than 1 (one-sided label smoothing). With `adversarial = 0`
what remains is the U-Net alone.
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

from opsin.colorize.networks.conditional_gan import REACH, Discriminator
from opsin.colorize.objectives.regression import edge_error
from opsin.training.loop import Batch, Stepper
from opsin.training.recipe import Weight


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table of A6."""

    l1_weight: Weight = 100.0
    """lambda: weight of the mean absolute error of a*b*, in units of the tanh's range."""
    adversarial: Weight = 1.0
    """Weight of the discriminator's opinion; 0 trains the U-Net alone, without a discriminator."""
    smoothing: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    """How far the discriminator's target for true pictures lies below 1."""
    edge_weight: Weight = 0.0
    """Weight of an added error of the colors' differences between neighbors, against leaking."""


class AdversarialObjective:
    """Generator, discriminator, their losses and their two optimizers."""

    def __init__(
        self, network: nn.Module, discriminator: Discriminator, settings: Settings, stepper: Stepper
    ) -> None:
        self.settings, self.stepper = settings, stepper
        self.network = network.to(memory_format=torch.channels_last).to(stepper.device)  # type: ignore[call-overload]
        self.discriminator = discriminator.to(stepper.device)
        self.optimizer = stepper.adamw([(list(self.network.parameters()), 1)])
        self.judging = stepper.adamw([(list(self.discriminator.parameters()), 1)])
        judged = settings.adversarial > 0
        self.others: dict[str, nn.Module] = {"discriminator": self.discriminator} if judged else {}
        self.optimizers: list[torch.optim.Optimizer] = [self.optimizer]
        self.optimizers += [self.judging] if judged else []

    def step(self, batch: Batch) -> dict[str, float]:
        """One step of the discriminator and one of the generator; the losses for the log."""
        batch = self.stepper.to_device(batch)
        with self.stepper.autocast():
            answer = self.network(batch["light"])
        parts = self._judge(batch, answer.detach()) if self.settings.adversarial else {}
        self.discriminator.requires_grad_(False)  # its gradients here would be for nothing
        with self.stepper.autocast():
            loss, own = self.loss(answer, batch)
        self.stepper.step(loss, self.optimizer)
        self.discriminator.requires_grad_(True)
        return {key: float(value) for key, value in (own | parts).items()}

    def loss(self, answer: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The generator's loss, and its parts."""
        ab, truth = answer.float() / REACH, batch["ab"] / REACH
        total = self.settings.l1_weight * F.l1_loss(ab, truth)
        parts = {"absolute_error": total.detach() / max(self.settings.l1_weight, 1e-9)}
        parts["squared_error"] = F.mse_loss(ab.detach(), truth)
        if self.settings.edge_weight:
            edges = edge_error(ab, truth)
            parts["edges"] = edges.detach()
            total = total + self.settings.edge_weight * edges
        if self.settings.adversarial:
            logits = self.discriminator(batch["light"], answer).float()
            fooled = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
            parts["generator"] = fooled.detach()
            total = total + self.settings.adversarial * fooled
        parts["loss"] = total.detach()
        return total, parts

    def _judge(self, batch: Batch, answer: Tensor) -> dict[str, Tensor]:
        """One step of the discriminator."""
        with self.stepper.autocast():
            true = self.discriminator(batch["light"], batch["ab"]).float()
            made = self.discriminator(batch["light"], answer).float()
        target = torch.full_like(true, 1 - self.settings.smoothing)
        loss = (
            F.binary_cross_entropy_with_logits(true, target)
            + F.binary_cross_entropy_with_logits(made, torch.zeros_like(made))
        ) / 2
        self.stepper.step(loss, self.judging)
        return {
            "discriminator": loss.detach(),
            "true_taken_for_true": (true > 0).float().mean(),
            "made_taken_for_true": (made > 0).float().mean(),
        }

    @torch.no_grad()
    def losses(self, network: nn.Module, batch: Batch) -> dict[str, float]:
        batch = self.stepper.to_device(batch)
        self.discriminator.eval()  # its batch normalization must not learn from these pictures
        with self.stepper.autocast():
            parts = self.loss(network(batch["light"]), batch)[1]
        self.discriminator.train()
        return {key: float(value) for key, value in parts.items()}

    @torch.no_grad()
    def answers(self, network: nn.Module, light: Tensor) -> dict[str, NDArray[np.float32]]:
        with self.stepper.autocast():
            ab = network(self.stepper.to_device({"light": light})["light"])
        return {"": ab.float().permute(0, 2, 3, 1).cpu().numpy()}
