"""Fast R-CNN: the picture is looked at once, and then each region of it.

Girshick 2015 (arXiv 1504.08083), on EfficientNet-lite0. R-CNN ran its network on every region anew;
here all regions share one map, of which each takes its own part by ROI pooling, and one loss
teaches the classes and the boxes together.

    picture (B, 3, S, S), and regions of it, in which there may be something
    EfficientNet-lite0     maps at 1/16 and 1/32
    Pyramid                the two as one map at 1/16, of `width` channels
    ROI pooling            of each region 7 x 7 cells, of each cell the largest number
    head                   two layers; then which class it is, or none, and for each class by what
                           the region becomes its box

**Where the regions come from is not its business**: `forward` and `losses` are told them. The paper
takes those of selective search (`opsin.objects.proposals`), some 2,000 a picture; with
`network.proposals` in its recipe they are these here, too. Else they are windows of five sizes and
three shapes all over the picture, always the same ones, which need no search.

Letters: B pictures, S the side of one, R regions, C classes, M things on a picture.
"""

from __future__ import annotations

from math import ceil
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin import boxes as in_numpy
from opsin.backbones.efficientnet import Encoder
from opsin.objects.networks.parts import (
    Pyramid,
    box_loss,
    drawn,
    encode,
    matched,
    roi_pool,
    rows_by_class,
    say_at_first,
)

STRIDE: Final = 16
SHARES: Final = (0.18, 0.3, 0.45, 0.67, 0.95)
"""Sides of the windows, as shares of the picture's."""
RATIOS: Final = (0.5, 1.0, 2.0)
STEP: Final = 3  # windows side by side in the length of one
CELLS: Final = 7  # across a region, as the head sees it
DRAWN: Final = 64  # regions a picture that one step learns from
ON_THINGS: Final = 0.25  # of them, as the paper has it
LEAST: Final = 0.1  # a region that shares less with every thing teaches nothing, if there is any
SHAKEN: Final = 4  # regions near each thing beside the windows, in training
FARTHEST: Final = 0.2  # how far their sides are off, in sides of the thing


class FastRCNN(nn.Module):
    """Pictures (1, 3, S, S), blue first, from 0 to 255, to boxes, scores and regions."""

    windows: Tensor
    """(R, 4): the regions that are looked at where none are told."""

    def __init__(self, classes: int, *, size: int, width: int = 96, frozen: int = 0) -> None:
        """`frozen` is how many blocks of the encoder stay as they are."""
        super().__init__()
        self.encoder = Encoder("lite0", colors=3)
        self.encoder.freeze(frozen)
        self.pyramid = Pyramid(self.encoder.channels[2:], width)
        self.head = nn.Sequential(
            nn.Linear(width * CELLS**2, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()
        )
        self.classes = nn.Linear(256, classes + 1)  # the last is none
        self.places = nn.Linear(256, 4 * classes)
        say_at_first(self.classes, 0.0)
        say_at_first(self.places, 0.0)
        self.register_buffer("windows", windows_on(size), persistent=False)

    def forward(
        self, picture: Tensor, regions: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (1, R * C, 4) in pixels, scores (1, R * C, C) from 0 to 1, and of each row the
        region (1, R * C, 4): one has a row for each class, with a score for that class alone.

        `regions` (R, 4) are where to look.
        """
        regions = self.windows if regions is None else regions
        logits, deltas = self.looked_at(self.map(picture), regions)
        rows, scores, origins = rows_by_class(logits, deltas, regions)
        return rows[None], scores[None], origins[None]

    def map(self, picture: Tensor) -> Tensor:
        """What is shared by all regions, (B, width, S/16, S/16)."""
        maps: list[Tensor] = self.pyramid(self.encoder(picture.flip(1))[2:])  # red first
        return maps[0]

    def looked_at(self, one: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Of regions (R, 4) on one map (1, width, ., .): what they are, (R, C + 1) before the
        softmax, and for each class by what each becomes its box, (R, C, 4)."""
        cells = roi_pool(one.float(), regions, scale=1 / STRIDE, side=CELLS)
        seen = self.head(cells.flatten(1))
        deltas = self.places(seen).float().unflatten(1, (-1, 4))
        return self.classes(seen).float(), deltas

    def losses(
        self, picture: Tensor, boxes: Tensor, labels: Tensor, regions: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What the answers cost, of things with boxes (B, M, 4) and labels (B, M).

        Labels below 0 are none: -1 fills the rows, -2 is not to be judged. `regions` (B, R, 4) are
        those of each picture.
        """
        maps = self.map(picture)
        sums: dict[str, list[Tensor]] = {"class": [], "box": []}
        for number, (things, kinds) in enumerate(zip(boxes, labels, strict=True)):
            own = self.windows if regions is None else regions[number]
            near = torch.cat([own, shaken(things[kinds >= 0])])
            part = self._of_regions(maps[number : number + 1], near, things, kinds)
            for name, value in part.items():
                sums[name].append(value)
        return {name: torch.stack(values).mean() for name, values in sums.items()}

    def _of_regions(
        self, one: Tensor, regions: Tensor, things: Tensor, kinds: Tensor
    ) -> dict[str, Tensor]:
        """Section 2.3: a region is of a thing if it shares half with one, and of none if it shares
        less but something: what is near a thing teaches most."""
        thing, shared = matched(regions, things, kinds)
        least = LEAST if bool((kinds >= 0).any()) else 0.0
        on, off = drawn(shared >= 0.5, (shared < 0.5) & (shared >= least), DRAWN, share=ON_THINGS)
        far = drawn(torch.zeros_like(shared, dtype=torch.bool), shared >= 0, DRAWN // 8, share=0)[1]
        off = torch.cat([off, far[shared[far] < LEAST]])  # and some that are far from all
        chosen = torch.cat([on, off])
        logits, deltas = self.looked_at(one, regions[chosen])
        none = torch.full((len(off),), logits.shape[1] - 1, device=logits.device)
        own = deltas[torch.arange(len(on), device=logits.device), kinds[thing[on]]]
        wanted = encode(things[thing[on]], regions[on])
        return {
            "class": F.cross_entropy(logits, torch.cat([kinds[thing[on]], none]), reduction="sum")
            / max(1, len(chosen)),  # where nothing may be judged, none is chosen
            "box": box_loss(own, wanted, len(chosen)),
        }


def windows_on(size: int) -> Tensor:
    """(R, 4): windows of all sizes and shapes on a picture of that size, cut off at its borders."""
    parts = []
    for share in SHARES:
        count = ceil(STEP / share)
        parts.append(in_numpy.anchors(count, count, size / count, [share * size], RATIOS))
    cut = [in_numpy.clip(one, size, size) for one in parts]
    return torch.cat([torch.from_numpy(one) for one in cut])


def shaken(things: Tensor) -> Tensor:
    """(K * 4, 4): boxes near those of things (K, 4), each side moved at random."""
    every = things.repeat(SHAKEN, 1)
    sides = (every[:, 2:] - every[:, :2]).repeat(1, 2)
    return every + (2 * torch.rand_like(every) - 1) * FARTHEST * sides
