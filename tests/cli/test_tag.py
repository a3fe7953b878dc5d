"""`opsin tag`: names of things into photographs' metadata and out of it."""

import json

import numpy as np
import pytest

import opsin
from opsin.cli import main
from opsin.formats import rdf, xmp
from opsin.formats.regions import IMAGE_REGION, Frame, content_of, named_regions
from opsin.formats.stored import read_photo


@pytest.fixture
def album(tmp_path, astronaut, coffee):
    folder = tmp_path / "album"
    folder.mkdir()
    opsin.open(astronaut).save(folder / "a.jpg")
    opsin.open(coffee).save(folder / "coffee.png")
    opsin.open(np.zeros((40, 60), np.uint8)).save(folder / "nothing.png")
    return folder


def contents(packet):
    """What the image regions of a packet are of."""
    tree = rdf.rdf_of(xmp.parse(packet)[0])
    return [content_of(item) for item, _, _ in named_regions(tree, IMAGE_REGION)]


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_names_are_written_beside_photographs_and_taken_away(album, capsys):
    before = files(album)
    assert main(["tag", str(album), "--threshold", "0.4"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith(f"{album}/a.jpg -> {album}/a.jpg.xmp: Person")
    assert "Cup" in lines[1]
    assert "2 written in" in err
    assert "1 skipped, with nothing on them" in err
    assert "Cup" in contents((album / "coffee.png.xmp").read_bytes())
    again = files(album)
    assert main(["tag", str(album), "--threshold", "0.4"]) == 0
    assert "2 skipped, written already" in capsys.readouterr().err
    assert files(album) == again
    assert main(["tag", str(album), "--remove", "--dry-run"]) == 0
    assert "2 planned, and nothing written; 1 skipped" in capsys.readouterr().err
    assert files(album) == again
    assert main(["tag", str(album), "--remove"]) == 0
    assert "2 without them now" in capsys.readouterr().err
    assert files(album) == before


def test_boxes_are_those_that_detect_tells(album):
    main(["tag", str(album / "a.jpg"), "--classes", "person"])
    person = opsin.detect(album / "a.jpg", classes=["person"])[0]
    tree = rdf.rdf_of(xmp.parse((album / "a.jpg.xmp").read_bytes())[0])
    [(_, name, part)] = named_regions(tree, IMAGE_REGION, Frame(512, 512))
    assert name == "Person"
    assert np.array(part) * 512 == pytest.approx(person.box, abs=0.1)


def test_another_threshold_replaces_what_was_written(album, capsys):
    photo = str(album / "coffee.png")
    main(["tag", photo, "--threshold", "0.1"])
    many = contents((album / "coffee.png.xmp").read_bytes())
    main(["tag", photo, "--threshold", "0.6"])
    few = contents((album / "coffee.png.xmp").read_bytes())
    assert set(few) < set(many)
    assert main(["tag", photo, "--classes", "zebra"]) == 0
    assert not (album / "coffee.png.xmp").exists()
    assert "no names any more" in capsys.readouterr().out


def test_copies_have_the_names_inside(album, tmp_path, capsys):
    before, out = files(album), tmp_path / "tagged"
    assert main(["tag", str(album), "--embed", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["skipped"]) == (2, 1)
    assert told["files"][0]["output"] == str(out / "a.jpg")
    assert told["files"][0]["names"][0] == "Person"
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg", "coffee.png"]
    _, stored = read_photo(out / "a.jpg")
    assert contents(stored.packet)[0] == "Person"
    assert np.array_equal(opsin.open(out / "a.jpg").pixels, opsin.open(album / "a.jpg").pixels)
    assert files(album) == before
    again = files(out)
    assert main(["tag", str(album), "--embed", "-o", str(out)]) == 0
    assert files(out) == again
    assert main(["tag", str(album), "--embed", "-o", str(out), "--remove"]) == 0
    assert files(out)["a.jpg"] == before["a.jpg"]


def test_a_broken_photograph_is_told_and_the_others_are_written(album, capsys):
    (album / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    assert main(["tag", str(album)]) == 1
    err = capsys.readouterr().err
    assert f"opsin: {album}/bad.jpg: " in err
    assert "2 written in" in err
    assert "1 failed" in err


def test_a_damaged_photograph_is_taken_as_far_as_it_goes(album, capsys):
    whole = (album / "a.jpg").read_bytes()
    (album / "a.jpg").write_bytes(whole[: len(whole) * 4 // 5])
    assert main(["tag", str(album / "a.jpg")]) == 1
    assert "--damaged" in capsys.readouterr().err
    assert main(["tag", str(album / "a.jpg"), "--damaged"]) == 0
    out, err = capsys.readouterr()
    assert "Person" in out
    assert "damaged" in err
    assert (album / "a.jpg.xmp").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["A", "--embed"], "Add -o DIR"),
        (["A", "-o", "out"], "Add --embed for copies"),
        (["A", "--classes", "gnome"], "'gnome' is none of the labels"),
        (["A", "--classes", ","], "name one or more"),
        (["-"], "not for a pipe"),
        (["A/none.jpg"], "no such file"),
    ],
)
def test_wrong_calls_are_one_sentence(album, capsys, arguments, said):
    assert main(["tag", *(one.replace("A", str(album)) for one in arguments)]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, err.count("\n")) == ("", 1)
