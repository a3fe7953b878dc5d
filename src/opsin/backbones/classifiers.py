"""ImageNet classifiers behind one interface: what a whole photograph shows, in 1000 numbers.

Each takes a thumbnail, the L* of the whole photograph squashed to the classifier's own square,
and answers with the 1000 numbers before the softmax. Gray is copied to the three channels. A
classifier is frozen: nothing in it is trained, and it stays in evaluation mode whatever the
network around it does.

EfficientNet-lite0 (0.38 GMACs at 224) and -lite2 are those of `efficientnet.py`. Others, such as
the Inception-ResNet-v2 of Deep Koalarization, come from timm.

Letters: B pictures, S the side of the classifier's square.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from opsin.backbones.efficientnet import CLASSES, VARIANTS, EfficientNet, folded, imagenet_weights
from opsin.errors import DataError, ExtraMissingError

LITE0 = "efficientnet-lite0"
PACKAGED = {f"efficientnet-{variant}": variant for variant in VARIANTS}


def make_classifier(name: str = LITE0) -> Classifier:
    """The classifier of this name with its ImageNet weights, from its package or from timm."""
    if name not in PACKAGED:
        return FromTimm(name)
    classifier = Lite(PACKAGED[name])
    classifier.load_state_dict(folded(imagenet_weights(PACKAGED[name])), strict=True)
    return classifier


class Classifier(nn.Module):
    """Thumbnails (B, 1, S, S), L* in 0..100, in; (B, 1000) numbers before the softmax out."""

    size: int
    """S, the side of the square that it sees."""

    def freeze(self) -> None:
        """To be called at the end of a classifier's construction."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation: batch normalization and dropout never change."""
        return super().train(mode=False)


class Lite(EfficientNet, Classifier):
    """EfficientNet-lite; random until weights are loaded."""

    def __init__(self, variant: str = "lite0") -> None:
        super().__init__(variant)
        self.freeze()


class FromTimm(Classifier):
    """Any ImageNet classifier of timm, with its own size, mean and standard deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network, config = from_timm(name)
        _, self.size, _ = config["input_size"]
        for key in ("mean", "std"):
            self.register_buffer(key, torch.tensor(config[key]).view(1, -1, 1, 1))
        self.freeze()

    def forward(self, thumbnail: Tensor) -> Tensor:  # (B, 1, S, S)
        gray = thumbnail / 100  # L* / 100 is near sRGB gray
        return self.network((gray - self.mean) / self.std)  # (B, 3, S, S) -> (B, 1000)


def from_timm(name: str, weights: str | Path | None = None) -> tuple[Any, dict[str, Any]]:
    """The pretrained network, and how its pictures must be prepared.

    `weights` is a file that timm would else fetch from its hub. What cannot be had is an
    `ExtraMissingError` or a `DataError`.
    """
    try:
        timm = importlib.import_module("timm")
        data = importlib.import_module("timm.data")
    except Exception as error:  # not there, or its torchvision does not fit the torch that is
        raise ExtraMissingError(
            f"classifier {name!r} needs timm: pip install timm (it fetches the weights from its "
            f"hub). Without it: {LITE0!r}. ({error})"
        ) from error
    if not timm.is_model(name):
        raise DataError(
            f"unknown classifier {name!r}. Available: {LITE0!r}, and what "
            "timm.list_models(pretrained=True) names."
        )
    try:
        own = {} if weights is None else {"pretrained_cfg_overlay": {"file": str(weights)}}
        network = timm.create_model(name, pretrained=True, **own)
    except Exception as error:  # timm, its hub and their HTTP clients raise errors of many kinds
        raise DataError(
            f"classifier {name!r}: timm could not load its weights ({error}). They come from "
            f"timm's hub: connect once, or take {LITE0!r}."
        ) from error
    config = data.resolve_model_data_config(network)
    channels, height, width = config["input_size"]
    if network.num_classes != CLASSES or channels != 3 or height != width:
        raise DataError(
            f"classifier {name!r} tells {network.num_classes} classes on pictures of "
            f"{channels}x{height}x{width}; {CLASSES} classes on colored squares are needed."
        )
    return network, config
