"""Photographs in a people file: known again by what they hold, and kept with what was seen there.

A file that was moved or renamed is the photograph that it was; a copy of one has all that is known
of it. Where another picture has taken a photograph's name, that photograph stays without one until
it is met again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from opsin.boxes import as_boxes
from opsin.faces.pipeline import Face
from opsin.people.database import Database
from opsin.people.look import FileFacts, Look, as_blob, as_vectors, facts_of
from opsin.people.records import Box, StoredFace
from opsin.people.rescan import on_new, pairs
from opsin.people.schema import NAMES_CHANGED


class Kept(NamedTuple):
    """A photograph that the file knows, and what is to be told of it."""

    id: int
    notes: tuple[str, ...] = ()


class Seen(NamedTuple):
    """How a photograph was seen; see `opsin.people.look`."""

    how: str
    model: str
    least: float
    """The similarity below which two faces are hardly one person's."""


def unchanged(database: Database, path: Path, how: str | None) -> int | None:
    """The photograph whose file at `path` has the size and time that it had, if it was looked at
    in that way; None is any way."""
    row = database.one("SELECT * FROM photograph WHERE path = ?", (os.fsencode(path),))
    if row is None or (how is not None and row["looked"] != how):
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    same = (row["size"], row["modified"]) == (found.st_size, found.st_mtime_ns)
    return int(row["id"]) if same else None


def recognized(database: Database, facts: FileFacts, how: str | None) -> int | None:
    """The photograph that a file holds, whatever its name was; None if it is to be looked at."""
    with database.change():
        found = _by_content(database, facts)
        if found is None:
            return None
        [looked] = database.one("SELECT looked FROM photograph WHERE id = ?", (found,))
        return found if how is None or looked == how else None


def keep(database: Database, facts: FileFacts, look: Look, seen: Seen) -> Kept:
    """Stores what was seen on a photograph, all or nothing.

    Of one that is known, what was confirmed, ignored or rejected stays as it was.
    """
    with database.change():
        here = database.one("SELECT * FROM photograph WHERE path = ?", (os.fsencode(facts.path),))
        before = None if here is None else Before.of(database, here)
        notes: tuple[str, ...] = ()
        if before is not None and not _is_that_picture(before, facts, look, seen.least):
            _nameless(database, before.id)
            notes = _left(before)
            before = None
        if before is None:
            photograph = database.do(
                "INSERT INTO photograph (path, size, modified, digest, width, height, turned, "
                "looked) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (os.fsencode(facts.path), *_facts(facts, look, seen)),
            )
            for row in range(len(look.faces)):
                _add(database, photograph, row + 1, look, row, seen.model)
            return Kept(photograph, notes)
        database.do(
            "UPDATE photograph SET size = ?, modified = ?, digest = ?, width = ?, height = ?, "
            "turned = ?, looked = ? WHERE id = ?",
            (*_facts(facts, look, seen), before.id),
        )
        return Kept(before.id, _joined(database, before, look, seen))


def _left(before: Before) -> tuple[str, ...]:
    """What to tell where another picture has taken the name of a photograph with names."""
    names = [str(face.name) for face in before.faces if face.state == "confirmed"]
    if not names:
        return ()
    return (
        f"another picture than before: what was confirmed there ({', '.join(names)}) is kept for "
        "the photograph that lay here, should it be met again",
    )


class Before(NamedTuple):
    """A photograph as it is stored, before it is seen again."""

    id: int
    digest: bytes
    size: tuple[int, int]
    """Height and width."""
    faces: list[StoredFace]
    vectors: dict[int, Any]
    """(D,) of each face that has one, by its id."""

    @classmethod
    def of(cls, database: Database, row: Any) -> Before:
        rows = database.all(
            "SELECT face, vector FROM embedding JOIN face ON face.id = face WHERE photograph = ?",
            (row["id"],),
        )
        vectors = as_vectors([one["vector"] for one in rows])
        return cls(
            int(row["id"]),
            bytes(row["digest"]),
            (int(row["height"]), int(row["width"])),
            faces_of(database, int(row["id"])),
            dict(zip((int(one["face"]) for one in rows), vectors, strict=True)),
        )


