"""PicoDet-S without its last layer: maps that tell things of COCO and where they are.

PP-PicoDet (Yu et al. 2021, arXiv 2111.00902): ESNet at 0.75 of its width, a CSP-PAN of 96 channels
and, upon each of its maps, the two blocks that the detector's answers are told from. Weights of
the packaged `picodet-s`, trained on COCO by PaddleDetection (Apache-2.0); batch normalization is
folded into the convolutions there. Changed: the coarsest map, at 1/64, is left out.

    picture (B, 3, H, W)
    stem                    (B, 24, H/2, W/2), pooled (B, 24, H/4, W/4)
    ESNet                   (B, 96, H/8, W/8), (B, 192, H/16, W/16), (B, 384, H/32, W/32)
    CSP-PAN                 the same maps, each of 96 channels
    tower                   two blocks on each of them, and both are handed out: 192 channels

Layers stand in the order in which the packaged graph has them, by which weights are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.errors import needs_extra
from opsin.models.store import find

NAME: Final = "picodet-s"
WIDTH: Final = 96  # channels of the CSP-PAN
STEM: Final = 24
STAGES: Final = (
    (96, (0.875, 0.5, 0.5)),
    (192, (0.5, 0.625, 0.5, 0.625, 0.5, 0.5, 0.5)),
    (384, (0.5, 0.5, 0.5)),
)
"""Channels of each stage of ESNet, and what share of them each block computes with."""
MEAN: Final = (103.53, 116.28, 123.675)  # blue, green, red, 0 to 255: of ImageNet
DEVIATION: Final = (57.375, 57.12, 58.395)


class PicoDet(nn.Module):
    """Pictures (B, 3, H, W), red first, from 0 to 255, to maps at 1/8, 1/16 and 1/32 of `channels`,
    H and W being multiples of 32."""

    channels: Final = [2 * WIDTH] * 3
    fine_channels: Final = [STEM] * 2
    """Of the two maps that `every` has before them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, STEM, kernel=3, stride=2, active=True)
        stages, before = [], STEM
        for after, shares in STAGES:
            stages.append(stage(before, after, shares))
            before = after
        self.stages = nn.ModuleList(stages)
        self.neck = Neck([channels for channels, _ in STAGES])
        self.towers = nn.ModuleList(nn.Sequential(*pair(WIDTH), *pair(WIDTH)) for _ in STAGES)

    def freeze(self, blocks: int) -> None:
        """Keeps all of it as it is, if it is any."""
        self.requires_grad_(not blocks)

    def forward(self, picture: Tensor) -> list[Tensor]:
        return self.every(picture)[2:]

    def every(self, picture: Tensor) -> list[Tensor]:
        """The same with what the stem made before them: maps at 1/2 and 1/4, of 24 channels."""
        mean = picture.new_tensor(MEAN)[:, None, None]
        deviation = picture.new_tensor(DEVIATION)[:, None, None]
        first = self.stem((picture.flip(1) - mean) / deviation)
        x = pooled = F.max_pool2d(first, 3, stride=2, padding=1)
        maps = []
        for layer in self.stages:
            x = layer(x)
            maps.append(x)
        maps = self.neck(maps)
        told = [
            torch.cat([one, tower(one)], 1) for one, tower in zip(maps, self.towers, strict=True)
        ]
        return [first, pooled, *told]


