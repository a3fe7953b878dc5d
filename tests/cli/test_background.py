"""`opsin background`: what is written, what is told, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.cli import main

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A man, nobody, and what is no photograph."""
    folder = tmp_path / "my scans"
    folder.mkdir()
    shutil.copy(SAMPLES / "photographer.jpg", folder / "großvater.jpg")
    opsin.open(data.coffee()).save(folder / "cup.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


def test_a_folder_with_one_person(scans: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "o"
    words = ["background", str(scans), "-o", str(out), "--replace", "#2060a0"]
    assert main([*words, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["skipped"], told["failed"]) == (1, 1, 1)
    files = {Path(one["input"]).name: one for one in told["files"]}
    assert files["cup.png"]["notes"] == ["nobody on it"]
    assert {one["name"] for one in files["großvater.jpg"]["people"]} == {"person"}
    assert 0.1 < files["großvater.jpg"]["share"] < 0.5
    assert [path.name for path in out.iterdir()] == ["großvater-new-background.jpg"]
    copy = opsin.open(out / "großvater-new-background.jpg")
    assert np.abs(copy.pixels[30, 60].astype(int) - [0x20, 0x60, 0xA0]).max() < 8
    (scans / "broken.jpg").unlink()
    assert main(words) == 0
    err = capsys.readouterr().err
    assert "1 skipped, done already (--overwrite does it again, also with other settings)" in err
    assert "1 skipped, nobody was found on them" in err


@pytest.mark.parametrize(
    ("words", "name", "note"),
    [
        (["--blur", "10"], "großvater-blurred-background.jpg", ""),
        (["--transparent"], "großvater-cutout.png", "PNG, for JPEG has no transparency"),
        (["--transparent", "--format", "webp"], "großvater-cutout.webp", "WEBP, for JPEG"),
    ],
)
def test_copies_beside_the_photograph(
    scans: Path, words: list[str], name: str, note: str, capsys
) -> None:
    before = (scans / "großvater.jpg").read_bytes()
    assert main(["background", str(scans / "großvater.jpg"), *words]) == 0
    assert note in capsys.readouterr().err
    assert (opsin.open(scans / name).alpha is not None) == ("--transparent" in words)
    assert (scans / "großvater.jpg").read_bytes() == before
    assert main(["background", str(scans), *words, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert planned.count("großvater") == 2  # its copy is no photograph of its own
    assert "(exists, skipped)" in planned


def test_a_name_alone_makes_no_copy_of_a_photograph(tmp_path: Path, capsys) -> None:
    shutil.copy(SAMPLES / "photographer.jpg", tmp_path / "paper-cutout.jpg")
    assert main(["background", str(tmp_path), "--transparent"]) == 0
    assert (tmp_path / "paper-cutout-cutout.png").exists()


def test_color_is_kept_where_there_is_some(tmp_path: Path, capsys) -> None:
    opsin.open(data.astronaut()).save(tmp_path / "astronaut.png")
    shutil.copy(SAMPLES / "admiral.jpg", tmp_path)
    assert main(["background", str(tmp_path), "--keep-color"]) == 0
    assert "1 done" in (err := capsys.readouterr().err)
    assert "1 skipped, gray anyway" in err
    made = opsin.open(tmp_path / "astronaut-spot-color.png").pixels
    assert (made[90:140, 200:250] == data.astronaut()[90:140, 200:250]).all()


def test_a_pipe_carries_one_picture(scans: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    def piped(name: str, *words: str) -> int:
        stdin = io.TextIOWrapper(io.BytesIO((scans / name).read_bytes()))
        monkeypatch.setattr(sys, "stdin", stdin)
        return main(["background", "-", "-o", str(tmp_path / "made.png"), *words])

    assert piped("großvater.jpg", "--transparent") == 0
    assert opsin.open(tmp_path / "made.png").alpha is not None
    assert piped("cup.png", "--transparent", "--overwrite") == 1
    assert "no picture was made: nobody on it" in capsys.readouterr().err
    assert piped("cup.png", "--transparent", "--json") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "ask for one of --replace, --blur, --transparent and --keep-color"),
        (["--blur", "5", "--transparent"], "ask for one of"),
        (["--replace", "whyte"], "'whyte' is neither a file nor a color"),
        (["--replace", "#12345"], "'#12345' is no color"),
        (["--transparent", "--format", "jpeg"], "JPEG has no transparency"),
        (["--transparent", "-o", "x.jpg"], "JPEG has no transparency"),
        (["--blur", "5", "--accurate", "--detector", "yolox-nano"], "name no detector beside it"),
    ],
)
def test_calls_that_cannot_be_meant(scans: Path, words: list[str], message: str, capsys) -> None:
    assert main(["background", str(scans / "großvater.jpg"), *words]) == 2
    assert message in capsys.readouterr().err


def test_what_was_looked_for_and_is_not_there_is_told(scans: Path, monkeypatch, capsys) -> None:
    (scans / "broken.jpg").unlink()
    words = ["--blur", "5", "--classes", "dog,zebra"]
    assert main(["background", str(scans), *words]) == 0
    assert "2 skipped, no dog and no zebra was found on them." in capsys.readouterr().err
    assert main(["background", str(scans), *words, "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [one["notes"] for one in files] == [["no dog and no zebra on it"]] * 2
    stdin = io.TextIOWrapper(io.BytesIO((scans / "cup.png").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["background", "-", "--blur", "5", "--classes", "dog"]) == 1
    assert "no picture was made: no dog on it" in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_stops_before_the_first(scans: Path, capsys) -> None:
    words = ["background", str(scans / "großvater.jpg"), "--replace", str(scans / "broken.jpg")]
    assert main(words) == 1
    assert "broken.jpg" in capsys.readouterr().err
    assert len(list(scans.iterdir())) == 3


def test_videos_are_followed_by_one_detector(scans: Path, capsys) -> None:
    (scans / "party.mp4").write_bytes(b"")
    assert main(["background", str(scans / "party.mp4"), "--blur", "5", "--accurate"]) == 2
    assert "--accurate: not for videos" in capsys.readouterr().err
