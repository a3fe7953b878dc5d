"""All confirmed faces in memory, and how much others look like each person.

Search is exact: one matrix product with all faces. How much a face looks like a person is half its
similarity to the nearest of theirs and half that to their mean. The nearest alone names more
strangers the more faces are known; the mean alone would not know a child by one picture among many
of the grown person. `benchmarks/people.py` compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.people.database import Database
from opsin.people.look import as_vectors

SHORTEST: Final = 1e-6  # a mean without length points nowhere
CONFIRMED: Final = """
SELECT person, vector FROM face JOIN embedding ON face = face.id
WHERE person IS NOT NULL ORDER BY person
"""


@dataclass(frozen=True, eq=False)
class Gallery:
    """The embeddings of confirmed faces, those of one person side by side."""

    names: tuple[str, ...]
    """(P,) whose they are, each once."""
    starts: NDArray[np.intp]
    """(P,): the row where each person's begin."""
    vectors: Floats
    """(N, D) of length 1."""
    means: Floats
    """(P, D) of length 1: the mean of each person's."""

    def __len__(self) -> int:
        return len(self.names)

    def scores(self, vectors: Floats) -> Floats:
        """(F, P): how much each of some embeddings (F, D) looks like each person, from -1 to 1."""
        if not self.names or not len(vectors):
            return np.zeros((len(vectors), len(self.names)), np.float32)
        nearest = np.maximum.reduceat(vectors @ self.vectors.T, self.starts, axis=1)
        return np.asarray((nearest + vectors @ self.means.T) / 2, np.float32)

    def of(self, name: str) -> Floats:
        """(n, D): the embeddings of one person; none if there are none."""
        if name not in self.names:
            return self.vectors[:0]
        column = self.names.index(name)
        ends = [*self.starts[1:], len(self.vectors)]
        return self.vectors[self.starts[column] : ends[column]]


def gallery_of(names: Sequence[str], persons: Any, vectors: Floats) -> Gallery:
    """A gallery of faces whose `persons` (N,) are ascending numbers, in the order of `names`."""
    starts = np.unique(persons, return_index=True)[1].astype(np.intp)
    if not len(vectors):
        return Gallery((), starts, vectors, vectors)
    sums = np.add.reduceat(vectors, starts, axis=0)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return Gallery(tuple(names), starts, vectors, sums / np.maximum(length, SHORTEST))


def load_gallery(database: Database) -> Gallery:
    """The confirmed faces of a people file. 100,000 of them take 100 MB."""
    rows = database.all(CONFIRMED)
    persons = [int(row["person"]) for row in rows]
    named = {int(row["id"]): str(row["name"]) for row in database.all("SELECT * FROM person")}
    names = [named[person] for person in dict.fromkeys(persons)]
    return gallery_of(names, persons, as_vectors([row["vector"] for row in rows]))
