"""The first network that one builds (B4): two convolutions, two poolings, two dense layers.

As in most courses since LeCun et al. 1998 ("Gradient-based learning applied to document
recognition"): convolution to 32, pooling, convolution to 64, pooling, 128 hidden numbers, softmax.
On 28 pixels it has 421,642 parameters for ten digits.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FirstCNN(nn.Module):
    """A gray square (B, 1, S, S) in 0..1 to (B, n) numbers before the softmax; S is `size`."""

    def __init__(self, classes: int, *, size: int = 28) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 32, 3, padding=1)
        self.two = nn.Conv2d(32, 64, 3, padding=1)
        self.hidden = nn.Linear(64 * (size // 4) ** 2, 128)
        self.last = nn.Linear(128, classes)

    def forward(self, picture: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.one(picture)), 2)  # (B, 32, S/2, S/2)
        x = F.max_pool2d(F.relu(self.two(x)), 2)  # (B, 64, S/4, S/4)
        return self.last(F.relu(self.hidden(torch.flatten(x, 1))))
