"""The loop does with rates, decay, clipping and averages what the recipe says."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from opsin.errors import DataError  # noqa: E402
from opsin.interrupt import Stopped  # noqa: E402
from opsin.training import loop  # noqa: E402
from opsin.training.recipe import Optimizer, Recipe  # noqa: E402

CPU = torch.device("cpu")


def stepper(**schedule: float) -> loop.Stepper:
    return loop.Stepper(CPU, False, Optimizer(**schedule))


class Toy:
    """Two numbers pulled toward 10, the second at a third of the rate; keeps what it was told.

    Another network beside it is moved by a random number in each step.
    """

    def __init__(self, **schedule: float) -> None:
        self.stepper = stepper(**schedule)
        self.network = nn.ParameterList([torch.zeros(1), torch.zeros(1)])
        self.judge = nn.ParameterList([torch.zeros(1)])
        self.others: dict[str, nn.Module] = {"judge": self.judge}
        self.optimizers = [
            self.stepper.adamw([([self.network[0]], 1.0), ([self.network[1]], 1 / 3)])
        ]
        self.path: list[list[float]] = []
        self.drawn: list[float] = []
        self.training: list[bool] = []

    def step(self, batch: loop.Batch) -> dict[str, float]:
        self.training.append(self.network.training)
        loss = sum((p - 10).square().sum() for p in self.network)
        self.stepper.step(loss, self.optimizers[0])
        self.path.append([p.item() for p in self.network])
        self.drawn.append(torch.rand(()).item())
        with torch.no_grad():
            self.judge[0] += self.drawn[-1]
        return {"loss": loss.item()}


class Listener:
    """A log that keeps what it is told; asks the run to stop at a step."""

    def __init__(self, stop_at: int = 0, enough_at: int = -1) -> None:
        self.stop_at, self.enough_at = stop_at, enough_at
        self.last_validation = 0
        self.sums: dict[str, tuple[float, int]] = {}
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.validated: list[int] = []
        self.networks: list[nn.Module] = []

    def step(self, step: int, rate: float, losses: dict[str, float], *rest: object) -> None:
        self.rates.append(rate)
        self.losses.append(losses["loss"])
        total, count = self.sums.get("loss", (0.0, 0))
        self.sums["loss"] = total + losses["loss"], count + 1
        if step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def validation(self, step: int, network: nn.Module, *rest: object) -> bool:
        self.validated.append(step)
        self.networks.append(network)
        return step == self.enough_at


def run(
    folder: Path,
    steps: int,
    *,
    validate_every: int = 1000,
    patience: int = 0,
    seed: int = 1,
    told: Listener | None = None,
    **schedule: float,
) -> tuple[Toy, Listener, nn.Module]:
    """Trains the toy, from its checkpoint if the folder has one."""
    toy, told = Toy(**schedule), told or Listener()
    recipe = Recipe(
        task="colorize",
        name="toy",
        steps=steps,
        seed=seed,
        validate_every=validate_every,
        patience=patience,
        optimizer=Optimizer(**schedule),
    )
    state = loop.State(loop.start_average(toy.network))
    if (folder / "checkpoint.pt").exists():
        state = loop.load_checkpoint(folder / "checkpoint.pt", toy)
    batches = [{"light": torch.zeros(1)}] * (steps + 3 - state.step)
    loop.train(recipe, toy, batches, state, out=folder, log=told)
    return toy, told, state.average


def test_the_rate_climbs_in_a_line_and_falls_along_a_cosine_to_its_floor() -> None:
    schedule = Optimizer(rate=0.2, warmup=0.1, floor=0.05)
    rates = [loop.one_cycle(step, 100, schedule) for step in range(1, 101)]
    assert rates[:10] == pytest.approx(np.linspace(0.02, 0.2, 10))
    assert max(rates) == rates[9]
    assert rates[54] == pytest.approx(0.2 * (0.05 + 1) / 2)  # halfway down
    assert rates[99] == pytest.approx(0.2 * 0.05)
    assert (np.diff(rates[9:]) < 0).all()
    quarter = 0.05 + 0.95 * (1 + np.cos(np.pi / 3)) / 2
    assert rates[39] == pytest.approx(0.2 * quarter)  # a third of the way: not a straight line


def test_without_warmup_and_with_a_floor_of_one_the_rate_is_constant() -> None:
    schedule = Optimizer(rate=0.3, warmup=0.0, floor=1.0)
    assert [loop.one_cycle(step, 9, schedule) for step in range(1, 10)] == pytest.approx([0.3] * 9)


def test_each_group_learns_at_its_share_of_the_schedule(tmp_path: Path) -> None:
    toy, told, _ = run(tmp_path, 40, rate=0.1, warmup=0.25, floor=0.0, weight_decay=0.0)
    assert told.rates == pytest.approx(
        [loop.one_cycle(step, 40, toy.stepper.schedule) for step in range(1, 41)]
    )
    # Adam's first step is the rate, whatever the gradient; the later ones stay near it.
    assert toy.path[0] == pytest.approx([0.01, 0.01 / 3], rel=1e-3)
    moved = np.diff([[0.0, 0.0], *toy.path], axis=0)
    assert moved[:, 0] == pytest.approx(told.rates, rel=0.1, abs=1e-4)
    assert moved[:, 1] == pytest.approx(np.array(told.rates) / 3, rel=0.1, abs=1e-4)


def test_the_run_stops_at_its_last_step_and_validates_when_it_should(tmp_path: Path) -> None:
    toy, told, average = run(tmp_path, 11, validate_every=4)
    assert len(toy.path) == 11
    assert told.validated == [4, 8, 11]
    assert all(network is average for network in told.networks)
    assert all(toy.training)
    assert not average.training
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 11


def test_matrices_decay_and_vectors_do_not() -> None:
    matrix, kernel = (nn.Parameter(torch.ones(shape)) for shape in ((3, 2), (2, 1, 3, 3)))
    vector, number = (nn.Parameter(torch.ones(shape)) for shape in ((4,), ()))
    optimizer = stepper(weight_decay=0.1).adamw([([matrix, kernel, vector, number], 1.0)])
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    for parameter in (matrix, kernel, vector, number):
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for decayed in (matrix, kernel):
        assert decayed.detach().numpy() == pytest.approx(1 - 0.5 * 0.1)
    for kept in (vector, number):
        assert kept.detach().numpy() == pytest.approx(1)


def test_frozen_parameters_are_given_to_no_optimizer() -> None:
    trained, frozen = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    frozen.requires_grad_(False)
    optimizer = stepper().adamw([([trained, frozen], 1.0)])
    assert [p is trained for group in optimizer.param_groups for p in group["params"]] == [True]


def test_betas_are_the_recipes() -> None:
    """Adam's second step, after gradients of 1 and then 0, is worked out by hand."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = stepper(betas=(0.5, 0.8)).adamw([([weight], 1.0)])  # type: ignore[arg-type]
    optimizer.param_groups[0]["lr"] = 1.0
    for gradient in (1.0, 0.0):
        weight.grad = torch.full((1,), gradient)
        optimizer.step()
    second = (0.5 * 0.5 / (1 - 0.25)) / (0.8 * 0.2 / (1 - 0.64)) ** 0.5
    assert weight.item() == pytest.approx(-1 - second, rel=1e-4)


