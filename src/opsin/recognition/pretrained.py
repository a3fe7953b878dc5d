"""Networks that others have trained on ImageNet, as models of ours: by name, once, with a card.

    efficientnet-lite0, efficientnet-lite2    from their packages; nothing is fetched
    timm:NAME                                 any classifier of timm; it fetches the weights
    keras:NAME                                the network that Keras calls so, as timm has it

timm's hub is asked only here. What comes of it is an ONNX file with its card, which needs neither
timm nor torch. Letters: S side of the square that a network sees, D number of its features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.backbones.classifiers import PACKAGED, from_timm
from opsin.backbones.efficientnet import EfficientNet, folded, imagenet_weights
from opsin.errors import ModelError
from opsin.files import shown
from opsin.models import store
from opsin.models.card import Card, Classify, Input, Output, check_card, write_card
from opsin.models.store import Model, find, folder, publish, refuse_existing, staging
from opsin.training.export import export_onnx, store_bytes, store_half

LABELS: Final = Path(__file__).with_name("imagenet.txt")
TRAINED_ON: Final = "ImageNet (ILSVRC 2012): 1.28 million photographs of 1000 classes"
LITE_PAPER: Final = "https://arxiv.org/abs/1905.11946"

KERAS: Final[Mapping[str, str]] = {
    "DenseNet121": "densenet121.tv_in1k",
    "DenseNet169": "densenet169.tv_in1k",
    "DenseNet201": "densenet201.tv_in1k",
    **{f"EfficientNetB{n}": f"tf_efficientnet_b{n}.in1k" for n in range(8)},
    "EfficientNetV2B0": "tf_efficientnetv2_b0.in1k",
    "InceptionV3": "inception_v3.tf_in1k",
    "InceptionResNetV2": "inception_resnet_v2.tf_in1k",
    "MobileNet": "mobilenetv1_100.ra4_e3600_r224_in1k",
    "MobileNetV2": "mobilenetv2_100.ra_in1k",
    "MobileNetV3Large": "tf_mobilenetv3_large_100.in1k",
    "NASNetLarge": "nasnetalarge.tf_in1k",
    "ResNet50": "resnet50.tv_in1k",
    "ResNet101": "resnet101.tv_in1k",
    "ResNet152": "resnet152.tv_in1k",
    "ResNet50V2": "resnetv2_50.a1h_in1k",
    "VGG16": "vgg16.tv_in1k",
    "VGG19": "vgg19.tv_in1k",
    "Xception": "legacy_xception.tf_in1k",
}
"""Keras' names, and the network of that architecture in timm; some were trained by others."""


class Origin(NamedTuple):
    """A network, and what its card says of where it came from."""

    network: nn.Module
    """(1, 3, S, S), sRGB in 0..1, to logits and features (1, D), and of ours the map before."""
    size: int
    crop: float
    license: str
    paper: str
    trained_on: str


def labels() -> tuple[str, ...]:
    """ImageNet's 1000 classes, in the order of the networks' answers."""
    return tuple(LABELS.read_text("utf-8").splitlines())


