"""`opsin people write` and `read`: names into photographs' metadata and out of it."""

import json
import shutil

import numpy as np
import pytest

import opsin
from opsin.cli import main
from opsin.formats import splice
from opsin.formats.regions import Frame
from opsin.formats.tag_writer import PEOPLE
from opsin.formats.tagging import with_tags
from opsin.people.file import People
from opsin.people.metadata import names_in
from opsin.people.records import NamedFace

EILEEN = "Eileen <Collins> & crew"


@pytest.fixture(scope="module")
def taught(tmp_path_factory, astronaut, coffee):
    """An album of two photographs with a face and one without, and a people file."""
    album = tmp_path_factory.mktemp("album")
    opsin.open(astronaut).save(album / "a.jpg")
    opsin.open(astronaut[:400, ::-1].copy()).save(album / "b.png")
    opsin.open(coffee).save(album / "coffee.jpg")
    (album / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    file = album / "people.sqlite"
    with People.open(file) as people:
        for name in ("a.jpg", "b.png"):
            [face] = opsin.find_faces(album / name)
            people.teach(album / name, [NamedFace(EILEEN, tuple(map(float, face.box)))])
        named = list(people.named())
    return album, named


@pytest.fixture
def album(taught, tmp_path, monkeypatch):
    """A folder of its own with these photographs, whom the people file knows."""
    there, named = taught
    folder = tmp_path / "album"
    shutil.copytree(there, folder)
    monkeypatch.setenv("OPSIN_PEOPLE", str(folder / "people.sqlite"))
    with People.open() as people:
        for photo in named:  # known again by what they hold
            people.teach(folder / photo.path.name, ())
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return folder


def sidecars(folder):
    return sorted(path.name for path in folder.glob("*.xmp*"))


def test_names_are_written_beside_photographs_and_taken_away(album, capsys):
    before = {path.name: path.read_bytes() for path in album.glob("*.[jp][pn]g")}
    assert main(["people", "write", str(album)]) == 0
    out, err = capsys.readouterr()
    assert sidecars(album) == ["a.jpg.xmp", "b.png.xmp"]
    assert out.splitlines() == [
        f"{album}/{name} -> {album}/{name}.xmp: {EILEEN}" for name in ("a.jpg", "b.png")
    ]
    assert "2 written in" in err
    assert "2 skipped, with nobody named on them" in err
    assert main(["people", "write", str(album)]) == 0
    assert "2 skipped, written already" in capsys.readouterr().err
    assert main(["people", "write", str(album), "--remove", "--dry-run"]) == 0
    assert sidecars(album) == ["a.jpg.xmp", "b.png.xmp"]
    assert main(["people", "write", str(album), "--remove"]) == 0
    assert "2 without them now" in capsys.readouterr().err
    assert sidecars(album) == []
    assert before == {path.name: path.read_bytes() for path in album.glob("*.[jp][pn]g")}


def test_copies_have_the_names_inside(album, tmp_path, capsys):
    out = tmp_path / "named"
    assert main(["people", "write", str(album), "--embed", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["skipped"], told["failed"]) == (2, 2, 0)
    first = told["files"][0]
    assert first["output"] == str(out / "a.jpg")
    assert (first["names"], first["change"], first["backup"]) == ([EILEEN], "written", None)
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg", "b.png"]
    assert sidecars(album) == []
    for name in ("a.jpg", "b.png"):
        before, after = opsin.open(album / name), opsin.open(out / name)
        assert np.array_equal(before.pixels, after.pixels)
        assert [face.name for face in names_in(out / name, own=True).faces] == [EILEEN]
    again = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert main(["people", "write", str(album), "--embed", "-o", str(out)]) == 0
    assert again == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}


def test_what_a_dry_run_tells_is_what_would_be_written(album, tmp_path, capsys):
    assert main(["people", "write", str(album), "--dry-run"]) == 0
    assert f"a.jpg.xmp: {EILEEN}" in capsys.readouterr().out
    out = tmp_path / "named"
    assert main(["people", "write", str(album), "--dry-run", "--embed", "-o", str(out)]) == 0
    assert str(out / "b.png") in capsys.readouterr().out
    assert sidecars(album) == []
    assert not out.exists()


def test_a_bad_sidecar_is_told_and_the_others_are_written(album, capsys):
    (album / "a.jpg.xmp").write_text("a diary")
    assert main(["people", "write", str(album)]) == 1
    err = capsys.readouterr().err
    assert f"opsin: {album}/a.jpg: {album}/a.jpg.xmp: this is no XMP" in err
    assert "1 written in" in err
    assert "1 failed" in err
    assert (album / "a.jpg.xmp").read_text() == "a diary"
    assert sidecars(album) == ["a.jpg.xmp", "b.png.xmp"]


def test_another_name_that_is_there_stays_and_is_told(album, capsys):
    with People.open() as people:
        box = next(iter(people.named())).faces[0].box
    other = with_tags(PEOPLE, None, [("Ellen", box)], Frame(512, 512)).packet
    theirs = (
        other[: other.index(b"   <opsin:Added>")] + other[other.index(b"</opsin:Added>") + 15 :]
    )
    (album / "a.jpg.xmp").write_bytes(theirs)
    main(["people", "write", str(album / "a.jpg")])
    assert f"{EILEEN}: not written, that face is named Ellen already" in capsys.readouterr().err
    assert (album / "a.jpg.xmp").read_bytes() == theirs


def test_names_of_other_programs_are_taken(album, tmp_path, capsys, monkeypatch):
    photo = album / "a.jpg"
    [face] = opsin.find_faces(photo)
    box = tuple(map(float, face.box))
    theirs = with_tags(PEOPLE, None, [("Ellen", box)], Frame(512, 512)).packet
    theirs = theirs.replace(b"opsin:Added", b"opsin:Other")
    photo.write_bytes(splice.with_packet(photo.read_bytes(), theirs, "jpeg"))
    monkeypatch.setenv("OPSIN_PEOPLE", str(tmp_path / "new.sqlite"))
    assert main(["people", "read", str(album), "--dry-run"]) == 1  # bad.jpg
    out = capsys.readouterr().out
    assert out == f"{photo}: Ellen\n"
    assert not (tmp_path / "new.sqlite").exists()
    assert main(["people", "read", str(photo), "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)["files"]
    assert told["new"] == ["Ellen"]
    assert told["people"][0]["file"] == "a.jpg"
    assert told["people"][0]["box"] == pytest.approx(box, abs=0.2)
    with People.open() as people:
        [named] = people.named()
    assert (named.path, named.faces[0].name, named.faces[0].source) == (photo, "Ellen", "metadata")
    main(["people", "read", str(photo)])
    assert capsys.readouterr().out == f"{photo}: Ellen\n"  # and no more new


def test_own_names_are_read_only_when_asked_for(album, tmp_path, capsys, monkeypatch):
    main(["people", "write", str(album / "a.jpg")])
    monkeypatch.setenv("OPSIN_PEOPLE", str(tmp_path / "new.sqlite"))
    capsys.readouterr()
    assert main(["people", "read", str(album / "a.jpg")]) == 0
    out, err = capsys.readouterr()
    assert (out, "1 skipped, with nobody named in them" in err) == ("", True)
    assert main(["people", "read", "--own", str(album / "a.jpg")]) == 0
    assert capsys.readouterr().out == f"{album}/a.jpg: {EILEEN} (new)\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["write", "A", "--embed"], "Add -o DIR"),
        (["write", "A", "-o", "out"], "Add --embed for copies"),
        (["write", "-"], "not for a pipe"),
        (["read", "-"], "not for a pipe"),
        (["write", "A/none.jpg"], "no such file"),
    ],
)
def test_wrong_calls_are_one_sentence(album, capsys, arguments, said):
    arguments = [one.replace("A", str(album)) for one in arguments]
    assert main(["people", *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert (out, err.count("\n")) == ("", 1)


def test_without_a_people_file_there_is_nothing_to_write(album, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPSIN_PEOPLE", str(tmp_path / "none.sqlite"))
    assert main(["people", "write", str(album)]) == 1
    assert "no such people file yet" in capsys.readouterr().err
    assert main(["people", "write", "--remove", str(album)]) == 0


def test_a_photograph_that_took_the_place_of_another_gets_no_names(album, capsys):
    shutil.copy(album / "b.png", album / "a.jpg")
    assert main(["people", "write", str(album / "a.jpg")]) == 1
    assert "it was changed since its faces were seen" in capsys.readouterr().err
    assert not (album / "a.jpg.xmp").exists()


def test_two_photographs_never_share_a_copy(album, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(album / "a.jpg", other)
    paths = [str(album / "a.jpg"), str(other / "a.jpg")]
    assert main(["people", "write", *paths, "--embed", "-o", str(tmp_path / "out")]) == 2
    assert "would be two photographs' copy" in capsys.readouterr().err


def test_copies_are_not_looked_at_as_photographs(album, capsys):
    out = album / "named"
    for _ in range(2):
        assert main(["people", "write", str(album), "--embed", "-o", str(out)]) == 0
    assert not (out / "named").exists()


def test_a_page_shows_everybody_and_is_not_written_over_anything_else(album, capsys):
    page = album.parent / "people.html"
    assert main(["people", "report", str(album), "-o", str(page)]) == 1  # one cannot be read
    out, err = capsys.readouterr()
    assert str(page) in out
    assert "bad.jpg" in err
    text = page.read_text("utf-8")
    assert "Eileen &lt;Collins&gt; &amp; crew" in text
    assert "<Collins>" not in text
    assert text.count("<img") == 2
    assert main(["people", "report", str(album), "-o", str(album / "a.jpg")]) == 2
    assert "end the name with .html" in capsys.readouterr().err
    assert main(["people", "report", str(album), "-o", str(page), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["done"] == 3
