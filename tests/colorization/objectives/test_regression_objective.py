"""A1 to A5: the errors that they minimize, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from colorization.running import system_of  # noqa: E402
from torch import nn  # noqa: E402

from opsin.colorization.networks.colorizer import Colorizer  # noqa: E402
from opsin.colorization.networks.conditional_gan import Discriminator  # noqa: E402
from opsin.colorization.networks.global_local import GlobalLocal  # noqa: E402
from opsin.colorization.objectives.adversarial import AdversarialObjective  # noqa: E402
from opsin.colorization.objectives.adversarial import Settings as GanSettings  # noqa: E402
from opsin.colorization.objectives.regression import RegressionObjective, Settings  # noqa: E402
from opsin.training.loop import Batch, Stepper  # noqa: E402
from opsin.training.recipe import Optimizer  # noqa: E402

STEPPER = Stepper(torch.device("cpu"), False, Optimizer(weight_decay=0.0))


class Answer(Colorizer):
    """Answers what it was told, whatever it sees."""

    def __init__(self, ab: torch.Tensor, ab_scale: float = 100.0) -> None:
        super().__init__()
        self.ab_scale = ab_scale
        self.ab = nn.Parameter(ab.clone())

    def forward(self, light: torch.Tensor) -> torch.Tensor:
        return self.ab


def objective(
    ab: torch.Tensor, *, ab_scale: float = 100.0, **settings: object
) -> RegressionObjective:
    return RegressionObjective(
        Answer(ab, ab_scale),
        Settings(**settings),  # type: ignore[arg-type]
        stepper=STEPPER,
    )


def flat(a: float, b: float) -> torch.Tensor:
    return (
        torch.tensor([a, b], dtype=torch.float32)
        .reshape(1, 2, 1, 1)
        .expand(1, 2, 4, 6)
        .contiguous()
    )


def batch(ab: torch.Tensor) -> Batch:
    return {"light": torch.full((1, 1, 4, 6), 50.0), "ab": ab}


@pytest.mark.parametrize(
    ("error", "loss"),
    [("squared", (0.3**2 + 0.1**2) / 2), ("absolute", 0.2), ("chebyshev", 0.3)],
)
def test_each_error_is_its_formula_in_units_of_the_scale(error: str, loss: float) -> None:
    losses = objective(flat(20, 10), error=error).step(batch(flat(50, 20)))
    assert losses["loss"] == pytest.approx(loss, rel=1e-5)
    if error != "squared":
        assert losses[f"{error}_error"] == pytest.approx(loss, rel=1e-5)


def test_the_logs_squared_error_is_on_one_scale_for_all_systems() -> None:
    answer, truth = flat(20, 10), flat(50, 20)
    settings = GanSettings(adversarial=0.0)
    gan = AdversarialObjective(Answer(answer), Discriminator(), settings, stepper=STEPPER)
    found = [
        objective(answer, ab_scale=ab_scale, error=error).losses(Answer(answer), batch(truth))
        for ab_scale in (100.0, 128.0)
        for error in ("squared", "absolute")
    ]
    found.append(gan.losses(Answer(answer), batch(truth)))
    for losses in found:
        assert losses["squared_error"] == pytest.approx((30**2 + 10**2) / 2 / 110**2, rel=1e-5)


def test_a_step_goes_toward_the_truth() -> None:
    one = objective(flat(20, 10))
    for group in one.optimizer.param_groups:
        group["lr"] = 1.0
    one.step(batch(flat(50, -20)))
    assert one.network.ab.detach().numpy() == pytest.approx(flat(21, 9).numpy(), abs=1e-4)


def test_colors_steps_that_the_truth_has_not_are_an_error_and_those_it_has_are_not() -> None:
    stepped = flat(0, 0)
    stepped[:, 0, :, 3:] = 40  # across: one of 5 steps, in a* alone
    stepped[:, 1, 2:] = 10  # down: one of 3 steps, in b* alone
    steps = 0.4 / 5 / 2 + 0.1 / 3 / 2
    plain = objective(stepped).step(batch(flat(0, 0)))["loss"]
    edged = objective(stepped, edge_weight=3.0).step(batch(flat(0, 0)))
    assert edged["edges"] == pytest.approx(steps, rel=1e-5)
    assert edged["loss"] == pytest.approx(plain + 3 * steps, rel=1e-5)
    moved = objective(stepped + 5, edge_weight=3.0).step(batch(stepped))
    assert moved["edges"] == pytest.approx(0, abs=1e-6)
    assert objective(stepped, edge_weight=3.0).step(batch(-stepped))["edges"] == pytest.approx(
        2 * steps, rel=1e-5
    )


def test_the_scale_is_the_range_of_each_networks_answer() -> None:
    """128 of the tanh; of A5's sigmoid the whole range of 220, on which its paper takes it."""
    kinds = {"encoder_decoder": 128, "fusion": 128, "classifier_decoder": 128, "global_local": 220}
    assert {kind: system_of({"kind": kind}).build().ab_scale for kind in kinds} == kinds


class Scenes(GlobalLocal):
    """A5 that says of each picture what it was told; its colors are gray."""

    def __init__(self, logits: torch.Tensor) -> None:
        nn.Module.__init__(self)
        self.ab_scale, self.thumbnail = 1.0, 8
        self.known = nn.Parameter(logits)

    def both(self, light: torch.Tensor, thumbnail: torch.Tensor) -> tuple:
        return torch.zeros(len(light), 2, *light.shape[2:]), self.known


def test_the_class_counts_where_it_is_known() -> None:
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 9.0]])
    given = {
        "light": torch.zeros(3, 1, 8, 8),
        "ab": torch.zeros(3, 2, 8, 8),
        "label": torch.tensor([0, 1, -1]),
    }
    one = RegressionObjective(Scenes(logits), Settings(class_weight=0.5), stepper=STEPPER)
    losses = one.losses(one.network, given)
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert losses["class_entropy"] == pytest.approx((right + wrong) / 2, rel=1e-5)
    assert losses["class_right"] == 0.5
    assert losses["loss"] == pytest.approx(0.5 * (right + wrong) / 2, rel=1e-5)
    unknown = one.losses(one.network, {**given, "label": torch.tensor([-1, -1, -1])})
    assert unknown["loss"] == unknown["class_right"] == 0


def test_the_thumbnail_is_the_whole_picture() -> None:
    """Left dark, right light: also in the square that the classifier sees."""
    seen: list[torch.Tensor] = []

    class Looks(Colorizer):
        ab_scale, thumbnail = 1.0, 8

        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(1))

        def forward(self, light: torch.Tensor, thumbnail: torch.Tensor) -> torch.Tensor:
            seen.append(thumbnail)
            return self.gain * torch.zeros(len(light), 2, *light.shape[2:])

    light = torch.zeros(1, 1, 16, 32)
    light[..., 16:] = 80
    one = RegressionObjective(Looks(), Settings(), stepper=STEPPER)
    one.answers(one.network, light)
    (thumbnail,) = seen
    assert thumbnail.shape == (1, 1, 8, 8)
    row = thumbnail[0, 0, 4].numpy()
    assert row[:3] == pytest.approx(0, abs=1)
    assert row[5:] == pytest.approx(80, abs=1)


def test_answers_are_pictures_of_color() -> None:
    one = objective(flat(7, -3))
    (ab,) = one.answers(one.network, batch(flat(0, 0))["light"]).values()
    assert np.array_equal(ab, np.full((1, 4, 6, 2), (7, -3), np.float32))