def get(
    name: str,
    *,
    called: str | None = None,
    weights: str | Path | None = None,
    to: Path | None = None,
    small: bool = False,
) -> Model:
    """Makes a model of the network `name` in the user's folder, or in the folder `to`.

    `called` is the model's name, by default the network's. `weights` is a file that timm would
    else fetch (.safetensors or .pth). `small` stores the weights as 8 bits. A name that nobody
    knows, or weights that cannot be had, are a `DataError`; a model that exists a `ModelError`.
    """
    plain = name.removeprefix("timm:").removeprefix("keras:").lower()
    model = called or "".join(
        letter if letter.isalnum() or letter in "._-" else "-" for letter in plain
    )
    if to is None and model in store.names():
        raise ModelError(f"a model '{model}' exists already. Give another --name.")
    place = folder() if to is None else to
    files = [f"{model}.onnx", f"{model}.toml"]
    refuse_existing(place, files, advice="Remove it first, or give another --name.")
    origin = _origin(name, weights)
    picture = torch.rand(1, 3, origin.size, origin.size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        answers = origin.network.eval()(picture)
    outputs = ("logits", "features", "map")[: len(answers)]
    card = _card(model, plain, origin, dict(zip(outputs, answers, strict=True)))
    check_card(card, place / files[-1])
    advice = "OPSIN_MODELS in the environment names another." if to is None else "Choose another."
    with staging(place, advice=advice) as staged:
        export_onnx(
            origin.network,
            [{"picture": picture}],
            staged / card.file,
            output=outputs[0],
            others=outputs[1:],
            axes={},
            store=store_bytes if small else store_half,
        )
        digest = hashlib.sha256((staged / card.file).read_bytes()).hexdigest()
        write_card(msgspec.structs.replace(card, sha256=digest), staged / files[-1])
        publish(staged, files, place)
    return find(str(place / files[-1]))


def _card(name: str, network: str, origin: Origin, answers: Mapping[str, Tensor]) -> Card:
    return Card(
        name=name,
        version="1",
        task="classify",
        network=network[:64],
        file=f"{name}.onnx",
        sha256="0" * 64,
        license=origin.license,
        paper=origin.paper,
        training_data=origin.trained_on,
        size=origin.size,
        labels=labels(),
        inputs=(
            Input(name="picture", shape=(1, 3, origin.size, origin.size), unit="sRGB, 0 to 1"),
        ),
        outputs=tuple(Output(name=key, shape=tuple(one.shape)) for key, one in answers.items()),
        classify=Classify(crop=origin.crop, second_look=True),
    )


def _origin(name: str, weights: str | Path | None) -> Origin:
    if name in PACKAGED:
        if weights is not None:
            raise ModelError(f"'{name}' has its weights in a package; --weights is for timm's.")
        network = Lite(PACKAGED[name])
        crop = network.net.size / (network.net.size + 32)  # as its makers evaluate it
        return Origin(network, network.net.size, crop, "Apache-2.0", LITE_PAPER, TRAINED_ON)
    if name.startswith("keras:"):
        keras = name.removeprefix("keras:")
        if keras not in KERAS:
            raise ModelError(f"unknown network '{shown(name)}'. Known: {', '.join(KERAS)}.")
        name = f"timm:{KERAS[keras]}"
    if not name.startswith("timm:"):
        raise ModelError(
            f"unknown network '{shown(name)}'. Known: {', '.join(PACKAGED)}, timm:NAME for any "
            "classifier of timm, and keras:NAME."
        )
    known = name.removeprefix("timm:")
    network, config = from_timm(known, weights)
    told = getattr(network, "pretrained_cfg", None) or {}
    return Origin(
        Normalized(network, config["mean"], config["std"]),
        int(config["input_size"][-1]),
        float(config.get("crop_pct") or 1.0),
        str(told.get("license") or "not stated by timm"),
        str(told.get("paper_name") or "https://github.com/huggingface/pytorch-image-models"),
        f"{TRAINED_ON}; weights '{known}' of timm",
    )


class Lite(nn.Module):
    """EfficientNet-lite with all that it knows: logits, pooled features, and the map before."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.net = EfficientNet(variant, colors=3)
        weights = folded(imagenet_weights(variant), colors=3)
        self.net.load_state_dict(weights, strict=True)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # (1, 3, S, S) in 0..1
        net = self.net
        deepest = net.encoder(picture * 255)[-1] * net.encoder.spread[-1]  # (1, C, S/32, S/32)
        found = F.relu6(net.head(deepest))  # (1, 1280, S/32, S/32)
        features = found.mean(dim=(2, 3))
        return net.last(features), features, found


class Normalized(nn.Module):
    """A classifier of timm, given what it was trained on: (value - mean) / std."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, mean: Any, std: Any) -> None:
        super().__init__()
        self.network = network
        for key, values in (("mean", mean), ("std", std)):
            self.register_buffer(key, torch.tensor(values).view(1, -1, 1, 1))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:  # (1, 3, S, S) in 0..1
        found = self.network.forward_features((picture - self.mean) / self.std)
        features = self.network.forward_head(found, pre_logits=True)  # (1, D)
        return self.network.forward_head(found), features
