"""The colorization systems: what a recipe's `[network]` table may say, and all that follows.

Each table has a `kind`; its class knows how to build that network, what it is trained for, what
it must be given and how it answers. To add a system: one file in `networks/`, one class here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
import numpy as np
import torch
from msgspec import Meta

from opsin.backbones import classifiers, efficientnet
from opsin.colorization.data import Data, make_crop
from opsin.colorization.export import DECODE, card_of, discriminator, graph_of
from opsin.colorization.networks import (
    classifier_decoder,
    color_bins,
    conditional_gan,
    edge_net,
    encoder_decoder,
    fusion,
    global_local,
)
from opsin.colorization.networks.colorizer import Colorizer
from opsin.colorization.objectives import ColorObjective, adversarial, bins, regression
from opsin.colorization.validation import ColorValidation
from opsin.errors import DataError, RecipeError
from opsin.models.card import Card, Text
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture
from opsin.training.checkpoint import load_weights, read_tensors
from opsin.training.crops import Example, known_labels
from opsin.training.features import FeatureCache
from opsin.training.loop import Stepper
from opsin.training.recipe import Decay
from opsin.training.task import Graph, Labels, System, Task

Width = Annotated[int, Meta(ge=8, le=1024, multiple_of=8)]
"""Channels; in groups of 8."""

Classifier = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\Z",
        max_length=100,
        description="efficientnet-lite0, -lite2 or the name of one of timm's, no address or path",
    ),
]
"""timm would fetch and read whatever an address names."""


class ColorSystem(System, frozen=True, kw_only=True):
    """The `[network]` table that all colorizers share."""

    settings: ClassVar[type[msgspec.Struct]] = regression.Settings
    sheets: ClassVar[str] = "the photograph, gray, then the answers"
    decode: ClassVar[frozenset[str]] = DECODE
    answer: ClassVar[Literal["bins", "ab"]] = "ab"
    target_stride: ClassVar[int] = 1
    """The true color is averaged over squares of so many pixels."""
    gives: ClassVar[frozenset[str]] = frozenset()
    """What its training pictures carry beside L* and a*b*: hints, condition."""

    def check(self, data: Data, objective: Any) -> None:
        if getattr(objective, "class_weight", 0) and not self.class_names():
            raise RecipeError(
                f"objective.class_weight = {objective.class_weight}, but the network learns no "
                "classes. Write class_weight = 0.0, or name them in network.classes.",
                key="objective.class_weight",
            )
        if getattr(objective, "adversarial", 0) and data.size < 32:
            raise RecipeError(
                f"data.size = {data.size}, but the discriminator sees 32 pixels and more. "
                "Write size = 32, or objective.adversarial = 0.0.",
                key="data.size",
            )
        if len(set(self.class_names())) < len(self.class_names()):
            raise RecipeError(
                "network.classes names a class twice. Write each once.", key="network.classes"
            )

    def multiple(self, network: Colorizer) -> int:
        return math.lcm(network.multiple, self.target_stride)

    def crop(
        self, picture: Picture, size: int, rng: np.random.Generator, *, settings: Data, whole: bool
    ) -> Example:
        return make_crop(
            picture,
            size,
            settings,
            rng,
            whole=whole,
            stride=self.target_stride,
            gives=self.gives,
        )

    def classifier_name(self) -> str | None:
        """The frozen classifier whose answers it needs, which may be kept on disk."""
        return None

    def cache(self, settings: Data, listing: Listing, seed: int) -> FeatureCache | None:
        """Where the classifier's answers are kept, for pictures that come again as they were."""
        classifier = self.classifier_name()
        if not (settings.variants and classifier):
            return None
        names = [f"{picture.name}:{picture.bytes}" for picture in listing.pictures]
        key = msgspec.json.encode([classifier, seed, settings, names]).decode()
        return FeatureCache(key, pictures=len(names), variants=settings.variants, width=1000)

    def objective(
        self, network: Any, settings: Any, stepper: Stepper, cache: FeatureCache | None
    ) -> ColorObjective:
        return regression.RegressionObjective(
            network,
            settings,
            stepper=stepper,
            cache=cache,
        )

    def validation(
        self, objective: ColorObjective, held: Listing, settings: Data, out: Path
    ) -> ColorValidation:
        return ColorValidation(
            objective,
            held.pictures,
            out,
            size=settings.validation_size,
            stride=self.target_stride,
            labels=known_labels(held, self.class_names()),
        )

    def card(self, network: Colorizer, labels: Labels, decode: Mapping[str, Any]) -> Card:
        return card_of(self, network, labels, decode)

    def graph(self, network: Colorizer, card: Card) -> Graph:
        return graph_of(network, card)

    def part(self, name: str) -> Graph | None:
        return discriminator(getattr(self, "size", 32)) if name == "discriminator" else None


