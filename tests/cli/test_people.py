"""`opsin people`: introducing, naming, correcting and forgetting on the command line."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.cli import main
from opsin.drawing.pixels import resized

SAMPLES = Path(__file__).parents[2] / "samples"
ADMIRAL, ASTRONAUT = str(SAMPLES / "admiral.jpg"), str(SAMPLES / "astronaut.jpg")


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("OPSIN_PEOPLE", str(tmp_path / "people.sqlite"))
    return tmp_path / "people.sqlite"


@pytest.fixture
def both(tmp_path: Path) -> str:
    parts = [resized(opsin.open(one).pixels, 256, 256) for one in (ADMIRAL, ASTRONAUT)]
    return str(opsin.open(np.concatenate(parts, axis=1)).save(tmp_path / "both.png"))


def test_from_introducing_to_forgetting(both, capsys) -> None:
    assert main(["people", "add", "Grace", ADMIRAL]) == 0
    out, err = capsys.readouterr()
    assert out == f"{ADMIRAL}: face 1 is Grace\n"
    assert err.startswith("1 learned from in ")
    assert main(["people", "name", both]) == 0
    title, first, second = capsys.readouterr().out.splitlines()
    assert title == both
    assert first.split()[0] == "1"
    assert "Grace  0.9" in first
    assert second.endswith("  unknown")
    assert main(["people", "confirm", both, "Eileen", "--face", "2"]) == 0
    told = f"{both}: face 2 is Eileen\nEileen is new: nobody was called so before.\n"
    assert capsys.readouterr().out == told
    assert main(["people", "name", both, ASTRONAUT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("Eileen, confirmed")
    assert "to the next" in lines[4]
    assert main(["people", "reject", both, "Grace"]) == 0
    assert capsys.readouterr().out == f"{both}: face 1 is unknown\n"
    assert main(["people", "ignore", both, "--face", "1"]) == 0
    assert capsys.readouterr().out == f"{both}: face 1 is ignored\n"
    assert main(["people", "rename", "grace", "Grace Hopper"]) == 0
    assert main(["people", "list"]) == 0
    out = capsys.readouterr().out
    assert "Grace Hopper      1            1" in out
    assert "people.sqlite" in out
    assert main(["people", "forget", "Eileen"]) == 0
    assert "forgotten; deleted: the embeddings of 2 faces" in capsys.readouterr().out
    assert main(["people", "name", ASTRONAUT]) == 0
    assert capsys.readouterr().out.endswith("  unknown\n")


def test_a_folder_for_each_person(tmp_path, capsys) -> None:
    (tmp_path / "set" / "Grace_Hopper" / "old").mkdir(parents=True)
    shutil.copy(ADMIRAL, tmp_path / "set" / "Grace_Hopper" / "old" / "1.jpg")
    shutil.copy(ASTRONAUT, tmp_path / "set" / "Eileen_Collins.jpg")
    shutil.copy(SAMPLES / "cat.jpg", tmp_path / "set" / "Grace_Hopper" / "2.jpg")
    assert main(["people", "add", "--folder", str(tmp_path / "set"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["failed"]) == (2, 1)
    names = [one["taught"]["name"] for one in told["files"] if one["status"] == "done"]
    assert sorted(names) == ["Eileen Collins", "Grace Hopper"]
    assert main(["people", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["people"] == [
        {"name": "Eileen Collins", "faces": 1, "photographs": 1},
        {"name": "Grace Hopper", "faces": 1, "photographs": 1},
    ]
    folder = str(tmp_path / "set" / "Grace_Hopper" / "old")
    assert main(["people", "add", "Amazing Grace", "--folder", folder]) == 0
    capsys.readouterr()
    assert main(["people", "merge", "Grace Hopper", "Amazing Grace"]) == 0
    assert "0 faces more" in capsys.readouterr().out


def test_which_face_is_asked_for_and_the_largest_taken_if_wished(both, capsys) -> None:
    assert main(["people", "add", "Grace", both]) == 1
    assert "2 faces: say which is meant with --face" in capsys.readouterr().err
    assert main(["people", "add", "Grace", both, "--largest"]) == 0
    assert main(["people", "add", "Eileen", both, "--face", "2", "--json"]) == 0
    text = capsys.readouterr().out.split("\n", 1)[1]
    [told] = json.loads(text)["files"]
    assert told["taught"]["number"] == 2
    assert main(["people", "add", "Eileen", both, ADMIRAL, "--face", "2"]) == 2


def test_wrong_calls_are_a_sentence(tmp_path, capsys) -> None:
    for words in (
        ["add"],
        ["add", "Grace"],
        ["add", "Grace", "x.jpg", "--folder", str(tmp_path)],
        ["add", "--folder", str(tmp_path / "none")],
        ["export", "names.txt"],
        ["name", "-", "x.jpg"],
    ):
        assert main(["people", *words]) == 2, words
        assert capsys.readouterr().err.count("\n") == 1


def test_a_photograph_that_is_not_there_stops_before_anything_is_learned(file, capsys) -> None:
    """As in all verbs over many photographs: a name that was mistyped is told at once."""
    assert main(["people", "add", "Ada", ADMIRAL, "no-such.jpg"]) == 2
    assert "no-such.jpg: no such file or folder" in capsys.readouterr().err
    assert not file.exists()


def test_without_a_file_it_is_said_how_to_begin(file, capsys) -> None:
    assert main(["people", "list"]) == 1
    assert "opsin people add" in capsys.readouterr().err
    assert not file.exists()


def test_it_is_told_who_a_face_was_before(both, capsys) -> None:
    assert main(["people", "confirm", both, "Grace", "--face", "1"]) == 0
    assert main(["people", "confirm", both, "grace", "--face", "1"]) == 0
    assert "it was" not in capsys.readouterr().out
    assert main(["people", "confirm", both, "Eileen", "--face", "1"]) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert said == f"{both}: face 1 is Eileen; it was confirmed as Grace"
    assert main(["people", "add", "Grace", both, "--face", "1"]) == 0
    assert "face 1 is Grace; it was confirmed as Eileen" in capsys.readouterr().out
    assert main(["people", "confirm", both, "Eileen", "--face", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["face"]["before"] == "Grace"
    assert main(["people", "reject", both, "Eileen", "--face", "1"]) == 0
    assert main(["people", "confirm", both, "Grace", "--face", "1"]) == 0
    assert "it was" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Ada\nLovelace", "holds a line break or something else that cannot be printed"),
        ("A\x07da", "cannot be printed"),
        ("a" * 201, "is too long for a name: 201 letters. Give at most 200."),
        (" \u3000 ", "a name is empty"),
    ],
)
def test_what_is_no_name_is_a_wrong_call(both, capsys, name: str, reason: str) -> None:
    for words in (["add", name, both], ["confirm", both, name, "--face", "1"]):
        assert main(["people", *words]) == 2
        assert reason in capsys.readouterr().err


def test_a_name_may_have_two_hundred_letters(both, capsys) -> None:
    assert main(["people", "confirm", both, "a" * 200, "--face", "1"]) == 0


def test_blanks_in_a_name_are_one_space(both, capsys) -> None:
    name = " Ada \u3000\u00a0 Lovelace "
    assert main(["people", "confirm", both, name, "--face", "1"]) == 0
    assert "face 1 is Ada Lovelace" in capsys.readouterr().out


def test_names_go_out_as_json_and_csv(both, tmp_path, capsys) -> None:
    main(["people", "add", '=Grace, "G"', both, "--face", "1"])
    capsys.readouterr()
    assert main(["people", "export"]) == 0
    [photo] = json.loads(capsys.readouterr().out)
    assert (photo["path"], photo["width"], photo["height"]) == (both, 512, 256)
    [face] = photo["faces"]
    assert (face["name"], face["source"]) == ('=Grace, "G"', "user")
    for name in ("names.json", "names.csv"):
        path = str(tmp_path / name)
        assert main(["people", "export", path]) == 0
        assert main(["people", "export", path]) == 1
        assert main(["people", "export", path, "--overwrite"]) == 0
    assert json.loads((tmp_path / "names.json").read_text()) == [photo]
    [row] = csv.DictReader(io.StringIO((tmp_path / "names.csv").read_text()))
    assert row["name"] == '\'=Grace, "G"'
    assert [float(row[side]) for side in ("x1", "y1", "x2", "y2")] == face["box"]


def test_a_folder_is_gone_through_and_bad_files_are_passed_over(
    both, tmp_path, capsys, monkeypatch
) -> None:
    main(["people", "add", "Grace", ADMIRAL])
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(both, folder)
    shutil.copy(SAMPLES / "coffee.jpg", folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    capsys.readouterr()
    assert main(["people", "name", str(folder), "--json"]) == 1
    files = {Path(one["input"]).name: one for one in json.loads(capsys.readouterr().out)["files"]}
    assert [face["state"] for face in files["both.png"]["faces"]] == ["named", "unknown"]
    assert set(files["both.png"]["faces"][0]) == {
        *("number", "box", "score", "state", "name", "similarity", "margin")
    }
    assert files["coffee.jpg"]["faces"] == []
    assert files["broken.jpg"]["status"] == "failed"
    monkeypatch.chdir(tmp_path)
    assert main(["people", "name", "scans"]) == 1
    assert "opsin: scans/broken.jpg: the picture is damaged" in capsys.readouterr().err


def test_a_photograph_through_a_pipe(both, capsys, monkeypatch) -> None:
    main(["people", "add", "Grace", ADMIRAL])
    capsys.readouterr()
    data = io.TextIOWrapper(io.BytesIO(Path(both).read_bytes()))
    monkeypatch.setattr(sys, "stdin", data)
    assert main(["people", "name", "-"]) == 0
    assert "Grace  0.9" in capsys.readouterr().out
