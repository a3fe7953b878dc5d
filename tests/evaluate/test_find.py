"""Detectors are measured by the face in the middle of pictures, and by all other boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opsin.cli import main
from opsin.drawing.pixels import resized
from opsin.errors import ModelError, WrongCallError
from opsin.evaluate.faces.measure import evaluate

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    """A face in the middle, one beside it, two of both kinds, and none: found on 2 of 4."""
    hers = np.array(Image.open(SAMPLES / "astronaut.jpg").convert("RGB"))[16:216, 124:324]
    small = resized(hers, 160, 160)
    empty = np.full_like(small, 110)
    pictures = {
        "a": small,
        "b": np.concatenate([small, empty], axis=1),
        "c": np.concatenate([small, small, small], axis=1),
        "d": empty,
    }
    for name, pixels in pictures.items():
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / f"{name}_0001.png")
    return tmp_path


def test_found_is_what_holds_the_middle_and_all_else_is_counted(portraits: Path) -> None:
    report = evaluate(portraits, protocol="find", detector=["yunet", "mtcnn"])
    for name in ("yunet", "mtcnn"):
        figures = report[name].figures
        assert figures["found"].value == 0.5
        assert figures["others"].value == pytest.approx(3 / 4)
        assert figures["milliseconds"].value > 0
    assert [one["found"] for one in report["mtcnn"].scores] == [1, 0, 1, 0]
    assert [one["name"] for one in report.document()["models"]] == ["yunet", "mtcnn"]


def test_pictures_are_spread_and_seen_in_ways(portraits: Path) -> None:
    report = evaluate(portraits, protocol="find", seen=["color", "gray"], limit=2)
    assert [name.split("/")[0] for name in report.pictures] == ["a", "c"]
    assert [row.system for row in report.rows] == ["yunet, color", "yunet, gray"]
    assert report["yunet, gray"].figures["found"].value == 1


def test_wrong_calls_are_told(portraits: Path, capsys) -> None:
    with pytest.raises(WrongCallError, match="--protocol find only"):
        evaluate(portraits, protocol="group", detector="mtcnn")
    with pytest.raises(ModelError, match="finds no faces"):
        evaluate(portraits, protocol="find", detector="imagenet")
    command = ["evaluate", "faces", str(portraits), "--protocol", "find", "--detector", "mtcnn"]
    assert main(command) == 0
    assert "mtcnn" in capsys.readouterr().out
