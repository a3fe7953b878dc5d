"""Groups of unknown people: their numbers stay, names and splits hold."""

from __future__ import annotations

import json

import numpy as np
import pytest

import opsin
from opsin.cli import main


def near(vector, seed: int) -> np.ndarray:
    found = vector + 0.03 * np.random.default_rng(seed).normal(size=256).astype(np.float32)
    return found / np.linalg.norm(found)


@pytest.fixture
def three(people, store, vectors):
    """Three people on three photographs, in another order on each, and a stranger on the last."""
    ones = vectors(4)
    for number, order in enumerate([(0, 1, 2), (1, 2, 0), (2, 0, 1, 3)]):
        rows = np.stack([near(ones[person], 10 * number + person) for person in order])
        store(people, f"{number}.jpg", rows)
    return people, ones


def told(people) -> dict[int, list[tuple[str, int]]]:
    return {
        one.number: [(face.path.name, face.number) for face in one.faces] for one in people.group()
    }


def test_faces_of_one_person_are_a_group_and_its_number_stays(three, store) -> None:
    people, ones = three
    found = told(people)
    assert sorted(found) == [1, 2, 3]
    assert [("0.jpg", 1), ("1.jpg", 3), ("2.jpg", 2)] in found.values()
    assert all(len(faces) == 3 for faces in found.values())
    store(people, "more.jpg", np.stack([near(ones[3], 70), near(ones[1], 71)]))
    again = told(people)
    assert again[4] == [("2.jpg", 4), ("more.jpg", 1)]
    assert {number: faces[:3] for number, faces in again.items() if number < 4} == found
    assert [len(one) for one in people.group()] == [4, 3, 3, 2]


def test_a_named_group_is_confirmed_and_its_number_is_not_given_again(three, store) -> None:
    people, ones = three
    found = told(people)
    [mine] = [number for number, faces in found.items() if ("0.jpg", 1) in faces]
    assert people.name_group(mine, "Ada") == 3
    assert people.list()[0].document() == {"name": "Ada", "faces": 3, "photographs": 3}
    assert mine not in told(people)
    with pytest.raises(opsin.WrongCallError, match=f"no group {mine}"):
        people.name_group(mine, "Ben")
    store(people, "a.jpg", near(ones[3], 80)[None])
    assert sorted(told(people)) == [*sorted({1, 2, 3} - {mine}), 4]


def test_a_face_that_was_split_off_stays_apart(three) -> None:
    people, _ = three
    found = told(people)
    [mine] = [number for number, faces in found.items() if ("0.jpg", 1) in faces]
    [face] = people._database.all(
        "SELECT face.id FROM face JOIN photograph ON photograph.id = photograph "
        "WHERE number = 1 AND CAST(path AS TEXT) LIKE '%0.jpg'"
    )
    from opsin.people.groups import split

    with people._database.change():
        split(people._database, mine, face["id"])
    assert told(people)[mine] == [("1.jpg", 3), ("2.jpg", 2)]
    with pytest.raises(opsin.WrongCallError, match="not in group"), people._database.change():
        split(people._database, mine, face["id"])


def test_on_the_command_line(portraits, pair, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("OPSIN_PEOPLE", str(tmp_path / "people.sqlite"))
    folder = tmp_path / "scans"
    folder.mkdir()
    opsin.open(pair).save(folder / "both.png")
    opsin.open(opsin.open(portraits[1]).pixels).save(folder / "one.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    assert main(["people", "group", str(folder), "--json"]) == 1
    out, err = capsys.readouterr()
    [found] = json.loads(out)["groups"]
    assert (found["group"], [face["number"] for face in found["faces"]]) == (1, [2, 1])
    assert "broken.jpg" in err
    assert main(["people", "split", "1", str(folder / "one.png")]) == 0
    capsys.readouterr()
    assert main(["people", "group"]) == 0
    assert capsys.readouterr().out.startswith("No two faces")
    (folder / "one.png").unlink()
    opsin.open(opsin.open(portraits[1]).pixels[1:]).save(folder / "two.png")
    (folder / "broken.jpg").unlink()
    assert main(["people", "group", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("group 2: 2 faces")
    assert main(["people", "name-group", "2", "Eileen"]) == 0
    assert capsys.readouterr().out == "2 faces are Eileen.\n"
