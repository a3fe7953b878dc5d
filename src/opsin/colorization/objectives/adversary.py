"""A discriminator that learns beside a network, and what it says of the network's colors.

Goodfellow et al. 2014 (arXiv 1406.2661), with the loss that does not saturate: the discriminator
learns to tell true colors from made ones, the network is rewarded where it is taken for true. The
discriminator's "true" is a little less than 1 (one-sided label smoothing, Salimans et al. 2016,
arXiv 1606.03498). Used by A6, and by every other network with `objective.adversarial`.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor

from opsin.colorization.networks.conditional_gan import Discriminator
from opsin.training.loop import Stepper

Smoothing = Annotated[float, Meta(ge=0, le=0.5)]


class Adversary:
    """A discriminator and its optimizer. Pictures are L* (B, 1, H, W) and a*b* (B, 2, H, W)."""

    def __init__(
        self, discriminator: Discriminator, stepper: Stepper, *, smoothing: float = 0.1
    ) -> None:
        self.stepper, self.smoothing = stepper, smoothing
        self.discriminator = discriminator.to(stepper.device)
        self.optimizer = stepper.adamw([(list(self.discriminator.parameters()), 1)])

    def learn(self, light: Tensor, truth: Tensor, made: Tensor) -> dict[str, Tensor]:
        """One step of the discriminator; its loss, and the shares that it took for true."""
        with self.stepper.autocast():
            true = self.discriminator(light, truth).float()
            false = self.discriminator(light, made).float()
        target = torch.full_like(true, 1 - self.smoothing)
        loss = F.binary_cross_entropy_with_logits(true, target)
        loss = loss + F.binary_cross_entropy_with_logits(false, torch.zeros_like(false))
        self.stepper.step(loss, self.optimizer)
        return {
            "discriminator": loss.detach(),
            "true_taken_for_true": (true > 0).float().mean(),
            "made_taken_for_true": (false > 0).float().mean(),
        }

    def caught(self, light: Tensor, made: Tensor) -> Tensor:
        """What the network pays for colors that are known as made: 0 where it deceives."""
        # its batch normalization must not learn from validation pictures
        self.discriminator.train(torch.is_grad_enabled())
        self.discriminator.requires_grad_(False)  # gradients of its own would be for nothing
        logits = self.discriminator(light, made).float()
        self.discriminator.requires_grad_(True)
        self.discriminator.train()
        return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
