"""Recognition as a task that `opsin train` teaches; its systems, by `network.kind`.

    gender        a face in gray, with `variant = "full"` or `"small"` (B1, B2)
    bilinear      fine differences: products of features (B3)
    first_cnn     the first network that one builds (B4)
    pretrained    EfficientNet-lite with a new last layer (B6)

`network.classes` may be left out: they are then the folders that the pictures lie in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import nn

from opsin.errors import DataError, RecipeError
from opsin.files import shown
from opsin.models.card import Card, Classify, Input, Output, Text, Word
from opsin.recognition.data import SquareData, crop_of
from opsin.recognition.networks.bilinear import Bilinear
from opsin.recognition.networks.first import FirstCNN
from opsin.recognition.networks.gender import HALVED, Faces
from opsin.recognition.networks.pretrained import Pretrained, Told
from opsin.recognition.objective import Held, Naming, Settings
from opsin.recognition.pipeline import LUMA
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture, classes_of
from opsin.training.crops import Example, known_labels
from opsin.training.features import FeatureCache
from opsin.training.loop import Stepper
from opsin.training.recipe import Decay, PartialShare, Pixels, Recipe
from opsin.training.task import Graph, Labels, System, Task, card_for

LEAST: Final = 2  # pictures of a class to train on; another is held back


def numbered(listing: Listing, classes: Sequence[str]) -> NDArray[np.int64]:
    """The classes' numbers of the pictures that are of one."""
    found = known_labels(listing, classes)
    return found[found >= 0]


class ClassSystem(System, frozen=True, kw_only=True):
    """The `[network]` table that all classifiers share."""

    settings: ClassVar[type[msgspec.Struct]] = Settings
    channels: ClassVar[int] = 3

    classes: Annotated[tuple[Text, ...], Meta(max_length=10_000)] = ()
    """What it tells apart; empty: the folders that the training pictures lie in."""
    size: Pixels = 224
    """The side of the square that it sees; `data.size` and `data.validation_size` are the same."""
    view: Literal["middle", "whole"] = "middle"
    middle: PartialShare = 1.0
    """Of `view = "middle"`: the side of the square, as a share of the photograph's short side."""
    mirror: bool = True
    """Photographs are seen in the mirror, too."""

    @property
    def table(self) -> Classify:
        return Classify(view=self.view, crop=self.middle, mirror=self.mirror)

    def check(self, data: SquareData, objective: Settings) -> None:
        for key in ("size", "validation_size"):
            if getattr(data, key) != self.size:
                raise RecipeError(
                    f"data.{key} = {getattr(data, key)}, but the network sees squares of "
                    f"network.size = {self.size}. Write {key} = {self.size}.",
                    key=f"data.{key}",
                )
        if objective.mixup and data.variants and self.eyes():
            raise RecipeError(
                "objective.mixup mixes pictures, but data.variants keeps what a network sees "
                "of each. Write mixup = 0.",
                key="objective.mixup",
            )
        if len(set(self.classes)) < len(self.classes) or len(self.classes) == 1:
            raise RecipeError(
                "network.classes must be two classes or more, each written once, or left out.",
                key="network.classes",
            )

    def reading(self, figures: Mapping[str, float]) -> dict[str, Any]:
        return {"temperature": figures["temperature"]} if "temperature" in figures else {}

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def check_pictures(self, training: Listing, held: Listing) -> None:
        counts, others = (
            np.bincount(numbered(one, self.classes), minlength=len(self.classes)).tolist()
            for one in (training, held)
        )
        for name, count, other in zip(self.classes, counts, others, strict=True):
            if count < LEAST:
                raise DataError(
                    f"too few pictures: the class '{shown(name)}' has {count} to train on and "
                    f"{other} to validate on; {LEAST} to train on are the least. Add some, or "
                    "leave the class out."
                )

    def crop(
        self,
        picture: Picture,
        size: int,
        rng: np.random.Generator,
        *,
        settings: SquareData,
        whole: bool,
    ) -> Example:
        rgb = crop_of(picture, size, settings, self.table, rng)
        planes = (rgb @ LUMA)[None] if self.channels == 1 else rgb.transpose(2, 0, 1)
        return {"picture": np.ascontiguousarray(planes, np.float32)}

    def cache(self, settings: SquareData, listing: Listing, seed: int) -> FeatureCache | None:
        """Where what a frozen network sees is kept, for pictures that come again as they were."""
        if not (settings.variants and self.eyes()):
            return None
        names = [f"{picture.name}:{picture.bytes}" for picture in listing.pictures]
        about = [self.eyes(), self.size, self.table, seed, settings, names]
        network: Any = self.build()
        width = network.look(torch.zeros(1, 3, self.size, self.size)).shape[1]
        return FeatureCache(
            msgspec.json.encode(about).decode(),
            pictures=len(names),
            variants=settings.variants,
            width=width,
        )

    def eyes(self) -> Sequence[str]:
        """The pretrained networks that see the pictures, if they stay as they are."""
        return ()

    def objective(
        self, network: nn.Module, settings: Settings, stepper: Stepper, cache: FeatureCache | None
    ) -> Naming:
        return Naming(network, settings, stepper, cache)

    def validation(self, objective: Naming, held: Listing, settings: Any, out: Path) -> Held:
        return Held(
            objective,
            held,
            self.classes,
            side=self.size,
            channels=self.channels,
            table=self.table,
        )

    def card(self, network: nn.Module, labels: Labels, decode: Mapping[str, Any]) -> Card:
        shape = (1, self.channels, self.size, self.size)
        table = msgspec.structs.replace(self.table, temperature=decode.get("temperature", 1.0))
        card = card_for(
            "classify",
            self,
            msgspec.structs.replace(labels, size=self.size),
            inputs=(Input(name="picture", shape=shape, unit="sRGB, 0 to 1"),),
            outputs=(Output(name="logits", shape=(1, len(self.classes))),),
        )
        return msgspec.structs.replace(card, labels=self.classes, classify=table)


