"""What A1 to A5 learn: the color itself, by its mean squared error; A5 the class of the scene too.

The mean of the colors that a thing may have is brownish, so networks that learn it are brown
(Zhang et al. 2016, arXiv 1603.08511, section 2.1): that is what these are here to show. By the
absolute error they learn the median instead, which does not follow a few strong colors: it is
paler, and oftener on the right side. The Chebyshev error, max(|a* error|, |b* error|), is half the
sum of the absolute errors of a* + b* and a* - b*: so it is the median of a* - b* that is learned,
whose sign is the best guess of which of the two is larger.

The squared logarithmic error is that of Keras, (log(1 + y) - log(1 + t))^2 of the answer y and the
truth t, both a* or b* divided by the network's `ab_scale` (128: -1..1), and all below 1e-7 counted
as 1e-7. It is meant for counts, not for colors: green (a* < 0) and blue (b* < 0) are gray to it,
and an answer below 0 has no gradient at all.

With `adversarial` any of these networks learns to deceive a discriminator too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

from opsin.colorization.networks.colorizer import Colorizer
from opsin.colorization.networks.conditional_gan import Discriminator
from opsin.colorization.networks.fusion import FusionWithClassifier
from opsin.colorization.objectives import ColorObjective
from opsin.colorization.objectives.adversary import Adversary, Smoothing
from opsin.training.features import FeatureCache
from opsin.training.loop import Batch, Stepper
from opsin.training.objective import Loss, as_numbers
from opsin.training.recipe import Weight

UNIT = 110.0  # all of sRGB lies within 110 of gray, along a* and along b*


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table of A1 to A5."""

    error: Literal["squared", "absolute", "chebyshev", "logarithmic"] = "squared"
    """What is minimized: squared, as in the papers, absolute, the larger one of the two, or
    Keras' mean squared logarithmic error."""
    class_weight: Weight = 0.0
    """Weight of the cross-entropy of the scene's class (alpha of Iizuka et al.); A5 only."""
    edge_weight: Weight = 0.0
    """Weight of an added error of the colors' differences between neighbors, against leaking."""
    adversarial: Weight = 0.0
    """Weight of a discriminator's opinion (`adversary.py`); 0 has none."""
    smoothing: Smoothing = 0.1
    """How far the discriminator's target for true pictures lies below 1."""


