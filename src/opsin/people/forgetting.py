"""Forgetting somebody: their name and every embedding of theirs leave the file, and its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from opsin.boxes import Floats
from opsin.people.database import Database
from opsin.people.facts import known_person
from opsin.people.gallery import Gallery
from opsin.people.look import as_vectors
from opsin.people.schema import NAMES_CHANGED

AT_ONCE: Final = 4096  # faces that are compared in one product
UNKNOWN: Final = """
SELECT face, vector FROM face JOIN embedding ON face = face.id
WHERE state <> 'confirmed' AND face > ? ORDER BY face LIMIT ?
"""


def forget(database: Database, name: str, gallery: Gallery, least: float) -> int:
    """Deletes a person, and the embeddings of all faces that are confirmed as theirs or that look
    like them by `least` or more and like nobody else more; how many. Call `wipe` afterwards.

    The boxes stay, as unknown faces that cannot be named.
    """
    with database.change():
        person = known_person(database, name)
        named = str(database.one("SELECT name FROM person WHERE id = ?", (person,))["name"])
        faces = [
            int(row["id"])
            for row in database.all("SELECT id FROM face WHERE person = ?", (person,))
        ]
        if named in gallery.names:
            faces += _alike(database, gallery, gallery.names.index(named), least)
        for face in faces:
            database.do("DELETE FROM embedding WHERE face = ?", (face,))
            database.do(
                "UPDATE face SET state = 'unknown', person = NULL, landmarks = NULL, "
                "source = 'detector' WHERE id = ? AND state <> 'ignored'",
                (face,),
            )
        database.do("DELETE FROM person WHERE id = ?", (person,))
        database.do(NAMES_CHANGED)
    return len(faces)


def _alike(database: Database, gallery: Gallery, column: int, least: float) -> Iterator[int]:
    """The faces without a name that look like one person, and like nobody else more."""
    last = 0
    while rows := database.all(UNKNOWN, (last, AT_ONCE)):
        vectors: Floats = as_vectors([row["vector"] for row in rows])
        scores = gallery.scores(vectors)
        theirs = (scores.argmax(axis=1) == column) & (scores[:, column] >= least)
        yield from (int(rows[row]["face"]) for row in np.flatnonzero(theirs))
        last = int(rows[-1]["face"])
