"""Where a network looked is where the thing is, by maps and by a patch that covers it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiny_classifier
from skimage import data

import opsin
from opsin.cli import main
from opsin.models.engine import load_engine
from opsin.models.store import find
from opsin.recognition import explain as module
from opsin.recognition.explain import explain, last_layer, occlusion_map
from opsin.recognition.pipeline import picture_of

CELL, GAP = module.CELL, 8


def beside() -> np.ndarray:
    """A cup at the left of nothing."""
    wide = np.full((400, 400, 3), 128, np.uint8)
    wide[100:300, 40:240] = data.coffee()[60:260, 180:380]
    return wide


def part(photo: opsin.Photo, number: int, width: int = 400) -> np.ndarray:
    """The light of a cell of the picture."""
    left = GAP + number * (CELL + GAP)
    return photo.pixels[GAP : GAP + 400, left : left + width].astype(float).mean(axis=2)


def test_the_last_layer_is_what_the_network_itself_computes() -> None:
    pytest.importorskip("onnx")
    weights, engine = last_layer(find("imagenet")), load_engine("imagenet")
    assert weights is not None
    assert weights.shape == (1000, 1280)
    pictures = np.random.default_rng(0).random((2, 1, 3, 260, 260), dtype=np.float32)
    one, other = (engine.run({"picture": picture}) for picture in pictures)
    change = (one["features"] - other["features"]) @ weights.T
    assert change == pytest.approx(one["logits"] - other["logits"], abs=1e-2)


@pytest.mark.parametrize("way", ["map", "patch"])
def test_the_thing_is_bright_and_the_rest_dark(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "map":
        pytest.importorskip("onnx")
    else:
        monkeypatch.setattr(module, "last_layer", lambda model: None)
    found = explain(beside())
    assert not found.is_gray
    assert (part(found, 0) == beside().astype(float).mean(axis=2)).all()
    gained = part(found, 1) / part(found, 0).clip(1)
    assert gained[120:280, 60:220].mean() > 1.5 * gained[120:280, 260:360].mean()
    assert gained[:15].max() < 0.3  # the network does not see the edge


def test_without_onnx_a_patch_tells_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    module._last_layer.cache_clear()
    assert last_layer(find("imagenet")) is None
    module._last_layer.cache_clear()


def test_a_patch_over_what_speaks_for_a_label_makes_it_less_likely(models: Path) -> None:
    write_tiny_classifier(models, labels=("dark", "bright"))
    engine = load_engine("shades")
    light = np.full((40, 40, 3), 200, np.uint8)
    light[:20] = 0
    heat = occlusion_map(engine, picture_of(light, engine.card), 1)
    assert heat.shape == (module.GRID, module.GRID)
    assert heat[-1, :3].min() > 0.9
    assert not heat[0].any()  # gray there is brighter than black
    assert not heat[:, -3:].any()  # it looks at the left half alone
    assert not occlusion_map(engine, picture_of(light * 0, engine.card), 1).any()  # nothing does


def test_names_that_are_hardly_likely_are_not_explained(models: Path) -> None:
    write_tiny_classifier(models, labels=("dark", "bright"))
    one = explain(np.full((40, 40), 250, np.uint8), model="shades")
    both = explain(np.full((40, 40), 128, np.uint8), model="shades")
    assert (one.width, both.width) == tuple(GAP + n * (CELL + GAP) for n in (2, 3))
    ensemble = explain(np.full((40, 40), 250, np.uint8), model="shades,shades")
    assert (ensemble.pixels == one.pixels).all()


def test_the_verb_writes_pictures_and_replaces_none(models: Path, tmp_path: Path, capsys) -> None:
    write_tiny_classifier(models, labels=("dark", "bright"))
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for name, shade in (("a.png", 20), ("b.jpg", 240)):
        opsin.open(np.full((40, 40), shade, np.uint8)).save(scans / name)
    words = ["classify", str(scans), "--model", "shades", "--explain", str(out)]
    assert main(words) == 0
    assert "bright" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["a-explained.png", "b-explained.png"]
    assert opsin.open(out / "a-explained.png").width == GAP + 2 * (CELL + GAP)
    (out / "a-explained.png").unlink()
    (out / "b-explained.png").write_bytes(b"mine")
    assert main(words) == 0
    told = capsys.readouterr()
    assert "1 skipped, explained already" in told.err
    assert "dark" in told.out
    assert (out / "b-explained.png").read_bytes() == b"mine"
    assert main([*words, "--overwrite"]) == 0
    assert (out / "b-explained.png").read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--explain", "x", "--csv", "y.csv"], "--explain: not with --csv"),
        (["--explain", "x", "--cluster", "local"], "--explain: not with --cluster"),
        (["--overwrite"], "--overwrite goes with --explain"),
    ],
)
def test_what_does_not_go_with_it_is_refused(
    words: list[str], said: str, tmp_path: Path, capsys
) -> None:
    opsin.open(np.full((40, 40), 20, np.uint8)).save(tmp_path / "a.png")
    assert main(["classify", str(tmp_path / "a.png"), *words]) == 2
    assert said in capsys.readouterr().err