class GenderSystem(ClassSystem, frozen=True, kw_only=True):
    """`gender` (B1, B2): faces that stand in the middle of their pictures."""

    paper: ClassVar[str] = "https://doi.org/10.1016/j.patrec.2015.11.011"
    channels: ClassVar[int] = 1

    size: Annotated[int, Meta(ge=32, le=256, multiple_of=HALVED)] = 96
    variant: Literal["full", "small"] = "full"
    dropout: Decay = 0.5

    def build(self) -> Faces:
        count = len(self.classes)
        return Faces(count, variant=self.variant, size=self.size, dropout=self.dropout)


class BilinearSystem(ClassSystem, frozen=True, kw_only=True):
    """`bilinear` (B3)."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1504.07889"

    extractors: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=2)] = ("lite0",)
    """`lite0`, `lite2`, or `timm:NAME`; one is both sides of the product."""
    pooling: Literal["bilinear", "compact", "average"] = "bilinear"
    narrow: Annotated[int, Meta(ge=0, le=1280)] = 128
    """Features that a learned 1x1 convolution leaves before they are multiplied; 0: all."""
    frozen: bool = False
    """The extractors stay as they are."""
    dropout: Decay = 0.0

    def eyes(self) -> Sequence[str]:
        return self.extractors if self.frozen else ()

    def build(self) -> Bilinear:
        return Bilinear(
            len(self.classes),
            extractors=self.extractors,
            pooling=self.pooling,
            narrow=self.narrow,
            frozen=self.frozen,
            dropout=self.dropout,
        )


class FirstSystem(ClassSystem, frozen=True, kw_only=True):
    """`first_cnn` (B4)."""

    paper: ClassVar[str] = "http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf"
    channels: ClassVar[int] = 1

    size: Annotated[int, Meta(ge=16, le=256, multiple_of=4)] = 28
    mirror: bool = False

    def build(self) -> FirstCNN:
        return FirstCNN(len(self.classes), size=self.size)


class PretrainedSystem(ClassSystem, frozen=True, kw_only=True):
    """`pretrained` (B6)."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1905.11946"

    backbone: Literal["lite0", "lite2"] = "lite2"
    frozen: bool = False
    dropout: Decay = 0.2

    def eyes(self) -> Sequence[str]:
        return (self.backbone,) if self.frozen else ()

    def build(self) -> Pretrained:
        count = len(self.classes)
        return Pretrained(count, backbone=self.backbone, frozen=self.frozen, dropout=self.dropout)

    def card(self, network: Any, labels: Labels, decode: Mapping[str, Any]) -> Card:
        card = super().card(network, labels, decode)
        with torch.no_grad():
            answers = Told(network).eval()(torch.zeros(1, self.channels, self.size, self.size))
        ports = zip(("logits", "features", "map"), answers, strict=True)
        outputs = tuple(Output(name=name, shape=tuple(one.shape)) for name, one in ports)
        return msgspec.structs.replace(card, outputs=outputs)

    def graph(self, network: Any, card: Card) -> Graph:
        return super().graph(Told(network), card)


def complete(recipe: Recipe, data: Sequence[Path]) -> Recipe:
    """The recipe with the classes of the training pictures, if it names none."""
    if recipe.network.get("classes"):
        return recipe
    found = classes_of(data)
    if len(found) < 2:
        told = f"only {found[0]}" if found else "none"
        raise DataError(
            f"there is no folder for each of two classes or more ({told}). Put the pictures of "
            "each class into a folder of its own, or name them in network.classes."
        )
    return msgspec.structs.replace(recipe, network={**recipe.network, "classes": found})


TASK = Task(
    "classify",
    SquareData,
    {
        "gender": GenderSystem,
        "bilinear": BilinearSystem,
        "first_cnn": FirstSystem,
        "pretrained": PretrainedSystem,
    },
    complete,
)
