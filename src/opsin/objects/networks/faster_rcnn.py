"""Faster R-CNN: a network proposes where things may be, another one looks at each proposal.

Ren et al. 2015 (arXiv 1506.01497), on EfficientNet-lite0 with a feature pyramid (Lin et al. 2017,
arXiv 1612.03144) and with ROI align (He et al. 2017, arXiv 1703.06870, section 3) for ROI pooling.

    picture (B, 3, S, S)
    EfficientNet-lite0     maps at 1/8, 1/16 and 1/32 (or those of another encoder)
    Pyramid                the same maps, each of `width` channels
    region proposals       for each of 9 anchors at each position of each map: how likely it is that
                           there is a thing, and by what the anchor becomes its box
    the best               those that share less than 0.7 with a better one: `PROPOSALS` a picture
    ROI align              of each proposal 7 x 7 cells of the map that fits its size
    head                   two layers; then which class it is, or none, and for each class by what
                           the proposal becomes its box

Both halves learn at once, each from anchors, or proposals, that are drawn at random: some that lie
on things and some that do not, or nearly all would be of nothing.

Letters: B pictures, S the side of one, A anchors, P proposals, C classes, M things on a picture.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin import boxes as in_numpy
from opsin.backbones.efficientnet import Encoder
from opsin.backbones.picodet import PicoDet
from opsin.objects.networks.parts import (
    Pyramid,
    best_of,
    box_loss,
    decode,
    drawn,
    encode,
    matched,
    roi_align,
    rows_by_class,
    say_at_first,
    separable,
)

STRIDES: Final = (8, 16, 32)
SIDES: Final = (3.0, 5.0, 8.0)
"""Of anchors, in strides of their map: 24 to 256 pixels."""
RATIOS: Final = (0.5, 1.0, 2.0)
PROPOSALS: Final = 100
RANKED: Final = 600  # anchors that are compared with each other
SHARED: Final = 0.7  # of two proposals that share more, the better is kept
CELLS: Final = 7  # across a proposal, as the head sees it
USUAL: Final = 80.0  # pixels across a proposal that is looked at on the map at 1/16
ANCHORS_DRAWN: Final = 128  # for the first loss, half of them on things
PROPOSALS_DRAWN: Final = 48  # for the second, a quarter of them on things


class FasterRCNN(nn.Module):
    """Pictures (1, 3, S, S), blue first, from 0 to 255, to boxes, scores and proposals."""

    anchors: Tensor
    """(A, 4), those of the finest map first."""

    def __init__(
        self,
        classes: int,
        *,
        size: int,
        width: int = 96,
        frozen: int = 0,
        encoder: Encoder | PicoDet | None = None,
    ) -> None:
        """`frozen` is how many blocks of the encoder stay as they are."""
        super().__init__()
        self.size, each = size, len(SIDES) * len(RATIOS)
        self.encoder = encoder or Encoder("lite0", colors=3)
        self.encoder.freeze(frozen)
        self.pyramid = Pyramid(self.encoder.channels[-len(STRIDES) :], width)
        self.shared = separable(width, width)
        self.likely = nn.Conv2d(width, each, 1)
        self.moves = nn.Conv2d(width, 4 * each, 1)
        self.head = nn.Sequential(
            nn.Linear(width * CELLS**2, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()
        )
        self.classes = nn.Linear(256, classes + 1)  # the last is none
        self.places = nn.Linear(256, 4 * classes)
        say_at_first(self.likely, -2.0)
        for layer in (self.moves, self.classes, self.places):
            say_at_first(layer, 0.0)
        self.register_buffer("anchors", anchors_on(size), persistent=False)

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Boxes (1, P * C, 4) in pixels, scores (1, P * C, C) from 0 to 1, and of each row the
        proposal (1, P * C, 4): one has a row for each class, with a score for that class alone."""
        maps = self.maps(picture)
        likely, moved = self.proposed(maps)
        proposals = self.best(likely[0], moved[0])
        logits, deltas = self.looked_at(maps, 0, proposals)
        rows, scores, origins = rows_by_class(logits, deltas, proposals)
        return rows[None], scores[None], origins[None]

    def maps(self, picture: Tensor) -> list[Tensor]:
        """Of the pyramid, (B, width, S/8, S/8) and so on."""
        seen = self.encoder(picture.flip(1))  # red first
        found: list[Tensor] = self.pyramid(seen[-len(STRIDES) :])
        return found

    def proposed(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """How likely each anchor lies on a thing, before the sigmoid, (B, A), and the box that it
        becomes, (B, A, 4)."""
        seen = [self.shared(one) for one in maps]
        likely = [self.likely(one).permute(0, 2, 3, 1).flatten(1) for one in seen]
        moves = [self.moves(one).permute(0, 2, 3, 1).flatten(1) for one in seen]
        deltas = torch.cat(moves, dim=1).unflatten(1, (-1, 4)).float()  # type: ignore[no-untyped-call]
        return torch.cat(likely, dim=1).float(), decode(deltas, self.anchors)

    def best(self, likely: Tensor, moved: Tensor) -> Tensor:
        """(P, 4): the proposals of one picture; where there are fewer, boxes without an area."""
        ranked = likely.topk(min(RANKED, len(likely))).indices
        found = moved.detach()[ranked].clamp(0, self.size)
        kept = best_of(found, likely.detach()[ranked], most=SHARED, limit=PROPOSALS)
        return torch.cat([found[kept], found.new_zeros(PROPOSALS, 4)])[:PROPOSALS]

    def looked_at(self, maps: list[Tensor], number: int, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Of regions (P, 4) of one picture, by its number: what they are, (P, C + 1) before the
        softmax, and for each class by what each becomes its box, (P, C, 4)."""
        seen = self.head(self.cells(maps, number, regions, CELLS, USUAL).flatten(1))
        return self.classes(seen).float(), self.places(seen).float().unflatten(1, (-1, 4))

    def cells(
        self, maps: list[Tensor], number: int, regions: Tensor, side: int, usual: float
    ) -> Tensor:
        """(P, width, side, side): each region's part of the map that fits its size; one of `usual`
        pixels is looked at on the map at 1/16."""
        across = (regions[:, 2:] - regions[:, :2]).clamp(min=0).prod(dim=1).sqrt()
        level = torch.floor(1 + torch.log2(across / usual + 1e-6) + 0.5).clamp(0, len(STRIDES) - 1)
        own = [(level == which).nonzero()[:, 0] for which in range(len(STRIDES))]
        parts = [
            roi_align(one[number : number + 1].float(), regions[which], scale=1 / stride, side=side)
            for which, stride, one in zip(own, STRIDES, maps, strict=True)
        ]
        return torch.cat(parts)[torch.cat(own).argsort()]

    def losses(
        self, picture: Tensor, boxes: Tensor, labels: Tensor, *more: Tensor
    ) -> dict[str, Tensor]:
        """What both halves' answers cost, of things with boxes (B, M, 4) and labels (B, M).

        Labels below 0 are none: -1 fills the rows, -2 is not to be judged. `more` is what else is
        known of each thing, (B, M, ...), which `of_proposals` is given.
        """
        maps = self.maps(picture)
        likely, moved = self.proposed(maps)
        sums: dict[str, list[Tensor]] = {}
        for number in range(len(picture)):
            count = max(1, int((labels[number] != -1).sum()))  # what comes after is empty
            things, kinds, *known = (one[number, :count] for one in (boxes, labels, *more))
            parts = self._of_anchors(likely[number], moved[number], things, kinds)
            with torch.no_grad():
                proposals = torch.cat(
                    [self.best(likely[number], moved[number]), things[kinds >= 0]]
                )
            parts |= self.of_proposals(maps, number, proposals, things, kinds, *known)
            for name, value in parts.items():
                sums.setdefault(name, []).append(value)
        return {name: torch.stack(values).mean() for name, values in sums.items()}

    def _of_anchors(
        self, likely: Tensor, moved: Tensor, things: Tensor, kinds: Tensor
    ) -> dict[str, Tensor]:
        """Ren et al. 2015, section 3.1.2: an anchor is on a thing if it shares 0.7 with one, or
        more than any other; on none below 0.3. Between them it is not judged."""
        thing, shared = matched(self.anchors, things, kinds, at_least_one=True)
        on, off = drawn(shared >= 0.7, (shared < 0.3) & (shared >= 0), ANCHORS_DRAWN, share=0.5)
        chosen = torch.cat([on, off])
        wanted = torch.cat([torch.ones(len(on)), torch.zeros(len(off))]).to(likely)
        return {
            "proposal": F.binary_cross_entropy_with_logits(likely[chosen], wanted, reduction="sum")
            / max(1, len(chosen)),  # where nothing may be judged, none is chosen
            "proposal box": box_loss(
                encode(moved[on], self.anchors[on]),
                encode(things[thing[on]], self.anchors[on]),
                len(chosen),
            ),
        }

    def of_proposals(
        self,
        maps: list[Tensor],
        number: int,
        proposals: Tensor,
        things: Tensor,
        kinds: Tensor,
        *more: Tensor,
    ) -> dict[str, Tensor]:
        """Girshick 2015, section 2.3: a proposal is of a thing if it shares half with one."""
        thing, shared = matched(proposals, things, kinds)
        on, off = drawn(shared >= 0.5, (shared < 0.5) & (shared >= 0), PROPOSALS_DRAWN, share=0.25)
        chosen = torch.cat([on, off])
        logits, deltas = self.looked_at(maps, number, proposals[chosen])
        none = torch.full((len(off),), logits.shape[1] - 1, device=logits.device)
        kind = kinds[thing[on]]
        own = deltas[torch.arange(len(on), device=logits.device), kind]
        return {
            "class": F.cross_entropy(logits, torch.cat([kind, none]), reduction="sum")
            / max(1, len(chosen)),
            "box": box_loss(own, encode(things[thing[on]], proposals[on]), len(chosen)),
        }


def anchors_on(size: int) -> Tensor:
    """(A, 4): nine anchors at each position of each map of a picture of that size."""
    parts = [
        in_numpy.anchors(
            size // stride, size // stride, stride, [stride * s for s in SIDES], RATIOS
        )
        for stride in STRIDES
    ]
    return torch.cat([torch.from_numpy(one) for one in parts])
