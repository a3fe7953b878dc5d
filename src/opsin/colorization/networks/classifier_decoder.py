"""A2, a classifier's features straight into a decoder: no encoder of its own.

The decoder of A3's variant "study" (`fusion.py`, Deep Koalarization, arXiv 1712.03400) behind an
ImageNet classifier, in two variants. Both are here to show why A3 has an encoder.

"map": the last feature map of EfficientNet-lite0 (`backbones/efficientnet.py`), 320 channels
at 1/32, frozen unless `train_classifier`. The decoder enlarges it by 4, to 1/8; the rest up to
the full size is nearest enlargement, so color has no edges finer than 8 pixels.

"probabilities": the 1000 class probabilities alone, the same at each position of a grid at 1/8.
Nothing tells the positions apart but the convolutions' zero padding: away from the borders a
picture has a single color.

                   parameters   trained    GMACs at 256x256
    map            3,449,858    511,314    0.54
    probabilities    685,394    685,394    1.40, without the classifier

Letters: B pictures, H and W their height and width (multiples of 32 for "map", else of 8).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from opsin.backbones.efficientnet import CLASSES, Encoder
from opsin.colorization.networks.colorizer import Colorizer
from opsin.colorization.networks.fusion import AB_LIMIT, Decoder, probabilities, repeated
from opsin.colorization.networks.fusion import VARIANTS as FUSION_VARIANTS


class Source(NamedTuple):
    """What the decoder is given."""

    channels: int
    grid: int
    """Its positions are this many pixels apart."""


VARIANTS = {"map": Source(320, 32), "probabilities": Source(CLASSES, 8)}


class ClassifierDecoder(Colorizer):
    """L* ("map") or a classifier's numbers ("probabilities") in, a*b* out."""

    ab_scale = AB_LIMIT

    def __init__(self, *, variant: str = "map", train_classifier: bool = False) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"unknown variant {variant!r}. Available: {', '.join(VARIANTS)}.")
        if train_classifier and variant != "map":
            raise ValueError(
                "train_classifier needs variant 'map': only there is the classifier a part."
            )
        source = VARIANTS[variant]
        self.multiple = source.grid
        self.classifier = Encoder().requires_grad_(train_classifier) if variant == "map" else None
        self.decoder = Decoder(source.channels, FUSION_VARIANTS["study"].decoder)
        self.stride = source.grid // self.decoder.times

    def forward(self, light: Tensor, features: Tensor | None = None) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W); "probabilities" needs `features` (B, 1000)."""
        return repeated(self.small(light, features), self.stride)

    def small(self, light: Tensor, features: Tensor | None = None) -> Tensor:
        """The same before the last enlargement: (B, 2, H/8, W/8), or /2 for "probabilities"."""
        return self.decoder(self.seen(light, features))

    def seen(self, light: Tensor, features: Tensor | None = None) -> Tensor:
        """What the decoder sees, (B, 320, H/32, W/32) or (B, 1000, H/8, W/8)."""
        if self.classifier is not None:
            return self.classifier(light)[-1]
        if features is None:
            raise ValueError(
                "variant 'probabilities' needs features: a classifier's answer (B, 1000)."
            )
        height, width = light.shape[2] // self.multiple, light.shape[3] // self.multiple
        chances = probabilities(features)  # (B, 1000)
        return chances[:, :, None, None].expand(-1, -1, height, width)
