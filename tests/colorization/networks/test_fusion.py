"""A3 and A4: sizes at the named points of the table, parameters, and the classifier beside it."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from opsin.backbones.classifiers import Classifier  # noqa: E402
from opsin.colorization.networks.fusion import (  # noqa: E402
    FUSED,
    VARIANTS,
    Fusion,
    FusionWithClassifier,
    leveled,
)

RAMP = torch.linspace(-1, 1, 1000)


class Mean(Classifier):
    """A classifier whose thousand numbers are multiples of the thumbnail's mean."""

    size = 8

    def forward(self, thumbnail: torch.Tensor) -> torch.Tensor:
        return thumbnail.mean(dim=(2, 3)) * RAMP


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("side", "grid"), [(224, 28), (256, 32)])
def test_sizes_at_the_fusion(variant: str, side: int, grid: int) -> None:
    network = Fusion(variant=variant).eval()
    light = torch.zeros(1, 1, side, side)
    with torch.no_grad():
        assert network.features(light).shape == (1, 256, grid, grid)
        assert network.fused(light, torch.zeros(1, 1000)).shape == (1, 1256, grid, grid)


def test_the_numbers_are_the_same_at_each_position() -> None:
    features = torch.randn(2, 1000)
    with torch.no_grad():
        fused = Fusion().fused(torch.rand(2, 1, 16, 24) * 100, features)
    given = leveled(features)[:, :, None, None]
    assert torch.equal(fused[:, 256:], given.expand(2, 1000, 2, 3))


@pytest.mark.parametrize("times", [0.1, 1, 30])
def test_the_numbers_are_as_large_as_the_local_features(times: float) -> None:
    """At any scale of the classifier's; in their own size they drown the picture."""
    torch.manual_seed(0)
    features = times * (torch.randn(4, 1000) + 3)
    with torch.no_grad():
        fused = Fusion().fused(torch.rand(4, 1, 64, 64) * 100, features)
    local, given = fused[:, :256], fused[:, 256:]
    assert given.mean(dim=1).abs().max() < 1e-4
    assert 0.2 < given.std() / local.std() < 1.5
    order = features.argsort(dim=1)
    assert torch.equal(given[:, :, 0, 0].argsort(dim=1), order)


def test_probabilities_are_fused_if_wished() -> None:
    """They sum to 1 and keep the classes' order; ours has mean 0, the paper's is untouched."""
    answers, light = 3 * torch.randn(2, 1000) + 1, torch.zeros(2, 1, 8, 8)
    with torch.no_grad():
        given = {
            name: Fusion(fused=name).fused(light, answers)[:, 256:, 0, 0].double() for name in FUSED
        }
    assert torch.allclose(given["softmax"].sum(dim=1), torch.ones(2).double())
    assert torch.equal(given["softmax"].argsort(dim=1), answers.argsort(dim=1))
    odds = given["softmax"][0, 5] / given["softmax"][0, 6]
    assert float(odds.log()) == pytest.approx(float(answers[0, 5] - answers[0, 6]), abs=1e-4)
    assert torch.equal(given["logits"], answers.double())
    assert given["leveled"].mean(dim=1).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        ("study", 6_578_130),
        ("koalarization", 6_573_794),
        ("lab", 6_541_202),
        ("project", 7_163_874),
        ("faces", 4_771_474),
    ],
)
def test_number_of_parameters(variant: str, count: int) -> None:
    assert sum(p.numel() for p in Fusion(variant=variant).parameters()) == count


def widths(layers: nn.Module) -> list[int]:
    return [layer.out_channels for layer in layers.modules() if isinstance(layer, nn.Conv2d)]


def test_widths_are_the_tables() -> None:
    network, faces = Fusion(), Fusion(variant="faces")
    assert widths(network.encoder) == [64, 128, 128, 256, 256, 512, 512, 256]
    assert widths(network.decoder) == [256, 128, 64, 64, 32, 16, 2]
    assert widths(Fusion(variant="koalarization").decoder) == [256, 128, 64, 64, 32, 2]
    assert widths(Fusion(variant="lab").decoder) == [256, 128, 64, 32, 16, 2]
    assert widths(Fusion(variant="project").decoder) == [256, 256, 128, 64, 64, 32, 2]
    assert widths(faces.encoder) == [64, 128, 128, 256, 256, 512, 256, 256]
    assert widths(faces.decoder) == [256, 128, 64, 32, 16, 2]


def test_the_projects_decoder_enlarges_after_its_first_third_and_fifth() -> None:
    climb = Fusion(variant="project").decoder.climb
    names = [type(layer).__name__ for layer in climb if not isinstance(layer, nn.ReLU)]
    one, two = ["Conv2d", "Upsample"], ["Conv2d", "Conv2d", "Upsample"]
    assert names == one + two + two
    assert Fusion(variant="project").stride == 1


def test_dropout_is_where_the_faces_have_it() -> None:
    def dropped(variant: str) -> list[float]:
        modules = Fusion(variant=variant).modules()
        return [module.p for module in modules if isinstance(module, nn.Dropout)]

    assert dropped("faces") == [0.35] * 5
    assert dropped("study") == dropped("koalarization") == dropped("lab") == []


def test_the_classifiers_answer_reaches_the_colors() -> None:
    torch.manual_seed(0)
    fusion = Fusion()
    both = FusionWithClassifier(fusion, Mean())
    light, thumbnail = torch.rand(1, 1, 16, 16) * 100, torch.full((1, 1, 8, 8), 3.0)
    with torch.no_grad():
        ab = both.small(light, thumbnail)
        assert torch.equal(ab, fusion.small(light, 3 * RAMP[None]))
        assert not torch.equal(ab, both.small(light, -thumbnail))
    assert (both.stride, both.multiple, both.thumbnail) == (2, 8, 8)


def test_an_unknown_variant_names_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown variant 'x'\. Available: study, koala"):
        Fusion(variant="x")
    with pytest.raises(ValueError, match=r"unknown fused 'x'\. Available: leveled, logits"):
        Fusion(fused="x")
