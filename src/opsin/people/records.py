"""What a people file tells: persons, photographs and the faces on them, as plain records."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from opsin.errors import WrongCallError
from opsin.files import plain_text, shown

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
    before: str | None = None
    """Whose it was confirmed as until this was said, if it was somebody else's."""

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON; `before` is left out where it is None."""
        box = [round(side, 1) for side in self.box]
        said = {"number": self.number, "name": self.name, "box": box, "source": self.source}
        return said if self.before is None else {**said, "before": self.before}


@dataclass(frozen=True)
class NamedPhoto:
    """A photograph with its confirmed faces; there is at least one."""

    path: Path
    width: int
    """Of the upright photograph, in pixels."""
    height: int
    faces: tuple[NamedFace, ...]
    digest: bytes
    """SHA-256 of the file in which the faces were seen."""

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {
            "path": plain_text(str(self.path)),
            "width": self.width,
            "height": self.height,
            "faces": [face.document() for face in self.faces],
        }


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
class FaceName:
    """Whose a face is, or may be."""

    number: int
    """On its photograph, from 1, from left to right when it was first seen."""
    box: Box
    score: float | None
    """The detector's; None of a face that only a file's metadata tells of."""
    state: Literal["confirmed", "named", "maybe", "unknown", "ignored"]
    """confirmed: the user or a file has said so; named: nearly certain; maybe: worth asking."""
    name: str | None = None
    """Of one that is confirmed, named or maybe somebody's."""
    similarity: float | None = None
    """To that person, or of an unknown face to the nearest, from -1 to 1; None where nobody is
    compared."""
    margin: float | None = None
    """How much less it is to the second person; None if there is none."""

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {
            "number": self.number,
            "box": [round(side, 1) for side in self.box],
            "score": None if self.score is None else round(self.score, 4),
            "state": self.state,
            "name": self.name,
            "similarity": None if self.similarity is None else round(self.similarity, 4),
            "margin": None if self.margin is None else round(self.margin, 4),
        }


@dataclass(frozen=True)
class PhotoNames:
    """The faces of a photograph by their numbers, and whose they are."""

    faces: tuple[FaceName, ...]
    width: int
    """Of the upright photograph, in pixels."""
    height: int
    turned: int
    """Degrees clockwise by which it must be turned for its faces to be upright."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[FaceName]:
        return iter(self.faces)

    def __getitem__(self, index: int) -> FaceName:
        return self.faces[index]

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {"faces": [face.document() for face in self.faces], "turned": self.turned}


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

    No name is empty, longer than 200 letters, or holds what cannot be printed, such as a line
    break: that is a `WrongCallError`.

    >>> plain_name("  Zoe\u0308  Ada ")
    'Zoë Ada'
    """
    letters = unicodedata.normalize("NFC", name).strip()
    blanks = (" " if unicodedata.category(one) == "Zs" else one for one in letters)
    plain = " ".join(part for part in "".join(blanks).split(" ") if part)
    if not plain:
        raise WrongCallError("a name is empty. Give the name of a person.")
    if len(plain) > LONGEST:
        raise WrongCallError(
            f"'{shown(plain[:40])}...' is too long for a name: {len(plain)} letters. "
            f"Give at most {LONGEST}."
        )
    if not plain.isprintable():
        raise WrongCallError(
            f"'{shown(plain[:40])}' is no name: it holds a line break or something else that "
            "cannot be printed."
        )
    return plain


def folded(name: str) -> str:
    """What two names share that are one person's: the same letters, whatever their case.

    >>> folded("STRASSE") == folded("Straße")
    True
    """
    return unicodedata.normalize("NFC", plain_name(name).casefold())