class EncoderDecoder(ColorSystem, frozen=True, kw_only=True):
    """A1."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1712.03400"

    def build(self) -> Colorizer:
        return encoder_decoder.EncoderDecoder()


class ClassifierDecoder(ColorSystem, frozen=True, kw_only=True):
    """A2."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1712.03400"

    variant: Literal["map", "probabilities"] = "map"
    classifier: Classifier = classifiers.LITE0
    """Variant "probabilities": `efficientnet-lite0`, or any of timm's."""
    train_classifier: bool = False

    def build(self) -> Colorizer:
        network = classifier_decoder.ClassifierDecoder(
            variant=self.variant, train_classifier=self.train_classifier
        )
        if self.variant == "map":
            return network
        return fusion.FusionWithClassifier(network, classifiers.make_classifier(self.classifier))

    def pretrain(self, network: Colorizer) -> None:
        if isinstance(network, classifier_decoder.ClassifierDecoder) and network.classifier:
            network.classifier.load_state_dict(imagenet_encoder("lite0"), strict=True)

    def classifier_name(self) -> str | None:
        return self.classifier if self.variant == "probabilities" else None


class Fusion(ColorSystem, frozen=True, kw_only=True):
    """A3, and A4 as its variant `faces`."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1712.03400"

    variant: Literal["study", "koalarization", "lab", "project", "faces"] = "study"
    """Whose decoder: ours, the authors', those of two course projects; `faces` is A4."""
    fused: Literal["leveled", "logits", "softmax"] = "leveled"
    """What is fused of the classifier's answer: ours, the paper's, the course projects'."""
    classifier: Classifier = classifiers.LITE0
    """`efficientnet-lite0`, or any of timm's, as the paper's `inception_resnet_v2`."""

    def build(self) -> Colorizer:
        return fusion.FusionWithClassifier(
            fusion.Fusion(variant=self.variant, fused=self.fused),
            classifiers.make_classifier(self.classifier),
        )

    def classifier_name(self) -> str | None:
        return self.classifier


class GlobalLocal(ColorSystem, frozen=True, kw_only=True):
    """A5."""

    paper: ClassVar[str] = "https://doi.org/10.1145/2897824.2925974"

    classes: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    """The scenes' classes, which are the names of the folders that the pictures lie in."""
    global_size: Annotated[int, Meta(ge=32, le=1024, multiple_of=32)] = 224
    """Side of the square that the global branch sees."""
    use_global: bool = True
    batch_norm: bool = True

    def build(self) -> Colorizer:
        return global_local.GlobalLocal(
            max(1, len(self.classes)),
            global_size=self.global_size,
            use_global=self.use_global,
            batch_norm=self.batch_norm,
        )

    def class_names(self) -> tuple[str, ...]:
        return self.classes


