"""What a people file tells: persons, photographs and the faces on them, as plain records."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from opsin.errors import WrongCallError
from opsin.files import shown

Box: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the upright photograph, (0, 0) its upper left corner."""
State: TypeAlias = Literal["unknown", "confirmed", "ignored"]
LONGEST: Final = 200  # letters of a name


@dataclass(frozen=True)
class NamedFace:
    """A face and whose it is, as the user or a file's metadata has said."""

    name: str
    box: Box
    source: str = "user"
    """Who said so: "user", or "metadata" of the photograph's file."""
    number: int = 0
    """Of the face on its photograph, from 1; 0 where no people file has numbered it."""


@dataclass(frozen=True)
class NamedPhoto:
    """A photograph with its confirmed faces; there is at least one."""

    path: Path
    width: int
    """Of the upright photograph, in pixels."""
    height: int
    faces: tuple[NamedFace, ...]


@dataclass(frozen=True)
class Person:
    """Somebody who has been introduced."""

    name: str
    faces: int
    """How many are confirmed."""
    photographs: int

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {"name": self.name, "faces": self.faces, "photographs": self.photographs}


@dataclass(frozen=True)
class StoredFace:
    """A face as the file has it."""

    id: int
    number: int
    box: Box
    score: float | None
    state: State
    name: str | None
    """Whose it is, if that is confirmed."""
    source: str
    rejected: frozenset[str] = field(default_factory=frozenset)
    """Whose it is not."""


def plain_name(name: str) -> str:
    r"""A name as it is stored: NFC, without spaces around it or several in a row.

    No name is empty, longer than 200 letters, or holds what cannot be printed: that is a
    `WrongCallError`.

    >>> plain_name("  Zoe\u0308  Ada ")
    'Zoë Ada'
    """
    plain = " ".join(unicodedata.normalize("NFC", name).split())
    if not plain:
        raise WrongCallError("a name is empty. Give the name of a person.")
    if len(plain) > LONGEST or not plain.isprintable():
        raise WrongCallError(
            f"'{shown(plain[:40])}' is no name: at most {LONGEST} letters that can be printed."
        )
    return plain


def folded(name: str) -> str:
    """What two names share that are one person's: the same letters, whatever their case.

    >>> folded("STRASSE") == folded("Straße")
    True
    """
    return unicodedata.normalize("NFC", plain_name(name).casefold())
