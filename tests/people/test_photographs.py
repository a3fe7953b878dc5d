"""Photographs that are moved, copied, changed or replaced: names stay with the faces."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.drawing.pixels import resized
from opsin.people.file import People
from opsin.people.look import Looking
from opsin.people.records import NamedFace

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def named(people, both):
    """The admiral is confirmed on face 1, and face 2 is ignored."""
    people.confirm(both, "Grace", face=1)
    people.ignore(both, face=2)
    return people


@pytest.fixture
def blind(monkeypatch):
    """From now on nobody may look at a photograph."""

    def look(*_, **__):
        raise AssertionError("it was looked at again")

    return lambda: monkeypatch.setattr(Looking, "look", look)


def told(names) -> list[tuple[str, str | None]]:
    return [(face.state, face.name) for face in names]


WAS = [("confirmed", "Grace"), ("ignored", None)]


def test_a_photograph_is_looked_at_once(named, both, blind) -> None:
    blind()
    assert told(named.name(both)) == WAS
    os.utime(both, ns=(1, 1))
    assert told(named.name(both)) == WAS
    os.chdir(both.parent)
    assert told(named.name("both.png")) == WAS


def test_a_moved_one_is_known_again_and_its_old_name_is_free(named, both, blind, portraits):
    away = both.rename(both.with_name("elsewhere.png"))
    assert told(named.name(away)) == WAS
    assert [photo.path for photo in named.named()] == [away]
    shutil.copy(portraits[1], both)
    assert [face.state for face in named.name(both)] == ["unknown"]
    assert told(named.name(away)) == WAS


def test_two_that_swap_their_names_keep_their_faces(named, both, portraits, blind) -> None:
    other = shutil.copy(portraits[1], both.with_name("other.png"))
    named.confirm(other, "Eileen")
    spare = both.with_name("spare")
    both.rename(spare)
    Path(other).rename(both)
    spare.rename(other)
    blind()
    assert told(named.name(other)) == WAS
    assert told(named.name(both)) == [("confirmed", "Eileen")]
    assert len(list(named.named())) == 2


def test_a_copy_has_all_that_is_known(named, both, blind) -> None:
    named.reject(both, "Grace", face=2)
    copy = shutil.copy(both, both.with_name("copy.png"))
    blind()
    assert told(named.name(copy)) == WAS
    assert told(named.name(both)) == WAS
    assert [photo.path.name for photo in named.named()] == ["both.png", "copy.png"]
    assert named.list()[0].faces == 2
    [rejected] = [row["face"] for row in named._database.all("SELECT face FROM rejection")][1:]
    assert rejected not in (1, 2)


@pytest.mark.parametrize("change", ["brighter", "smaller", "turned", "wider"])
def test_a_changed_one_keeps_what_was_confirmed_and_ignored(named, both, pair, change) -> None:
    if change == "brighter":
        pixels = np.minimum(pair.astype(int) + 20, 255).astype(np.uint8)
    elif change == "smaller":
        pixels = resized(pair, 192, 384)
    elif change == "turned":
        pixels = np.ascontiguousarray(np.rot90(pair, -1))
    else:
        pixels = np.pad(pair, ((0, 0), (0, 256), (0, 0)), mode="edge")
    opsin.open(pixels).save(both)
    names = named.name(both)
    assert told(names) == WAS
    assert (names.width, names.height) == (pixels.shape[1], pixels.shape[0])
    boxes = sorted(opsin.find_faces(both).boxes.tolist())
    assert sorted(list(face.box) for face in names) == pytest.approx(np.array(boxes), abs=0.1)


def test_another_picture_of_that_name_takes_no_name_over(named, both, portraits, tmp_path):
    people = [resized(opsin.open(one).pixels, 256, 256) for one in reversed(portraits)]
    opsin.open(np.concatenate(people, axis=1)).save(both)
    names = named.name(both)
    assert told(names) == [("unknown", None), ("named", "Grace")]
    assert "another picture than before: what was confirmed there (Grace)" in names.notes[0]
    assert named.name(both).notes == ()
    assert list(named.named()) == []
    assert named.list()[0].faces == 1
    assert [face.name for face in named.name(portraits[0])] == ["Grace"]


def test_a_face_that_was_painted_over_stays_confirmed_and_is_told(named, both, pair, portraits):
    named.confirm(both, "Eileen", face=2)
    admiral = resized(opsin.open(portraits[0]).pixels, 256, 256)
    (x1, y1, x2, y2), _ = (face.box for face in named.name(both))
    face = admiral[round(y1) : round(y2), round(x1) : round(x2)]
    a1, b1, a2, b2 = (round(side) for side in named.name(both)[1].box)
    changed = pair.copy()
    changed[b1:b2, a1:a2] = resized(face, b2 - b1, a2 - a1)
    opsin.open(changed).save(both)
    names = named.name(both)
    assert told(names) == [("confirmed", "Grace"), ("confirmed", "Eileen")]
    assert any("face 2, confirmed as Eileen, no longer looks" in note for note in names.notes)
    [found] = [one.similarity for one in named.name(portraits[1])]
    assert found > 0.9


def test_looking_with_other_settings_keeps_numbers_and_drops_only_the_unknown(people, both):
    people.confirm(both, "Eileen", face=2)
    with People.open(people.path, looking=Looking(min_size=60)) as large:
        assert [face.number for face in large.name(both)] == [1, 2]
    with People.open(people.path, looking=Looking(min_size=200)) as larger:
        assert [(face.number, face.name) for face in larger.name(both)] == [(2, "Eileen")]
    again = people.name(both)
    assert [(face.number, face.state) for face in again] == [(2, "confirmed"), (3, "unknown")]


def test_a_face_that_was_said_to_be_nobodys_stays_though_it_is_not_found_again(people, both):
    people.confirm(both, "Eileen", face=2)
    people.reject(both, "Eileen", face=1)
    with People.open(people.path, looking=Looking(min_size=200)) as larger:
        assert [face.number for face in larger.name(both)] == [1, 2]


def test_a_changed_one_of_which_only_metadata_tells_keeps_what_it_tells(people, tmp_path) -> None:
    photo = tmp_path / "coffee.jpg"
    shutil.copy(SAMPLES / "coffee.jpg", photo)
    people.teach(photo, [NamedFace("Ada", (10, 10, 60, 60))])
    opsin.open(opsin.open(photo).pixels // 2).save(photo)
    names = people.name(photo)
    assert told(names) == [("confirmed", "Ada")]
    assert names.notes == ()


def test_what_cannot_be_read_is_told_as_by_open(people, tmp_path) -> None:
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    for name in ("no.jpg", "missing.jpg", "."):
        with pytest.raises(opsin.PhotoError, match=r"\.$"):
            people.name(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(opsin.PhotoError):
        people.name(tmp_path / "pipe.jpg")


def test_a_name_of_a_file_need_not_be_text(people, portraits, tmp_path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.jpg")
    try:
        shutil.copy(portraits[0], path)
    except OSError:
        pytest.skip("a disk that takes only text")
    people.add("Grace", os.fsdecode(path))
    assert [os.fsencode(photo.path) for photo in people.named()] == [path]
    assert "caf" in people.export()[0]["path"]
