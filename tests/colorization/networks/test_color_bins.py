"""The default network: shapes, size, and that hints and condition reach the answer."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from colorization.running import system_of  # noqa: E402

from opsin.color import rgb_to_light  # noqa: E402
from opsin.colorization.networks.color_bins import ColorBins, hint_pyramid  # noqa: E402
from opsin.models.engine import load_engine  # noqa: E402
from opsin.training.task import start_network  # noqa: E402


@pytest.fixture(scope="module")
def network() -> ColorBins:
    torch.manual_seed(0)
    return ColorBins().eval()


def inputs(height: int = 64, width: int = 96, batch: int = 1) -> list:
    light = torch.rand(batch, 1, height, width) * 100
    return [light, torch.zeros(batch, 3, height, width), torch.zeros(batch, 313)]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (128, 32)])
def test_answers_at_a_quarter_of_any_size(network: ColorBins, height: int, width: int) -> None:
    with torch.no_grad():
        logits = network(*inputs(height, width, batch=2))
    assert logits.shape == (2, 313, height // 4, width // 4)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("backbone", "count"), [("lite0", 4_786_841), ("lite2", 6_187_761)])
def test_number_of_parameters(backbone: str, count: int) -> None:
    assert sum(p.numel() for p in ColorBins(backbone=backbone).parameters()) == count


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = ColorBins()
    light, hints, condition = inputs(32, 64)
    hints[:, :, 3:9, 3:9] = torch.tensor([40.0, 10.0, 1.0])[:, None, None]
    condition[:, 100] = 1
    for film in network.film:  # starts at zero, which would hide the layer before it
        torch.nn.init.normal_(film.scale_shift.weight, std=0.1)
    network(light, hints, condition).square().mean().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # softmax does not feel a constant added to all keys
    assert [name for name in without if "query_key_value.bias" not in name] == []


def test_a_hint_changes_the_answer(network: ColorBins) -> None:
    light, hints, condition = inputs()
    hinted = hints.clone()
    hinted[:, :, 20:24, 20:24] = torch.tensor([60.0, -30.0, 1.0])[:, None, None]
    with torch.no_grad():
        change = (network(light, hinted, condition) - network(light, hints, condition)).abs()
    assert change[0, :, 5, 5].max() > 1e-5


def test_hint_pyramid_keeps_the_color_of_a_single_point() -> None:
    hints = torch.zeros(1, 3, 64, 64)
    hints[0, :, 17, 33] = torch.tensor([50.0, -20.0, 1.0])
    for level, size in zip(hint_pyramid(hints), (16, 8, 4, 2), strict=True):
        assert level.shape == (1, 3, size, size)
        assert level[0, 0].max() == pytest.approx(0.5, rel=0.05)
        assert level[0, 1].min() == pytest.approx(-0.2, rel=0.05)
        assert (level[0, 2] > 0.1).sum() == 1


def test_frozen_blocks_get_no_gradient() -> None:
    network = ColorBins()
    network.encoder.freeze(3)
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert not any(name.startswith(("encoder.stem", "encoder.blocks.2.")) for name in trained)
    assert any(name.startswith("encoder.blocks.3.") for name in trained)


def test_the_packaged_model_is_this_network(astronaut: np.ndarray) -> None:
    """With its weights torch answers what the packaged file does, hints and condition too."""
    network = start_network(system_of({"kind": "color_bins", "start": "default"})).eval()
    light = rgb_to_light(astronaut[40:200:2, 160:352:2].astype(np.float32) / 255)
    light = np.pad(light, [(0, 16), (0, 0)], "edge")[None, None]  # 96 x 96
    hints = np.zeros((1, 3, 96, 96), np.float32)
    hints[:, :, 20:24, 50:55] = np.float32([40, -20, 1])[:, None, None]
    condition = np.zeros((1, 313), np.float32)
    condition[0, ::30] = 1 / 11
    engine = load_engine("default", threads=1)
    for given in ((0 * hints, 0 * condition), (hints, condition)):
        feeds = dict(zip(("light", "hints", "condition"), (light, *given), strict=True))
        (expected,) = engine.run(feeds).values()
        with torch.no_grad():
            found = network(*map(torch.from_numpy, feeds.values()))
        assert found.numpy() == pytest.approx(expected, abs=2e-3 * float(np.ptp(expected)))