class ConditionalGan(ColorSystem, frozen=True, kw_only=True):
    """A6."""

    settings: ClassVar[type[msgspec.Struct]] = adversarial.Settings
    paper: ClassVar[str] = "https://arxiv.org/abs/1803.05400"

    size: Literal[32, 64, 128, 256] = 32
    """The size of picture at which the generator's narrowest map is 2x2."""
    residual: bool = False
    """A residual block after each contracting convolution."""
    dropout: Decay = 0.0
    """After the first transposed convolution; 0.5 in the authors' code."""
    edge_net: bool = False
    """A small network on the generator's output, against colors that leak (`edge_net.py`)."""

    def check(self, data: Data, objective: Any) -> None:
        if objective.adversarial and data.size < self.size:
            raise RecipeError(
                f"data.size = {data.size}, but the discriminator sees {self.size} pixels and more. "
                f"Write size = {self.size}, or another network.size.",
                key="data.size",
            )
        if not (objective.l1_weight or objective.adversarial or objective.edge_weight):
            raise RecipeError(
                "objective.l1_weight = 0, and so are the other weights: nothing would be learned. "
                "Write for example l1_weight = 100.0.",
                key="objective.l1_weight",
            )

    def build(self) -> Colorizer:
        generator = conditional_gan.Generator(
            size=self.size, residual=self.residual, dropout=self.dropout
        )
        return edge_net.GeneratorWithEdgeNet(generator) if self.edge_net else generator

    def objective(
        self, network: Any, settings: Any, stepper: Stepper, cache: FeatureCache | None
    ) -> ColorObjective:
        judge = conditional_gan.Discriminator(size=self.size)
        return adversarial.AdversarialObjective(network, judge, settings, stepper)


class ColorBins(ColorSystem, frozen=True, kw_only=True):
    """A7, the default."""

    settings: ClassVar[type[msgspec.Struct]] = bins.Settings
    answer: ClassVar[Literal["bins", "ab"]] = "bins"
    target_stride: ClassVar[int] = 4
    gives: ClassVar[frozenset[str]] = frozenset({"hints", "condition"})
    paper: ClassVar[str] = "https://arxiv.org/abs/1603.08511"

    backbone: Literal["lite0", "lite2"] = "lite0"
    widths: tuple[Width, Width, Width, Width] = (256, 128, 80, 48)
    attention_blocks: Annotated[int, Meta(ge=0, le=16)] = 2
    encoder: Text = "imagenet"
    """`imagenet`, `none` (random), or the path of a .safetensors file of the backbone."""

    def build(self) -> Colorizer:
        return color_bins.ColorBins(
            backbone=self.backbone, widths=self.widths, attention_blocks=self.attention_blocks
        )

    def pretrain(self, network: color_bins.ColorBins) -> None:
        if self.encoder != "none":
            weights = imagenet_encoder(self.backbone, self.encoder)
            load_weights(
                network.encoder, weights, Path(self.encoder), f"EfficientNet-{self.backbone}"
            )

    def objective(
        self, network: Any, settings: Any, stepper: Stepper, cache: FeatureCache | None
    ) -> ColorObjective:
        return bins.BinsObjective(network, settings, stepper=stepper)


SYSTEMS: dict[str, type[ColorSystem]] = {
    "encoder_decoder": EncoderDecoder,
    "classifier_decoder": ClassifierDecoder,
    "fusion": Fusion,
    "global_local": GlobalLocal,
    "conditional_gan": ConditionalGan,
    "color_bins": ColorBins,
}


TASK: Final = Task("colorize", Data, SYSTEMS)


def imagenet_encoder(backbone: str, source: str = "imagenet") -> dict[str, torch.Tensor]:
    """The encoder's ImageNet weights, from a file or from the package that carries them."""
    if source != "imagenet":
        path = Path(source)
        if path.suffix != ".safetensors":
            raise RecipeError(
                f'network.encoder = "{source}", but it must be "imagenet", "none" or the path of '
                "a .safetensors file.",
                key="network.encoder",
            )
        tensors = read_tensors(path)
        try:
            return efficientnet.folded_encoder(tensors)
        except (KeyError, RuntimeError, IndexError, TypeError) as error:
            raise DataError(f"{source}: holds no weights of EfficientNet-{backbone}.") from error
    return efficientnet.folded_encoder(efficientnet.imagenet_weights(backbone))
