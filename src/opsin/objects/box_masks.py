"""Teaching a network to tell which pixels of a box are the thing that it is drawn around.

A training example is one thing of a picture: a crop around its box as `opsin.objects.matte` makes
one, the box somewhat beside where it should be, as detectors put it, and the thing's mask. Things
of which no outline is known, and crowds, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NamedTuple

import msgspec
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.backbones import picodet
from opsin.boxes import Floats
from opsin.drawing.masks import tinted
from opsin.drawing.pixels import resized
from opsin.errors import DataError, RecipeError
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.masks import Mask, mask_of
from opsin.models.card import Card, Input, Output, Segment, Text
from opsin.objects.crops import around, within
from opsin.objects.data import BoxData, changed, check_squares, check_things
from opsin.objects.networks.box_mask import BoxMask
from opsin.objects.objective import groups_of
from opsin.sets.labeled import Labeled, outlines_on, things_on
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture, read
from opsin.training.crops import Example
from opsin.training.loop import Batch, Stepper
from opsin.training.objective import Loss, Objective
from opsin.training.recipe import Share
from opsin.training.task import Graph, Labels, System, card_for, graph_for
from opsin.training.validation import save_sheet

LEAST_SIDE: Final = 12  # pixels of a box: of smaller things nobody knows the outline
OFF: Final = 0.1  # of a box's sides: the deviation of where a detector puts each of them
UNTOLD: Final = 0.1  # share of the examples of which it is not told what they are
HELD: Final = 4  # things of a held-back picture that are looked at, the largest
SHOWN: Final = 36  # of them on a sheet
BATCH: Final = 16
GIVEN: Final = ("picture", "box", "kind")
"""What the network is told of a thing."""


class MaskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table."""

    encoder_rate: Share = 0.1
    """The learning rate of the pretrained encoder, as a share of the other layers'."""


class BoxMaskSystem(System, frozen=True, kw_only=True):
    """`box_mask`."""

    settings: ClassVar[type[msgspec.Struct]] = MaskSettings
    paper: ClassVar[str] = "https://arxiv.org/abs/1603.08695"
    sheets: ClassVar[str] = "Things of held-back pictures: what is true of each, and what is told."

    classes: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    """The things that it learns from, and is asked about; empty: all on the training pictures."""
    size: Annotated[int, Meta(ge=64, le=1024, multiple_of=32)] = 256
    """The side of the square that it sees; `data.size` and `data.validation_size` are the same."""
    width: Annotated[int, Meta(ge=8, le=512, multiple_of=8)] = 96
    """Channels of its maps at 1/8 to 1/32."""
    frozen: Annotated[int, Meta(ge=0, le=16)] = 1
    """Blocks of the pretrained encoder that stay as they are: all, if any do."""

    def check(self, data: BoxData, objective: MaskSettings) -> None:
        check_squares(data, self.size)
        usual = BoxData()
        for key in ("least_area", "stretch", "seen"):
            if getattr(data, key) != getattr(usual, key):
                raise RecipeError(
                    f"data.{key} = {getattr(data, key)}, but a crop is what is around one thing. "
                    "Leave it out.",
                    key=f"data.{key}",
                )

    def check_pictures(self, training: Listing, held: Listing) -> None:
        check_things(training, held, self.classes)
        if not any(usable(one, self.classes) for one in training.pictures):
            raise DataError(
                "on the training pictures there is no thing whose outline is known and that is "
                f"{LEAST_SIDE} pixels large. Give a set whose instances.json has outlines: `opsin "
                "segment --coco` makes a first one to correct."
            )

    def build(self) -> BoxMask:
        return BoxMask(len(self.classes), width=self.width, frozen=self.frozen)

    def pretrain(self, network: Any) -> None:
        network.encoder.load_state_dict(picodet.packaged())

    def crop(
        self,
        picture: Picture,
        size: int,
        rng: np.random.Generator,
        *,
        settings: BoxData,
        whole: bool,
    ) -> Example:
        return example_of(picture, size, settings, self.classes, rng)

    def objective(
        self, network: nn.Module, settings: MaskSettings, stepper: Stepper, cache: None
    ) -> Masking:
        return Masking(network, settings, stepper)

    def validation(
        self, objective: Masking, held: Listing, settings: BoxData, out: Path
    ) -> Callable[[int, nn.Module], dict[str, float]]:
        return HeldMasks(objective, held, self.classes, out, size=self.size)

    def card(self, network: nn.Module, labels: Labels, decode: Mapping[str, Any]) -> Card:
        square = (self.size, self.size)
        card = card_for(
            "segment",
            self,
            msgspec.structs.replace(labels, size=self.size),
            inputs=(
                Input(name="picture", shape=(1, 3, *square), unit="sRGB, 0 to 1"),
                Input(name="box", shape=(1, 4), unit="x1, y1, x2, y2 in shares of the sides"),
                Input(name="kind", shape=(1, len(self.classes)), unit="1 at the thing's class"),
            ),
            outputs=(Output(name="mask", shape=(1, 1, *square)),),
        )
        table = Segment(classes=self.classes, margins=(0.2,))
        return msgspec.structs.replace(card, segment=table)

    def graph(self, network: nn.Module, card: Card) -> Graph:
        return graph_for(network, card, [self._tried(seed) for seed in (1, 2)])

    def _tried(self, seed: int) -> dict[str, Tensor]:
        chance = torch.Generator().manual_seed(seed)
        picture = torch.rand(1, 3, self.size, self.size, generator=chance)
        first, sides = torch.rand(2, 1, 2, generator=chance) / 2
        kind = torch.eye(len(self.classes))[seed % len(self.classes)][None]
        return {"picture": picture, "box": torch.cat([first, first + sides], dim=1), "kind": kind}


