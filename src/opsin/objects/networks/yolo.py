"""YOLO laid open: one look at the picture, and every cell of a grid answers for itself.

After Redmon et al. 2016 (You Only Look Once, arXiv 1506.02640), with what came later and made it
simpler: no anchors (Ge et al. 2021, YOLOX), three grids instead of one (Lin et al. 2017), and a
score that is trained to be what the paper calls confidence: how likely the class is, times how much
the box shares with the thing.

    picture (B, 3, S, S)
    EfficientNet-lite0     maps at 1/8, 1/16 and 1/32
    Pyramid                the same maps, each of `width` channels
    head, one for all      for each cell: a score for each class, and four distances, from the
                           cell's center to the left, upper, right and lower side of its box

**Which cell answers for a thing?** The one in whose middle it lies, and those around that one, if
their centers are inside its box too; of the three grids the one whose cells fit its size. All other
cells have to answer with scores of 0.

Letters: B pictures, S the side of one, N cells of all grids, C classes, M things on a picture.
"""

from __future__ import annotations

from math import log
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.backbones.efficientnet import Encoder
from opsin.objects.networks.parts import Pyramid, giou, iou, say_at_first, separable

STRIDES: Final = (8, 16, 32)
FITTING: Final = 8.0
"""A grid answers for things of up to so many of its cells across; the coarsest for larger ones."""
NEAR: Final = 1.5  # cells between the middle of a thing and a cell that answers for it
RARE: Final = 0.01  # the score of every cell before anything is learned
FARTHEST: Final = 5.0  # a distance in cells, as a logarithm: what an unlearned network may say


class Yolo(nn.Module):
    """Pictures (1, 3, S, S), blue first, from 0 to 255, to boxes, scores and cells."""

    cells: Tensor
    """(N, 4): each cell of the grids as a box, the finest grid first."""

    def __init__(self, classes: int, *, size: int, width: int = 96, frozen: int = 0) -> None:
        """`frozen` is how many blocks of the encoder stay as they are."""
        super().__init__()
        self.encoder = Encoder("lite0", colors=3)
        self.encoder.freeze(frozen)
        self.pyramid = Pyramid(self.encoder.channels[1:], width)
        self.head = nn.Sequential(separable(width, width), separable(width, width))
        self.classes = nn.Conv2d(width, classes, 1)
        self.distances = nn.Conv2d(width, 4, 1)
        say_at_first(self.classes, log(RARE / (1 - RARE)))
        say_at_first(self.distances, 1.0)
        self.register_buffer("cells", grid(size), persistent=False)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (1, N, 4) in pixels, scores (1, N, C) from 0 to 1, and the cells (1, N, 4) that
        they come from."""
        logits, found = self.answers(picture)
        return found, logits.sigmoid(), self.cells[None]

    def answers(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Of every cell the scores before the sigmoid, (B, N, C), and the box, (B, N, 4)."""
        maps = self.pyramid(self.encoder(picture.flip(1))[1:])  # red first, as it was trained
        seen = [self.head(one) for one in maps]  # (B, width, S/8, S/8) and so on
        logits = torch.cat([self.classes(one).flatten(2) for one in seen], dim=2)  # (B, C, N)
        raw = torch.cat([self.distances(one).flatten(2) for one in seen], dim=2)  # (B, 4, N)
        distances = raw.transpose(1, 2).clamp(max=FARTHEST).exp()
        return logits.transpose(1, 2), boxes_of(distances, self.cells)

    def losses(self, picture: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What the answers cost, of things with boxes (B, M, 4) and labels (B, M).

        Labels below 0 are none: -1 fills the rows, -2 is not to be judged.
        """
        logits, found = self.answers(picture)
        logits, found = logits.float(), found.float()
        thing = responsible(self.cells, boxes, labels >= 0)  # (B, N), -1 for none
        answers = thing >= 0
        own = boxes.gather(1, thing.clamp(min=0)[..., None].expand(-1, -1, 4))
        kind = labels.gather(1, thing.clamp(min=0))
        quality = iou(found.detach()[answers][:, None], own[answers][:, None]).reshape(-1, 1)
        wanted = torch.zeros_like(logits)
        wanted[answers] = F.one_hot(kind[answers], logits.shape[-1]) * quality
        each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        judged = ~(_inside(self.cells, boxes, labels == -2).any(dim=2) & ~answers)
        count = answers.sum().clamp(min=1)
        return {
            "class": (each * judged[..., None]).sum() / count,
            "box": (1 - giou(found[answers], own[answers])).sum() / count,
        }


def grid(size: int) -> Tensor:
    """(N, 4): the cells of all grids on a picture of that size, each as a box, row by row."""
    parts = []
    for stride in STRIDES:
        count = size // stride
        rows, columns = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
        corner = torch.stack([columns, rows], dim=-1).reshape(-1, 2) * stride
        parts.append(torch.cat([corner, corner + stride], dim=1))
    return torch.cat(parts).float()


def boxes_of(distances: Tensor, cells: Tensor) -> Tensor:
    """Boxes (..., N, 4) of how far each side is from its cell's center, in cells."""
    center, stride = (cells[:, :2] + cells[:, 2:]) / 2, cells[:, 2:] - cells[:, :2]
    first = center - distances[..., :2] * stride
    return torch.cat([first, center + distances[..., 2:] * stride], dim=-1)


def responsible(cells: Tensor, boxes: Tensor, there: Tensor) -> Tensor:
    """(B, N): the number of the thing that each cell answers for, -1 if there is none.

    Boxes are (B, M, 4), `there` (B, M) says which rows are things. Of two the smaller one wins.
    """
    stride = (cells[:, 2] - cells[:, 0])[None, :, None]
    longer = (boxes[..., 2:] - boxes[..., :2]).amax(dim=-1)  # (B, M)
    least = torch.where(stride > STRIDES[0], stride * FITTING / 2, torch.zeros_like(stride))
    most = torch.where(stride < STRIDES[-1], stride * FITTING, torch.full_like(stride, torch.inf))
    fits = (longer[:, None] > least) & (longer[:, None] <= most)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    way = (middle[:, None] - ((cells[:, :2] + cells[:, 2:]) / 2)[None, :, None]).abs().amax(dim=-1)
    own = way <= stride / 2  # the middle lies in this very cell
    near = (way <= NEAR * stride) & _inside(cells, boxes, there)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(dim=-1)[:, None].expand_as(fits)
    open_ = fits & (own | near) & there[:, None]
    smallest = area.masked_fill(~open_, torch.inf).min(dim=2)
    return torch.where(smallest.values < torch.inf, smallest.indices, -1)


def _inside(cells: Tensor, boxes: Tensor, rows: Tensor) -> Tensor:
    """(B, N, M): whether the center of a cell lies in a box, of those rows that count."""
    center = ((cells[:, :2] + cells[:, 2:]) / 2)[None, :, None]
    inside = (center > boxes[:, None, :, :2]) & (center < boxes[:, None, :, 2:])
    return inside.all(dim=-1) & rows[:, None]
