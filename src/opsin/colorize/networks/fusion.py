"""A3, Deep Koalarization: an encoder's features and a classifier's, fused and decoded to a*b*.

Deep Koalarization: Image Colorization using CNNs and Inception-ResNet-v2 (Baldassarre, Gonzalez
Morín and Rodés-Guirao 2017, arXiv 1712.03400). A4 is the same for portraits: variant "faces", a
little narrower and with dropout. Trained by us; the classifier, any of `classifiers.py`, brings
its own weights.

Descriptions of the decoder differ. "koalarization" has the two convolutions of 64 that are in the
authors' code (github.com/baldassarreFe/deep-koalarization) and the one of 16 that is not; "faces"
has one of 64. L* goes in as L*/50 - 1; a* and b* are 128 tanh. The classifier's 1000 numbers go in
with mean 0 and deviation 1/8 for each picture (`leveled`), about as large as the local features:
as they are, they are 16 times as large a sum, one step of Adam at the paper's rate of 0.001 moves
the fusion by its own size, and the network ends in one brown for all pixels.

                   parameters   GMACs at 256x256, both without the classifier
    koalarization  6,578,130    9.93
    faces          4,771,474    7.97

Letters: B pictures, H and W their height and width (multiples of 8), S the classifier's side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.colorize.networks.classifiers import CLASSES, Classifier

REACH = 128.0  # a* and b* are -128..128
WIDTH = 256  # channels of the local features, and after the fusion


class Layer(NamedTuple):
    """A 3x3 convolution with ReLU."""

    channels: int
    by: int = 1
    """Encoder: its stride. Decoder: nearest enlargement before it."""
    dropout: float = 0.0
    """After it."""


class Sizes(NamedTuple):
    """The layers between L* and the fusion, and between the fusion and the a*b* layer."""

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]


VARIANTS = {
    "koalarization": Sizes(
        encoder=(
            Layer(64, 2),
            Layer(128),
            Layer(128, 2),
            Layer(256),
            Layer(256, 2),
            Layer(512),
            Layer(512),
            Layer(256),
        ),
        decoder=(Layer(128), Layer(64, 2), Layer(64), Layer(32, 2), Layer(16)),
    ),
    "faces": Sizes(
        encoder=(
            Layer(64, 2),
            Layer(128),
            Layer(128, 2),
            Layer(256, 1, 0.35),
            Layer(256, 2),
            Layer(512, 1, 0.35),
            Layer(256),
            Layer(256),
        ),
        decoder=(Layer(128), Layer(64, 2, 0.35), Layer(32, 2, 0.35), Layer(16, 1, 0.35)),
    ),
}


class Fusion(nn.Module):
    """L* and a classifier's numbers in, a*b* out."""

    stride = 2
    multiple = 8

    def __init__(self, *, variant: str = "koalarization") -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"unknown variant {variant!r}. Available: {', '.join(VARIANTS)}.")
        sizes = VARIANTS[variant]
        self.encoder = encoder(sizes.encoder)
        self.decoder = Decoder(WIDTH + CLASSES, sizes.decoder)

    def forward(self, light: Tensor, features: Tensor) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W) and a classifier's answer (B, 1000)."""
        return twice(self.small(light, features))

    def small(self, light: Tensor, features: Tensor) -> Tensor:
        """The same before the last enlargement, (B, 2, H/2, W/2)."""
        return self.decoder(self.fused(light, features))

    def fused(self, light: Tensor, features: Tensor) -> Tensor:
        """What the fusion's 1x1 convolution sees, (B, 1256, H/8, W/8)."""
        return beside(self.features(light), leveled(features))

    def features(self, light: Tensor) -> Tensor:
        """The local features, (B, 256, H/8, W/8)."""
        return self.encoder(light / 50 - 1)


class TakesFeatures(Protocol):
    """`Fusion`, or another network that needs a classifier's answer."""

    stride: int
    multiple: int

    def small(self, light: Tensor, features: Tensor) -> Tensor: ...


class FusionWithClassifier(nn.Module):
    """A colorizer and its classifier in one, for use and export."""

    def __init__(self, fusion: TakesFeatures, classifier: Classifier) -> None:
        super().__init__()
        self.fusion = fusion
        self.classifier = classifier
        self.stride, self.multiple, self.size = fusion.stride, fusion.multiple, classifier.size

    def forward(self, light: Tensor, thumbnail: Tensor) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W) and the whole photograph's L* (B, 1, S, S)."""
        small = self.small(light, thumbnail)
        return F.interpolate(small, scale_factor=float(self.stride), mode="nearest")

    def small(self, light: Tensor, thumbnail: Tensor) -> Tensor:
        """The same before the last enlargement."""
        return self.fusion.small(light, self.classifier(thumbnail))


def encoder(layers: Sequence[Layer]) -> nn.Sequential:
    """L* / 50 - 1 (B, 1, H, W) to features (B, 256, H/8, W/8)."""
    steps: list[nn.Module] = []
    before = 1
    for channels, by, dropout in layers:
        steps += [conv(before, channels, stride=by), nn.ReLU()]
        steps += [nn.Dropout(dropout)] if dropout else []
        before = channels
    return nn.Sequential(*steps)


class Decoder(nn.Module):
    """Features of any kind (B, C, H/8, W/8) to a*b* (B, 2, H/2, W/2), in Lab units."""

    def __init__(self, channels: int, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.join = conv(channels, WIDTH, kernel=1)
        steps: list[nn.Module] = []
        before = WIDTH
        for after, by, dropout in layers:
            steps += [nn.Upsample(scale_factor=float(by), mode="nearest")] if by > 1 else []
            steps += [conv(before, after), nn.ReLU()]
            steps += [nn.Dropout(dropout)] if dropout else []
            before = after
        self.climb = nn.Sequential(*steps)
        self.color = conv(before, 2)
        nn.init.normal_(self.color.weight, std=0.01)  # starts near gray

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.join(x))  # (B, 256, H/8, W/8)
        x = self.climb(x)  # (B, 16, H/2, W/2)
        return REACH * torch.tanh(self.color(x))  # (B, 2, H/2, W/2)


def conv(before: int, after: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution with "same" padding, for a ReLU to follow (He et al. 2015)."""
    layer = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def beside(local: Tensor, features: Tensor) -> Tensor:
    """Numbers (B, N) repeated at each position of (B, C, h, w) and put behind its channels."""
    height, width = local.shape[2:]
    return torch.cat([local, features[:, :, None, None].expand(-1, -1, height, width)], dim=1)


def leveled(features: Tensor) -> Tensor:
    """A classifier's answers (B, N) with mean 0 and deviation 1/8 in each picture."""
    middle = features - features.mean(dim=1, keepdim=True)
    return middle / 8 * torch.rsqrt(middle.square().mean(dim=1, keepdim=True) + 1e-5)


def twice(x: Tensor) -> Tensor:
    """Each position four times: the paper's enlargement."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
