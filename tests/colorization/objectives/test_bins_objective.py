"""What A7 minimizes, worked out by hand, and which of its weights move how far."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from opsin.color import rgb_to_lab  # noqa: E402
from opsin.colorization.bins import BINS  # noqa: E402
from opsin.colorization.networks.color_bins import ColorBins  # noqa: E402
from opsin.colorization.objectives.bins import BinsObjective, Settings, rebalancing  # noqa: E402
from opsin.training.loop import Batch, Stepper  # noqa: E402
from opsin.training.recipe import Optimizer  # noqa: E402

STEPPER = Stepper(torch.device("cpu"), False, Optimizer())


def objective(**settings: float) -> BinsObjective:
    torch.manual_seed(0)
    network = ColorBins(widths=(16, 8, 8, 8), attention_blocks=1)
    return BinsObjective(network, Settings(**settings), stepper=STEPPER)  # type: ignore[arg-type]


def number(a: float, b: float) -> int:
    return int(np.flatnonzero(((a, b) == BINS).all(axis=1))[0])


def batch(astronaut: np.ndarray) -> Batch:
    lab = rgb_to_lab(astronaut[60:188:2, 180:308:2].astype(np.float32) / 255)
    light, ab = np.split(lab.transpose(2, 0, 1)[None], [1], axis=1)
    return {
        "light": torch.from_numpy(np.ascontiguousarray(light)),
        "ab": torch.from_numpy(ab.reshape(1, 2, 16, 4, 16, 4).mean(axis=(3, 5))),
        "hints": torch.zeros(1, 3, 64, 64),
        "things": torch.zeros(1, 1, 16, 16),
        "condition": torch.zeros(1, 313),
    }


@pytest.mark.parametrize("uniform", [0.5, 0.95])
def test_rare_colors_weigh_as_rebalancing_says(uniform: float) -> None:
    """Gray, a strong red, and halfway between two bins, each weighed by its own rarity."""
    ab = torch.tensor([[0.0, 0.0], [70.0, 50.0], [5.0, 0.0]])
    logits = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (3, 313)).astype(np.float32))
    loss, parts = objective(uniform=uniform).rows_loss(logits, ab)
    log = logits.double().log_softmax(dim=1).numpy()
    gray, red, next_to_gray = number(0, 0), number(70, 50), number(10, 0)
    rarity = rebalancing(uniform).astype(float)
    weight = [rarity[gray], rarity[red], (rarity[gray] + rarity[next_to_gray]) / 2]
    surprise = [-log[0, gray], -log[1, red], -(log[2, gray] + log[2, next_to_gray]) / 2]
    assert rarity[red] > 1.8 * rarity[gray]  # or the weights would not show
    assert float(loss) == pytest.approx(np.average(surprise, weights=weight), rel=1e-4)
    assert float(parts["loss"]) == float(parts["cross_entropy"]) == float(loss)


def test_rebalancing_follows_its_formula() -> None:
    """The ratio of two weights, from the prior exp(-chroma / 9) and equation 4 of Zhang et al."""
    prior = np.exp(-np.hypot(*BINS.T) / 9)
    prior /= prior.sum()
    expected = 1 / (0.3 * prior + 0.7 / 313)
    expected /= (expected * prior).sum()
    assert rebalancing(0.7) == pytest.approx(expected, rel=1e-5)
    assert (rebalancing(0.7) * prior).sum() == pytest.approx(1, rel=1e-5)


def test_the_mean_color_is_pulled_to_the_truth_if_asked() -> None:
    """A Huber loss in units of 10: linear beyond, here |30 - 10| / 10 - 1/2 for a*, 0 for b*."""
    logits = torch.zeros(1, 313)
    logits[0, number(30, 0)] = 60
    truth = torch.tensor([[10.0, 0.0]])
    plain, _ = objective(mean_weight=0.0).rows_loss(logits, truth)
    total, parts = objective(mean_weight=3.0).rows_loss(logits, truth)
    assert float(parts["mean_color"]) == pytest.approx((2 - 0.5) / 2, rel=1e-4)
    assert float(total - plain) == pytest.approx(3 * 0.75, rel=1e-3)
    assert float(parts["loss"]) == float(total)


def test_validation_takes_all_positions_and_training_some(astronaut: np.ndarray) -> None:
    one = objective(positions=0.5)
    given = batch(astronaut)
    one.network.eval()
    whole = [float(one.loss(one.network, given)[0].detach()) for _ in range(2)]
    one.network.train()
    drawn = [float(one.loss(one.network, given)[0].detach()) for _ in range(20)]
    assert whole[0] == whole[1]
    assert len(set(drawn)) == 20
    assert np.mean(drawn) == pytest.approx(whole[0], rel=0.05)
    every = objective(positions=1.0)
    every.network.train()
    assert float(every.loss(every.network, given)[0].detach()) == pytest.approx(whole[0], rel=1e-5)


def moved(one: BinsObjective, given: Batch, *, rate: float = 1e-3) -> dict[str, float]:
    """How far each parameter's farthest number goes in one step, as a share of the rate."""
    before = {name: p.detach().clone() for name, p in one.network.named_parameters()}
    for group in one.optimizer.param_groups:
        group["lr"] = rate * group["share"]
        group["weight_decay"] = 0.0
    one.network.train()
    one.step(given)
    after = one.network.named_parameters()
    return {name: float((p.detach() - before[name]).abs().max()) / rate for name, p in after}


