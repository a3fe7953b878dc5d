"""Two networks for faces (B1, B2), after Antipov, Berrani and Dugelay 2016.

"Minimalistic CNN-based ensemble model for gender prediction from face images", Pattern Recognition
Letters 70: convolutions of 3x3 only, ReLU, one hidden dense layer; and one with few parameters,
which has no dense layer that sees positions. Changed: batch normalization, the first convolution
takes steps of 2, and the face comes in gray, so that black-and-white photographs are no special
case.

             parameters    convolutions    multiplications, 96 pixels
    full      1,310,794    8               83 million
    small        73,186    7               18 million

Letters: B pictures, S the side of the square, C channels.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS: Final = {
    "full": (32, 32, 64, 64, 96, 96, 128, 128),
    "small": (16, 16, 32, 32, 46, 46, 58),
}
HIDDEN: Final = 184
HALVED: Final = 16  # by so much the last map is smaller than the picture


class Faces(nn.Module):
    """A gray square (B, 1, S, S) in 0..1 to (B, n) numbers before the softmax; S is `size`."""

    def __init__(
        self, classes: int, *, variant: str = "full", size: int = 96, dropout: float = 0.5
    ) -> None:
        super().__init__()
        if size % HALVED:
            raise ValueError(f"size {size} is no multiple of {HALVED}.")
        widths = WIDTHS[variant]
        layers, before = [], 1
        for index, width in enumerate(widths):
            layers.append(Layer(before, width, stride=2 if index == 0 else 1))
            before = width
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        side = size // HALVED
        self.hidden = nn.Linear(before * side * side, HIDDEN) if variant == "full" else None
        self.last = nn.Linear(HIDDEN if self.hidden else before, classes)

    def forward(self, picture: Tensor) -> Tensor:
        x = picture * 4 - 2
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in (1, 3, 5):
                x = F.max_pool2d(x, 2)  # S/4, S/8, S/16
        if self.hidden is None:
            x = x.mean(dim=(2, 3))  # (B, C)
        else:
            x = F.relu(self.hidden(self.dropout(torch.flatten(x, 1))))
        return self.last(self.dropout(x))


class Layer(nn.Module):
    """A convolution of 3x3, batch normalization and ReLU: (B, C, H, W) to (B, C', H, W)."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))
