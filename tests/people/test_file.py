"""A people file as programs use it: names that stay with faces, whatever becomes of the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.drawing.pixels import resized
from opsin.people.file import People
from opsin.people.records import NamedFace

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def people(tmp_path: Path):
    with People.open(tmp_path / "people.sqlite") as found:
        yield found


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """The admiral on the left, the astronaut on the right, 256 pixels each."""
    parts = [
        resized(opsin.open(SAMPLES / name).pixels, 256, 256)
        for name in ("admiral.jpg", "astronaut.jpg")
    ]
    return opsin.open(np.concatenate(parts, axis=1)).save(tmp_path / "both.png")


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
