"""A run that was stopped goes on as if it had not been: every system, bit by bit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from colorization.running import train  # noqa: E402
from opsin.errors import DataError, RecipeError  # noqa: E402
from opsin.interrupt import Stopped  # noqa: E402
from opsin.training.recipe import Recipe  # noqa: E402

CLASSES = ["person", "cup", "cat"]
SYSTEMS = {
    "a1": {"kind": "encoder_decoder"},
    "a2": {"kind": "classifier_decoder"},
    "a2, probabilities": {"kind": "classifier_decoder", "variant": "probabilities"},
    "a3": {"kind": "fusion"},
    "a4, dropout": {"kind": "fusion", "variant": "faces"},
    "a5": {"kind": "global_local", "classes": CLASSES, "global_size": 32},
    "a6, a discriminator": {"kind": "conditional_gan"},
    "a7, chosen positions": {
        "kind": "color_bins",
        "encoder": "none",
        "widths": [32, 16, 16, 16],
        "attention_blocks": 1,
    },
}
DATA = {"size": 32, "batch": 3, "small_share": 0.0, "validation_size": 32, "hinted": 0.5}


def recipe(name: str = "a7, chosen positions", *, steps: int = 5, **changes: Any) -> Recipe:
    return Recipe(
        task="colorize",
        name="tiny",
        steps=steps,
        precision="float32",  # the same arithmetic on every machine
        validate_every=changes.pop("validate_every", 100),
        network=SYSTEMS[name],
        data={**DATA, **changes.pop("data", {})},
        **changes,
    )


def stop_at(step: int, number: int = signal.SIGTERM) -> Callable[[int, str], None]:
    """Asks the run to stop while it does a step, as a person or a machine does."""

    def on_step(at: int, _: str) -> None:
        if at == step:
            os.kill(os.getpid(), number)

    return on_step


def assert_equal(one: Any, other: Any, where: str = "") -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_equal(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_equal(a, b, f"{where}[{index}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


def checkpoint(run: Path) -> Any:
    return torch.load(run / "checkpoint.pt", weights_only=True)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_resumed_run_is_the_run_that_never_stopped(
    name: str, scenes: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe(name), [scenes], whole, workers=0)
    with pytest.raises(Stopped, match="step 3 of 5 is saved"):
        train(recipe(name), [scenes], parts, workers=0, on_step=stop_at(3))
    assert checkpoint(parts)["step"] == 3
    torch.manual_seed(12345)  # another process has other random numbers behind it
    told: list[str] = []
    train(recipe(name), [scenes], parts, workers=0, on_message=told.append)
    assert "going on after step 3 of 5" in told
    assert_equal(checkpoint(whole), checkpoint(parts))


def test_batches_by_other_processes_make_no_difference(scenes: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe(), [scenes], whole, workers=0)
    with pytest.raises(Stopped):
        train(recipe(), [scenes], parts, workers=2, on_step=stop_at(2))
    train(recipe(), [scenes], parts, workers=1)
    assert_equal(checkpoint(whole), checkpoint(parts))


def test_two_steps_draw_different_positions(scenes: Path, tmp_path: Path) -> None:
    """Chance belongs to the step: were it the same in each, the two runs would be equal."""
    runs = []
    for seed in (1, 2):
        train(recipe(steps=1, seed=seed), [scenes], tmp_path / str(seed), workers=0)
        runs.append(checkpoint(tmp_path / str(seed))["network"])
    assert not torch.equal(runs[0]["head.weight"], runs[1]["head.weight"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_saves_and_says_so(number: int, scenes: Path, tmp_path: Path) -> None:
    told: list[str] = []
    stop = stop_at(2, number)
    with pytest.raises(Stopped, match=r"step 2 of 5 is saved in .*checkpoint\.pt"):
        train(recipe(), [scenes], tmp_path, workers=0, on_step=stop, on_message=told.append)
    assert any("once more stops at once" in text for text in told)
    assert checkpoint(tmp_path)["step"] == 2


def test_a_stop_before_a_validation_does_not_lose_it(scenes: Path, tmp_path: Path) -> None:
    short = recipe(validate_every=2)
    with pytest.raises(Stopped):
        train(short, [scenes], tmp_path, workers=0, on_step=stop_at(2))
    assert not (tmp_path / "validation.csv").exists()
    train(short, [scenes], tmp_path, workers=0)
    lines = (tmp_path / "validation.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "2", "4", "5"]


def test_losses_of_a_resumed_run_are_those_of_the_whole(scenes: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe(), [scenes], whole, workers=0)
    with pytest.raises(Stopped):
        train(recipe(), [scenes], parts, workers=0, on_step=stop_at(3))
    train(recipe(), [scenes], parts, workers=0)
    one, other = ((run / "losses.csv").read_text().splitlines()[-1] for run in (whole, parts))
    assert one.split(",")[:4] == other.split(",")[:4]  # the last column is the speed


def test_sheets_of_steps_that_are_done_again_are_taken_back(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(recipe(), [scenes], tmp_path, workers=0, on_step=stop_at(2))
    (tmp_path / "sheets").mkdir()
    stale = tmp_path / "sheets" / "step-0000004.jpg"
    stale.write_bytes(b"of a sitting that was thrown away")
    train(recipe(), [scenes], tmp_path, workers=0)
    assert [sheet.name for sheet in (tmp_path / "sheets").iterdir()] == ["step-0000005.jpg"]


def test_a_finished_run_is_left_as_it_is(scenes: Path, tmp_path: Path) -> None:
    train(recipe(steps=2), [scenes], tmp_path, workers=0)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    told: list[str] = []
    train(recipe(steps=2), [scenes], tmp_path, workers=0, on_message=told.append)
    assert any("this run is finished" in text for text in told)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (recipe("a1", steps=2), r"other values for network\.kind"),
        (recipe(steps=2, seed=9), "other values for seed"),
        (recipe(steps=2, data={"batch": 5}), r"other values for data\.batch"),
    ],
)
def test_another_recipe_changes_nothing_in_the_folder(
    other: Recipe, message: str, scenes: Path, tmp_path: Path
) -> None:
    train(recipe(steps=2), [scenes], tmp_path, workers=0)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RecipeError, match=message):
        train(other, [scenes], tmp_path, workers=0)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", [lambda data: data[:2000], lambda data: b"no checkpoint"])
def test_a_damaged_checkpoint_is_one_sentence(
    damage: Callable[[bytes], bytes], scenes: Path, tmp_path: Path
) -> None:
    train(recipe(steps=1), [scenes], tmp_path, workers=0)
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=r"^[^\n]*this checkpoint is damaged[^\n]*$"):
        train(recipe(steps=1), [scenes], tmp_path, workers=0)


def test_a_longer_run_goes_on(scenes: Path, tmp_path: Path) -> None:
    train(recipe(steps=1), [scenes], tmp_path, workers=0)
    train(recipe(steps=3), [scenes], tmp_path, workers=0)
    assert checkpoint(tmp_path)["step"] == 3


def test_the_command_stops_politely_and_goes_on(scenes: Path, tmp_path: Path) -> None:
    tables = Path(__file__).parents[2] / "recipes" / "study.toml"
    sets = ["data.size=32", "data.batch=2", "data.validation_size=32", "precision=float32"]
    words = [sys.executable, "-m", "opsin", "train", str(tables), "--data", str(scenes)]
    words += ["--out", str(tmp_path / "run"), "--workers", "1"]
    words += [word for one in (*sets, "steps=2000") for word in ("--set", one)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        losses, limit = tmp_path / "run" / "losses.csv", time.monotonic() + 120
        while not losses.exists() and time.monotonic() < limit and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    for word in ("Traceback", "Exception ignored", "terminate called"):
        assert word not in said
    step = re.search(r"opsin: stopped; step (\d+) of 2000 is saved in", said)
    assert step is not None, said
    assert checkpoint(tmp_path / "run")["step"] == int(step[1]) >= 50