@pytest.mark.parametrize(("pull", "moved"), [(300.0, 0.5), (0.03, 0.05)])
def test_the_gradients_norm_is_clipped_over_all_parameters(pull: float, moved: float) -> None:
    """Gradients (3, 4) times `pull` / 3: the long one is cut to 0.5, the short one stays."""
    one, other = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1, 1))
    optimizer = torch.optim.SGD([one, other], lr=1.0)
    stepper(clip=0.5).step((one.sum() + other.sum() * 4 / 3) * -pull, optimizer)
    assert torch.cat([one, other[0]]).detach().numpy() == pytest.approx(
        np.array([0.6, 0.8]) * moved
    )


def test_gradients_do_not_pile_up() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for _ in range(3):
        stepper(clip=100.0).step(-weight.sum(), optimizer)
    assert weight.item() == 3


def test_the_average_follows_the_network_at_the_recipes_pace() -> None:
    network = nn.BatchNorm1d(1)
    average = loop.start_average(network)
    with torch.no_grad():
        network.weight.fill_(11.0)
        network.running_mean.fill_(7.0)
    expected = 1.0
    for step in range(200, 230):  # far from the start, where it is faster
        loop.update_average(average, network, decay=0.9, step=step)
        expected = 0.9 * expected + 0.1 * 11
    assert average.weight.item() == pytest.approx(expected, rel=1e-5)
    assert average.running_mean.item() == 7.0  # a measured figure, which is not averaged
    assert not average.weight.requires_grad
    assert network.weight.item() == 11.0


