"""Which pixels of a box are the thing that it is drawn around.

The idea of DeepMask and SharpMask (Pinheiro et al. 2015, arXiv 1506.06204; 2016, arXiv 1603.08695):
a network sees a crop around one thing and tells its mask; coarse maps know what belongs together,
and fine ones, step by step, where it ends. Here the encoder is PicoDet-S, which has learned from
COCO to tell things from what is around them, and the network is told what its detector knows: the
box, which may be too large or too small, and what kind of thing is in it.

    picture (B, 3, S, S), box (B, 4), kind (B, C)
    PicoDet-S     maps at 1/2, 1/4 (24 channels) and at 1/8, 1/16, 1/32 (192 channels)
    at each size  how much of a cell lies in the box, and what the coarser map knew, enlarged;
                  from 1/8 on also what kind of thing it is, as 16 numbers learned for each kind
    mask (B, 1, S, S)

Letters: B crops, S the side of one, C kinds.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.backbones.picodet import PicoDet
from opsin.objects.networks.parts import evened, say_at_first, separable

STRIDES: Final = (2, 4, 8, 16, 32)
FINE: Final = (16, 32)
"""Channels at 1/2 and 1/4, where most of the work is."""
TOLD: Final = 16
"""Numbers that a kind is told by."""


class BoxMask(nn.Module):
    """Crops (B, 3, S, S) of sRGB from 0 to 1, boxes (B, 4) in shares of a crop's sides, x1, y1, x2,
    y2, and kinds (B, C), 1 at a thing's class and 0 elsewhere, or 0 everywhere if it is not known,
    to masks (B, 1, S, S) from 0 to 1."""

    def __init__(self, kinds: int, *, width: int = 96, frozen: int = 1) -> None:
        """`width` is how many channels there are at 1/8 to 1/32; the encoder stays as it is if any
        of its blocks are `frozen`."""
        super().__init__()
        self.encoder = PicoDet()
        self.encoder.freeze(frozen)
        channels = [*self.encoder.fine_channels, *self.encoder.channels]
        widths = [*FINE, width, width, width]
        told = [1 + (TOLD if stride >= 8 else 0) for stride in STRIDES]
        coarser = [*widths[1:], 0]
        self.kind = nn.Linear(max(1, kinds), TOLD)  # a recipe may leave its classes to the pictures
        self.even = nn.ModuleList(evened(one) for one in channels)
        self.lateral = nn.ModuleList(
            nn.Conv2d(one, own, 1) for one, own in zip(channels, widths, strict=True)
        )
        self.joined = nn.ModuleList(
            nn.Sequential(separable(own + more + before, own), separable(own, own))
            for own, more, before in zip(widths, told, coarser, strict=True)
        )
        self.last = nn.Conv2d(widths[0], 1, 1)
        say_at_first(self.last, 0.0)

    def forward(self, picture: Tensor, box: Tensor, kind: Tensor) -> Tensor:
        logits = F.interpolate(
            self.logits(picture, box, kind), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return logits.sigmoid()

    def logits(self, picture: Tensor, box: Tensor, kind: Tensor) -> Tensor:
        """(B, 1, S/2, S/2), before the sigmoid."""
        maps = self.encoder.every(255 * picture)
        words = self.kind(kind)[:, :, None, None]
        x: Tensor | None = None
        for level in range(len(STRIDES) - 1, -1, -1):
            own = self.lateral[level](self.even[level](maps[level]))
            parts = [own, covered(box, own.shape[2], own.shape[3])]
            if STRIDES[level] >= 8:
                parts.append(words.expand(-1, -1, *own.shape[2:]))
            if x is not None:
                parts.append(F.interpolate(x, scale_factor=2.0))
            x = self.joined[level](torch.cat(parts, dim=1))
        told: Tensor = self.last(x)
        return told.float()

    def losses(self, picture: Tensor, box: Tensor, kind: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """What each mask costs, (B,), whose truth is (B, 1, S/2, S/2), from 0 to 1: each cell for
        itself, and the overlap of the whole, which counts a small thing like a large one
        (Milletari et al. 2016, equation 3)."""
        logits = self.logits(picture, box, kind)
        told = logits.sigmoid()
        shared = (told * mask).flatten(1).sum(1)
        both = (told**2).flatten(1).sum(1) + (mask**2).flatten(1).sum(1)
        cells = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
        return {
            "cells": cells.mean((1, 2, 3)),
            "overlap": 1 - (2 * shared + 1) / (both + 1),
        }


def covered(box: Tensor, height: int, width: int) -> Tensor:
    """(B, 1, height, width): how much of each cell of a crop lies in its box (B, 4)."""
    x1, y1, x2, y2 = box.float().unbind(dim=1)
    across = _covered(x1 * width, x2 * width, width)
    down = _covered(y1 * height, y2 * height, height)
    return (down[:, :, None] * across[:, None, :])[:, None]


def _covered(first: Tensor, last: Tensor, cells: int) -> Tensor:
    starts = torch.arange(cells, device=first.device, dtype=first.dtype)
    end = torch.minimum(last[:, None], starts + 1)
    start = torch.maximum(first[:, None], starts)
    return (end - start).clamp(min=0)
