"""`opsin gender`: a line for each face, JSON for programs, the archive's manners."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.cli import main


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A portrait, a cat, and a broken file."""
    folder = tmp_path / "my scans"
    folder.mkdir()
    opsin.open(data.astronaut()).save(folder / "grüße.jpg")
    opsin.open(data.chelsea()).save(folder / "katze.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


def test_a_line_for_each_face(scans: Path, capsys) -> None:
    assert main(["gender", str(scans), "--workers", "1"]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 3
    assert str(scans / "grüße.jpg") in lines
    assert any(line.split()[-2] == "female" for line in lines if "%" in line)
    assert any(line.endswith("katze.png: no face") for line in lines)
    assert "broken.jpg" in err


def test_programs_get_the_box_and_both_labels(scans: Path, capsys) -> None:
    main(["gender", str(scans / "grüße.jpg"), "--json"])
    [told] = json.loads(capsys.readouterr().out)["files"]
    [face] = told["faces"]
    assert [one["name"] for one in face["classes"]] == ["female", "male"]
    assert sum(one["probability"] for one in face["classes"]) == pytest.approx(1, abs=1e-5)
    assert face["box"] == opsin.find_faces(scans / "grüße.jpg")[0].document()["box"]


def test_small_faces_are_left_out_if_asked(scans: Path, capsys) -> None:
    photo = str(scans / "grüße.jpg")
    assert main(["gender", photo, "--min-size", "300"]) == 0
    assert capsys.readouterr().out.endswith(": no face\n")
    assert main(["gender", photo, "--threshold", "1"]) == 0
    assert capsys.readouterr().out.endswith(": no face\n")


def test_a_photograph_through_a_pipe(scans: Path, capsys, monkeypatch) -> None:
    data = (scans / "grüße.jpg").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["gender", "-", "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)["files"]
    assert told["faces"][0]["classes"][0]["name"] == "female"
    assert main(["gender", "-", "other.jpg"]) == 2


def test_a_damaged_photograph_is_looked_at_if_asked_for(scans: Path, capsys) -> None:
    path = scans / "grüße.jpg"
    path.write_bytes(path.read_bytes()[:-3000])
    assert main(["gender", str(path)]) == 1
    capsys.readouterr()
    assert main(["gender", str(path), "--damaged"]) == 0
    assert "female" in capsys.readouterr().out


def test_faces_are_judged_on_pictures_with_more_around_them(tmp_path: Path, capsys) -> None:
    """Whole pipeline: where no face is found the answer is wrong."""
    (tmp_path / "female").mkdir()
    (tmp_path / "male").mkdir()
    opsin.open(data.astronaut()).save(tmp_path / "female" / "1.png")
    opsin.open(np.full((80, 80), 90, np.uint8)).save(tmp_path / "male" / "2.png")
    words = ["evaluate", "classify", str(tmp_path), "--model", "gender", "--faces", "--json"]
    assert main(words) == 0
    [row] = json.loads(capsys.readouterr().out)["systems"]
    assert row["figures"]["recall female"]["value"] == 1
    assert row["figures"]["recall male"]["value"] == 0
