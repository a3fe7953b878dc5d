"""A task is its own room: one line for it, one for its verb, and every command knows it."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from importlib.metadata import EntryPoint  # noqa: E402

import opsin  # noqa: E402
from opsin import cli, tasks  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import OpsinError, RecipeError  # noqa: E402
from opsin.interrupt import Stopped, as_interrupts  # noqa: E402
from opsin.training import run  # noqa: E402
from opsin.training.recipe import read_recipe  # noqa: E402
from toy import ROOM  # noqa: E402
from toy.task import TASK  # noqa: E402

LINES_OUTSIDE = {  # of its room: what a task of this package adds to opsin
    "tasks.py": '    "brightness": Room("opsin.brightness.task:TASK", "opsin.judge:evaluate"),',
    "cli/__init__.py": '    "brightness": ("opsin.cli.brightness:brightness", "Tell how bright."),',
}
RECIPE = """
task = "brightness"
name = "mine"
license = "CC0-1.0"
steps = 60
validate_every = 20
precision = "float32"
[network]
kind = "mean_light"
[optimizer]
rate = 0.05
ema = 0.9
[data]
size = 32
batch = 12
small_share = 0.0
validation_size = 32
least_chroma = 0.0
"""


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `LINES_OUTSIDE` would do, for a room that lies beside the package."""
    monkeypatch.setitem(tasks.ROOMS, "brightness", ROOM)
    monkeypatch.setitem(cli.VERBS, "brightness", ("toy.verb:brightness", "Tell how bright."))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "brightness.toml"
    path.write_text(RECIPE)
    return path


def test_it_trains_is_exported_answers_and_is_judged_by_the_same_commands(
    recipe: Path, shades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("OPSIN_MODELS", str(tmp_path / "models"))
    out = tmp_path / "run"
    words = ["--data", str(shades), "--out", str(out), "--workers", "0"]
    assert main(["train", str(recipe), *words]) == 0
    assert (out / "report.html").exists()
    assert main(["export", str(out), "-o", str(tmp_path)]) == 0
    assert main(["models", "add", str(tmp_path / "mine.toml")]) == 0
    capsys.readouterr()

    assert main(["brightness", str(shades), "--model", "mine", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["done"] == len(told["files"]) == 30
    right = [Path(one["input"]).parent.name == one["classes"][0]["name"] for one in told["files"]]
    assert np.mean(right) > 0.9
    assert sum(one["probability"] for one in told["files"][0]["classes"]) == pytest.approx(1)

    assert main(["evaluate", "brightness", str(shades), "--model", "mine", "--json"]) == 0
    [system] = [
        one for one in json.loads(capsys.readouterr().out)["systems"] if one["system"] == "mine"
    ]
    assert system["figures"]["right"]["value"] == pytest.approx(np.mean(right))

    with pytest.raises(OpsinError, match="does not colorize: its task is 'brightness'"):
        opsin.colorize(np.zeros((40, 40), np.uint8), model="mine")

    words = ["export", str(out), "-o", str(tmp_path / "other"), "--contrast", "0.5"]
    assert main(words) == 1
    assert "contrast says nothing to a model of the task 'brightness'" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("network.kind=sun", 'must be one of "mean_light"'),
        ("network.sun=1", "network.sun is not a setting"),
        ("objective.smoothing=2", "a number from 0 to 1"),
        ("data.film=0.5", "data.film is not a setting"),
        ("data.small_share=0.5", "data.small_size = 64, but it must be at most data.size = 32"),
    ],
)
def test_its_recipes_are_checked_before_anything_is_written(
    change: str, message: str, recipe: Path, shades: Path, tmp_path: Path, capsys
) -> None:
    words = ["train", str(recipe), "--data", str(shades), "-o", str(tmp_path / "run")]
    assert main([*words, "--set", change]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_recipe_of_another_task_is_refused(recipe: Path, shades: Path, tmp_path: Path) -> None:
    settings = read_recipe(recipe, ('task="colorize"',))
    with pytest.raises(RecipeError, match='task = "colorize", but this trains the task "bright'):
        run.train(TASK, settings, [shades], tmp_path / "run", workers=0)


def test_a_stopped_run_is_the_unstopped_run(
    recipe: Path, shades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_recipe(recipe, ("steps=9", "validate_every=100"))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run.train(TASK, settings, [shades], whole, workers=0)

    def stop(step: int, text: str) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped), as_interrupts():
        run.train(TASK, settings, [shades], parts, workers=0, on_step=stop)
    told: list[str] = []
    assert (parts / "checkpoint.pt").exists()
    run.train(TASK, settings, [shades], parts, workers=0, on_message=told.append)
    assert any(re.match(r"going on after step [45] of 9", text) for text in told)
    one, other = (
        torch.load(place / "checkpoint.pt", weights_only=True) for place in (whole, parts)
    )
    assert one["step"] == other["step"] == 9
    for part in ("network", "average"):
        assert all(torch.equal(one[part][name], other[part][name]) for name in one[part])


def test_it_takes_a_line_for_the_task_and_one_for_its_verb() -> None:
    place = Path(tasks.__file__).parent
    assert len(LINES_OUTSIDE) <= 3
    for file, line in LINES_OUTSIDE.items():
        key = line.split(":")[0]
        like = re.sub("brightness", "colorize", key)
        assert like in (place / file).read_text("utf-8"), f"{file} has another form"
    package = [path for path in place.rglob("*.py") if "brightness" in path.read_text("utf-8")]
    assert [path.name for path in package] == ["tasks.py"]  # as an example in words


def test_a_task_of_another_package_is_found_by_its_entry_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(tasks.ROOMS, "brightness")
    point = EntryPoint("brightness", "toy:ROOM", tasks.GROUP)
    monkeypatch.setattr(
        tasks,
        "entry_points",
        lambda group, name=None: [point] if name in (None, "brightness") else [],
    )
    assert tasks.names()[-1] == "brightness"
    assert tasks.task_of("brightness") is TASK
    assert callable(tasks.load(tasks.room_of("brightness").evaluation))