def test_the_average_forgets_the_start_soon() -> None:
    """After n steps at most about (10 / n)^9 of the random start is left, whatever the decay."""
    network = nn.Linear(1, 1)
    average = loop.start_average(network)
    with torch.no_grad():
        network.weight += 1
    for step in range(1, 101):
        loop.update_average(average, network, decay=0.9999, step=step)
    assert (network.weight - average.weight).item() < 1e-6


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_run_keeps_the_average_that_the_recipe_asks_for(tmp_path: Path, ema: float) -> None:
    toy, _, average = run(tmp_path, 100, rate=0.1, warmup=0.0, floor=1.0, ema=ema)
    path = np.array(toy.path)[:, 0]
    expected = 0.0
    for step, value in enumerate(path, start=1):
        decay = min(ema, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average[0].item() == pytest.approx(expected, rel=1e-4)
    behind = path[-1] - average[0].item()
    assert behind == pytest.approx(0, abs=1e-6) if ema == 0 else behind > 0.2


def test_each_step_has_chance_of_its_own(tmp_path: Path) -> None:
    drawn = [
        run(tmp_path / str(number), 9, seed=seed)[0].drawn for number, seed in enumerate((1, 1, 2))
    ]
    assert drawn[0] == drawn[1]
    assert len({*drawn[0], *drawn[2]}) == 18


def test_a_stopped_run_is_saved_and_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole, told, average = run(tmp_path / "whole", 8, rate=0.1)
    with pytest.raises(Stopped, match="step 3 of 8 is saved"):
        run(tmp_path / "parts", 8, rate=0.1, told=Listener(stop_at=3))
    torch.manual_seed(999)  # another process has other random numbers behind it
    rest, later, other = run(tmp_path / "parts", 8, rate=0.1)
    assert rest.path == whole.path[3:]
    assert rest.drawn == whole.drawn[3:]
    assert rest.judge[0].item() == whole.judge[0].item()
    assert [p.tolist() for p in other] == [p.tolist() for p in average]
    assert later.rates == told.rates[3:]
    assert later.sums["loss"] == pytest.approx(told.sums["loss"])
    assert later.validated == told.validated == [8]


def test_a_checkpoint_is_written_every_few_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, saved = Listener(), []
    minutely = SimpleNamespace(monotonic=lambda: 60.0 * len(told.losses))
    monkeypatch.setattr(loop, "time", minutely)
    monkeypatch.setattr(loop, "save_checkpoint", lambda *rest: saved.append(rest[-1].step))
    run(tmp_path, 14, told=told)
    assert saved == [4, 8, 12, 14]


def test_a_validation_that_a_stop_prevented_is_made_up_for(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, 6, validate_every=3, told=Listener(stop_at=3))
    _, later, _ = run(tmp_path, 6, validate_every=3)
    assert later.validated == [3, 6]


def test_a_run_with_patience_ends_when_it_is_told_that_it_is_enough(tmp_path: Path) -> None:
    options = {"validate_every": 2, "patience": 1}
    toy, told, _ = run(tmp_path, 9, told=Listener(enough_at=4), **options)
    assert (len(toy.path), told.validated) == (4, [0, 2, 4])  # what it began with counts, too
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4
    without, told, _ = run(tmp_path / "without", 5, validate_every=2, told=Listener(enough_at=4))
    assert (len(without.path), told.validated) == (5, [2, 4, 5])


def test_enough_is_found_after_a_stop_just_before_its_validation(tmp_path: Path) -> None:
    options = {"validate_every": 2, "patience": 1}
    with pytest.raises(Stopped):
        run(tmp_path, 9, told=Listener(stop_at=4), **options)
    rest, told, _ = run(tmp_path, 9, told=Listener(enough_at=4), **options)
    assert (rest.path, told.validated) == ([], [4])


def test_batches_that_never_come_end_the_run_with_a_sentence(tmp_path: Path) -> None:
    def batches(error: Exception):
        yield {"light": torch.zeros(1)}
        raise error

    recipe = Recipe(task="colorize", name="toy", steps=9, optimizer=Optimizer())
    for error, told in (
        (RuntimeError("DataLoader timed out after 900 seconds"), "no pictures came for 15 minutes"),
        (RuntimeError("another one"), "another one"),
    ):
        toy = Toy()
        state = loop.State(loop.start_average(toy.network))
        with pytest.raises((DataError, RuntimeError), match=told):
            loop.train(recipe, toy, batches(error), state, out=tmp_path, log=None)
        assert len(toy.path) == 1
