"""The page of `opsin evaluate classify --report`: what was confused, and how sure to be."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiny_classifier
from sklearn.metrics import confusion_matrix, roc_curve

import opsin
from opsin.cli import main
from opsin.evaluate.recognition_page import certainty_curve, confusions, receiver_curve
from opsin.evaluate.report import Row


def row_of(truths: list[int], shares: list[float]) -> Row:
    """Of two classes, with these probabilities of the second."""
    scores = tuple(
        {
            "truth": truth,
            "p": share,
            "called": int(share > 0.5),
            "confidence": max(share, 1 - share),
            "top1": float((share > 0.5) == truth),
        }
        for truth, share in zip(truths, shares, strict=True)
    )
    return Row("mine", {}, scores)


def test_the_curves_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truths = rng.integers(0, 2, 200)
    shares = np.round((truths * 0.3 + rng.random(200)) / 1.3, 2)  # with some that are equal
    row = row_of(truths.tolist(), shares.tolist())
    alarms, found, _ = roc_curve(truths, shares, drop_intermediate=False)
    assert receiver_curve(row) == [
        (pytest.approx(x), pytest.approx(y)) for x, y in zip(alarms, found, strict=True)
    ]
    expected = confusion_matrix(truths, shares > 0.5)
    assert confusions(row, 2).tolist() == expected.tolist()


def test_certainty_is_that_of_a_tenth_at_a_time() -> None:
    row = row_of([1, 0] * 10, [0.9] * 10 + [0.6] * 10)
    points = certainty_curve(row)
    assert len(points) == 10
    assert points[0] == (pytest.approx(0.6), 0.5)
    assert points[-1] == (pytest.approx(0.9), 0.5)


def test_the_page_shows_what_was_confused(models: Path, tmp_path: Path, capsys) -> None:
    write_tiny_classifier(models, labels=("dark & dull", "bright"))
    pictures = tmp_path / "pictures"
    for name, lights in {"dark & dull": (10, 20, 240), "bright": (230, 250)}.items():
        (pictures / name).mkdir(parents=True)
        for light in lights:
            opsin.open(np.full((40, 40), light, np.uint8)).save(pictures / name / f"{light}.png")
    page = tmp_path / "page.html"
    words = ["evaluate", "classify", str(pictures), "--model", "shades", "--report", str(page)]
    assert main(words) == 0
    text = page.read_text()
    [table] = re.findall(r"<table class=confusion>.*?</table>", text, re.DOTALL)
    assert re.findall(r"<td style=[^>]*>(\d*)", table) == ["2", "1", "", "2"]
    assert re.findall(r"--share:([\d.]+)", table) == ["0.67", "0.33", "0.00", "1.00"]
    assert "dark &amp; dull" in text
    assert text.count("<svg") == 2
    assert "ROC" in text
    assert "66.7%" in text


def test_of_many_classes_the_most_confused_are_listed(models: Path, tmp_path: Path) -> None:
    write_tiny_classifier(models, labels=("dark", "bright", *map(str, range(60))))
    (tmp_path / "set" / "dark").mkdir(parents=True)
    for light in (250, 240, 5):
        opsin.open(np.full((40, 40), light, np.uint8)).save(
            tmp_path / "set" / "dark" / f"{light}.png"
        )
    page = tmp_path / "page.html"
    words = ["evaluate", "classify", str(tmp_path / "set"), "--model", "shades"]
    assert main([*words, "--report", str(page)]) == 0
    assert re.findall("<li>.* called .*", page.read_text()) == ["<li>dark called bright: 2"]
    assert "<table class=confusion>" not in page.read_text()


def test_a_page_that_cannot_be_written_is_told(models: Path, tmp_path: Path, capsys) -> None:
    write_tiny_classifier(models, labels=("dark", "bright"))
    (tmp_path / "set" / "dark").mkdir(parents=True)
    opsin.open(np.zeros((40, 40), np.uint8)).save(tmp_path / "set" / "dark" / "1.png")
    words = ["evaluate", "classify", str(tmp_path / "set"), "--model", "shades"]
    mine = tmp_path / "mine.html"
    mine.write_text("<p>my own page")
    for place, code in {mine: 2, tmp_path / "page.txt": 2, mine / "page.html": 1}.items():
        assert main([*words, "--report", str(place)]) == code
        assert str(place.parent) in capsys.readouterr().err
    assert mine.read_text() == "<p>my own page"
    page = tmp_path / "new" / "page.html"
    assert main([*words, "--report", str(page)]) == 0
    assert main([*words, "--report", str(page)]) == 0  # its own is replaced
