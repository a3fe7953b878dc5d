"""A people file that is shared, killed, damaged, foreign or locked, and from which people go."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.people.file import People, default_path
from opsin.people.look import as_blob


def test_it_lies_in_the_users_folder_or_where_the_environment_says(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("OPSIN_PEOPLE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform == "linux":
        assert default_path() == tmp_path / "data" / "opsin" / "people.sqlite"
    monkeypatch.setenv("OPSIN_PEOPLE", str(tmp_path / "deep" / "mine"))
    with People.open() as people:
        assert people.path == tmp_path / "deep" / "mine"
        mode = stat.S_IMODE(people.path.stat().st_mode)
        assert sys.platform == "win32" or mode == 0o600


def test_none_is_made_where_one_is_only_asked(tmp_path) -> None:
    with pytest.raises(opsin.DataError, match="no such people file yet"):
        People.open(tmp_path / "none", new=False)
    assert not (tmp_path / "none").exists()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE photo (id INTEGER)")
    other.close()


def of_another_application(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA application_id = 7")
    other.close()


def newer(path: Path) -> None:
    People.open(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 2")
    other.close()


def cut_off(path: Path) -> None:
    with People.open(path):
        pass
    path.write_bytes(path.read_bytes()[:5000])


def no_database(path: Path) -> None:
    path.write_text("Ada, 1 face\n" * 100)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (foreign, "another program's database"),
        (of_another_application, "another program's database"),
        (newer, "newer opsin"),
        (cut_off, "damaged"),
        (no_database, "not a people file"),
    ],
)
def test_what_is_no_people_file_is_refused_and_stays_as_it_was(tmp_path, make, words) -> None:
    path = tmp_path / "file"
    make(path)
    before = path.read_bytes()
    with pytest.raises(opsin.DataError, match=words) as refusal, People.open(path) as people:
        people.list()
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == before


def test_damage_within_is_told_and_nothing_is_changed(people, store, vectors) -> None:
    store(people, "a.jpg", vectors(300))
    path = people.path
    people.close()
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(opsin.DataError, match="damaged"), People.open(path) as damaged:
        damaged.forget("Ada")
    assert path.read_bytes() == data


def test_a_folder_or_a_place_where_no_file_can_be(tmp_path) -> None:
    with pytest.raises(opsin.SaveError, match="folder"):
        People.open(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(opsin.SaveError, match="cannot be opened"):
        People.open(tmp_path / "file" / "people")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_one_that_may_only_be_read(people, portraits) -> None:
    people.close()
    people.path.chmod(0o400)
    with pytest.raises(opsin.SaveError, match="may only be read"):
        People.open(people.path).add("Grace", portraits[0])


def test_what_may_only_be_read_is_a_sentence(people, portraits) -> None:
    people._database._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(opsin.SaveError, match="may only be read"):
        people.add("Grace", portraits[0])


def test_who_waits_too_long_is_told(people, portraits) -> None:
    people.add("Grace", portraits[0])
    other = sqlite3.connect(people.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with People.open(people.path, wait=0.1) as waiting:
        with pytest.raises(opsin.SaveError, match="another program is writing"):
            waiting.rename("Grace", "Ada")
        assert [one.name for one in waiting.list()] == ["Grace"]
    other.execute("ROLLBACK")
    other.close()


def test_a_change_is_made_whole_or_not_at_all(people, both, monkeypatch) -> None:
    from opsin.people import facts

    def fail(*_, **__):
        raise RuntimeError("in the middle")

    people.name(both)
    monkeypatch.setattr(facts, "NAMES_CHANGED", "no SQL")
    with pytest.raises(opsin.SaveError):
        people.confirm(both, "Ada", face=1)
    monkeypatch.undo()
    assert people.list() == ()
    assert people.name(both)[0].state == "unknown"


def all_bytes(people: People) -> bytes:
    names = [people.path, *people.path.parent.glob(f"{people.path.name}-*")]
    return b"".join(path.read_bytes() for path in names)


def test_what_is_forgotten_is_nowhere_in_the_bytes(people, store, vectors) -> None:
    ada, others = vectors(150), vectors(300, seed=1)
    likes = ada[:1] + 0.02 * vectors(20, seed=2)
    likes /= np.linalg.norm(likes, axis=1, keepdims=True)
    for row, vector in enumerate(ada):
        store(people, f"ada-{row}.jpg", np.stack([vector, others[row]]))
    unsaid = [store(people, f"like-{row}.jpg", vector[None]) for row, vector in enumerate(likes)]
    with people._database.change():
        people._database.do("INSERT INTO person (name, folded) VALUES ('Adelaide', 'adelaide')")
        people._database.do("INSERT INTO person (name, folded) VALUES ('Ben', 'ben')")
        for number, person in ((1, 1), (2, 2)):
            people._database.do(
                "UPDATE face SET state = 'confirmed', person = ? WHERE number = ? AND photograph "
                "IN (SELECT photograph FROM face GROUP BY photograph HAVING count(*) = 2)",
                (person, number),
            )
        people._database.do("UPDATE change SET count = count + 1")
    before = all_bytes(people)
    assert all(as_blob(vector) in before for vector in (*ada, *likes, *others[:150]))
    assert b"Adelaide" in before
    assert people.forget("ADELAIDE") == 150 + 20
    after = all_bytes(people)
    assert not any(as_blob(vector) in after for vector in (*ada, *likes))
    assert b"delaide" not in after
    assert all(as_blob(vector) in after for vector in others[:150])
    assert [(one.name, one.faces) for one in people.list()] == [("Ben", 150)]
    assert len(people._database.all("SELECT id FROM face")) == 320
    assert unsaid


def test_forgetting_leaves_faces_that_look_more_like_somebody_else(people, store, vectors) -> None:
    ada, ben = vectors(2)
    like_both = 0.55 * ada + 0.8 * ben
    for number, vector in enumerate((ada, ben, like_both / np.linalg.norm(like_both))):
        store(people, f"{number}.jpg", vector[None])
    with people._database.change():
        for number, name in ((1, "ada"), (2, "ben")):
            people._database.do("INSERT INTO person (name, folded) VALUES (?, ?)", (name, name))
            people._database.do(
                "UPDATE face SET state = 'confirmed', person = ? WHERE id = ?", (number, number)
            )
        people._database.do("UPDATE change SET count = count + 1")
    assert people.forget("ada") == 1
    rows = people._database.all("SELECT face FROM embedding ORDER BY face")
    assert [row["face"] for row in rows] == [2, 3]
    marks = people._database.all("SELECT landmarks FROM face ORDER BY id")
    assert [row["landmarks"] is None for row in marks] == [True, False, False]


def test_forgetting_tells_if_another_program_keeps_the_journal(tmp_path, portraits) -> None:
    with People.open(tmp_path / "people.sqlite", wait=0.1) as people:
        people.add("Grace", portraits[0])
        other = sqlite3.connect(people.path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT * FROM person").fetchall()
        with pytest.raises(opsin.SaveError, match="Close that program"):
            people.forget("Grace")
        other.close()
        assert people.list() == ()


def opsin_people(*words: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "opsin", "people", *words, "--people", str(path), "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def many(tmp_path, portraits) -> Path:
    """Twelve photographs of the astronaut, each a bit darker than the one before."""
    folder = tmp_path / "many"
    folder.mkdir()
    pixels = opsin.open(portraits[1]).pixels
    for number in range(12):
        opsin.open(pixels - np.minimum(pixels, number)).save(folder / f"{number:02}.png")
    return folder


def test_a_kill_loses_nothing_that_was_told_of(many, tmp_path) -> None:
    path = tmp_path / "people.sqlite"
    process = opsin_people("add", "Eileen", str(many), path=path)
    told = [process.stdout.readline() for _ in range(4)]
    process.send_signal(signal.SIGKILL)
    told += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    names = {line.split(":")[0] for line in told if line.endswith("is Eileen\n")}
    assert len(names) >= 4
    with People.open(path) as people:
        kept = {str(photo.path) for photo in people.named()}
        assert names <= kept
        assert people._database.one("PRAGMA integrity_check")[0] == "ok"
        began = time.monotonic()
        people.rename("Eileen", "Eileen Collins")
        assert time.monotonic() - began < 5


def test_two_processes_may_use_a_new_file_at_once(many, tmp_path, portraits) -> None:
    path = tmp_path / "people.sqlite"
    other = tmp_path / "other"
    other.mkdir()
    for number in range(4):
        shutil.copy(portraits[0], other / f"{number}.jpg")
    processes = [
        opsin_people("add", "Eileen", str(many), path=path),
        opsin_people("add", "Grace", str(other), path=path),
    ]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    with People.open(path) as people:
        assert [(one.name, one.faces) for one in people.list()] == [("Eileen", 12), ("Grace", 4)]
