"""Unknown people: faces without a name, in groups that each look like one person's.

Groups have numbers that stay: a group that is found again has the number that most of its faces
had, and a new one gets a number that none ever had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opsin.errors import WrongCallError
from opsin.faces.group import UNKNOWN, group
from opsin.files import plain_text
from opsin.people.database import Database
from opsin.people.look import as_vectors
from opsin.people.photographs import path_of

RATE: Final = 1e-4
"""Of pairs of strangers so many are as alike as two groups must be, on average, to be one; so it is
measured by `opsin evaluate faces --protocol group`."""
FACES: Final = """
SELECT face.id, photograph, person, vector FROM face JOIN embedding ON face = face.id
WHERE state <> 'ignored' ORDER BY face.id
"""
APART: Final = """
SELECT face, other FROM apart UNION SELECT rejection.face, min(face.id) FROM rejection
JOIN face ON face.person = rejection.person JOIN embedding ON embedding.face = face.id
GROUP BY rejection.face, rejection.person
"""
MEMBERS: Final = """
SELECT grouped.number AS grouped, face.id, face.number, path FROM grouped
JOIN face ON face.id = face JOIN photograph ON photograph.id = photograph
WHERE state = 'unknown' ORDER BY grouped.number, path, face.number
"""


@dataclass(frozen=True)
class GroupedFace:
    """A face of a group: the photograph, and the face's number there."""

    path: Path | None
    """None where another photograph has taken its name."""
    number: int

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        path = None if self.path is None else plain_text(str(self.path))
        return {"path": path, "number": self.number}


@dataclass(frozen=True)
class Group:
    """Faces that look like one person, who is nobody that was introduced."""

    number: int
    faces: tuple[GroupedFace, ...]

    def __len__(self) -> int:
        return len(self.faces)

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {"group": self.number, "faces": [face.document() for face in self.faces]}


def regroup(database: Database, least: float) -> None:
    """Puts all faces into groups that are as alike as `least`, and stores those without a name."""
    with database.view():
        rows = database.all(FACES)
        pairs = [(int(row[0]), int(row[1])) for row in database.all(APART)]
    ids = [int(row["id"]) for row in rows]
    place = {face: at for at, face in enumerate(ids)}
    found = group(
        as_vectors([row["vector"] for row in rows]),
        least,
        known=[UNKNOWN if row["person"] is None else int(row["person"]) for row in rows],
        photos=[int(row["photograph"]) for row in rows],
        apart=[(place[one], place[two]) for one, two in pairs if one in place and two in place],
    )
    named = {int(number) for number, row in zip(found, rows, strict=True) if row["person"]}
    members: dict[int, list[int]] = {}
    for face, number in zip(ids, found.tolist(), strict=True):
        if number not in named:
            members.setdefault(number, []).append(face)
    with database.change():
        _store(database, [faces for faces in members.values() if len(faces) > 1])


def _store(database: Database, there: Sequence[Sequence[int]]) -> None:
    """Groups of faces in the place of those before; a face that is gone meanwhile is left out."""
    before = {int(row["face"]): int(row["number"]) for row in database.all("SELECT * FROM grouped")}
    [last] = database.one("SELECT number FROM last_group")
    numbers = stable_numbers(there, before, int(last))
    database.do("DELETE FROM grouped")
    for number, faces in zip(numbers, there, strict=True):
        for face in faces:
            database.do("INSERT INTO grouped SELECT id, ? FROM face WHERE id = ?", (number, face))
    database.do("UPDATE last_group SET number = ?", (max([int(last), *numbers]),))


def stable_numbers(
    groups: Sequence[Sequence[int]], before: Mapping[int, int], last: int
) -> list[int]:
    """A number for each group of faces: the one that most of them had, each given once, to the
    group that has most of it; a new one above `last` to the others.

    >>> stable_numbers([[1, 2], [3, 4, 5], [6, 7]], {1: 4, 3: 4, 4: 4, 6: 2}, 9)
    [10, 4, 2]
    """
    shared = [
        (count, -at, -number)
        for at, faces in enumerate(groups)
        for number, count in Counter(before[face] for face in faces if face in before).items()
    ]
    given: dict[int, int] = {}
    for _, at, number in sorted(shared, reverse=True):
        if -at not in given and -number not in given.values():
            given[-at] = -number
    for at in range(len(groups)):
        if at not in given:
            last += 1
            given[at] = last
    return [given[at] for at in range(len(groups))]


def groups(database: Database) -> list[Group]:
    """All groups of unknown faces, the largest first."""
    found: dict[int, list[GroupedFace]] = {}
    for row in database.all(MEMBERS):
        face = GroupedFace(path_of(row), int(row["number"]))
        found.setdefault(int(row["grouped"]), []).append(face)
    parts = [Group(number, tuple(faces)) for number, faces in found.items()]
    return sorted(parts, key=lambda one: (-len(one), one.number))


def members(database: Database, number: int) -> list[tuple[int, int]]:
    """The faces of a group, as (photograph, face's number there); none is a `WrongCallError`."""
    rows = database.all(
        "SELECT photograph, face.number FROM grouped JOIN face ON face.id = face "
        "WHERE grouped.number = ? AND state = 'unknown' ORDER BY face.id",
        (number,),
    )
    if not rows:
        raise WrongCallError(f"there is no group {number}. opsin people group tells them.")
    return [(int(row[0]), int(row[1])) for row in rows]


def split(database: Database, number: int, face: int) -> None:
    """A face leaves a group, and is never again put together with those that stay there.

    Call it within `Database.change`. A face that is not in it is a `WrongCallError`.
    """
    rows = database.all("SELECT face FROM grouped WHERE number = ?", (number,))
    stay = [int(row["face"]) for row in rows]
    if face not in stay:
        raise WrongCallError(f"this face is not in group {number}. opsin people group tells them.")
    stay.remove(face)
    _keep_apart(database, face, stay)
    database.do("DELETE FROM grouped WHERE face = ?", (face,))


def _keep_apart(database: Database, face: int, others: Iterable[int]) -> None:
    for other in others:
        database.do("INSERT OR IGNORE INTO apart VALUES (?, ?)", (face, other))
