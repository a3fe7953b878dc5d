"""A classifier as a judge of colors: what it calls the true picture is right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiny_classifier

from opsin.cli import main
from opsin.errors import ModelError
from opsin.evaluate.colorization.recognized import Recognized

DARK, BRIGHT = (np.full((40, 40, 3), light, np.uint8) for light in (10, 240))


def test_pictures_that_have_the_name_of_the_true_one_are_counted(models: Path) -> None:
    write_tiny_classifier(models)
    found = Recognized("shades")
    found.add(BRIGHT, {"same": BRIGHT, "other": DARK})
    assert (found.of("same"), found.of("other")) == (1, 0)
    found.add(DARK, {"same": DARK, "other": DARK})
    assert (found.of("same"), found.of("other")) == (1, 0.5)


def test_gray_pictures_are_not_colored_for_it(models: Path, monkeypatch) -> None:
    import opsin.colorization.pipeline as pipeline

    write_tiny_classifier(models, second_look=True)
    monkeypatch.setattr(pipeline, "colorize", lambda *_, **__: pytest.fail("it was colored"))
    assert Recognized("shades").name(BRIGHT) == "bright"


def test_it_is_one_more_figure_of_the_report(models: Path, coffee, tmp_path, capsys) -> None:
    import opsin

    write_tiny_classifier(models)
    opsin.open(coffee).save(tmp_path / "coffee.jpg")
    words = ["evaluate", "colorize", str(tmp_path / "coffee.jpg"), "--model", "tiny", "--json"]
    assert main([*words, "--classifier", "shades"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["classifier"] == "shades"
    figures = {one["system"]: one["figures"]["recognized"] for one in told["systems"]}
    assert figures["ceiling"] == {"value": 1.0, "low": None, "high": None}
    assert {*figures} == {"gray", "mean color", "tiny 0.5", "ceiling"}


def test_what_does_not_classify_is_no_judge(models: Path) -> None:
    with pytest.raises(ModelError, match="does not classify"):
        Recognized("tiny").name(BRIGHT)
