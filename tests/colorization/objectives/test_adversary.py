"""A discriminator beside any network, and the errors that a network may minimize."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from colorization.running import train  # noqa: E402

from opsin.colorization.networks.colorizer import Colorizer  # noqa: E402
from opsin.colorization.networks.conditional_gan import Discriminator  # noqa: E402
from opsin.colorization.objectives.adversarial import AdversarialObjective  # noqa: E402
from opsin.colorization.objectives.adversarial import Settings as GanSettings  # noqa: E402
from opsin.colorization.objectives.adversary import Adversary  # noqa: E402
from opsin.colorization.objectives.regression import (  # noqa: E402
    RegressionObjective,
    Settings,
    logarithmic_error,
)
from opsin.errors import RecipeError  # noqa: E402
from opsin.training.loop import Stepper  # noqa: E402
from opsin.training.recipe import Optimizer, Recipe  # noqa: E402

STEPPER = Stepper(torch.device("cpu"), bfloat16=False, schedule=Optimizer(clip=1e6))


class OneColor(Colorizer):
    """Answers every picture with the same color, which it learns."""

    stride = 2
    ab_scale = 128.0

    def __init__(self) -> None:
        super().__init__()
        self.color = torch.nn.Parameter(torch.zeros(2))

    def forward(self, light: torch.Tensor) -> torch.Tensor:
        return self.color[None, :, None, None].expand(len(light), 2, *light.shape[2:])


class LikesRed(torch.nn.Module):
    """A discriminator that takes a picture for true as far as it is red; it cannot learn."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(1))

    def forward(self, light: torch.Tensor, ab: torch.Tensor) -> torch.Tensor:
        return self.factor * ab[:, 0].mean(dim=(1, 2)) / 10


def batch(size: int = 32) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"light": torch.rand(4, 1, size, size) * 100, "ab": 20 * torch.randn(4, 2, size, size)}


def regression(**settings: float | str) -> RegressionObjective:
    return RegressionObjective(OneColor(), Settings(**settings), stepper=STEPPER)


def test_a_network_is_rewarded_for_deceiving_the_discriminator() -> None:
    """Not for being recognized: its gradient leads to what the discriminator takes for true."""
    plain, judged = regression(), regression(adversarial=1.0)
    judged.adversary.discriminator = LikesRed()
    gradients = []
    for objective in (plain, judged):
        loss, _ = objective.loss(objective.network, batch())
        loss.backward()
        gradients.append(objective.network.color.grad)
    a, b = (gradients[1] - gradients[0]).tolist()
    assert a == pytest.approx(-0.5 / 10, rel=1e-3)  # of log(1 + exp(-red / 10)) at red = 0
    assert b == 0


def test_what_is_caught_pays_and_what_deceives_does_not() -> None:
    adversary = Adversary(LikesRed(), STEPPER)
    light, red = torch.zeros(1, 1, 8, 8), torch.full((1, 2, 8, 8), 50.0)
    assert float(adversary.caught(light, red)) == pytest.approx(math.log1p(math.exp(-5)), rel=1e-5)
    assert float(adversary.caught(light, -red)) == pytest.approx(math.log1p(math.exp(5)), rel=1e-5)


def test_a_discriminator_learns_from_its_own_steps_alone() -> None:
    adversary = Adversary(LikesRed(), STEPPER)
    for group in adversary.optimizer.param_groups:
        group["lr"] = 0.1
    light, red = torch.zeros(1, 1, 8, 8), torch.full((1, 2, 8, 8), 50.0)
    adversary.caught(light, red.clone().requires_grad_()).backward()
    assert adversary.discriminator.factor.grad is None
    told = adversary.learn(light, -red, red)  # red pictures are the made ones
    assert adversary.discriminator.factor.item() == pytest.approx(0.9, abs=0.01)
    assert (told["true_taken_for_true"], told["made_taken_for_true"]) == (0, 1)


def test_the_discriminator_sees_truth_as_coarse_as_the_answers() -> None:
    objective, seen = regression(adversarial=1.0), []
    objective.adversary.learn = lambda light, truth, made: seen.append(truth) or {}
    one = batch()
    objective.step(one)
    (truth,) = seen
    blocks = truth.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    assert torch.equal(blocks.amax(dim=4), blocks.amin(dim=4))
    assert torch.allclose(truth.mean(dim=(2, 3)), one["ab"].mean(dim=(2, 3)), atol=1e-4)


def test_validation_does_not_change_the_discriminator() -> None:
    objective = regression(adversarial=1.0)
    before = {k: v.clone() for k, v in objective.adversary.discriminator.state_dict().items()}
    assert objective.losses(objective.network, batch())["generator"] > 0
    after = objective.adversary.discriminator.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_any_regression_network_can_have_a_discriminator(scenes: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        task="colorize",
        name="judged",
        steps=2,
        precision="float32",
        network={"kind": "encoder_decoder"},
        objective={"adversarial": 0.01},
        data={"size": 32, "batch": 4, "small_size": 32, "small_share": 0.0, "validation_size": 32},
    )
    train(recipe, [scenes], tmp_path, workers=0)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert set(state["others"]) == {"discriminator"}
    assert len(state["optimizers"]) == 2


@pytest.mark.parametrize("steps", [1, 2])
def test_the_generator_learns_as_often_as_it_is_said(steps: int) -> None:
    """Adam's first steps are as long as the rate, which is 1 here."""
    settings = GanSettings(generator_steps=steps)
    objective = AdversarialObjective(OneColor(), Discriminator(), settings, STEPPER)
    for group in objective.optimizer.param_groups:
        group["lr"] = 1.0
    truth = {"light": torch.zeros(2, 1, 32, 32), "ab": torch.full((2, 2, 32, 32), 50.0)}
    objective.step(truth)
    assert objective.network.color.detach().tolist() == pytest.approx([steps, steps], rel=0.05)
    assert int(objective.adversary.optimizer.state_dict()["state"][0]["step"]) == 1


def test_the_logarithmic_error_is_that_of_keras() -> None:
    """By hand: log 1.5 = 0.405465; log 1.25 = 0.223144; below 0 is 0 (Keras clips at 1e-7)."""
    answer, truth = torch.tensor([0.5, -0.3, 0.25]), torch.tensor([0.25, 0.5, -1.0])
    expected = ((0.405465 - 0.223144) ** 2 + 0.405465**2 + 0.223144**2) / 3
    assert float(logarithmic_error(answer, truth)) == pytest.approx(expected, rel=1e-5)


def test_by_the_logarithmic_error_green_and_blue_are_gray_and_teach_nothing() -> None:
    answer = torch.tensor([-0.1, -0.2, 0.1], requires_grad=True)
    logarithmic_error(answer, torch.tensor([-0.7, 0.6, 0.3])).backward()
    assert answer.grad[:2].tolist() == [0, 0]
    assert answer.grad[2] < 0


def test_crops_too_small_for_the_discriminator_are_refused(
    photographs: Path, tmp_path: Path
) -> None:
    small = Recipe(
        task="colorize",
        name="judged",
        steps=1,
        network={"kind": "encoder_decoder"},
        objective={"adversarial": 0.01},
        data={"size": 16, "small_size": 16, "validation_size": 32},
    )
    with pytest.raises(RecipeError, match=r"data\.size = 16, but the discriminator sees 32 pixels"):
        train(small, [photographs], tmp_path, workers=0)
