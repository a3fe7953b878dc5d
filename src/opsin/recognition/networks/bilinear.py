"""A bilinear network (B3): Lin, RoyChowdhury and Maji 2015, "Bilinear CNN models for fine-grained
visual recognition" (arXiv 1504.07889).

Two extractors look at a picture, their features at each position are multiplied, all with all, and
the products are averaged over the positions (section 2): what goes together anywhere. Then a
signed square root, the length made 1 (section 3.1), and a linear layer. Where both extractors are
one, products come twice, and only the upper half is kept.

`compact` keeps the products at 8,192 numbers (Gao et al. 2016, arXiv 1511.06062, Tensor Sketch):
both sides are hashed with signs, and their circular convolution, by Fourier transform, is the
hash of the products. `average` is the same network with plain averages, to compare.

Letters: B pictures, H, W of a map, C and D the features of the two extractors, K of the sketch.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.backbones.classifiers import from_timm
from opsin.backbones.efficientnet import EfficientNet, folded, imagenet_weights

SKETCH: Final = 8192
EPS: Final = 1e-7  # under the square root, whose slope at 0 has no end


class Bilinear(nn.Module):
    """A picture (B, 3, H, W), sRGB in 0..1, to (B, n) numbers before the softmax."""

    def __init__(
        self,
        classes: int,
        *,
        extractors: tuple[str, ...] = ("lite0",),
        pooling: str = "bilinear",
        narrow: int = 128,
        frozen: bool = False,
        dropout: float = 0.0,
    ) -> None:
        """One extractor is both; two are two. `narrow` are the channels that a learned 1x1
        convolution leaves of each extractor's features before they are multiplied; 0: all."""
        super().__init__()
        self.pooling, self.frozen = pooling, frozen
        made = [make_extractor(name) for name in extractors]
        wide = made[0].channels
        if any(one.channels != wide for one in made):
            raise ValueError("the two extractors must give as many features as each other.")
        self.extractors = nn.ModuleList(made)
        self.narrow: nn.ModuleList | None = None
        if pooling != "average" and narrow:
            self.narrow = nn.ModuleList(nn.Conv2d(wide, narrow, 1) for _ in extractors)
            wide = narrow
        if pooling == "compact":
            self.sketch = Sketch(wide)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(self._pooled(wide), classes)
        if frozen:
            self.extractors.requires_grad_(False)

    def _pooled(self, wide: int) -> int:
        one = len(self.extractors) == 1
        if self.pooling == "average":
            return wide * len(self.extractors)
        if self.pooling == "compact":
            return SKETCH
        return wide * (wide + 1) // 2 if one else wide * wide

    def forward(self, picture: Tensor, seen: Tensor | None = None) -> Tensor:
        """`seen` is what `look` gave for the pictures, if that is kept."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            maps = self._maps(picture, seen)  # (B, C, H/32, W/32) each
        if self.narrow is not None:
            maps = [layer(one) for layer, one in zip(self.narrow, maps, strict=True)]
        if self.pooling == "average":
            pooled = torch.cat([one.mean(dim=(2, 3)) for one in maps], dim=1)
        elif self.pooling == "compact":
            pooled = normalized(self.sketch(maps[0], maps[-1]))
        else:
            pooled = normalized(products(maps[0], maps[-1], once=len(maps) == 1))
        return self.last(self.dropout(pooled))

    def look(self, picture: Tensor) -> Tensor:
        """What the extractors see, before what is quickly computed of it, as numbers (B, K)."""
        return torch.cat([one.look(picture).flatten(1) for one in self._eyes()], dim=1)

    def _eyes(self) -> list[Extractor | TimmExtractor]:
        return list(self.extractors)  # type: ignore[arg-type]  # of which torch knows no type

    def _maps(self, picture: Tensor, seen: Tensor | None) -> list[Tensor]:
        if seen is None:
            return [extractor(picture) for extractor in self.extractors]
        cells = [one.cells(picture) for one in self._eyes()]
        parts = torch.split(seen, [math.prod(each) for each in cells], dim=1)
        return [
            one.finish(part.view(-1, *each))
            for one, part, each in zip(self._eyes(), parts, cells, strict=True)
        ]


def make_extractor(name: str) -> Extractor | TimmExtractor:
    """EfficientNet-lite by its variant (`lite0`, `lite2`), or a network of timm (`timm:vgg16`)."""
    return (
        TimmExtractor(name.removeprefix("timm:")) if name.startswith("timm:") else Extractor(name)
    )


class Extractor(nn.Module):
    """EfficientNet-lite up to its 1280 features at each position, with ImageNet's weights."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        network = EfficientNet(variant, colors=3)
        network.load_state_dict(folded(imagenet_weights(variant), colors=3), strict=True)
        self.encoder, self.head = network.encoder, network.head
        self.channels = self.head.out_channels

    def forward(self, picture: Tensor) -> Tensor:  # (B, 3, H, W) in 0..1
        return self.finish(self.look(picture))

    def look(self, picture: Tensor) -> Tensor:
        """The encoder's deepest map, (B, C, H/32, W/32), a quarter of the features' numbers."""
        return self.encoder(picture * 255)[-1] * self.encoder.spread[-1]

    def finish(self, deepest: Tensor) -> Tensor:
        return F.relu6(self.head(deepest))  # (B, 1280, H/32, W/32)

    def cells(self, picture: Tensor) -> tuple[int, int, int]:
        """The shape of what `look` gives for each."""
        height, width = (int(side) // 32 for side in picture.shape[2:])
        return self.head.in_channels, height, width


class TimmExtractor(nn.Module):
    """Any classifier of timm up to its last map, as VGG16 in the paper."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network, config = from_timm(name)
        for key in ("mean", "std"):
            self.register_buffer(key, torch.tensor(config[key]).view(1, -1, 1, 1))
        self.channels = int(self.network.num_features)

    def forward(self, picture: Tensor) -> Tensor:  # (B, 3, H, W) in 0..1
        return self.network.forward_features((picture - self.mean) / self.std)  # (B, C, h, w)

    look = forward

    def finish(self, maps: Tensor) -> Tensor:
        return maps

    def cells(self, picture: Tensor) -> tuple[int, int, int]:
        with torch.no_grad():
            return tuple(self(picture[:1]).shape[1:])


class Sketch(nn.Module):
    """Hashes the products of two maps' features (B, C, H, W) to (B, K) without making them."""

    left: Tensor
    right: Tensor

    def __init__(self, channels: int, size: int = SKETCH) -> None:
        super().__init__()
        self.size = size
        chance = torch.Generator().manual_seed(channels)
        for side in ("left", "right"):
            place = torch.randint(0, size, (channels,), generator=chance)
            sign = torch.randint(0, 2, (channels,), generator=chance) * 2 - 1
            self.register_buffer(side, torch.stack([place, sign]))  # (2, C)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # which knows no Fourier transform
            return self.of_products(products(one, other))
        spectra = [
            torch.fft.rfft(self._hashed(values.flatten(2), side))
            for values, side in ((one, self.left), (other, self.right))
        ]  # (B, H W, K/2 + 1)
        return torch.fft.irfft((spectra[0] * spectra[1]).mean(dim=1), n=self.size)

    def of_products(self, table: Tensor) -> Tensor:
        """The same from the products themselves, (B, C C)."""
        place = (self.left[0][:, None] + self.right[0]) % self.size
        sign = (self.left[1][:, None] * self.right[1]).flatten()
        index = place.flatten().expand(table.shape[0], -1)
        return table.new_zeros(table.shape[0], self.size).scatter_add(1, index, table * sign)

    def _hashed(self, values: Tensor, side: Tensor) -> Tensor:
        """(B, C, H W) to (B, H W, K): each channel at its place, with its sign."""
        signed = (values * side[1][:, None]).transpose(1, 2)
        out = values.new_zeros(*signed.shape[:2], self.size)
        return out.index_add(2, side[0], signed)


def products(one: Tensor, other: Tensor, *, once: bool = False) -> Tensor:
    """The products of two maps' features (B, C, H, W) and (B, D, H, W), averaged over positions.

    (B, C D); `once`, of a map with itself, (B, C (C + 1) / 2): those above the diagonal count
    twice, so that lengths are the same.
    """
    left, right = one.flatten(2), other.flatten(2)  # (B, C, H W)
    table = left @ right.transpose(1, 2) / left.shape[2]  # (B, C, D)
    if not once:
        return table.flatten(1)
    channels = int(table.shape[1])
    rows, columns = torch.triu_indices(channels, channels)
    scale = (2.0 - (rows == columns).to(table.dtype)).to(table.device)
    upper = (rows * channels + columns).to(table.device)
    return table.flatten(1).index_select(1, upper) * scale


def normalized(pooled: Tensor) -> Tensor:
    """Signed square roots, of length 1: (B, K)."""
    roots = torch.sign(pooled) * (torch.sqrt(pooled.abs() + EPS) - EPS**0.5)
    return F.normalize(roots, dim=1)