def faces_of(database: Database, photograph: int) -> list[StoredFace]:
    """The faces of a photograph by their numbers."""
    rejected: dict[int, set[str]] = {}
    for row in database.all(
        "SELECT face, name FROM rejection JOIN person ON person.id = rejection.person "
        "JOIN face ON face.id = face WHERE photograph = ?",
        (photograph,),
    ):
        rejected.setdefault(int(row["face"]), set()).add(str(row["name"]))
    rows = database.all(
        "SELECT face.*, name FROM face LEFT JOIN person ON person.id = person "
        "WHERE photograph = ? ORDER BY number",
        (photograph,),
    )
    return [
        StoredFace(
            id=int(row["id"]),
            number=int(row["number"]),
            box=box_of(row),
            score=row["score"],
            state=row["state"],
            name=row["name"],
            source=str(row["source"]),
            rejected=frozenset(rejected.get(int(row["id"]), ())),
        )
        for row in rows
    ]


def path_of(row: Any) -> Path | None:
    """Where a photograph lies; None if another one has taken its name."""
    return None if row["path"] is None else Path(os.fsdecode(row["path"]))


def box_of(row: Any) -> Box:
    return (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))


def add_face(
    database: Database, photograph: int, number: int, box: Iterable[float], face: Face | None
) -> int:
    """A new unknown face, found by a detector or (`face` None) told of by metadata; its id."""
    marks = None if face is None else face.landmarks.astype("<f4").tobytes()
    return database.do(
        "INSERT INTO face (photograph, number, x1, y1, x2, y2, score, landmarks, state, source) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'unknown', ?)",
        (
            photograph,
            number,
            *map(float, box),
            None if face is None else face.score,
            marks,
            "metadata" if face is None else "detector",
        ),
    )


def next_number(database: Database, photograph: int) -> int:
    [last] = database.one("SELECT max(number) FROM face WHERE photograph = ?", (photograph,))
    return int(last or 0) + 1


def _joined(database: Database, before: Before, look: Look, seen: Seen) -> tuple[str, ...]:
    """Old faces get their new places, new ones are added, and unknown ones that are gone go."""
    new = as_boxes([face.box for face in look.faces])
    old = on_new(
        as_boxes([face.box for face in before.faces]),
        before.size,
        (look.height, look.width),
        new,
    )
    matched = dict(pairs(old, new))
    notes, touched = [], False
    for row, face in enumerate(before.faces):
        column = matched.get(row)
        touched |= face.state == "confirmed"
        if column is None:
            if face.state == "unknown" and not face.rejected:
                database.do("DELETE FROM face WHERE id = ?", (face.id,))
            else:
                _place(database, face.id, old[row])
        elif face.state == "confirmed" and not _alike(before, face, look, column, seen.least):
            _place(database, face.id, old[row])
            notes.append(
                f"face {face.number}, confirmed as {face.name}, no longer looks as it did; "
                "confirm or reject it"
            )
        else:
            _see_again(database, face.id, look, column, seen.model)
    if touched:
        database.do(NAMES_CHANGED)
    number = next_number(database, before.id)
    for column in range(len(look.faces)):
        if column not in matched.values():
            _add(database, before.id, number, look, column, seen.model)
            number += 1
    return tuple(notes)


def _is_that_picture(before: Before, facts: FileFacts, look: Look, least: float) -> bool:
    """Whether a file is the photograph that had its name, perhaps changed, and no other one."""
    if before.digest == facts.digest or not before.vectors:
        return True
    if all(face.state == "unknown" and not face.rejected for face in before.faces):
        return True  # nothing is known that could be lost
    new = as_boxes([face.box for face in look.faces])
    boxes = as_boxes([face.box for face in before.faces])
    old = on_new(boxes, before.size, (look.height, look.width), new)
    return any(
        before.faces[row].id in before.vectors
        and _alike(before, before.faces[row], look, column, least)
        for row, column in pairs(old, new)
    )


def _alike(before: Before, face: StoredFace, look: Look, column: int, least: float) -> bool:
    vector = before.vectors.get(face.id)
    return vector is None or bool(vector @ look.vectors[column] >= least)