class Masking(Objective):
    """The losses that the network says of itself, together."""

    def __init__(self, network: Any, settings: MaskSettings, stepper: Stepper) -> None:
        super().__init__(network, stepper, groups_of(network, settings.encoder_rate))

    def loss(self, network: Any, batch: Batch) -> Loss:
        known = batch["known"]
        each = network.losses(*(batch[name] for name in (*GIVEN, "mask")))
        parts = {key: (one * known).sum() / known.sum().clamp(min=1) for key, one in each.items()}
        loss = sum(parts.values())
        return loss, {"loss": loss.detach()} | {key: one.detach() for key, one in parts.items()}


class HeldMasks:
    """Figures on the largest things of held-back pictures; called with the network."""

    def __init__(
        self, objective: Masking, held: Listing, classes: Sequence[str], out: Path, *, size: int
    ) -> None:
        self.objective, self.out = objective, out
        found: list[Example] = []
        rng = np.random.default_rng(0)
        for picture in held.pictures:
            try:
                image = small.whole(read(picture)).numpy()
            except (vips().Error, OSError):
                continue
            largest = sorted(usable(picture, classes), key=lambda one: -_area(one.box))
            for one in largest[:HELD]:
                made = shown_of(image, shifted(one.box, rng), one.mask, size, margin=0.2)
                found.append({**made, "kind": _one_hot(one.kind, classes)})
        if not found:
            raise DataError(
                "on the pictures to validate on there is no thing whose outline is known."
            )
        self.batch = {key: np.stack([one[key] for one in found]) for key in found[0]}

    @torch.no_grad()
    def __call__(self, step: int, network: nn.Module) -> dict[str, float]:
        sums: dict[str, float] = {}
        rows: list[Floats] = []
        count = len(self.batch["known"])
        for start in range(0, count, BATCH):
            part = {
                key: torch.from_numpy(one[start : start + BATCH]) for key, one in self.batch.items()
            }
            for name, value in self.objective.losses(network, part).items():
                sums[name] = sums.get(name, 0.0) + value * len(part["known"])
            told, true = self._told(network, part), part["mask"][:, 0].numpy() >= 0.5
            together = (told | true).sum((1, 2))
            shares = (told & true).sum((1, 2)) / np.maximum(together, 1)
            sums["iou"] = sums.get("iou", 0.0) + float(shares.sum())
            for picture, *both in zip(part["picture"].numpy(), true, told, strict=True):
                if len(rows) < SHOWN:
                    rows.append(_row(picture, both))
        save_sheet(rows, self.out / "sheets" / f"step-{step:07d}.jpg")
        return {name: value / count for name, value in sums.items()}

    def _told(self, network: nn.Module, part: Batch) -> NDArray[np.bool_]:
        """(B, S/2, S/2)."""
        stepper = self.objective.stepper
        given = stepper.to_device({key: part[key] for key in GIVEN})
        with stepper.autocast():
            logits = network.logits(**given)  # type: ignore[operator]
        return np.asarray(logits[:, 0].float().cpu().numpy() >= 0)


