"""A5, Let there be Color!: local features at any size, global ones of the whole picture.

Let there be Color!: Joint End-to-end Learning of Global and Local Image Priors for Automatic
Image Colorization with Simultaneous Classification (Iizuka, Simo-Serra and Ishikawa 2016,
SIGGRAPH, https://doi.org/10.1145/2897824.2925974), figure 2 and table 1. Trained by us.

The low-level layers are shared: they see the photograph at its size, and the whole of it squashed
to a square of S (224 in the paper) for the global branch, which also says what class of scene it
is. `use_global=False` is the ablation: no global branch, no classes, the fusion 256 to 256.

Batch normalization follows every layer but the two answers, as in the paper's training; it needs
batches of two pictures or more. `batch_norm=False` leaves it out. L* goes in as L*/50 - 1. The
sigmoid's 0..1 becomes a* and b* in -110..110, which holds all of sRGB (the authors' code has
-100..100, short of sRGB's blue). The classifier is the paper's: 512 to 256 to the classes.

42,309,448 parameters with 6 classes (6,320,450 without the global branch); 14.6 GMACs at 256x256,
4.9 of them in the global branch at 224.

Letters: B pictures, H and W their height and width (multiples of 8), S a multiple of 32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.colorization.networks.colorizer import Colorizer

AB_LIMIT = 110.0  # a* and b* are -110..110


class GlobalLocal(Colorizer):
    """L* and a thumbnail of the whole photograph in, a*b* and the logits of its class out."""

    stride = 2
    multiple = 8
    ab_scale = 2 * AB_LIMIT  # the sigmoid's range, on which the paper takes the error

    def __init__(
        self,
        classes: int,
        *,
        global_size: int = 224,
        use_global: bool = True,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        if global_size % 32:
            raise ValueError(f"global_size must be a multiple of 32, got {global_size}.")
        self.thumbnail = global_size if use_global else None
        self.low = convs(1, ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1)), batch_norm)
        self.middle = convs(512, ((512, 1), (256, 1)), batch_norm)
        self.whole = Whole(classes, global_size, batch_norm) if use_global else None
        self.join = conv(512 if use_global else 256, 256, batch_norm, kernel=1)
        self.climb = nn.Sequential(
            conv(256, 128, batch_norm),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            conv(128, 64, batch_norm),
            conv(64, 64, batch_norm),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            conv(64, 32, batch_norm),
        )
        self.color = nn.Conv2d(32, 2, 3, padding=1)
        nn.init.normal_(self.color.weight, std=0.01)  # starts near gray
        nn.init.zeros_(self.color.bias)  # type: ignore[arg-type]

    def forward(self, light: Tensor, thumbnail: Tensor | None = None) -> Tensor:
        """a*, b* (B, 2, H, W) of L* (B, 1, H, W) and the whole photograph's L* (B, 1, S, S).

        Without the global branch no thumbnail is needed.
        """
        return twice(self.small(light, thumbnail))

    def small(self, light: Tensor, thumbnail: Tensor | None = None) -> Tensor:
        """The same before the last enlargement, (B, 2, H/2, W/2)."""
        return self.paint(self.fused(light, self.summary(thumbnail)))

    def both(self, light: Tensor, thumbnail: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """a*, b* (B, 2, H, W) and the classes' logits; the global branch runs once."""
        summary = self.summary(thumbnail)
        logits = None if summary is None else self.logits(summary)
        return twice(self.paint(self.fused(light, summary))), logits

    def classify(self, thumbnail: Tensor) -> Tensor:
        """The classes' logits (B, classes), before the softmax."""
        return self.logits(self.summary(thumbnail))

    def features(self, light: Tensor) -> Tensor:
        """The local, mid-level features, (B, 256, H/8, W/8)."""
        return self.middle(self.low(light / 50 - 1))

    def global_map(self, thumbnail: Tensor) -> Tensor:
        """The global branch before its dense layers, (B, 512, S/32, S/32)."""
        return self._whole().convs(self.low(thumbnail / 50 - 1))

    def summary(self, thumbnail: Tensor | None) -> Tensor | None:
        """The global branch's 512 numbers, (B, 512); None without a global branch."""
        if self.whole is None:
            return None
        if thumbnail is None:
            raise ValueError(
                f"the global branch needs a thumbnail (B, 1, {self.thumbnail}, "
                f"{self.thumbnail}) of the whole photograph."
            )
        return self.whole.dense(self.global_map(thumbnail))

    def fused(self, light: Tensor, summary: Tensor | None) -> Tensor:
        """What the fusion's 1x1 convolution sees, (B, 512, H/8, W/8); 256 without a summary."""
        local = self.features(light)  # (B, 256, H/8, W/8)
        if summary is None:
            return local
        numbers = self._whole().last(summary)[:, :, None, None]  # (B, 256, 1, 1)
        return torch.cat([local, numbers.expand(-1, -1, *local.shape[2:])], dim=1)

    def paint(self, fused: Tensor) -> Tensor:
        """a*, b* (B, 2, H/2, W/2) of the fused features."""
        x = self.join(fused)  # (B, 256, H/8, W/8)
        x = self.climb(x)  # (B, 32, H/2, W/2)
        return AB_LIMIT * (2 * torch.sigmoid(self.color(x)) - 1)  # (B, 2, H/2, W/2)

    def logits(self, summary: Tensor | None) -> Tensor:
        """The classes' logits (B, classes) of the global branch's 512 numbers."""
        return self._whole().classes(summary)

    def _whole(self) -> Whole:
        if self.whole is None:
            raise ValueError("there is no global branch, so no classes: use_global is False.")
        return self.whole


class Whole(nn.Module):
    """The layers that see the whole photograph; `GlobalLocal` calls them."""

    def __init__(self, classes: int, size: int, batch_norm: bool) -> None:
        super().__init__()
        self.convs = convs(512, ((512, 2), (512, 1), (512, 2), (512, 1)), batch_norm)
        self.dense = nn.Sequential(
            nn.Flatten(),  # (B, 25088) at 224
            dense(512 * (size // 32) ** 2, 1024, batch_norm),
            dense(1024, 512, batch_norm),
        )
        self.last = dense(512, 256, batch_norm)
        self.classes = nn.Sequential(dense(512, 256, batch_norm), nn.Linear(256, classes))


def convs(before: int, layers: tuple[tuple[int, int], ...], batch_norm: bool) -> nn.Sequential:
    """3x3 convolutions one after the other, each given as its channels and stride."""
    steps = []
    for after, stride in layers:
        steps.append(conv(before, after, batch_norm, stride=stride))
        before = after
    return nn.Sequential(*steps)


def conv(
    before: int, after: int, batch_norm: bool, *, kernel: int = 3, stride: int = 1
) -> nn.Sequential:
    """Convolution, batch normalization, ReLU."""
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=not batch_norm)
    return _finish(layer, nn.BatchNorm2d(after) if batch_norm else None)


def dense(before: int, after: int, batch_norm: bool) -> nn.Sequential:
    """Dense layer, batch normalization, ReLU."""
    layer = nn.Linear(before, after, bias=not batch_norm)
    return _finish(layer, nn.BatchNorm1d(after) if batch_norm else None)


def _finish(layer: nn.Conv2d | nn.Linear, norm: nn.Module | None) -> nn.Sequential:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layer, *([norm] if norm else []), nn.ReLU())


def twice(x: Tensor) -> Tensor:
    """Each position four times: the paper's enlargement."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