class RegressionObjective(ColorObjective):
    """A network that answers with a*b*, its mean squared error and its optimizer.

    The discriminator, if the settings ask for one, is A6's; it sees 32 x 32 pixels at once.
    """

    def __init__(
        self,
        network: Colorizer,
        settings: Settings,
        *,
        stepper: Stepper,
        cache: FeatureCache | None = None,
    ) -> None:
        super().__init__(network, stepper)
        self.settings, self.cache = settings, cache
        self.adversary: Adversary | None = None
        if settings.adversarial:
            self.adversary = Adversary(Discriminator(), stepper, smoothing=settings.smoothing)
            self.others["discriminator"] = self.adversary.discriminator
            self.optimizers.append(self.adversary.optimizer)

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimizer step on a batch, the discriminator's first; the losses for the log."""
        batch = self.stepper.to_device(batch)
        with self.stepper.autocast():
            ab, logits = self._answer(self.network, batch)
        judged = self._judge(ab.detach(), batch) if self.adversary else {}
        with self.stepper.autocast():
            loss, parts = self._loss(ab, logits, batch)
        self.stepper.step(loss, self.optimizer)
        return as_numbers(parts | judged)

    def loss(self, network: Colorizer, batch: Batch) -> Loss:
        return self._loss(*self._answer(network, batch), batch)

    def _loss(self, answer: Tensor, logits: Tensor | None, batch: Batch) -> Loss:
        scale = self.network.ab_scale
        ab, truth = answer.float() / scale, batch["ab"] / scale
        total = ERRORS[self.settings.error](ab, truth)
        parts = {f"{self.settings.error}_error": total.detach()}
        parts["squared_error"] = squared_error(answer, batch["ab"])
        if self.settings.edge_weight:
            edges = edge_error(ab, truth)
            parts["edges"] = edges.detach()
            total = total + self.settings.edge_weight * edges
        if logits is not None and "label" in batch:
            entropy, right = class_error(logits.float(), batch["label"])
            parts |= {"class_entropy": entropy.detach(), "class_right": right}
            total = total + self.settings.class_weight * entropy
        if self.adversary:
            caught = self.adversary.caught(batch["light"], answer)
            parts["generator"] = caught.detach()
            total = total + self.settings.adversarial * caught
        parts["loss"] = total.detach()
        return total, parts

    def answer(self, network: Colorizer, batch: Batch) -> Tensor:
        return self._answer(network, batch)[0]

    def _judge(self, ab: Tensor, batch: Batch) -> dict[str, Tensor]:
        """One step of the discriminator; the truth is as coarse as the network's answers are.

        Otherwise it would know an answer by its squares, which no learning can change.
        """
        assert self.adversary is not None
        truth = enlarged(F.avg_pool2d(batch["ab"], self.network.stride), batch["light"])
        return self.adversary.learn(batch["light"], truth, ab)

    def _answer(self, network: Colorizer, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """a*b* (B, 2, H, W), and the classes' logits of a network that has them."""
        light = batch["light"]
        if isinstance(network, FusionWithClassifier) and self.cache and "variant" in batch:
            features = self._features(network, batch)
            return enlarged(network.fusion.small(light, features), light), None
        return network.both(**network.given(light))

    def _features(self, network: FusionWithClassifier, batch: Batch) -> Tensor:
        """The classifier's answers on a batch, from the cache where they are in it."""
        assert self.cache is not None

        def ask(missing: Tensor) -> Tensor:
            found: Tensor = network.classifier(network.given(batch["light"][missing])["thumbnail"])
            return found

        return self.cache.answers(batch, ask)


def enlarged(small: Tensor, light: Tensor) -> Tensor:
    """Each position of a*b* repeated up to the size of the picture."""
    return F.interpolate(small, size=light.shape[2:], mode="nearest")


def logarithmic_error(answer: Tensor, truth: Tensor) -> Tensor:
    """Keras' mean squared logarithmic error; all below 1e-7 counts as 1e-7."""
    return F.mse_loss(torch.log1p(answer.clamp(min=1e-7)), torch.log1p(truth.clamp(min=1e-7)))


def chebyshev_error(answer: Tensor, truth: Tensor) -> Tensor:
    """Mean of the larger one of the absolute errors of a* and b*."""
    return (answer - truth).abs().amax(dim=1).mean()


ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": F.mse_loss,
    "absolute": F.l1_loss,
    "chebyshev": chebyshev_error,
    "logarithmic": logarithmic_error,
}


def squared_error(answer: Tensor, truth: Tensor) -> Tensor:
    """The mean squared error of a*b* (B, 2, H, W), in units of 110 whatever its `ab_scale`.

    For the log: the curves of all systems are on one scale.
    """
    return F.mse_loss(answer.detach().float() / UNIT, truth / UNIT)


def edge_error(one: Tensor, other: Tensor) -> Tensor:
    """Mean |difference| between the color steps from each pixel to its right and lower neighbor."""
    down = (one.diff(dim=2) - other.diff(dim=2)).abs().mean()
    return down + (one.diff(dim=3) - other.diff(dim=3)).abs().mean()


def class_error(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy over the pictures that have a class (label not -1), and the share right."""
    known = labels >= 0
    if not known.any():
        return logits.sum() * 0, logits.new_zeros(())
    entropy = F.cross_entropy(logits[known], labels[known])
    return entropy, (logits[known].argmax(dim=1) == labels[known]).float().mean()
