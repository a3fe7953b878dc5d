"""A6, a conditional GAN: a U-Net that colors, and a judge that sees L* and the colors.

Image Colorization using Generative Adversarial Networks (Nazeri, Ng and Ebrahimi 2018, arXiv
1803.05400), at 32x32 for CIFAR-10 and deeper for larger pictures, so that the bottleneck is 2x2
at each training size. No noise goes in: the paper's generator sees the gray picture alone.

As in the authors' code (github.com/ImagingLab/Colorizing-with-GANs), L* goes in as L*/50 - 1, a*
and b* are 110 tanh, divided by 110 for the discriminator, and `dropout` (there 0.5) comes after the
first transposed convolution.

Differences: the generator answers a* and b*, not L*a*b* (L* is known); it uses ReLU throughout (the
paper: leaky ReLU, slope 0.2, in the contracting half; the discriminator here keeps it); the first
layers and the last have no batch normalization; normalization comes before the ReLU, and uses the
averages of training once trained (the code: those of the batch); skips are joined after it; the
first convolution is 3x3 (the code: 4x4) and the weights start as He et al. say (the code: deviation
0.02). The discriminator's last convolution has stride 2 and ends in 2x2 (the code: 1 and 4x4, at
32 pixels). `residual` (not in the paper, wished for) puts a residual block (He et al. 2016, arXiv
1512.03385) after each contracting convolution.

                               parameters   GMACs at its training size
    Generator, 32              16,651,778   0.336
    Generator, 32, residual    27,569,154   0.582
    Generator, 128             41,821,698   5.89   (23.5 at 256x256)
    Generator, 128, residual   62,180,354   9.91
    Discriminator, 32           2,759,489   0.026
    Discriminator, 128         11,150,145   0.50

Letters: B pictures, H and W their height and width (multiples of the network's `multiple`).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from opsin.colorization.networks.colorizer import Colorizer

AB_LIMIT = 110.0  # a* and b* are -110..110
SLOPE = 0.2  # of the discriminator's leaky ReLU

# training size -> channels: the first at full size, each further one at half the size before
SIZES = {
    32: (64, 128, 256, 512, 512),
    64: (64, 128, 256, 512, 512, 512),
    128: (64, 128, 256, 512, 512, 512, 512),
    256: (64, 128, 256, 512, 512, 512, 512, 512),
}


class Generator(Colorizer):
    """L* in, a*b* out, at full size."""

    ab_scale = AB_LIMIT

    def __init__(self, *, size: int = 32, residual: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        widths = channels_at(size)
        self.multiple = size // 2
        self.first = nn.Sequential(he(nn.Conv2d(1, widths[0], 3, padding=1)), nn.ReLU())
        self.down = nn.ModuleList(
            [Down(before, after, residual=residual) for before, after in pairwise(widths)]
        )
        below = [widths[-1], *(2 * width for width in widths[-2:0:-1])]  # 2: a skip beside it
        pairs = list(zip(below, reversed(widths[:-1]), strict=True))
        self.up = nn.ModuleList(
            [Up(*pairs[0], dropout=dropout), *(Up(*pair) for pair in pairs[1:])]
        )
        self.color = nn.Conv2d(2 * widths[0], 2, 1)
        nn.init.normal_(self.color.weight, std=0.01)  # starts near gray

    def forward(self, light: Tensor) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W)."""
        *skips, x = self.features(light)  # x: (B, 512, H/M, W/M), M the multiple
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = torch.cat([up(x), skip], dim=1)  # (B, 2C, ...) to (B, 128, H, W)
        return AB_LIMIT * torch.tanh(self.color(x))  # (B, 2, H, W)

    def small(self, light: Tensor) -> Tensor:
        """The same: there is no last enlargement."""
        return self(light)

    def features(self, light: Tensor) -> list[Tensor]:
        """The contracting half's maps: (B, 64, H, W), then half the size each, to 2x2 of `size`."""
        maps = [self.first(light / 50 - 1)]
        for down in self.down:
            maps.append(down(maps[-1]))
        return maps


class Discriminator(nn.Module):
    """L* and a*b* in, one logit a picture out: above 0 where it takes the colors for true.

    The sigmoid is left to the loss (`binary_cross_entropy_with_logits`). Of pictures larger than
    `size` it gives the mean logit over windows of that size.
    """

    def __init__(self, *, size: int = 32) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        before = 3
        for after in channels_at(size)[:-1]:
            first = before == 3  # no batch normalization on the pictures themselves
            steps.append(he(nn.Conv2d(before, after, 4, 2, 1, bias=first), slope=SLOPE))
            steps += [] if first else [nn.BatchNorm2d(after)]
            steps.append(nn.LeakyReLU(SLOPE))
            before = after
        self.size = size
        self.convs = nn.Sequential(*steps)
        self.judge = nn.Conv2d(before, 1, 2)

    def forward(self, light: Tensor, ab: Tensor) -> Tensor:
        """Logits (B,) of L* (B, 1, H, W) and a*, b* (B, 2, H, W) in Lab units."""
        x = torch.cat([light / 50 - 1, ab / AB_LIMIT], dim=1)  # (B, 3, H, W)
        x = self.convs(x)  # (B, 512, 2, 2) at `size`
        return self.judge(x).mean(dim=(1, 2, 3))  # (B,)


class Down(nn.Sequential):
    """Half the size: a 4x4 convolution of stride 2, and a residual block if wished."""

    def __init__(self, before: int, after: int, *, residual: bool) -> None:
        conv = he(nn.Conv2d(before, after, 4, 2, 1, bias=False))
        extra = [Residual(after)] if residual else []
        super().__init__(conv, nn.BatchNorm2d(after), nn.ReLU(), *extra)


class Up(nn.Sequential):
    """Twice the size: a 4x4 transposed convolution of stride 2, and dropout if wished."""

    def __init__(self, before: int, after: int, *, dropout: float = 0.0) -> None:
        conv = he(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
        extra = [nn.Dropout(dropout)] if dropout else []
        super().__init__(conv, nn.BatchNorm2d(after), nn.ReLU(), *extra)


class Residual(nn.Module):
    """Two 3x3 convolutions that learn what to add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = he(nn.Conv2d(width, width, 3, padding=1, bias=False))
        self.first_norm = nn.BatchNorm2d(width)
        self.second = he(nn.Conv2d(width, width, 3, padding=1, bias=False))
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(x + self.second_norm(self.second(y)))


def channels_at(size: int) -> tuple[int, ...]:
    """The widths at a training size."""
    if size not in SIZES:
        raise ValueError(f"unknown size {size}. Available: {', '.join(map(str, SIZES))}.")
    return SIZES[size]


def he(layer: nn.Conv2d | nn.ConvTranspose2d, *, slope: float = 0.0) -> nn.Module:
    """The layer, initialized for a (leaky) ReLU to follow (He et al. 2015)."""
    nn.init.kaiming_normal_(layer.weight, a=slope, nonlinearity="leaky_relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
