"""A6: the generator wants to be taken for true, the discriminator wants to tell; by hand.

The networks are as small as can be, so that each can be told what it must do: a generator that
answers one color for all, and a discriminator that looks at the mean of a* alone.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from opsin.colorization.objectives.adversarial import AdversarialObjective, Settings  # noqa: E402
from opsin.training.loop import Batch, Stepper  # noqa: E402
from opsin.training.recipe import Optimizer  # noqa: E402

AB_LIMIT = 110
TRUTH = 33.0  # a* of the true picture: 0.3 of the limit


class OneColor(nn.Module):
    """Answers with the same a*, b* at each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.color = nn.Parameter(torch.zeros(1, 2, 1, 1))

    def forward(self, light: torch.Tensor) -> torch.Tensor:
        return self.color.expand(len(light), 2, *light.shape[2:])


class RedIsTrue(nn.Module):
    """A logit of `liking` times the mean a* / 110, plus a constant."""

    def __init__(self, liking: float) -> None:
        super().__init__()
        self.liking = nn.Parameter(torch.tensor([[liking]]))
        self.norm = nn.BatchNorm1d(1)  # beside the way: only to see whether it learns

    def forward(self, light: torch.Tensor, ab: torch.Tensor) -> torch.Tensor:
        red = ab[:, :1].mean(dim=(2, 3)) / AB_LIMIT
        self.norm(red + torch.arange(len(red))[:, None])
        return (red @ self.liking)[:, 0]


def batch() -> Batch:
    ab = torch.zeros(2, 2, 8, 8)
    ab[:, 0] = TRUTH
    return {"light": torch.full((2, 1, 8, 8), 50.0), "ab": ab}


def objective(liking: float = 4.0, **settings: float) -> AdversarialObjective:
    stepper = Stepper(torch.device("cpu"), False, Optimizer(weight_decay=0.0))
    return AdversarialObjective(OneColor(), RedIsTrue(liking), Settings(**settings), stepper)  # type: ignore[arg-type]


def learns(one: AdversarialObjective, *, generator: float = 0.0, judge: float = 0.0) -> None:
    """Sets the rates of the two optimizers."""
    for optimizer, rate in zip(one.optimizers, (generator, judge), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate


def cross_entropy(logit: float, target: float) -> float:
    sigmoid = 1 / (1 + math.exp(-logit))
    return -target * math.log(sigmoid) - (1 - target) * math.log(1 - sigmoid)


@pytest.mark.parametrize(("liking", "way"), [(4.0, 1), (-4.0, -1)])
def test_the_generator_goes_where_the_discriminator_says_true(liking: float, way: int) -> None:
    one = objective(liking, l1_weight=0.0)
    learns(one, generator=0.5)
    one.step(batch())
    assert one.network.color[0, 0].item() == pytest.approx(0.5 * way, rel=1e-4)


def test_without_a_discriminator_it_goes_to_the_truth_alone() -> None:
    one = objective(-4.0, l1_weight=1.0, adversarial=0.0)
    for group in one.optimizers[0].param_groups:
        group["lr"] = 0.5
    losses = one.step(batch())
    assert one.network.color[0, 0].item() == pytest.approx(0.5, rel=1e-4)
    assert set(losses) == {"absolute_error", "squared_error", "loss"}
    assert len(one.optimizers) == 1
    assert one.others == {}


def test_the_generators_loss_is_what_the_paper_has() -> None:
    """BCE to "true", as a whole 1, plus lambda |error|, in units of the tanh's range."""
    losses = objective(4.0, l1_weight=100.0, adversarial=2.0).step(batch())
    fooled = cross_entropy(0.0, 1.0)
    error = 0.3 / 2  # b* is right
    assert losses["generator"] == pytest.approx(fooled, rel=1e-5)
    assert losses["absolute_error"] == pytest.approx(error, rel=1e-5)
    assert losses["squared_error"] == pytest.approx(0.3**2 / 2, rel=1e-5)
    assert losses["loss"] == pytest.approx(100 * error + 2 * fooled, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.1, 0.0, 0.3])
def test_the_discriminators_loss_has_smoothed_truth_and_plain_falsehood(smoothing: float) -> None:
    one = objective(4.0, smoothing=smoothing)
    with torch.no_grad():
        one.network.color[0, 0] = -22.0
    losses = one.step(batch())
    true, made = 4 * 0.3, 4 * -0.2
    expected = cross_entropy(true, 1 - smoothing) + cross_entropy(made, 0.0)
    assert losses["discriminator"] == pytest.approx(expected, rel=1e-5)
    assert (losses["true_taken_for_true"], losses["made_taken_for_true"]) == (1, 0)


def test_the_smoothing_is_a_tenth_unless_told() -> None:
    plain, told = (
        one.step(batch())["discriminator"] for one in (objective(), objective(smoothing=0.1))
    )
    assert plain == told


def test_the_discriminator_learns_to_tell_true_from_made() -> None:
    one = objective(0.0)
    learns(one, judge=0.1)
    one.step(batch())
    assert one.discriminator.liking.item() == pytest.approx(
        0.1, rel=1e-3
    )  # red pictures are the true ones
    assert not one.network.color.any()


def test_neither_moves_the_others_weights() -> None:
    one = objective(4.0)
    learns(one, generator=0.5)
    one.step(batch())
    assert one.discriminator.liking.item() == 4.0
    assert all(p.requires_grad for p in one.discriminator.parameters())
    assert one.network.color.any()


def test_validation_teaches_the_discriminator_nothing() -> None:
    one = objective(4.0)
    one.step(batch())
    before = {key: value.clone() for key, value in one.discriminator.state_dict().items()}
    losses = one.losses(one.network, batch())
    assert {"loss", "generator", "squared_error"} <= set(losses)
    for key, value in one.discriminator.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert one.discriminator.training


def test_an_added_edge_makes_the_loss_larger() -> None:
    """A step of 22 in a* that the truth has not, between the two halves of the picture."""

    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.color = nn.Parameter(torch.zeros(1))

        def forward(self, light: torch.Tensor) -> torch.Tensor:
            ab = torch.zeros(len(light), 2, 8, 8) + self.color
            ab[:, 0, :, 4:] += 22
            return ab

    def losses(weight: float) -> dict[str, float]:
        stepper = Stepper(torch.device("cpu"), False, Optimizer())
        settings = Settings(edge_weight=weight, adversarial=0.0)
        return AdversarialObjective(Halves(), RedIsTrue(1.0), settings, stepper).step(batch())

    with_edges, without = losses(5.0), losses(0.0)
    steps = 0.2 / 7 / 2  # one of 7 steps across, a* alone of the two; down there are none
    assert with_edges["edges"] == pytest.approx(steps, rel=1e-5)
    assert with_edges["loss"] - without["loss"] == pytest.approx(5 * steps, rel=1e-3)


def test_answers_are_pictures_of_color() -> None:
    one = objective()
    with torch.no_grad():
        one.network.color[0, :, 0, 0] = torch.tensor([7.0, -3.0])
    (ab,) = one.answers(one.network, batch()["light"]).values()
    assert np.array_equal(ab, np.full((2, 8, 8, 2), (7, -3), np.float32))
