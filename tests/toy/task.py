"""How it is taught: a network that sees nothing but how bright a picture is on average."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from opsin.models.card import Card, Input, Output, Text
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture
from opsin.training.crops import Data, Example, known_labels, random_square
from opsin.training.loop import Batch, Stepper
from opsin.training.objective import Loss, Objective
from opsin.training.recipe import Share
from opsin.training.task import Labels, System, Task, card_for
from opsin.training.validation import Validation
from toy.answer import light_of


class MeanLight(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, classes))

    def forward(self, light: Tensor) -> Tensor:  # (B, 1, H, W) in [0, 1]
        return self.layers(light.mean(dim=(2, 3)) * 4 - 2)  # (B, classes)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    smoothing: Share = 0.0


class Entropy(Objective):
    smoothing = 0.0

    def loss(self, network: nn.Module, batch: Batch) -> Loss:
        logits, labels = network(batch["light"]).float(), batch["label"]
        loss = F.cross_entropy(logits, labels, label_smoothing=self.smoothing)
        right = (logits.argmax(dim=1) == labels).float().mean()
        return loss, {"loss": loss.detach(), "right": right}


class Held(Validation):
    def example(self, part: slice) -> Example:
        return {"light": light_of(self.rgb[part])[:, None]}


class Brightness(System, frozen=True, kw_only=True):
    settings: ClassVar[type[msgspec.Struct]] = Settings

    classes: Annotated[tuple[Text, ...], Meta(max_length=10)] = ("dark", "middle", "bright")

    def build(self) -> nn.Module:
        return MeanLight(len(self.classes))

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def crop(
        self, picture: Picture, size: int, rng: np.random.Generator, *, settings: Data, whole: bool
    ) -> Example:
        return {"light": light_of(random_square(picture, size, settings, rng, whole=whole))[None]}

    def objective(
        self, network: nn.Module, settings: Settings, stepper: Stepper, cache: None
    ) -> Entropy:
        objective = Entropy(network, stepper)
        objective.smoothing = settings.smoothing
        return objective

    def validation(self, objective: Entropy, held: Listing, settings: Data, out: Path) -> Held:
        labels = known_labels(held, self.classes)
        return Held(objective, held.pictures, out, size=settings.validation_size, labels=labels)

    def card(self, network: nn.Module, labels: Labels, decode: Mapping[str, Any]) -> Card:
        light = Input(name="light", shape=(1, 1, "H", "W"), unit="sRGB, 0 to 1")
        classes = Output(name="logits", shape=(1, len(self.classes)))
        card = card_for("brightness", self, labels, inputs=(light,), outputs=(classes,))
        return msgspec.structs.replace(card, labels=self.classes)


TASK = Task("brightness", Data, {"mean_light": Brightness})
