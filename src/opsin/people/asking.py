"""Who is on a photograph: the faces that a people file knows of it, or those of a look, named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from opsin.boxes import Floats
from opsin.people.database import Database
from opsin.people.gallery import Gallery
from opsin.people.look import Look, as_vectors
from opsin.people.naming import Guess, Limits, guesses
from opsin.people.photographs import faces_of
from opsin.people.records import Box, FaceName, PhotoNames, StoredFace

VECTORS: Final = """
SELECT face, vector FROM embedding JOIN face ON face.id = face WHERE photograph = ?
"""


def names_on(
    database: Database, photograph: int, gallery: Gallery, limits: Limits, notes: tuple[str, ...]
) -> PhotoNames:
    """The faces of a stored photograph. What is confirmed or ignored stays so; a person who is
    confirmed on one face is proposed for no other, and nobody for a face they were rejected for."""
    row = database.one("SELECT * FROM photograph WHERE id = ?", (photograph,))
    faces = faces_of(database, photograph)
    rows = database.all(VECTORS, (photograph,))
    blobs = {int(one["face"]): bytes(one["vector"]) for one in rows}
    asked = [face for face in faces if face.state == "unknown" and face.id in blobs]
    found = _asked(
        as_vectors([blobs[face.id] for face in asked]),
        [face.rejected for face in asked],
        {face.name for face in faces if face.name is not None},
        gallery,
        limits,
    )
    guessed = dict(zip((face.id for face in asked), found, strict=True))
    named = tuple(_of_stored(face, guessed.get(face.id), gallery) for face in faces)
    return PhotoNames(named, int(row["width"]), int(row["height"]), int(row["turned"]), notes)


def names_in(look: Look, gallery: Gallery, limits: Limits) -> PhotoNames:
    """The same of a photograph that is not stored."""
    rejected: list[frozenset[str]] = [frozenset()] * len(look.faces)
    found = _asked(look.vectors, rejected, set(), gallery, limits)
    named = tuple(
        _face(number, _box(face.box), face.score, guess, gallery)
        for number, (face, guess) in enumerate(zip(look.faces, found, strict=True), 1)
    )
    return PhotoNames(named, look.width, look.height, look.turned, look.notes)


def _asked(
    vectors: Floats,
    rejected: Sequence[frozenset[str]],
    confirmed: set[str],
    gallery: Gallery,
    limits: Limits,
) -> list[Guess]:
    allowed = [
        [name not in confirmed and name not in refused for name in gallery.names]
        for refused in rejected
    ]
    may = np.array(allowed, bool).reshape(len(vectors), len(gallery))
    return guesses(gallery.scores(vectors), may, limits)


def _of_stored(face: StoredFace, guess: Guess | None, gallery: Gallery) -> FaceName:
    if guess is not None:
        return _face(face.number, face.box, face.score, guess, gallery)
    return FaceName(face.number, face.box, face.score, face.state, face.name)


def _face(number: int, box: Box, score: float | None, guess: Guess, gallery: Gallery) -> FaceName:
    if guess.person is None:
        return FaceName(number, box, score, "unknown", None, guess.similarity, guess.margin)
    name = gallery.names[guess.person]
    state: Any = "named" if guess.is_sure else "maybe"
    return FaceName(number, box, score, state, name, guess.similarity, guess.margin)


def _box(box: Floats) -> Box:
    x1, y1, x2, y2 = map(float, box)
    return (x1, y1, x2, y2)
