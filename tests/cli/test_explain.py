"""opsin explain: a row for each detector, with what it looks at, what survives, and seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.cli import main
from opsin.objects.explain import explain

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def photo() -> str:
    return str(sorted(SAMPLES.glob("*.jpg"))[0])


def test_detectors_are_drawn_side_by_side(
    photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.png"
    command = ["explain", photo, "--model", "picodet-s", "--model", "yolox-nano", "-o", str(page)]
    assert main([*command, "--cell", "200", "--threshold", "0.2"]) == 0
    said = capsys.readouterr().out
    assert "picodet-s" in said
    assert "yolox-nano" in said
    assert "suppression" in said
    assert "crops" not in said  # none of them cuts anything out
    drawn = np.asarray(opsin.open(page).pixels)
    assert drawn.shape[1] >= 3 * 200
    assert (drawn == (255, 210, 0)).all(axis=2).any()  # frames


def test_what_it_did_is_told_as_json(
    photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.png"
    assert main(["explain", photo, "-o", str(page), "--threshold", "0.2", "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)["models"]
    found = opsin.detect(photo, threshold=0.2, levels=0)
    assert told["model"] == "picodet-s"
    assert told["regions"] == 0
    assert [one["name"] for one in told["objects"]] == [one.name for one in found]
    assert np.float32([one["box"] for one in told["objects"]]) == pytest.approx(
        found.boxes, abs=0.06
    )
    assert told["survived"] >= len(found) > 0
    assert set(told["seconds"]) == {"picture", "network", "suppression"}
    assert told["seconds"]["network"] > told["seconds"]["suppression"] > 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--model", "imagenet"], "model 'imagenet' detects no things"),
        (["--model", "nobody"], "unknown model 'nobody'"),
        (["-o", "page.xyz"], "page.xyz"),
    ],
)
def test_what_cannot_be_explained_is_told(
    photo: str, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(["explain", photo, *more]) in (1, 2)
    assert said in capsys.readouterr().err


def test_the_photograph_is_never_overwritten(
    photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, link = tmp_path / "own.jpg", tmp_path / "link.jpg"
    shutil.copy(photo, own)
    link.symlink_to(own)
    for output in (own, link):
        assert main(["explain", str(own), "-o", str(output)]) == 1
        assert "is one of the photographs; it would be overwritten" in capsys.readouterr().err
    assert own.read_bytes() == Path(photo).read_bytes()


def test_a_threshold_beyond_all_scores_is_refused(photo: str) -> None:
    with pytest.raises(ValueError, match="threshold must be above 0 and at most 1, got 2"):
        explain(photo, model="picodet-s", threshold=2)
