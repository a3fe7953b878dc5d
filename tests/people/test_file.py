"""A people file as programs use it: names that stay with faces, whatever becomes of the files."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

import opsin
from opsin.cli import main
from opsin.people.records import NamedFace

SAMPLES = Path(__file__).parents[2] / "samples"


def boxes_of(photo: Path) -> list[tuple[float, ...]]:
    found = sorted(opsin.find_faces(photo).boxes.tolist())
    return [tuple(box) for box in found]


def test_a_name_from_a_files_metadata_takes_the_box_of_the_face_that_is_found(people, both):
    left, right = boxes_of(both)
    wide = (right[0] - 20, right[1] - 25, right[2] + 15, right[3] + 20)
    [taught] = people.teach(both, [NamedFace("Eileen Collins", wide)])
    assert taught == NamedFace("Eileen Collins", taught.box, "metadata", 2)
    assert taught.box == pytest.approx(right, abs=0.01)
    [photo] = people.named()
    assert (photo.path, photo.width, photo.height) == (both, 512, 256)
    assert photo.faces == (taught,)
    assert [one.document() for one in people.list()] == [
        {"name": "Eileen Collins", "faces": 1, "photographs": 1}
    ]
    assert people.teach(both, [NamedFace("eileen collins", wide)]) == ()
    assert left not in [face.box for photo in people.named() for face in photo.faces]


def test_a_region_without_a_face_is_kept_as_it_is_and_teaches_nothing(people, both):
    nowhere = (200.0, 180.0, 230.0, 220.0)
    people.teach(both, [NamedFace("Somebody", nowhere)])
    people.teach(both, [NamedFace("Somebody", nowhere)])
    [photo] = people.named()
    [face] = photo.faces
    assert face == NamedFace("Somebody", nowhere, "metadata", 3)


def test_named_photographs_come_by_path_each_with_all_of_its_faces(people, both, tmp_path):
    left, right = boxes_of(both)
    first = shutil.copy(SAMPLES / "astronaut.jpg", tmp_path / "a.jpg")
    people.teach(both, [NamedFace("Grace", left), NamedFace("Eileen", right)])
    people.teach(first, [NamedFace("Eileen", boxes_of(first)[0])])
    assert [(photo.path.name, [face.name for face in photo.faces]) for photo in people.named()] == [
        ("a.jpg", ["Eileen"]),
        ("both.png", ["Grace", "Eileen"]),
    ]


def test_names_are_one_whatever_their_case_and_form(people, portraits):
    people.add(" Zoe\u0308  Straße ", portraits[0])
    assert [one.name for one in people.list()] == ["Zoë Straße"]
    people.confirm(portraits[0], "ZOË STRASSE")
    assert [one.name for one in people.list()] == ["Zoë Straße"]
    for bad in ("", "  ", "a\x1b[31m", "x" * 201):
        with pytest.raises(opsin.WrongCallError):
            people.add(bad, portraits[0])


def test_with_several_faces_it_must_be_said_which(people, both, portraits):
    with pytest.raises(opsin.WrongCallError, match="2 faces"):
        people.add("Grace", both)
    assert people.list() == ()
    assert people.add("Grace", both, largest=True).number == 1
    assert people.add("Grace", both).number == 1
    assert people.add("Eileen", both, face=2).number == 2
    with pytest.raises(opsin.WrongCallError, match="Its faces: 1, 2"):
        people.add("Eileen", both, face=3)
    with pytest.raises(opsin.DataError, match="no face"):
        people.add("Eileen", SAMPLES / "cat.jpg")
    assert [face.name for face in people.name(portraits[1])] == ["Eileen"]


def test_nobody_is_confirmed_twice_on_one_photograph(people, both):
    people.confirm(both, "Grace", face=1)
    with pytest.raises(opsin.WrongCallError, match="face 1 of this photograph is confirmed"):
        people.confirm(both, "grace", face=2)
    assert [face.name for face in people.name(both)] == ["Grace", None]


def test_what_is_confirmed_is_proposed_nowhere_else_on_the_photograph(people, both, portraits):
    people.add("Somebody", portraits[0])
    assert [face.name for face in people.name(both)] == ["Somebody", None]
    people.confirm(both, "Somebody", face=2)
    assert [(face.state, face.name) for face in people.name(both)] == [
        ("unknown", None),
        ("confirmed", "Somebody"),
    ]


def test_a_rejected_name_is_never_proposed_again_until_it_is_confirmed(people, both, portraits):
    people.add("Grace", portraits[0])
    assert people.name(both)[0].state == "named"
    assert people.reject(both, "Grace").state == "unknown"
    assert people.name(both, again=True)[0].name is None
    people.confirm(both, "Grace", face=1)
    assert people.reject(both, "Grace").state == "unknown"
    assert people.list()[0].faces == 1
    assert people.confirm(both, "Grace", face=1).name == "Grace"
    with pytest.raises(opsin.WrongCallError, match="Did you mean Grace"):
        people.reject(both, "Grac", face=1)


def test_an_ignored_face_is_not_proposed_and_teaches_nothing(people, both, portraits):
    people.add("Grace", portraits[0])
    people.ignore(portraits[0])
    assert people.list()[0].faces == 0
    assert people.name(both)[0].state == "unknown"
    people.confirm(both, "Grace", face=1)
    assert people.name(portraits[0])[0].state == "ignored"
    assert people.ignore(portraits[0], undo=True).name == "Grace"


def test_an_ignored_face_is_none_of_those_that_may_be_meant(people, both):
    people.ignore(both, face=2)
    assert people.add("Grace", both).number == 1


def test_only_what_is_ignored_can_be_so_no_more(people, portraits):
    people.add("Grace", portraits[0])
    assert people.ignore(portraits[0], undo=True).state == "confirmed"


def test_people_are_renamed_and_merged_but_not_into_one_photograph(people, both, portraits):
    people.add("Grace", both, face=1)
    people.add("Eileen", both, face=2)
    people.add("Colonel", portraits[1])
    people.rename("grace", "Grace Hopper")
    with pytest.raises(opsin.WrongCallError, match="opsin people merge"):
        people.rename("Eileen", "COLONEL")
    people.rename("Eileen", "EILEEN")
    with pytest.raises(opsin.WrongCallError, match=r"both\.png"):
        people.merge("Eileen", "Grace Hopper")
    people.reject(portraits[1], "Eileen", face=1)
    assert people.merge("Colonel", "Eileen") == 1
    assert [(one.name, one.faces) for one in people.list()] == [("EILEEN", 2), ("Grace Hopper", 1)]
    with pytest.raises(opsin.WrongCallError):
        people.merge("Eileen", "eileen")
    with pytest.raises(opsin.WrongCallError, match="nobody is called"):
        people.merge("Colonel", "Eileen")


def test_who_was_rejected_and_is_the_same_person_after_all_may_be_proposed(people, both, portraits):
    people.add("Ada", portraits[0])
    people.reject(both, "Ada", face=1)
    people.confirm(both, "Byron", face=1)
    people.merge("Byron", "Ada")
    people.ignore(both, face=1)
    assert people.ignore(both, face=1, undo=True).name == "Ada"


def test_what_a_file_says_never_overrides_the_user(people, both):
    left, right = boxes_of(both)
    people.confirm(both, "Grace", face=1)
    people.confirm(both, "Eileen", face=2)
    people.reject(both, "Eileen", face=2)
    people.teach(both, [NamedFace("Ada", left), NamedFace("Eileen", right)])
    assert [face.name for face in people.name(both)] == ["Grace", None]
    people.teach(both, [NamedFace("Sally", right)])
    people.teach(both, [NamedFace("Judith", right)])
    assert [face.name for face in people.name(both)] == ["Grace", "Judith"]


def test_a_photograph_without_a_name_is_named_and_not_kept(people, portraits):
    people.add("Grace", portraits[0])
    [face] = people.name(opsin.open(portraits[0]))
    assert (face.name, face.state) == ("Grace", "named")
    assert face.similarity > 0.99
    assert len(people._database.all("SELECT * FROM photograph")) == 1


def test_faces_of_another_model_are_not_compared(people, portraits):
    people.add("Grace", portraits[0])
    with people._database.change():
        people._database.do("UPDATE embedding SET model = 'other 0123456789ab'")
    with pytest.raises(opsin.ModelError, match="'other 0123456789ab'"):
        people.name(portraits[1])
    assert people.list()[0].faces == 1
    assert people.forget("Grace") == 1


def test_a_file_of_another_model_is_refused_once_and_not_at_each_photograph(
    people, portraits, store, vectors, capfd
):
    store(people, "a.jpg", vectors(1))
    with people._database.change():
        people._database.do("UPDATE embedding SET model = 'other 1'")
    words = ["people", "name", *map(str, portraits), "--people", str(people.path)]
    assert main(words) == 1
    assert capfd.readouterr().err.count("were embedded by 'other 1'") == 1


def test_it_can_be_sent_to_another_process(people, portraits):
    people.add("Grace", portraits[0])
    with pickle.loads(pickle.dumps(people)) as other:
        assert [one.name for one in other.list()] == ["Grace"]
        people.rename("Grace", "Hopper")
        assert other.name(portraits[0])[0].name == "Hopper"