def _facts(facts: FileFacts, look: Look, seen: Seen) -> tuple[Any, ...]:
    file = (facts.size, facts.modified, facts.digest)
    return (*file, look.width, look.height, look.turned, seen.how)


def _add(
    database: Database, photograph: int, number: int, look: Look, row: int, model: str
) -> None:
    face = look.faces[row]
    _embed(database, add_face(database, photograph, number, face.box, face), look, row, model)


def _place(database: Database, face: int, box: Any) -> None:
    database.do(
        "UPDATE face SET x1 = ?, y1 = ?, x2 = ?, y2 = ? WHERE id = ?", (*map(float, box), face)
    )


def _see_again(database: Database, face: int, look: Look, row: int, model: str) -> None:
    seen = look.faces[row]
    _place(database, face, seen.box)
    database.do(
        "UPDATE face SET score = ?, landmarks = ? WHERE id = ?",
        (seen.score, seen.landmarks.astype("<f4").tobytes(), face),
    )
    _embed(database, face, look, row, model)


def _embed(database: Database, face: int, look: Look, row: int, model: str) -> None:
    database.do(
        "INSERT OR REPLACE INTO embedding (face, model, vector) VALUES (?, ?, ?)",
        (face, model, as_blob(look.vectors[row])),
    )


def _by_content(database: Database, facts: FileFacts) -> int | None:
    """The photograph with that digest, once the file's name is noted as its own."""
    name = os.fsencode(facts.path)
    here = database.one("SELECT id, digest FROM photograph WHERE path = ?", (name,))
    place = (name, facts.size, facts.modified)
    if here is not None and here["digest"] == facts.digest:
        return _moved(database, int(here["id"]), place)
    same = database.all("SELECT * FROM photograph WHERE digest = ?", (facts.digest,))
    for row in same:
        if not _is_still_there(row):
            if here is not None:
                _nameless(database, int(here["id"]))
            return _moved(database, int(row["id"]), place)
    return _copied(database, int(same[0]["id"]), place) if same and here is None else None


def _moved(database: Database, photograph: int, place: tuple[bytes, int, int]) -> int:
    database.do(
        "UPDATE photograph SET path = ?, size = ?, modified = ? WHERE id = ?", (*place, photograph)
    )
    return photograph


def _nameless(database: Database, photograph: int) -> None:
    database.do("UPDATE photograph SET path = NULL WHERE id = ?", (photograph,))


def _is_still_there(row: Any) -> bool:
    """Whether a photograph's file is where it was."""
    if row["path"] is None:
        return False
    path = Path(os.fsdecode(row["path"]))
    try:
        found = path.stat()
        if (row["size"], row["modified"]) == (found.st_size, found.st_mtime_ns):
            return True
        return facts_of(path).digest == bytes(row["digest"])
    except OSError:
        return False


FACE_COLUMNS: Final = "number, x1, y1, x2, y2, score, landmarks, state, person, source"


def _copied(database: Database, photograph: int, place: tuple[bytes, int, int]) -> int:
    """A photograph with the same content and all that is known of it."""
    copy = database.do(
        "INSERT INTO photograph (path, size, modified, digest, width, height, turned, looked) "
        "SELECT ?, ?, ?, digest, width, height, turned, looked FROM photograph WHERE id = ?",
        (*place, photograph),
    )
    database.do(
        f"INSERT INTO face (photograph, {FACE_COLUMNS}) "
        f"SELECT ?, {FACE_COLUMNS} FROM face WHERE photograph = ?",
        (copy, photograph),
    )
    twins = (
        "FROM face AS old JOIN face AS new ON new.number = old.number AND new.photograph = ? "
        "AND old.photograph = ?"
    )
    database.do(
        f"INSERT INTO embedding (face, model, vector) SELECT new.id, model, vector {twins} "
        "JOIN embedding ON embedding.face = old.id",
        (copy, photograph),
    )
    database.do(
        f"INSERT INTO rejection (face, person) SELECT new.id, rejection.person {twins} "
        "JOIN rejection ON rejection.face = old.id",
        (copy, photograph),
    )
    database.do(NAMES_CHANGED)
    return copy
