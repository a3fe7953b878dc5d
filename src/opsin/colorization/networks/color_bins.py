"""A7, the default colorizer: a distribution over 313 a*b* bins at 1/4 of the input size.

Colorful Image Colorization (Zhang et al. 2016, arXiv 1603.08511) on a small modern network:
an EfficientNet-lite encoder that sees nothing but L*, two attention blocks over its coarsest
map, so that far corners of a photograph agree, and a light U-Net decoder. Color hints (Zhang et
al. 2017, arXiv 1705.02999) and a global condition, an a*b* histogram that scales and shifts
features (FiLM, Perez et al. 2018, arXiv 1709.07871), enter the decoder only: a touched-up
photograph never needs its encoder run again.

The encoder and its ImageNet weights are those of `backbones/efficientnet.py`.

Letters: B pictures, H and W their height and width (multiples of 32), Q = 313 bins.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.backbones.efficientnet import Encoder
from opsin.colorization.networks.colorizer import CONDITION, HINTS, Colorizer

Q = 313


class ColorBins(Colorizer):
    """L*, hints and a condition in, logits over the 313 bins out.

    `backbone` is the encoder: "lite0" or "lite2". `widths` are the decoder's channels at 1/32,
    1/16, 1/8 and 1/4.
    """

    stride = 4
    multiple = 32
    optional = (HINTS, CONDITION)

    def __init__(
        self,
        *,
        backbone: str = "lite0",
        widths: tuple[int, int, int, int] = (256, 128, 80, 48),
        attention_blocks: int = 2,
        condition_width: int = 128,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(backbone)
        *skips, last = self.encoder.channels
        coarse, *finer = widths
        self.enter = nn.Conv2d(last, coarse, 1)
        self.hint_enter = nn.Conv2d(3, coarse, 1)
        self.attend = nn.ModuleList([Attend(coarse) for _ in range(attention_blocks)])
        self.climb = nn.ModuleList(
            [
                Climb(below, skip, width)
                for below, skip, width in zip(widths, reversed(skips), finer, strict=False)
            ]
        )
        self.condition = nn.Sequential(nn.Linear(Q, condition_width), nn.ReLU())
        self.film = nn.ModuleList([Film(condition_width, width) for width in widths])
        self.head = nn.Conv2d(widths[-1], Q, 1)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, light: Tensor, hints: Tensor, condition: Tensor) -> Tensor:
        """Logits (B, Q, H/4, W/4).

        light: (B, 1, H, W) L* in 0..100. hints: (B, 3, H, W) a*, b* in Lab units and a mask that
        is 1 where a color is given, all 0 without hints. condition: (B, Q) an a*b* histogram
        that sums to 1, all 0 without one.
        """
        return self.head(self.features(light, hints, condition))

    def features(self, light: Tensor, hints: Tensor, condition: Tensor) -> Tensor:
        """What the head sees, (B, 48, H/4, W/4)."""
        return self.decode(self.encoder(light), hints, condition)

    def decode(self, maps: list[Tensor], hints: Tensor, condition: Tensor) -> Tensor:
        """What the head sees, from the encoder's maps: hints need no second look."""
        fourth, eighth, sixteenth, coarsest = maps
        code = self.condition(condition * 10)  # (B, 128)
        pyramid = hint_pyramid(hints)  # at 1/4, 1/8, 1/16, 1/32
        x = self.enter(coarsest) + self.hint_enter(pyramid[3])  # (B, 256, H/32, W/32)
        x = self.film[0](x, code)
        for block in self.attend:
            x = block(x)
        x = self.film[1](self.climb[0](x, sixteenth, pyramid[2]), code)  # (B, 128, H/16, W/16)
        x = self.film[2](self.climb[1](x, eighth, pyramid[1]), code)  # (B, 80, H/8, W/8)
        x = self.film[3](self.climb[2](x, fourth, pyramid[0]), code)  # (B, 48, H/4, W/4)
        return x


def hint_pyramid(hints: Tensor) -> list[Tensor]:
    """The hints at 1/4, 1/8, 1/16 and 1/32: mean color of the hints in each cell, and a mask.

    Colors are divided by 100. The mask grows with the number of hinted pixels and saturates, so
    that a single pixel still speaks at 1/32.
    """
    color, mask = hints[:, :2] * 0.01, hints[:, 2:]
    color, mask = F.avg_pool2d(color * mask, 4), F.avg_pool2d(mask, 4)
    levels = []
    for level in range(4):
        if level:
            color, mask = F.avg_pool2d(color, 2), F.avg_pool2d(mask, 2)
        there = mask / (mask + 1e-3)
        levels.append(torch.cat([color / (mask + 1e-6), there], dim=1))
    return levels


class Attend(nn.Module):
    """A pre-norm transformer block over the positions of the coarsest map.

    A depthwise convolution tells the positions apart, so any size of map will do (Chu et al.
    2021, conditional positional encodings, arXiv 2102.10882).
    """

    def __init__(self, width: int, *, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.where = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm_attention = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mix = nn.LayerNorm(width)
        self.mix = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.where(x)
        batch, width, height, across = x.shape
        tokens = x.flatten(2).transpose(1, 2)  # (B, N, C)
        split = self.query_key_value(self.norm_attention(tokens))
        query, key, value = (
            part.reshape(batch, -1, self.heads, width // self.heads).transpose(1, 2)
            for part in split.chunk(3, dim=2)
        )  # (B, heads, N, C / heads)
        seen = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(seen.transpose(1, 2).reshape(batch, -1, width))
        tokens = tokens + self.mix(self.norm_mix(tokens))
        return tokens.transpose(1, 2).reshape(batch, width, height, across)


class Climb(nn.Module):
    """One step of the decoder up: twice the size, the encoder's detail and the hints added."""

    def __init__(self, below: int, skip: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(below, width, 1)
        self.skip = nn.Conv2d(skip, width, 1)
        self.hint = nn.Conv2d(3, width, 1)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor, hint: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")
        x = F.relu(x + self.skip(skip) + self.hint(hint))
        return x + self.second(F.relu(self.first(x)))


class Film(nn.Module):
    """Feature-wise scale and shift by the condition; does nothing until it has learned to."""

    def __init__(self, condition_width: int, width: int) -> None:
        super().__init__()
        self.scale_shift = nn.Linear(condition_width, 2 * width, bias=False)
        nn.init.zeros_(self.scale_shift.weight)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        scale, shift = self.scale_shift(code)[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift
