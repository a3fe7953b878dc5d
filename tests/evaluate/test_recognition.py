"""Figures of classifiers: right by the folder's name, and other figures by hand."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_tiny_classifier

import opsin
from opsin.cli import main
from opsin.colorization import pipeline
from opsin.errors import DataError, WrongCallError
from opsin.evaluate.recognition import evaluate, number_of, scores_of
from opsin.models.store import folder


@pytest.fixture
def pictures(tmp_path: Path, models: Path) -> Path:
    """Three dark and one bright picture; one of the dark lies among the bright."""
    write_tiny_classifier(models, temperature=3.0)
    folder = tmp_path / "pictures"
    for name, light in {"dark/1": 100, "dark/2": 20, "Bright/3": 30, "Bright/4": 240}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        rgb = np.full((40, 40, 3), light, np.uint8)
        rgb[..., 0] //= 2
        opsin.open(rgb).save(folder / f"{name}.png")
    return folder


def test_figures_are_those_that_one_counts(pictures: Path) -> None:
    report = evaluate(pictures, model="shades")
    figures = {name: one.value for name, one in report["shades"].figures.items()}
    assert figures["top1"] == 0.75
    assert figures["balanced"] == 0.75
    assert (figures["recall dark"], figures["recall bright"]) == (1.0, 0.5)
    assert figures["auc"] == 0.75  # the bright 3 is darker than one of the two dark ones
    assert "top5" not in figures
    found = [
        opsin.classify(pictures / f"{name}.png", model="shades")
        for name in ("Bright/3", "Bright/4", "dark/1", "dark/2")
    ]
    bins = np.zeros(15)
    for one, right in zip(found, (0, 1, 1, 1), strict=True):
        sure = one.probabilities.max()
        bins[min(14, int(sure * 15))] += sure - right
    assert figures["ece"] == pytest.approx(np.abs(bins).sum() / 4, abs=1e-5)
    assert report.document()["pictures"] == 4


def test_balanced_counts_each_class_the_same(pictures: Path) -> None:
    (pictures / "dark/2.png").unlink()
    figures = evaluate(pictures, model="shades")["shades"].figures
    assert figures["top1"].value == pytest.approx(2 / 3)
    assert figures["balanced"].value == pytest.approx((1 + 0.5) / 2)


def test_pictures_are_seen_in_several_ways(pictures: Path, capsys) -> None:
    words = ["evaluate", "classify", str(pictures), "--model", "shades", "--json"]
    assert main([*words, "--seen", "color, gray,worn,colorized"]) == 0
    told = json.loads(capsys.readouterr().out)
    systems = [one["system"] for one in told["systems"]]
    assert systems == ["shades, color", "shades, gray", "shades, worn", "shades, colorized"]
    assert all(one["figures"]["top1"]["value"] >= 0.5 for one in told["systems"])
    assert told["models"][0]["name"] == "shades"
    with pytest.raises(WrongCallError, match="'sepia' is none of color, gray, worn, colorized"):
        evaluate(pictures, model="shades", seen=["sepia"])


def test_a_tar_with_classes_is_a_set_too(pictures: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(pictures, arcname=".")
    found = evaluate(tmp_path / "set.tar", model="shades")
    assert found["shades"].figures["top1"].value == 0.75


def test_pictures_of_no_class_are_left_out_and_told(pictures: Path, capsys) -> None:
    before = evaluate(pictures, model="shades")
    for name in ("cat/1.png", "1.png", "cat/more/1.png"):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        opsin.open(np.full((40, 40), 9, np.uint8)).save(pictures / name)
    (pictures / "dark" / "more").mkdir()
    (pictures / "dark" / "1.png").rename(pictures / "dark" / "more" / "1.png")
    found = evaluate(pictures, model="shades")
    assert found["shades"].figures["top1"] == before["shades"].figures["top1"]
    assert len(evaluate(pictures, model="shades", limit=3).pictures) == 3
    assert main(["evaluate", "classify", str(pictures), "--model", "shades"]) == 0
    told = capsys.readouterr().err
    assert "3 pictures lie in no folder that is called as a label of the model (dark, " in told
    assert "1.png" in told
    with pytest.raises(DataError, match="2 pictures lie in no folder"):
        evaluate(pictures / "cat", model="shades", limit=None)


def test_folders_may_be_called_as_folders_can_be() -> None:
    labels = ("Ram C/V Cargo Van", "tiger cat", "ÄRA")
    assert [
        number_of(name, labels) for name in ("Ram C_V Cargo Van", "Tiger_Cat", "A\u0308ra")
    ] == [0, 1, 2]


def test_one_answer_scores_what_it_is() -> None:
    shares = np.array([0.05, 0.5, 0.15, 0.12, 0.1, 0.08], np.float32)
    assert scores_of(shares, 1)["top1"] == 1
    found = scores_of(shares, 0)
    assert (found["top1"], found["top5"], found["truth"]) == (0, 0, 0)
    assert scores_of(shares, 4)["top5"] == 1
    assert scores_of(shares, 5)["top5"] == 1  # the fifth
    assert found["gap 7"] == pytest.approx(0.5)


def test_where_no_face_is_found_the_answer_is_wrong(pictures: Path) -> None:
    figures = evaluate(pictures, model="shades", faces=True)["shades"].figures
    assert (figures["recall dark"].value, figures["recall bright"].value) == (0, 0)


@pytest.mark.parametrize(("second_look", "looks"), [(None, 0), (True, 4)])
def test_a_second_look_is_taken_if_asked_for(
    second_look: bool | None, looks: int, pictures: Path, monkeypatch
) -> None:
    seen, colorize = [], pipeline.colorize

    def counted(*given: Any, **options: Any) -> Any:
        seen.append(given)
        return colorize(*given, **options)

    monkeypatch.setattr(pipeline, "colorize", counted)
    evaluate(pictures, model="shades", seen=["gray"], second_look=second_look)
    assert len(seen) == looks


def test_a_picture_is_worn_the_same_each_time(pictures: Path) -> None:
    one, again = (evaluate(pictures, model="shades", seen=["worn"])["shades"] for _ in range(2))
    assert [s["p"] for s in one.scores] == [s["p"] for s in again.scores]


def test_only_classes_of_all_models_are_judged(pictures: Path, models: Path) -> None:
    write_tiny_classifier(models, "moods", labels=("dark", "light"))
    assert evaluate(pictures, model="shades").warnings == ()
    found = evaluate(pictures, model=["shades", "moods"])
    assert found.pictures == ("dark/1.png", "dark/2.png")
    [told] = found.warnings
    assert told.startswith("2 pictures lie in no folder")


def test_the_number_of_parameters_is_told_if_all_cards_know_it(pictures: Path) -> None:
    assert "parameters" not in evaluate(pictures, model="shades")["shades"].figures
    card = folder() / "shades.toml"
    card.write_text("parameters = 6146\n" + card.read_text())
    assert evaluate(pictures, model="shades")["shades"].figures["parameters"].value == 6146
    both = evaluate(pictures, model="shades,shades")["shades,shades"]
    assert both.figures["parameters"].value == 2 * 6146
