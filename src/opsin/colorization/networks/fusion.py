"""A3, Deep Koalarization: an encoder's features and a classifier's, fused and decoded to a*b*.

Deep Koalarization: Image Colorization using CNNs and Inception-ResNet-v2 (Baldassarre, Gonzalez
Morín and Rodés-Guirao 2017, arXiv 1712.03400). Trained by us; the classifier, any of
`classifiers.py`, brings its own weights. docs/systems.md names the course projects meant here.

Descriptions of it differ in the decoder; `variant` chooses one. The numbers are channels of 3x3
convolutions with ReLU, "up" is an enlargement by 2 (nearest), the last 2 have tanh:

    koalarization  128 up 64 64 up 32 2 up        the authors' code
                                                  (github.com/baldassarreFe/deep-koalarization)
    lab            128 up 64 up 32 16 2 up        the course lab
    project        256 up 128 64 up 64 32 up 2    the GAN project, which says "256, 128, 64, 64, 32,
                                                  enlarged at the first, third and fifth"
    study          128 up 64 64 up 32 16 2 up     ours: the 64 twice and the 16 too
    faces          as the lab's, dropout in it    A4, the portrait project; its encoder is another

What is fused, beside the 256 local features, are the classifier's 1000 numbers; `fused` says how:

    softmax   the probabilities of the classes          the course lab, the portrait project
    logits    the numbers before the softmax            the paper
    leveled   those with mean 0 and deviation 1/8       ours
              in each picture

L* goes in as L*/50 - 1 (ours); a* and b* are 128 tanh.

                   parameters   GMACs at 256x256, both without the classifier
    koalarization  6,573,794    9.86
    lab            6,541,202    9.78
    project        7,163,874    11.85
    study          6,578,130    9.93
    faces          4,771,474    7.97

Letters: B pictures, H and W their height and width (multiples of 8), S the classifier's side.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.backbones.classifiers import Classifier
from opsin.backbones.efficientnet import CLASSES
from opsin.colorization.networks.colorizer import Colorizer

AB_LIMIT = 128.0  # a* and b* are -128..128
WIDTH = 256  # channels of the local features, and after the fusion


class Layer(NamedTuple):
    """A 3x3 convolution with ReLU."""

    channels: int
    by: int = 1
    """Encoder: its stride. Decoder: nearest enlargement before it."""
    dropout: float = 0.0
    """After it."""


class Sizes(NamedTuple):
    """The layers before the fusion and after it; the decoder's last is a* and b*."""

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]


ENCODER = (
    Layer(64, 2),
    Layer(128),
    Layer(128, 2),
    Layer(256),
    Layer(256, 2),
    Layer(512),
    Layer(512),
    Layer(256),
)

VARIANTS = {
    "study": Sizes(
        ENCODER, (Layer(128), Layer(64, 2), Layer(64), Layer(32, 2), Layer(16), Layer(2))
    ),
    "koalarization": Sizes(ENCODER, (Layer(128), Layer(64, 2), Layer(64), Layer(32, 2), Layer(2))),
    "lab": Sizes(ENCODER, (Layer(128), Layer(64, 2), Layer(32, 2), Layer(16), Layer(2))),
    "project": Sizes(
        ENCODER, (Layer(256), Layer(128, 2), Layer(64), Layer(64, 2), Layer(32), Layer(2, 2))
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
        decoder=(
            Layer(128),
            Layer(64, 2, 0.35),
            Layer(32, 2, 0.35),
            Layer(16, 1, 0.35),
            Layer(2),
        ),
    ),
}


class Fusion(Colorizer):
    """L* and a classifier's numbers in, a*b* out."""

    multiple = 8
    ab_scale = AB_LIMIT

    def __init__(self, *, variant: str = "study", fused: str = "leveled") -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"unknown variant {variant!r}. Available: {', '.join(VARIANTS)}.")
        if fused not in FUSED:
            raise ValueError(f"unknown fused {fused!r}. Available: {', '.join(FUSED)}.")
        sizes = VARIANTS[variant]
        self.prepare = FUSED[fused]
        self.encoder = encoder(sizes.encoder)
        self.decoder = Decoder(WIDTH + CLASSES, sizes.decoder)
        self.stride = 8 // self.decoder.times

    def forward(self, light: Tensor, features: Tensor) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W) and a classifier's answer (B, 1000).

        The answer is as `classifiers.py` gives it, before the softmax, whatever is fused.
        """
        return repeated(self.small(light, features), self.stride)

    def small(self, light: Tensor, features: Tensor) -> Tensor:
        """The same before the last enlargement, (B, 2, H/2, W/2); "project" has none after it."""
        return self.decoder(self.fused(light, features))

    def fused(self, light: Tensor, features: Tensor) -> Tensor:
        """What the fusion's 1x1 convolution sees, (B, 1256, H/8, W/8)."""
        return beside(self.features(light), self.prepare(features))

    def features(self, light: Tensor) -> Tensor:
        """The local features, (B, 256, H/8, W/8)."""
        return self.encoder(light / 50 - 1)


class FusionWithClassifier(Colorizer):
    """A colorizer and its classifier in one, for use and export."""

    def __init__(self, fusion: Colorizer, classifier: Classifier) -> None:
        """`fusion` is a `Fusion`, or another network that needs a classifier's answer."""
        super().__init__()
        self.fusion = fusion
        self.classifier = classifier
        self.stride, self.multiple = fusion.stride, fusion.multiple
        self.ab_scale, self.thumbnail = fusion.ab_scale, classifier.size

    def forward(self, light: Tensor, thumbnail: Tensor) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W) and the whole photograph's L* (B, 1, S, S)."""
        return repeated(self.small(light, thumbnail), self.stride)

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
    """Features of any kind (B, C, h, w) to a*b* (B, 2, T h, T w), in Lab units; T is `times`."""

    def __init__(self, channels: int, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.times = prod(layer.by for layer in layers)
        self.join = conv(channels, WIDTH, kernel=1)
        steps: list[nn.Module] = []
        before = WIDTH
        for after, by, dropout in layers[:-1]:
            steps += [*enlargement(by), conv(before, after), nn.ReLU()]
            steps += [nn.Dropout(dropout)] if dropout else []
            before = after
        steps += enlargement(layers[-1].by)
        self.climb = nn.Sequential(*steps)
        self.color = conv(before, layers[-1].channels)
        nn.init.normal_(self.color.weight, std=0.01)  # starts near gray

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.join(x))  # (B, 256, h, w)
        x = self.climb(x)  # (B, 16 or 32, T h, T w)
        return AB_LIMIT * torch.tanh(self.color(x))  # (B, 2, T h, T w)


def enlargement(by: int) -> list[nn.Module]:
    """The layer that repeats each position, if there is anything to enlarge."""
    return [nn.Upsample(scale_factor=float(by), mode="nearest")] if by > 1 else []


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


def probabilities(features: Tensor) -> Tensor:
    """How likely each class is by a classifier's answers (B, N); each picture's sum is 1."""
    return F.softmax(features, dim=1)


def as_they_are(features: Tensor) -> Tensor:
    """A classifier's answers (B, N), untouched."""
    return features


FUSED = {"leveled": leveled, "logits": as_they_are, "softmax": probabilities}


def repeated(x: Tensor, times: int) -> Tensor:
    """Each position repeated `times` times in both directions: the paper's last enlargement."""
    return F.interpolate(x, scale_factor=float(times), mode="nearest") if times > 1 else x
