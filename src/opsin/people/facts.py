"""What the user has said, written down: persons, whose face is whose, and whose it is not.

Each function is a part of one change: call it within `Database.change`.
"""

from __future__ import annotations

import difflib
from typing import Final

from opsin.errors import WrongCallError
from opsin.files import shown
from opsin.people.database import Database
from opsin.people.records import Person, StoredFace, folded, plain_name
from opsin.people.schema import NAMES_CHANGED

PERSONS: Final = """
SELECT name, count(face.id) AS faces, count(DISTINCT photograph) AS photographs
FROM person LEFT JOIN face ON face.person = person.id GROUP BY person.id ORDER BY folded
"""


def persons(database: Database) -> list[Person]:
    """Everybody who was introduced, by name."""
    rows = database.all(PERSONS)
    return [Person(str(row["name"]), int(row["faces"]), int(row["photographs"])) for row in rows]


def person_of(database: Database, name: str) -> int | None:
    """Somebody's id; None if nobody has that name."""
    row = database.one("SELECT id FROM person WHERE folded = ?", (folded(name),))
    return None if row is None else int(row["id"])


def known_person(database: Database, name: str) -> int:
    """The same; nobody is a `WrongCallError` that tells who is called nearly so."""
    found = person_of(database, name)
    if found is not None:
        return found
    names = {str(row["folded"]): str(row["name"]) for row in database.all("SELECT * FROM person")}
    near = difflib.get_close_matches(folded(name), names, n=1)
    hint = f" Did you mean {shown(names[near[0]])}?" if near else " See opsin people list."
    raise WrongCallError(f"nobody is called '{shown(plain_name(name))}'.{hint}")


def introduced(database: Database, name: str) -> int:
    """Somebody's id, who is new if nobody had that name."""
    found = person_of(database, name)
    if found is not None:
        return found
    return database.do(
        "INSERT INTO person (name, folded) VALUES (?, ?)", (plain_name(name), folded(name))
    )


def confirm(database: Database, face: StoredFace, name: str, *, source: str = "user") -> None:
    """This face is that person's, whatever was said before.

    A `WrongCallError` if another face of the photograph is theirs: nobody is on it twice.
    """
    person = introduced(database, name)
    twin = database.one(
        "SELECT other.number FROM face AS one JOIN face AS other USING (photograph) "
        "WHERE one.id = ? AND other.id <> one.id AND other.person = ?",
        (face.id, person),
    )
    if twin is not None:
        raise WrongCallError(
            f"face {twin['number']} of this photograph is confirmed as {shown(plain_name(name))}, "
            "and nobody is on it twice. Reject that one first."
        )
    database.do("DELETE FROM rejection WHERE face = ? AND person = ?", (face.id, person))
    database.do(
        "UPDATE face SET state = 'confirmed', person = ?, source = ? WHERE id = ?",
        (person, source, face.id),
    )
    database.do(NAMES_CHANGED)


def reject(database: Database, face: StoredFace, name: str) -> None:
    """This face is not that person's, and is never proposed as theirs."""
    person = known_person(database, name)
    database.do("INSERT OR IGNORE INTO rejection VALUES (?, ?)", (face.id, person))
    database.do(
        "UPDATE face SET state = 'unknown', person = NULL, source = 'user' "
        "WHERE id = ? AND person = ?",
        (face.id, person),
    )
    database.do(NAMES_CHANGED)


def ignore(database: Database, face: StoredFace, *, undo: bool = False) -> None:
    """This face is nobody's: no name is proposed for it, and it teaches nothing. With `undo` it is
    unknown, if it was ignored."""
    if undo:
        database.do(
            "UPDATE face SET state = 'unknown' WHERE id = ? AND state = 'ignored'", (face.id,)
        )
        return
    database.do(
        "UPDATE face SET state = 'ignored', person = NULL, source = 'user' WHERE id = ?",
        (face.id,),
    )
    database.do(NAMES_CHANGED)


def rename(database: Database, old: str, new: str) -> None:
    """Somebody gets another name; that of somebody else is a `WrongCallError`."""
    person = known_person(database, old)
    if person_of(database, new) not in (None, person):
        raise WrongCallError(
            f"somebody is called '{shown(plain_name(new))}' already. If they are one person: "
            "opsin people merge."
        )
    database.do(
        "UPDATE person SET name = ?, folded = ? WHERE id = ?",
        (plain_name(new), folded(new), person),
    )
    database.do(NAMES_CHANGED)


def merge(database: Database, name: str, into: str) -> int:
    """Two persons are one, called `into`; how many faces that gave them.

    A `WrongCallError` if both are confirmed on one photograph, for then they are two.
    """
    person, other = known_person(database, name), known_person(database, into)
    if person == other:
        raise WrongCallError(f"'{shown(plain_name(name))}' and '{shown(into)}' are one already.")
    both = database.one(
        "SELECT path FROM face AS one JOIN face AS two USING (photograph) "
        "JOIN photograph ON photograph.id = one.photograph WHERE one.person = ? AND two.person = ?",
        (person, other),
    )
    if both is not None:
        where = shown(bytes(both["path"]).decode(errors="replace")) if both["path"] else "one"
        raise WrongCallError(
            f"both are confirmed on {where}, and nobody is on a photograph twice. "
            "Reject one of them there first."
        )
    [count] = database.one("SELECT count(*) FROM face WHERE person = ?", (person,))
    database.do(
        "UPDATE OR IGNORE rejection SET person = ? WHERE person = ? AND face NOT IN "
        "(SELECT id FROM face WHERE person = ?)",
        (other, person, other),
    )
    database.do("UPDATE face SET person = ? WHERE person = ?", (other, person))
    database.do(
        "DELETE FROM rejection WHERE person = ? AND face IN (SELECT id FROM face WHERE person = ?)",
        (other, other),
    )
    database.do("DELETE FROM person WHERE id = ?", (person,))
    database.do(NAMES_CHANGED)
    return int(count)
