"""`opsin faces`: what is told and written, and the manners of all verbs over many photographs."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.cli import main
from opsin.drawing.pixels import resized

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two faces on one photograph, none on another, and what cannot be read."""
    folder = tmp_path / "my scans"
    (folder / "1950").mkdir(parents=True)
    small = resized(opsin.open(SAMPLES / "astronaut.jpg").pixels, 256, 256)
    opsin.open(np.concatenate([small, small], axis=1)).save(folder / "1950" / "twö.png")
    shutil.copy(SAMPLES / "coffee.jpg", folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_faces_are_told_one_a_line(scans: Path, capsys) -> None:
    assert main(["faces", "find", str(scans / "1950")]) == 0
    out, err = capsys.readouterr()
    title, first, second = out.splitlines()
    assert title.endswith("twö.png: 2 faces")
    for line in (first, second):
        place, wide, by, high, score = line.split()
        assert int(place.split(",")[1]) == pytest.approx(29, abs=4)
        assert (int(wide), by, int(high)) == (
            pytest.approx(45, abs=4),
            "x",
            pytest.approx(57, abs=4),
        )
        assert 0.8 < float(score) <= 1
    assert err.startswith("1 looked at in ")
    assert written(scans) == ["1950/twö.png", "broken.jpg", "coffee.jpg"]


def test_a_folder_is_told_as_one_frame(scans: Path, capsys) -> None:
    assert main(["faces", "find", str(scans), "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["done"], told["failed"], told["skipped"], told["left"]) == (2, 1, 0, 0)
    files = {Path(one["input"]).name: one for one in told["files"]}
    assert len(files["twö.png"]["faces"]) == 2
    assert files["twö.png"]["turned"] == 0
    assert set(files["twö.png"]["faces"][0]) == {"box", "score", "landmarks"}
    assert files["coffee.jpg"]["faces"] == []
    assert files["broken.jpg"]["error"]
    assert "broken.jpg" in err


def test_pictures_go_to_their_folders_and_what_exists_stays(scans, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    words = ["faces", "find", str(scans)]
    for role in ("draw", "crop", "blur"):
        words += [f"--{role}", str(out / role)]
    assert main([*words, "--json"]) == 1
    files = {Path(one["input"]).name: one for one in json.loads(capsys.readouterr().out)["files"]}
    assert files["twö.png"]["crop"] == str(out / "crop" / "1950" / "twö-face-1.png")
    assert "crop" not in files["coffee.jpg"]
    assert written(out) == [
        "blur/1950/twö-blurred.png",
        "blur/coffee-blurred.jpg",
        "crop/1950/twö-face-1.png",
        "crop/1950/twö-face-2.png",
        "draw/1950/twö-faces.jpg",
        "draw/coffee-faces.jpg",
    ]
    assert opsin.open(out / "blur/1950/twö-blurred.png").pixels.shape == (256, 512, 1)
    assert opsin.open(out / "draw/1950/twö-faces.jpg").pixels.shape == (256, 512, 3)
    before = {name: (out / name).stat().st_mtime_ns for name in written(out)}
    (scans / "broken.jpg").unlink()
    assert main(words) == 0
    assert "1 skipped, done already" in capsys.readouterr().err
    assert {name: (out / name).stat().st_mtime_ns for name in written(out)} == before
    assert main([*words, "--overwrite"]) == 0
    assert {name: (out / name).stat().st_mtime_ns for name in written(out)} != before


def test_a_blurred_copy_of_another_photograph_is_not_taken_for_this_ones(scans, tmp_path, capsys):
    words = ["faces", "find", "--blur", str(tmp_path / "out")]
    assert main([*words, str(scans / "coffee.jpg")]) == 0
    shutil.copy(SAMPLES / "cat.jpg", scans / "coffee.jpg")
    assert main([*words, str(scans / "coffee.jpg")]) == 1
    assert "was made from another photograph" in capsys.readouterr().err


def test_a_blurred_copy_keeps_metadata_but_no_thumbnail(tmp_path: Path) -> None:
    image = Image.open(SAMPLES / "astronaut.jpg").convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = "On the roof, 1931"
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif, dpi=(300, 300))
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    assert main(["faces", "find", str(tmp_path / "a.jpg"), "--blur", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out" / "a-blurred.jpg") as copy:
        assert copy.size == image.size
        assert copy.getexif()[0x010E] == "On the roof, 1931"
        assert copy.info["dpi"] == (300, 300)
    xmp = opsin.open(tmp_path / "out" / "a-blurred.jpg").metadata.xmp
    assert b"Origin" in xmp
    assert b"TrainedAlgorithmicMedia" not in xmp  # nothing was invented


def test_a_copy_in_which_nothing_is_blurred_is_told(scans: Path, tmp_path: Path, capsys) -> None:
    words = ["faces", "find", str(scans / "coffee.jpg"), str(scans / "1950" / "twö.png")]
    assert main([*words, "--blur", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "coffee.jpg: no face was found: nothing is blurred in the copy, look at it" in told
    assert told.count("nothing is blurred") == 1  # and not of that with faces
    assert main([*words, "--draw", str(tmp_path / "framed")]) == 0
    assert "nothing is blurred" not in capsys.readouterr().err


def test_a_copy_of_a_damaged_photograph_says_what_is_missing(tmp_path: Path) -> None:
    whole = (SAMPLES / "astronaut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 7 // 10])
    words = ["faces", "find", str(tmp_path / "cut.jpg"), "--damaged"]
    assert main([*words, "--draw", str(tmp_path), "--blur", str(tmp_path)]) == 0
    for name in ("cut-faces.jpg", "cut-blurred.jpg"):
        packet = opsin.open(tmp_path / name).metadata.xmp
        assert b"<opsin:Damage>the lower 28 % are missing: marked gray</opsin:Damage>" in packet
    assert b"Damage" not in opsin.find_faces(SAMPLES / "astronaut.jpg").draw().metadata.xmp


def test_its_help_begins_with_what_it_does(capsys) -> None:
    assert main(["faces", "find", "--help"]) == 0
    assert "Find the faces on photographs" in capsys.readouterr().out.split("\n\n")[1]


def test_the_folders_that_are_written_to_are_not_searched(scans: Path, capsys) -> None:
    words = ["faces", "find", str(scans), "--draw", str(scans / "d"), "--blur", str(scans / "b")]
    assert main(words) == 1
    names = written(scans)
    assert main(words) == 1
    assert written(scans) == names


def test_a_photograph_that_is_named_may_lie_where_its_copies_go(tmp_path: Path, capsys) -> None:
    photo, twin = tmp_path / "q.png", tmp_path / "q-party.png"
    opsin.open(resized(opsin.open(SAMPLES / "astronaut.jpg").pixels, 128, 128)).save(photo)
    shutil.copy(photo, twin)
    place = ["--blur", str(tmp_path), "--crop", str(tmp_path)]
    for _ in range(2):  # the second time as a shell's * has it, with all that was made
        assert main(["faces", "find", *map(str, sorted(tmp_path.iterdir())), *place]) == 0
        assert written(tmp_path) == sorted(
            f"{name}{end}.png" for name in ("q", "q-party") for end in ("", "-blurred", "-face-1")
        )
    assert "2 skipped, done already" in capsys.readouterr().err


def test_a_photograph_through_a_pipe(monkeypatch, capsys) -> None:
    class Stdin:
        buffer = io.BytesIO((SAMPLES / "astronaut.jpg").read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["faces", "find", "-", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["files"]
    assert len(one["faces"]) == 1


def test_a_plan_writes_nothing(scans: Path, tmp_path: Path, capsys) -> None:
    assert (
        main(["faces", "find", str(scans), "--blur", str(tmp_path / "o"), "--dry-run", "--json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["planned"] == 3
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-", "a.jpg"], "a pipe carries one photograph"),
        (["-", "--blur", "out"], "--blur: not for a pipe"),
        (["nowhere.jpg"], "no such file or folder"),
        ([""], "an empty name"),
        ([str(SAMPLES), "--draw", ""], "an empty name of a folder"),
        ([str(SAMPLES), "--dry-run"], "there is nothing to write"),
    ],
)
def test_calls_that_cannot_be_meant(words, message, capsys) -> None:
    assert main(["faces", "find", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_model_of_another_task_is_refused_before_the_first_photograph(scans, capsys) -> None:
    assert main(["faces", "find", str(scans), "--detector", "imagenet"]) == 1
    assert "model 'imagenet' finds no faces" in capsys.readouterr().err


def test_a_second_crop_never_writes_over_what_exists(scans: Path, tmp_path: Path, capsys) -> None:
    place = tmp_path / "out" / "twö-face-2.png"
    place.parent.mkdir()
    place.write_bytes(b"somebody's")
    words = ["faces", "find", str(scans / "1950" / "twö.png"), "--crop", str(place.parent)]
    assert main(words) == 1
    assert "was not made from this photograph" in capsys.readouterr().err
    assert place.read_bytes() == b"somebody's"
    assert main([*words, "--overwrite"]) == 0
    assert place.read_bytes() != b"somebody's"


def test_a_blurred_copy_has_no_original_in_its_xmp(tmp_path: Path) -> None:
    """As telephones put it there: the picture before it was edited, and depth."""
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:GImage="http://ns.google.com/photos/1.0/image/" GImage:Mime="image/jpeg" '
        'GImage:Data="/9j/4AAQ-the-face" '
        'xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/"><GDepth:Data>depth-of-the-face'
        "</GDepth:Data></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    image = Image.open(SAMPLES / "astronaut.jpg").convert("RGB")
    image.save(tmp_path / "a.jpg", "JPEG", xmp=packet.encode())
    assert main(["faces", "find", str(tmp_path / "a.jpg"), "--blur", str(tmp_path / "out")]) == 0
    copy = (tmp_path / "out" / "a-blurred.jpg").read_bytes()
    assert b"the-face" in (tmp_path / "a.jpg").read_bytes()
    assert b"the-face" not in copy
    assert b"image/jpeg" in copy


def test_a_dry_run_names_what_would_be_written(scans: Path, tmp_path: Path, capsys) -> None:
    words = ["faces", "find", str(scans / "coffee.jpg"), "--dry-run"]
    words += ["--blur", str(tmp_path / "b"), "--draw", str(tmp_path / "d")]
    assert main(words) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(" -> ")[1] for line in sorted(told)] == [
        str(tmp_path / "b" / "coffee-blurred.jpg"),
        str(tmp_path / "d" / "coffee-faces.jpg"),
    ]
