"""What detectors are trained for, and what a run is told of them: losses, AP50 and a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from opsin import boxes
from opsin.boxes import Floats
from opsin.drawing.boxes import framed
from opsin.errors import DataError
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.models.card import Detect
from opsin.objects.data import NOTHING, filled, placed_in, shapes_of
from opsin.objects.precision import Truth, mean_average_precision
from opsin.objects.search import MOST, Found, inputs_of
from opsin.sets.labeled import outlines_on, things_on
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture, read
from opsin.training.crops import Example
from opsin.training.loop import Batch, Stepper
from opsin.training.objective import Loss, Objective
from opsin.training.recipe import Share, Weight
from opsin.training.validation import save_sheet

SHOWN: Final = 12  # pictures on a sheet
LEAST: Final = 0.05  # score of a box that AP50 looks at
SURE: Final = 0.4  # of one that a sheet shows


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[objective]` table of detectors."""

    encoder_rate: Share = 0.3
    """The learning rate of the pretrained encoder, as a share of the other layers'."""
    box_weight: Weight = 1.0
    """What boxes count beside scores."""


class Detecting(Objective):
    """The losses that a network says of itself: those named "box" weighted, the others as they are.

    A detector is called with a picture and gives boxes, scores and origins, and others after
    them; its `losses` are by name.
    """

    def __init__(self, network: nn.Module, settings: Settings, stepper: Stepper) -> None:
        super().__init__(network, stepper, groups_of(network, settings.encoder_rate))
        self.settings = settings

    def loss(self, network: Any, batch: Batch) -> Loss:
        labels = batch["labels"]
        most = max(1, int((labels != NOTHING).sum(dim=1).max()))  # what comes after is empty
        told = [batch[key][:, :most] for key in ("boxes", "labels", "shapes") if key in batch]
        regions = {key: batch[key] for key in ("regions",) if key in batch}
        parts = network.losses(batch["picture"], *told, **regions)
        loss = sum(
            value * (self.settings.box_weight if name.endswith("box") else 1.0)
            for name, value in parts.items()
        )
        return loss, {"loss": loss.detach()} | {key: one.detach() for key, one in parts.items()}


def groups_of(network: Any, encoder_rate: float) -> list[tuple[list[nn.Parameter], float]]:
    """A network's layers and its pretrained encoder, each with its share of the learning rate."""
    pretrained = {id(one) for one in network.encoder.parameters()}
    others = [one for one in network.parameters() if id(one) not in pretrained]
    return [(others, 1.0), (list(network.encoder.parameters()), encoder_rate)]


class Held:
    """Figures on held-back pictures, seen whole as photographs will be; called with the network."""

    def __init__(
        self,
        objective: Detecting,
        held: Listing,
        classes: Sequence[str],
        out: Path,
        *,
        size: int,
        table: Detect,
        shaped: bool = False,
    ) -> None:
        self.objective, self.classes, self.out, self.table = objective, classes, out, table
        shown = [one for one in map(_Shown.of, held.pictures) if one is not None]
        if not shown:
            raise DataError("none of the pictures to validate on can be read.")
        self.examples = [one.placed(size, table, classes, shaped=shaped) for one in shown]
        self.truth: list[Truth] = [
            (one["boxes"][one["labels"] != NOTHING], one["labels"][one["labels"] != NOTHING])
            for one in self.examples
        ]

    @torch.no_grad()
    def __call__(self, step: int, network: nn.Module) -> dict[str, float]:
        sums: dict[str, float] = {}
        told: list[Found] = []
        rows: list[Floats] = []
        for example in self.examples:
            for name, value in self._losses(network, example).items():
                sums[name] = sums.get(name, 0.0) + value
            found, origins = self.found(network, example)
            told.append(found)
            if len(rows) < SHOWN:
                rows.append(self._row(example["picture"], found, origins))
        save_sheet(rows, self.out / "sheets" / f"step-{step:07d}.jpg")
        figures = {name: value / len(self.truth) for name, value in sums.items()}
        return figures | {"ap50": mean_average_precision(told, self.truth, len(self.classes))}

    def found(self, network: nn.Module, example: Example) -> tuple[Found, Floats]:
        """The things that a network tells of a picture, and where each answer is from."""
        stepper = self.objective.stepper
        inputs = {"picture": torch.from_numpy(example["picture"][None])}
        if "regions" in example:
            inputs["regions"] = torch.from_numpy(example["regions"])
        given = stepper.to_device(inputs)
        with stepper.autocast():
            answer = network(**given)
        places, scores, origins = (one[0].float().cpu() for one in answer[:3])
        cells, kinds = np.nonzero(scores.numpy() >= LEAST)
        found = places.numpy()[cells], scores.numpy()[cells, kinds], kinds
        kept = boxes.nms_by_class(*found, most=self.table.overlap, limit=MOST)
        return Found(*found).only(kept), origins.numpy()[cells][kept]

    def _losses(self, network: nn.Module, example: Example) -> dict[str, float]:
        torch.manual_seed(0)  # networks that draw samples draw the same at each validation
        return self.objective.losses(
            network, {name: torch.from_numpy(one[None]) for name, one in example.items()}
        )

    def _row(self, picture: Floats, found: Found, origins: Floats) -> Floats:
        """A picture with what is told of it, and beside it where each answer came from."""
        rgb = picture[::-1].transpose(1, 2, 0).astype(np.uint8)
        sure = found.scores >= SURE
        names = [
            f"{self.classes[kind]} {score:.2f}"
            for kind, score in zip(found.labels[sure], found.scores[sure], strict=True)
        ]
        answers = framed(rgb, found.boxes[sure], names=names)
        causes = framed(rgb, origins[sure])
        return np.asarray(np.concatenate([answers, causes], axis=1) / 255, np.float32)


class _Shown(msgspec.Struct):
    """A held-back picture, and where it is."""

    rgb: Any
    picture: Picture

    @classmethod
    def of(cls, picture: Picture) -> _Shown | None:
        """None if it cannot be read."""
        try:
            return cls(small.whole(read(picture)).numpy(), picture)
        except (vips().Error, OSError):
            return None

    def placed(self, size: int, table: Detect, classes: Sequence[str], *, shaped: bool) -> Example:
        """The picture as the network is given it, with its things there, as `window_of` has it."""
        inputs, by = inputs_of(self.rgb, size, table)
        corner: NDArray[np.float64] = np.zeros(2)
        things = things_on(self.picture)
        assert things is not None  # `check_named` has looked
        placed, labels, numbers = placed_in(things, corner, size / by, size, 0.0, classes)
        shapes = None
        if shaped:
            shapes = shapes_of(outlines_on(self.picture, numbers), placed / np.tile(by, 2))
        inputs["picture"] = inputs["picture"][0]
        return {**inputs, **filled(placed, labels, shapes)}