def example_of(
    picture: Picture, size: int, data: BoxData, classes: Sequence[str], rng: np.random.Generator
) -> Example:
    """One thing of a picture: `picture` (3, S, S), sRGB from 0 to 1; `box` (4,) in shares of its
    sides; `kind` (C,), 1 at its class; `mask` (1, S/2, S/2), how much of each cell is the thing;
    `known` (), 1, or 0 if there is no thing whose outline is known. Large things are drawn more
    often, by their boxes' sides."""
    image = small.whole(read(picture)).numpy()
    things = usable(picture, classes)
    if not things:
        empty = Mask(np.zeros((0, 0), np.bool_))
        made = shown_of(image, np.array([0, 0, *image.shape[1::-1]]), empty, size, margin=0.0)
        made["kind"] = np.zeros(len(classes), np.float32)
        return {**made, "known": np.zeros((), np.float32)}
    chances = np.sqrt([_area(one.box) for one in things])
    box, mask, kind = things[rng.choice(len(things), p=chances / chances.sum())]
    made = shown_of(image, shifted(box, rng), mask, size, margin=data.margin * rng.random())
    made["kind"] = _one_hot(kind, classes) * np.float32(rng.random() >= UNTOLD)
    if rng.random() < 0.5:
        made["picture"], made["mask"] = made["picture"][..., ::-1], made["mask"][..., ::-1]
        made["box"] = made["box"][[2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
    rgb = changed(made["picture"].transpose(1, 2, 0), data, rng)
    made["picture"] = rgb.transpose(2, 0, 1)
    return {key: np.array(one, np.float32) for key, one in made.items()}


def shifted(box: Floats, rng: np.random.Generator) -> Floats:
    """A box (4,) as a detector might have put it."""
    off = np.clip(rng.normal(0, OFF, 4), -2 * OFF, 2 * OFF)
    return np.asarray(box + off * np.tile(box[2:] - box[:2], 2), np.float32)


def shown_of(
    image: NDArray[np.uint8], box: NDArray[Any], mask: Mask, size: int, *, margin: float
) -> Example:
    """A thing as the network is shown it, see `example_of`, but for its kind."""
    rows, columns = around(box, image.shape, margin)
    seen = resized(image[rows, columns], size, size, kernel="linear").astype(np.float32) / 255
    true = mask.pasted(*image.shape[:2])[rows, columns, None] * np.float32(255)
    cells = resized(true, size // 2, size // 2, kernel="linear")[..., 0] / 255
    return {
        "picture": np.ascontiguousarray(seen.transpose(2, 0, 1), np.float32),
        "box": within(box, rows, columns),
        "mask": np.ascontiguousarray(cells[None], np.float32),
        "known": np.ones((), np.float32),
    }


class Outlined(NamedTuple):
    """A thing that there is something to learn from."""

    box: Floats
    mask: Mask
    kind: int
    """The number of its class."""


def usable(picture: Picture, classes: Sequence[str]) -> list[Outlined]:
    """The things of a picture whose outline is known and that are not too small for one."""
    things = things_on(picture) or Labeled(np.zeros((0, 4), np.float32), ())
    sides = things.boxes[:, 2:] - things.boxes[:, :2]
    numbers = [
        number
        for number, name in enumerate(things.names)
        if name in classes and sides[number].max() >= LEAST_SIDE
    ]
    outlines = zip(numbers, outlines_on(picture, numbers), strict=True)
    return [
        Outlined(things.boxes[number], mask, classes.index(things.names[number]))
        for number, mask in outlines
        if mask and mask.area
    ]


def _one_hot(kind: int, classes: Sequence[str]) -> Floats:
    return np.asarray(np.arange(len(classes)) == kind, np.float32)


def _area(box: Floats) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))


def _row(picture: Floats, both: Sequence[NDArray[np.bool_]]) -> Floats:
    """A crop with what is true on it, and with what is told."""
    cells = both[0].shape
    rgb = resized((255 * picture.transpose(1, 2, 0)).astype(np.uint8), *cells, kernel="linear")
    sides = [tinted(rgb, [mask_of(one)] if one.any() else []) for one in both]
    return np.asarray(np.concatenate(sides, axis=1) / 255, np.float32)
