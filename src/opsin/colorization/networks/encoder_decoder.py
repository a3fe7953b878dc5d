"""A1, the plain encoder-decoder: L* to a*b* and nothing else.

The encoder and the decoder of A3's variant "study" (`fusion.py`, Deep Koalarization, arXiv
1712.03400) without a classifier's features: the 1x1 convolution between them goes from 256 to 256.
It is what the others are measured against; trained on the mean squared error it is slow to learn
and brown, since the mean of the colors that a thing may have is brownish.

6,322,130 parameters, 9.67 GMACs at 256x256.

Letters: B pictures, H and W their height and width (multiples of 8).
"""

from __future__ import annotations

from torch import Tensor

from opsin.colorization.networks.colorizer import Colorizer
from opsin.colorization.networks.fusion import AB_LIMIT, VARIANTS, WIDTH, Decoder, encoder, repeated


class EncoderDecoder(Colorizer):
    """L* in, a*b* out."""

    stride = 2
    multiple = 8
    ab_scale = AB_LIMIT

    def __init__(self) -> None:
        super().__init__()
        sizes = VARIANTS["study"]
        self.encoder = encoder(sizes.encoder)
        self.decoder = Decoder(WIDTH, sizes.decoder)

    def forward(self, light: Tensor) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W)."""
        return repeated(self.small(light), self.stride)

    def small(self, light: Tensor) -> Tensor:
        """The same before the last enlargement, (B, 2, H/2, W/2)."""
        return self.decoder(self.features(light))

    def features(self, light: Tensor) -> Tensor:
        """What the decoder sees, (B, 256, H/8, W/8)."""
        return self.encoder(light / 50 - 1)