def test_the_encoder_learns_at_its_share_and_its_first_blocks_stay(astronaut: np.ndarray) -> None:
    """Adam's first step is as long as the rate: the encoder's 0.3 of the decoder's."""
    far = moved(objective(), batch(astronaut))
    frozen = ("encoder.stem", "encoder.blocks.0.", "encoder.blocks.1.", "encoder.blocks.2.")
    still = {name for name in far if name.startswith(frozen)}
    encoder = {name for name in far if name.startswith("encoder.")} - still
    assert len(still) >= 8
    assert all(far[name] == 0 for name in still)
    assert far["encoder.blocks.3.narrow.weight"] == pytest.approx(0.3, rel=0.01)
    assert max(far[name] for name in encoder) == pytest.approx(0.3, rel=0.01)
    assert far["head.weight"] == pytest.approx(1, rel=0.01)
    assert max(far.values()) == pytest.approx(1, rel=0.01)


def test_other_shares_and_blocks_are_obeyed(astronaut: np.ndarray) -> None:
    far = moved(objective(frozen_blocks=0, encoder_rate=0.5), batch(astronaut))
    assert far["encoder.stem.weight"] == pytest.approx(0.5, rel=0.02)
    assert far["head.weight"] == pytest.approx(1, rel=0.01)
    far = moved(objective(frozen_blocks=5), batch(astronaut))
    assert far["encoder.blocks.4.narrow.weight"] == 0
    assert far["encoder.blocks.5.narrow.weight"] > 0


def test_its_answers_are_the_mean_color_and_a_sharper_one(astronaut: np.ndarray) -> None:
    one = objective()
    light = batch(astronaut)["light"]
    with torch.no_grad():
        one.network.head.weight *= 30  # a new network's answers are too even to tell apart
    found = one.answers(one.network.eval(), light)
    muted, sharp = found.values()
    assert muted.shape == sharp.shape == (1, 64, 64, 2)
    assert np.hypot(*np.moveaxis(sharp, -1, 0)).mean() > np.hypot(*np.moveaxis(muted, -1, 0)).mean()
    assert (muted[:, ::4, ::4] == muted[:, 3::4, 3::4]).all()  # one color to a cell of 4 pixels
    with torch.no_grad():
        logits = one.network(light, torch.zeros(1, 3, 64, 64), torch.zeros(1, 313))
    mean = (logits[0].softmax(dim=0).flatten(1).T @ torch.from_numpy(BINS)).reshape(16, 16, 2)
    assert muted[0, ::4, ::4] == pytest.approx(mean.numpy(), abs=1e-3)


def hinted(astronaut: np.ndarray) -> Batch:
    """The batch with one blue point, about the upper half of the picture."""
    given = batch(astronaut)
    given["hints"][0, :, 8:13, 30:35] = torch.tensor([20.0, -60.0, 1.0])[:, None, None]
    given["things"][0, 0, :8] = 1
    return given


def test_what_lies_beyond_a_thing_is_to_stay_as_it_was(astronaut: np.ndarray) -> None:
    """There the target is the network's own answer without hints, whatever the true color is."""
    one, given = objective(positions=1.0, local=3.0), hinted(astronaut)
    one.network.eval()
    with torch.no_grad():  # a new network says about the same of everything
        one.network.head.weight.mul_(100)
    total, parts = one.loss(one.network, given)
    assert parts["beyond_hints"] > 1e-5
    expected = parts["cross_entropy"] + 3 * parts["beyond_hints"]
    assert total.item() == pytest.approx(expected.item())
    given["ab"][:, :, 8:] = 90.0  # not looked at, where no hint is meant
    assert one.loss(one.network, given)[0].item() == pytest.approx(total.item())
    given["ab"][:, :, :8] = 90.0
    assert one.loss(one.network, given)[0].item() != pytest.approx(total.item())


def test_hints_that_change_nothing_cost_nothing_beyond(astronaut: np.ndarray) -> None:
    one, given = objective(positions=1.0), hinted(astronaut)
    one.network.eval()
    with torch.no_grad():
        for name, parameter in one.network.named_parameters():
            if "hint" in name and name.endswith("weight"):
                parameter.zero_()
    assert one.loss(one.network, given)[1]["beyond_hints"].item() == pytest.approx(0, abs=1e-6)