class Neck(nn.Module):
    """CSP-PAN: what coarse maps know is handed to the finer ones, and back."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.even = nn.ModuleList(conv(one, WIDTH, active=True) for one in channels)
        self.down_blocks = nn.ModuleList(Partial() for _ in channels[1:])
        self.up_blocks = nn.ModuleList(
            nn.ModuleList([nn.Sequential(*pair(WIDTH, stride=2)), Partial()]) for _ in channels[1:]
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        fine = [layer(one) for layer, one in zip(self.even, maps, strict=True)]
        for block, level in zip(self.down_blocks, (1, 0), strict=True):
            larger = F.interpolate(fine[level + 1], scale_factor=2.0)
            fine[level] = block(torch.cat([larger, fine[level]], dim=1))
        for both, level in zip(self.up_blocks, (1, 2), strict=True):
            smaller, block = both.children()
            fine[level] = block(torch.cat([smaller(fine[level - 1]), fine[level]], dim=1))
        return fine


class Partial(nn.Module):
    """Half of the channels go through a block, half past it (CSPNet, Wang et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        half = WIDTH // 2
        self.past = conv(2 * WIDTH, half, active=True)
        self.through = nn.Sequential(
            conv(2 * WIDTH, half, active=True), conv(half, half, active=True), *pair(half)
        )
        self.last = conv(2 * half, WIDTH, active=True)

    def forward(self, x: Tensor) -> Tensor:
        past = self.past(x)
        joined: Tensor = self.last(torch.cat([self.through(x), past], dim=1))
        return joined


class Halving(nn.Module):
    """A map to one of half its sides, by two branches."""

    def __init__(self, before: int, after: int, middle: int) -> None:
        super().__init__()
        self.plain = nn.Sequential(
            conv(before, before, kernel=3, stride=2, groups=before),
            conv(before, after // 2, active=True),
        )
        self.narrow = nn.Sequential(
            conv(before, middle // 2, active=True),
            conv(middle // 2, middle // 2, kernel=3, stride=2, groups=middle // 2),
            Squeeze(middle // 2),
            conv(middle // 2, after // 2, active=True),
        )
        self.joined = nn.Sequential(*pair(after, kernel=3))

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.joined(torch.cat([self.plain(x), self.narrow(x)], dim=1))
        return joined


class Residual(nn.Module):
    """Half of the channels are computed anew, and all are shuffled (after ShuffleNet V2)."""

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        half = middle // 2
        self.wide = conv(channels // 2, half, active=True)
        self.depthwise = conv(half, half, kernel=3, groups=half)
        self.squeeze = Squeeze(middle)
        self.last = conv(middle, channels // 2, active=True)

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = x.chunk(2, dim=1)
        changed = self.wide(changed)
        changed = self.squeeze(torch.cat([changed, self.depthwise(changed)], dim=1))
        both = torch.stack([kept, self.last(changed)], dim=2)  # (B, C/2, 2, H, W)
        return both.flatten(1, 2)


class Squeeze(nn.Module):
    """Each channel weighted by what all say together (Hu et al. 2018, squeeze and excitation)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, channels // 4, 1)
        self.wide = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        said = self.wide(F.relu(self.narrow(x.mean(dim=(2, 3), keepdim=True))))
        return x * F.hardsigmoid(said)


def stage(before: int, after: int, shares: Sequence[float]) -> nn.Sequential:
    middles = [int(after * share + 4) // 8 * 8 for share in shares]
    rest = [Residual(after, middle) for middle in middles[1:]]
    return nn.Sequential(Halving(before, after, middles[0]), *rest)


def pair(channels: int, *, kernel: int = 5, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    """A depthwise convolution and a 1x1 one."""
    depthwise = conv(channels, channels, kernel=kernel, stride=stride, groups=channels, active=True)
    return depthwise, conv(channels, channels, active=True)


def conv(
    before: int,
    after: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    active: bool = False,
) -> nn.Module:
    layer = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups)
    return nn.Sequential(layer, nn.Hardswish()) if active else layer


def packaged() -> dict[str, Tensor]:
    """The weights of the packaged detector; for `PicoDet`."""
    network, stored = PicoDet(), _stored()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            # between them the graph has layers that the network lacks, of other shapes or strides
            weight, bias = next(
                (weight, bias)
                for weight, bias, stride in stored
                if weight.shape == layer.weight.shape and stride == layer.stride
            )
            layer.load_state_dict({"weight": weight, "bias": bias})
    return network.state_dict()


def _stored() -> Iterator[tuple[Tensor, Tensor, tuple[int, ...]]]:
    """Weight, bias and stride of each convolution of the packaged graph, in its order."""
    with needs_extra("the pretrained encoder", "train"):
        import onnx
        from onnx import helper, numpy_helper
    graph = onnx.load_from_string(find(NAME).read()).graph
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        told = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "Constant":
            values[node.output[0]] = numpy_helper.to_array(told["value"])
        elif node.op_type == "Cast" and node.input[0] in values:  # stored as float16
            values[node.output[0]] = values[node.input[0]]
        elif node.op_type == "Conv":
            weight, bias = (torch.tensor(values[name]).float() for name in node.input[1:])
            yield weight, bias, tuple(told["strides"])
