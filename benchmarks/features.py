"""A feature network for `opsin evaluate colorize --features`: EfficientNet-lite0, of ImageNet.

    python benchmarks/features.py lite0.onnx

Writes the network up to the 1280 numbers before its classes. Distances in them are no Inception
FID: compare them with each other alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from opsin.backbones.efficientnet import EfficientNet, folded, imagenet_weights
from opsin.training.export import export_onnx


class Pooled(EfficientNet):
    """The whole network but its last layer."""

    def __init__(self) -> None:
        super().__init__("lite0", colors=3)
        self.load_state_dict(folded(imagenet_weights("lite0"), colors=3), strict=True)

    def forward(self, picture: Tensor) -> Tensor:
        return self.pooled(picture)


def write(path: Path) -> None:
    network = Pooled()
    picture = torch.rand(1, 3, network.size, network.size) * 255
    export_onnx(network, [{"rgb": picture}], path, output="features", axes={})


if __name__ == "__main__":
    write(Path(sys.argv[1]))
