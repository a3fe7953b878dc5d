"""How far each network's answer can go, and that every skip of the U-Net is used."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from opsin.colorization.networks import fusion  # noqa: E402
from opsin.colorization.networks.classifier_decoder import ClassifierDecoder  # noqa: E402
from opsin.colorization.networks.conditional_gan import (  # noqa: E402
    Discriminator,
    Generator,
    Residual,
)
from opsin.colorization.networks.encoder_decoder import EncoderDecoder  # noqa: E402
from opsin.colorization.networks.global_local import GlobalLocal  # noqa: E402

LIGHT = torch.linspace(0, 100, 64 * 64).reshape(1, 1, 64, 64)


def local() -> nn.Module:
    return GlobalLocal(1, use_global=False)


def koalarization() -> nn.Module:
    return Fed(fusion.Fusion())


def faces() -> nn.Module:
    return Fed(fusion.Fusion(variant="faces"))


class Fed(nn.Module):
    """A fusion with the same classifier's answer for all."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, light: torch.Tensor) -> torch.Tensor:
        return self.network(light, torch.linspace(-1, 1, 1000).expand(len(light), 1000))


def color_layer(network: nn.Module) -> nn.Conv2d:
    """The last convolution, which gives a* and b*."""
    *_, last = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    assert last.out_channels == 2
    return last


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (EncoderDecoder, 128),
        (ClassifierDecoder, 128),
        (koalarization, 128),
        (faces, 128),
        (local, 110),
        (Generator, 110),
    ],
)
def test_the_answer_is_bent_into_its_range(make: Callable[[], nn.Module], limit: float) -> None:
    """With a last layer a million times too strong it comes to the range's ends and no farther;
    with a weak one it is in proportion: tanh, or a sigmoid made symmetric."""
    torch.manual_seed(0)
    network = make().eval()
    layer = color_layer(network)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([1e-3, -2e-3]))
        weak = network(LIGHT)
        layer.bias.copy_(torch.tensor([1.0, -1.0]))
        middling = network(LIGHT)
        layer.bias.copy_(torch.tensor([1e6, -1e6]))
        strong = network(LIGHT)
    assert strong[:, 0].unique().tolist() == [limit]
    assert strong[:, 1].unique().tolist() == [-limit]
    assert weak[0, 1, 0, 0] == pytest.approx(-2 * float(weak[0, 0, 0, 0]), rel=1e-3)
    slope = float(weak[0, 0, 0, 0]) / 1e-3 / limit  # 1 of tanh, 1/2 of 2 sigmoid - 1
    expected = torch.tanh(torch.tensor(slope))
    assert middling[0, 0, 0, 0] == pytest.approx(limit * float(expected), rel=1e-3)
    assert middling[0, 1, 0, 0] == pytest.approx(-limit * float(expected), rel=1e-3)


def test_a_new_network_is_nearly_gray() -> None:
    for make in (EncoderDecoder, koalarization, faces, local, Generator):
        torch.manual_seed(0)
        with torch.no_grad():
            assert make().eval()(LIGHT).abs().max() < 40, make


@pytest.mark.parametrize("residual", [False, True])
def test_each_step_up_sees_the_map_of_its_size(residual: bool) -> None:
    torch.manual_seed(0)
    network = Generator(residual=residual).eval()
    seen: list[torch.Tensor] = []
    for layer in (*network.up[1:], network.color):
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        network(LIGHT)
        maps = network.features(LIGHT)
    assert len(seen) == len(maps) - 1
    for given, skip in zip(seen, reversed(maps[:-1]), strict=True):
        assert skip.abs().max() > 0
        assert torch.equal(given[:, -skip.shape[1] :], skip)


def entered(layer: nn.Module, call: Callable[[], object]) -> list[torch.Tensor]:
    """What a layer is given while something is called."""
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        call()
    handle.remove()
    return seen


def test_the_discriminator_is_given_all_planes_in_the_same_units() -> None:
    judge = Discriminator().eval()
    light, ab = torch.rand(1, 1, 32, 32) * 100, torch.rand(1, 2, 32, 32) * 220 - 110
    (planes,) = entered(judge.convs[0], lambda: judge(light, ab))
    assert planes[:, :1].numpy() == pytest.approx(light.numpy() / 50 - 1, abs=1e-5)
    assert planes[:, 1:].numpy() == pytest.approx(ab.numpy() / 110, abs=1e-5)


def test_both_branches_see_lightness_in_the_same_units() -> None:
    network = GlobalLocal(2, global_size=64).eval()
    photo, thumbnail = entered(network.low, lambda: network.both(LIGHT, LIGHT))
    assert torch.equal(photo, thumbnail)
    assert photo.numpy() == pytest.approx(LIGHT.numpy() / 50 - 1, abs=1e-5)


def test_residual_blocks_add_to_what_they_are_given() -> None:
    block = Residual(4).eval()
    nn.init.zeros_(block.second.weight)
    given = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        assert torch.equal(block(given), given)
        nn.init.ones_(block.second.weight)
        assert (block(given) >= given).all()
        assert (block(given) > given).any()
