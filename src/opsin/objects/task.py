"""Detecting and masking as tasks that `opsin train` teaches; their systems, by `network.kind`.

    fast_rcnn     the picture once, then each of many regions of it (D3)
    faster_rcnn   a network proposes, another one looks at each proposal (D4)
    yolo          every cell of a grid answers for itself (D6)
    mask_rcnn     Faster R-CNN with a mask for each thing (D5); its task is "segment"
    box_mask      which pixels of a box are the thing in it; "segment", too

`network.classes` may be left out: they are then all that the training pictures' instances.json
names on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
import numpy as np
import torch
from msgspec import Meta
from torch import Tensor, nn

from opsin.backbones import picodet
from opsin.backbones.efficientnet import Encoder, folded_encoder, imagenet_weights
from opsin.errors import RecipeError
from opsin.models.card import Card, Detect, Input, Output, Segment, Text
from opsin.objects.box_masks import BoxMaskSystem
from opsin.objects.data import BoxData, check_squares, check_things, window_of
from opsin.objects.networks.fast_rcnn import FastRCNN, windows_on
from opsin.objects.networks.faster_rcnn import FasterRCNN
from opsin.objects.networks.mask_rcnn import MaskRCNN
from opsin.objects.networks.yolo import STRIDES, Yolo
from opsin.objects.objective import Detecting, Held, Settings
from opsin.sets.labeled import names_in
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture
from opsin.training.crops import Example
from opsin.training.loop import Stepper
from opsin.training.recipe import PartialShare, Recipe
from opsin.training.task import Graph, Labels, Pairs, System, Task, card_for, graph_for

COARSEST: Final = STRIDES[-1]
UNIT: Final = "blue, green, red of sRGB, 0 to 255"
CORNERS: Final = "x1, y1, x2, y2 in pixels of the picture"
REGIONS: Final = "R"
ROWS: Final = "N"
Side = Annotated[int, Meta(ge=64, le=1024, multiple_of=COARSEST)]


class DetectSystem(System, frozen=True, kw_only=True):
    """The `[network]` table that all detectors share."""

    settings: ClassVar[type[msgspec.Struct]] = Settings
    task: ClassVar[str] = "detect"
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "origins")
    """What the network gives, in its order."""
    sheets: ClassVar[str] = (
        "Held-back pictures: what is told of each, and beside it the grid cells or proposals that "
        "the answers came from."
    )

    ranked: ClassVar[bool] = False
    """Whether the order of its answers hangs on a ranking; see `Graph`."""

    classes: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    """What it finds; empty: all that is on the training pictures."""
    size: Side = 256
    """The side of the square that it sees; `data.size` and `data.validation_size` are the same."""
    width: Annotated[int, Meta(ge=8, le=512, multiple_of=8)] = 96
    """Channels of the feature pyramid."""
    frozen: Annotated[int, Meta(ge=0, le=16)] = 5
    """Blocks of the pretrained encoder that stay as they are."""
    threshold: Annotated[float, Meta(ge=0.01, le=1)] = 0.4
    """The least score of what is told, as it will stand on the card."""
    overlap: PartialShare = 0.5
    """Of two boxes with one label that share more than this, the better is told."""

    @property
    def table(self) -> Detect:
        return Detect(threshold=self.threshold, overlap=self.overlap, fit="pad")

    def check(self, data: BoxData, objective: Settings) -> None:
        check_squares(data, self.size)
        if len({name.casefold() for name in self.classes}) < len(self.classes):
            raise RecipeError("network.classes names one class twice.", key="network.classes")

    def check_pictures(self, training: Listing, held: Listing) -> None:
        check_things(training, held, self.classes)

    def pretrain(self, network: Any) -> None:
        network.encoder.load_state_dict(folded_encoder(imagenet_weights(), colors=3))

    def crop(
        self,
        picture: Picture,
        size: int,
        rng: np.random.Generator,
        *,
        settings: BoxData,
        whole: bool,
    ) -> Example:
        shaped = self.task == "segment"
        return window_of(picture, size, settings, self.classes, rng, shaped=shaped)

    @property
    def rows(self) -> str:
        """The name of the axis of its answers if there are more or fewer by what it is given."""
        return ""

    def inputs(self) -> tuple[Input, ...]:
        """What the network takes, as the card says it."""
        return (Input(name="picture", shape=(1, 3, self.size, self.size), unit=UNIT),)

    def example(self, seed: int) -> dict[str, Tensor]:
        """Inputs to try the network on, made of noise."""
        return {"picture": _noise(self.size, seed)}

    def objective(
        self, network: nn.Module, settings: Settings, stepper: Stepper, cache: None
    ) -> Detecting:
        return Detecting(network, settings, stepper)

    def validation(
        self, objective: Detecting, held: Listing, settings: BoxData, out: Path
    ) -> Callable[[int, nn.Module], dict[str, float]]:
        return Held(
            objective,
            held,
            self.classes,
            out,
            size=self.size,
            table=self.table,
            shaped=self.task == "segment",
        )

    def card(self, network: nn.Module, labels: Labels, decode: Mapping[str, Any]) -> Card:
        with torch.no_grad():
            answers = network.eval()(**self.example(0))
        ports = zip(self.outputs, answers, strict=True)
        card = card_for(
            self.task,
            self,
            msgspec.structs.replace(labels, size=self.size),
            inputs=self.inputs(),
            outputs=tuple(
                Output(name=name, shape=(1, self.rows or one.shape[1], *one.shape[2:]))
                for name, one in ports
            ),
        )
        return msgspec.structs.replace(card, labels=self.classes, detect=self.table)

    def graph(self, network: nn.Module, card: Card) -> Graph:
        """Tried on noise: on an even picture many cells answer alike, and their order is chance."""
        made = graph_for(
            network, card, [self.example(seed) for seed in (1, 2)], difference=_pixels_apart
        )
        return made._replace(ranked=self.ranked)


class FastRCNNSystem(DetectSystem, frozen=True, kw_only=True):
    """`fast_rcnn` (D3)."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1504.08083"

    proposals: Annotated[int, Meta(ge=0, le=2000)] = 0
    """How many regions of selective search it looks at; 0: windows all over the picture."""

    @property
    def table(self) -> Detect:
        return msgspec.structs.replace(super().table, proposals=self.proposals)

    @property
    def rows(self) -> str:
        return ROWS if self.proposals else ""

    def inputs(self) -> tuple[Input, ...]:
        where = Input(name="regions", shape=(REGIONS, 4), unit=CORNERS)
        return (*super().inputs(), where) if self.proposals else super().inputs()

    def example(self, seed: int) -> dict[str, Tensor]:
        made = super().example(seed)
        if self.proposals:
            some = windows_on(self.size)[seed :: 7 + seed]
            made["regions"] = some.clone()
        return made

    def crop(
        self,
        picture: Picture,
        size: int,
        rng: np.random.Generator,
        *,
        settings: BoxData,
        whole: bool,
    ) -> Example:
        return window_of(picture, size, settings, self.classes, rng, proposals=self.proposals)

    def build(self) -> FastRCNN:
        return FastRCNN(len(self.classes), size=self.size, width=self.width, frozen=self.frozen)


