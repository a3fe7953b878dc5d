"""Mask R-CNN: Faster R-CNN that also says which pixels of each box are the thing.

He et al. 2017 (arXiv 1703.06870), on Faster R-CNN as it stands beside this file:

    Faster R-CNN           what things there are, and their boxes
    the best               of each class those that share less than half with a better one
    ROI align              of each box 14 x 14 cells of the map that fits its size
    mask head              four convolutions, and one that doubles the sides
    masks (N, C, 28, 28)   for each class how likely each cell of the box is of the thing

**Masks do not compete** (section 3 of the paper): each class has a mask of its own, of which
training judges that of the true class alone, each cell for itself (binary cross-entropy). Which
class it is was told before.

In training, masks are told in boxes of the truth and in proposals that share half with one; what is
true in a proposal is read from the thing's shape, a grid across its own box. Changed: convolutions
are separable, and the maps are of 96 channels, to be computed on a laptop.

Letters: B pictures, S the side of one, P proposals, N boxes that are told, C classes, M things on a
picture, G cells across a thing's shape.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.backbones.efficientnet import Encoder
from opsin.backbones.picodet import PicoDet
from opsin.objects.networks.faster_rcnn import FasterRCNN
from opsin.objects.networks.parts import (
    best_of,
    drawn,
    matched,
    rows_by_class,
    say_at_first,
    separable,
)

TOLD: Final = 50
"""Boxes on a picture whose masks are told; where there are fewer, boxes without an area."""
SHARED: Final = 0.5  # of two boxes of one class that share more, the better is kept
CELLS: Final = 14  # across a box, as the mask head sees it
USUAL: Final = 16.0 * CELLS  # pixels across a box that is looked at on the map at 1/16
MASKS_DRAWN: Final = 16  # proposals upon things on a picture that a step learns masks from


class MaskRCNN(FasterRCNN):
    """Pictures (1, 3, S, S), blue first, from 0 to 255, to boxes, scores, proposals and masks."""

    def __init__(
        self,
        classes: int,
        *,
        size: int,
        width: int = 96,
        frozen: int = 0,
        encoder: Encoder | PicoDet | None = None,
    ) -> None:
        """As `FasterRCNN`."""
        super().__init__(classes, size=size, width=width, frozen=frozen, encoder=encoder)
        last = nn.Conv2d(width, classes, 1)
        say_at_first(last, 0.0)
        self.mask = nn.Sequential(
            *(separable(width, width) for _ in range(4)),
            nn.ConvTranspose2d(width, width, 2, stride=2),
            nn.ReLU(inplace=True),
            last,
        )

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Boxes (1, N, 4) in pixels, scores (1, N, C) from 0 to 1, of which only that of the box's
        own class is not 0, the proposals (1, N, 4) that they were, and masks (1, N, 28, 28) from 0
        to 1, across each box."""
        maps = self.maps(picture)
        likely, moved = self.proposed(maps)
        proposals = self.best(likely[0], moved[0])
        logits, deltas = self.looked_at(maps, 0, proposals)
        every = rows_by_class(logits, deltas, proposals)
        boxes, scores, origins = self.told(every[0].clamp(0, self.size), *every[1:])
        kinds = scores.argmax(dim=1)[:, None, None, None].expand(-1, 1, 2 * CELLS, 2 * CELLS)
        own = self.masks(maps, 0, boxes).gather(1, kinds)[:, 0]
        return boxes[None], scores[None], origins[None], own.sigmoid()[None]

    def told(self, boxes: Tensor, scores: Tensor, origins: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best of rows (R, 4), (R, C) and (R, 4), N of each."""
        apart = boxes + 2 * self.size * scores.argmax(dim=1, keepdim=True)  # classes share nothing
        kept = best_of(apart, scores.amax(dim=1), most=SHARED, limit=TOLD)
        rows = torch.cat([boxes, scores, origins], dim=1)
        rows = torch.cat([rows[kept], rows.new_zeros(TOLD, rows.shape[1])])[:TOLD]
        return rows[:, :4], rows[:, 4:-4], rows[:, -4:]

    def masks(self, maps: list[Tensor], number: int, boxes: Tensor) -> Tensor:
        """(N, C, 28, 28), before the sigmoid: of boxes (N, 4) of one picture, by its number."""
        found: Tensor = self.mask(self.cells(maps, number, boxes, CELLS, USUAL))
        return found.float()

    def of_proposals(
        self,
        maps: list[Tensor],
        number: int,
        proposals: Tensor,
        things: Tensor,
        kinds: Tensor,
        *more: Tensor,
    ) -> dict[str, Tensor]:
        """As of Faster R-CNN, and what the masks of proposals upon things cost; `more` are the
        things' shapes (M, G, G): 1 where they are, 0 where not, -1 where nobody knows."""
        [shapes] = more
        parts = super().of_proposals(maps, number, proposals, things, kinds)
        thing, shared = matched(proposals, things, kinds)
        known = (shapes >= 0).flatten(1).all(dim=1)
        on, _ = drawn((shared >= 0.5) & known[thing], shared < -1, MASKS_DRAWN, share=1.0)
        own = thing[on]
        logits = self.masks(maps, number, proposals[on])[torch.arange(len(on)), kinds[own]]
        wanted = shapes_in(proposals[on], things[own], shapes[own].float(), 2 * CELLS)
        each = F.binary_cross_entropy_with_logits(logits, (wanted >= 0.5).float(), reduction="sum")
        return {**parts, "mask": each / max(1, wanted.numel())}


def shapes_in(regions: Tensor, boxes: Tensor, shapes: Tensor, side: int) -> Tensor:
    """(K, side, side): how much of each cell of regions (K, 4) is of the thing whose box is that of
    (K, 4) and whose shape across it is that of (K, G, G), from 0 to 1; outside the box nothing."""
    steps = (torch.arange(side, device=regions.device) + 0.5) / side
    first, sides = regions[:, None, :2], regions[:, None, 2:] - regions[:, None, :2]
    at = first + sides * steps[None, :, None]  # (K, side, 2): x and y
    own = (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=1e-3)
    at = 2 * (at - boxes[:, None, :2]) / own - 1  # from -1 to 1 across the thing's box
    across = at[:, None, :, 0].expand(-1, side, -1)
    down = at[:, :, None, 1].expand(-1, -1, side)
    places = torch.stack([across, down], dim=-1)
    return F.grid_sample(shapes[:, None], places, align_corners=False)[:, 0]
