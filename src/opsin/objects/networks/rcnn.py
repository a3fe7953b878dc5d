"""R-CNN: every region is cut out of the picture, made a square, and looked at on its own.

Girshick et al. 2014 (arXiv 1311.2524), on EfficientNet-lite0 as it was trained on ImageNet.

    regions of a picture, in which there may be something (`opsin.objects.proposals`)
    each, with some of what is around it, squashed to S x S pixels (`opsin.objects.crops`)
    EfficientNet-lite0     the last map at 1/32, its channels brought to one size
    a linear SVM           for each class: is it one, or not?
    a ridge regression     for each class: by what the region becomes its box

Nothing but the last two learns, and not by gradients: the features of all regions are computed
once, then scikit-learn solves for both (`opsin.objects.rcnn_learned`). What takes time is the
encoder, which runs once for each region, where Fast R-CNN's runs once for all.

Letters: R regions, S the side of their squares, C classes, K cells of the last map, D = 320 K.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from opsin.backbones.efficientnet import Encoder
from opsin.objects.networks.parts import evened, rows_of

STRIDE: Final = 32
SLOPE: Final = 2.0  # of the score, by the SVM's distance


class RCNN(nn.Module):
    """Crops (R, 3, S, S), blue first, from 0 to 255, and the regions (R, 4) that they show, to
    boxes, scores and regions."""

    def __init__(self, classes: int, *, crop: int) -> None:
        super().__init__()
        self.encoder = Encoder("lite0", colors=3)
        self.even = evened(self.encoder.channels[-1])
        width = self.encoder.channels[-1] * (crop // STRIDE) ** 2
        self.classes = nn.Linear(width, classes)
        self.places = nn.Linear(width, 4 * classes)

    def forward(self, crops: Tensor, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (1, R * C, 4) in pixels of the regions, scores (1, R * C, C) from 0 to 1, and of
        each row the region (1, R * C, 4): one has a row for each class, as in Fast R-CNN."""
        seen = self.even(self.last_map(crops)).flatten(1)  # (R, D)
        shares = torch.sigmoid(SLOPE * self.classes(seen))  # one half on the SVM's border
        deltas = self.places(seen).unflatten(1, (-1, 4))  # (R, C, 4)
        rows, scores, origins = rows_of(shares, deltas, regions)
        return rows[None], scores[None], origins[None]

    def last_map(self, crops: Tensor) -> Tensor:
        """(R, 320, S/32, S/32)."""
        found: Tensor = self.encoder(crops.flip(1))[-1]  # red first
        return found