class FasterRCNNSystem(DetectSystem, frozen=True, kw_only=True):
    """`faster_rcnn` (D4)."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1506.01497"
    network: ClassVar[type[FasterRCNN]] = FasterRCNN
    ranked: ClassVar[bool] = True

    encoder: Literal["lite0", "picodet-s"] = "lite0"
    """What it looks at pictures with: EfficientNet-lite0, which knows ImageNet, or the packaged
    detector, which knows COCO."""

    def build(self) -> FasterRCNN:
        return self.network(
            len(self.classes),
            size=self.size,
            width=self.width,
            frozen=self.frozen,
            encoder=Encoder(colors=3) if self.encoder == "lite0" else picodet.PicoDet(),
        )

    def pretrain(self, network: Any) -> None:
        if self.encoder == "lite0":
            super().pretrain(network)
        else:
            network.encoder.load_state_dict(picodet.packaged())


class MaskRCNNSystem(FasterRCNNSystem, frozen=True, kw_only=True):
    """`mask_rcnn` (D5)."""

    task: ClassVar[str] = "segment"
    paper: ClassVar[str] = "https://arxiv.org/abs/1703.06870"
    network: ClassVar[type[FasterRCNN]] = MaskRCNN
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "origins", "masks")

    @property
    def table(self) -> Detect:
        """Pictures fill the square, so that no mask is cut at its border."""
        return msgspec.structs.replace(super().table, fit="stretch")

    def card(self, network: nn.Module, labels: Labels, decode: Mapping[str, Any]) -> Card:
        card = super().card(network, labels, decode)
        return msgspec.structs.replace(card, segment=Segment(classes=self.classes))


class YoloSystem(DetectSystem, frozen=True, kw_only=True):
    """`yolo` (D6)."""

    paper: ClassVar[str] = "https://arxiv.org/abs/1506.02640"

    def build(self) -> Yolo:
        return Yolo(len(self.classes), size=self.size, width=self.width, frozen=self.frozen)


def _noise(size: int, seed: int = 0) -> Tensor:
    """(1, 3, S, S) from 0 to 255."""
    return 255 * torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


def _pixels_apart(pairs: Pairs) -> float:
    """How far the sides of most boxes are apart, in pixels of what the network sees."""
    apart = [np.abs(np.sort(ours, axis=1) - np.sort(stored, axis=1)) for ours, stored in pairs]
    return float(np.mean([np.median(one) for one in apart]))


def complete(recipe: Recipe, data: Sequence[Path]) -> Recipe:
    """The recipe with all that is on the training pictures as its classes, if it names none."""
    if recipe.network.get("classes"):
        return recipe
    classes = names_in(list(data))
    return msgspec.structs.replace(recipe, network={**recipe.network, "classes": classes})


TASK = Task(
    "detect",
    BoxData,
    {"fast_rcnn": FastRCNNSystem, "faster_rcnn": FasterRCNNSystem, "yolo": YoloSystem},
    complete,
)
SEGMENT = Task(
    "segment", BoxData, {"box_mask": BoxMaskSystem, "mask_rcnn": MaskRCNNSystem}, complete
)
