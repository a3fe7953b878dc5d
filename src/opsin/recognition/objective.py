"""What classifiers are trained for: to name the class, and how sure they shall be of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from opsin.errors import DataError
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.models.card import Classify
from opsin.recognition.head import temperature_of
from opsin.recognition.pipeline import planes_of
from opsin.sets.listing import Listing
from opsin.sets.sources import read
from opsin.training.crops import labels_of
from opsin.training.features import FeatureCache
from opsin.training.loop import Batch, Stepper
from opsin.training.objective import Loss, Objective
from opsin.training.recipe import Share

BATCH = 32
TEMPERATURES = (0.5, 5.0)  # of a few pictures all of which are right, the best would be 0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table of classifiers."""

    smoothing: Share = 0.0
    """Share of the target that is spread over all classes (Szegedy et al. 2016, section 7)."""
    balanced: bool = False
    """Each class counts the same in a batch, however many pictures it has there."""
    mixup: Annotated[float, Meta(ge=0, le=10)] = 0.0
    """Pictures are mixed in pairs, by shares of a Beta distribution with this parameter on both
    sides (Zhang et al. 2018, arXiv 1710.09412); 0 leaves them alone."""
    extractor_rate: Share = 1.0
    """The learning rate of layers that came pretrained, as a share of the others'."""


class Naming(Objective):
    """Cross-entropy of the classes."""

    def __init__(
        self,
        network: nn.Module,
        settings: Settings,
        stepper: Stepper,
        cache: FeatureCache | None = None,
    ) -> None:
        """`cache` is where what a frozen network sees of the crops is kept."""
        pretrained = [
            parameter
            for name, parameter in network.named_parameters()
            if name.startswith("extractor")
        ]
        known = set(map(id, pretrained))
        others = [one for one in network.parameters() if id(one) not in known]
        groups = [(others, 1.0), (pretrained, settings.extractor_rate)]
        super().__init__(network, stepper, groups)
        self.settings, self.cache = settings, cache

    def loss(self, network: Any, batch: Batch) -> Loss:
        """The loss on pictures of a known class; in training they may be mixed."""
        known = batch["label"] >= 0
        picture, label = batch["picture"][known], batch["label"][known]
        share, other = 1.0, label
        if network.training and self.settings.mixup:
            beta = torch.distributions.Beta(self.settings.mixup, self.settings.mixup)
            share = float(beta.sample())
            order = torch.randperm(len(label), device=label.device)
            picture, other = share * picture + (1 - share) * picture[order], label[order]
        seen = self._seen(batch)
        given = (picture,) if seen is None else (picture, seen[known])
        logits = network(*given).float()
        loss = share * self._entropy(logits, label) + (1 - share) * self._entropy(logits, other)
        right = (logits.argmax(dim=1) == label).float().mean()
        return loss, {"loss": loss.detach(), "accuracy": right}

    def _seen(self, batch: Batch) -> Tensor | None:
        if "variant" not in batch or self.cache is None:
            return None
        network: Any = self.network
        return self.cache.answers(batch, lambda new: network.look(batch["picture"][new]))

    def _entropy(self, logits: Tensor, label: Tensor) -> Tensor:
        each = F.cross_entropy(
            logits, label, reduction="none", label_smoothing=self.settings.smoothing
        )
        if not self.settings.balanced:
            return each.mean()
        counts = torch.bincount(label, minlength=logits.shape[1]).clamp(min=1)
        weights = 1 / counts[label].float()
        return (each * weights).sum() / weights.sum()


class Held:
    """Figures on the held-back pictures, seen as photographs will be; called with the network."""

    def __init__(
        self,
        objective: Naming,
        held: Listing,
        classes: tuple[str, ...],
        *,
        side: int,
        channels: int,
        table: Classify,
    ) -> None:
        self.objective = objective
        labels = labels_of(held, classes)
        pictures, known = [], []
        for picture, label in zip(held.pictures, labels, strict=True):
            try:
                rgb = small.whole(read(picture)).numpy()
            except (vips().Error, OSError):
                continue
            if label >= 0:
                pictures.append(planes_of(rgb, side, channels, table))
                known.append(label)
        if not pictures:
            raise DataError("none of the pictures to validate on can be read.")
        self.pictures, self.labels = np.stack(pictures), np.array(known)

    def __call__(self, step: int, network: nn.Module) -> dict[str, float]:
        logits = self.logits(network)
        right = logits.argmax(axis=1) == self.labels
        recalls = [right[self.labels == label].mean() for label in np.unique(self.labels)]
        loss = F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(self.labels))
        return {
            "loss": float(loss),
            "accuracy": float(right.mean()),
            "balanced": float(np.mean(recalls)),
            "temperature": float(np.clip(temperature_of(logits, self.labels), *TEMPERATURES)),
        }

    @torch.no_grad()
    def logits(self, network: nn.Module) -> Any:
        """(N, n) of all pictures."""
        stepper = self.objective.stepper
        found = []
        for start in range(0, len(self.pictures), BATCH):
            batch = {"picture": torch.from_numpy(self.pictures[start : start + BATCH])}
            with stepper.autocast():
                found.append(network(stepper.to_device(batch)["picture"]).float().cpu())
        return torch.cat(found).numpy()
