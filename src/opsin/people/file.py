"""The people file: who was introduced, on which photographs, and whose faces look like theirs.

    with People.open() as people:
        people.add("Ada", "portrait.jpg")
        for face in people.name("party.jpg"): ...

It is a SQLite file on this machine, the user's alone. What the user says of a face is a fact that
no later run changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Self

from opsin.boxes import as_boxes
from opsin.errors import DataError, ModelError, PhotoError
from opsin.files import data_folder, shown
from opsin.people import facts, photographs
from opsin.people.database import WAIT, Database
from opsin.people.look import Looking, facts_of, resolved
from opsin.people.records import NamedFace, NamedPhoto, Person, StoredFace, folded
from opsin.people.regions import matched
from opsin.photo import open as open_photo

SETTING: Final = "OPSIN_PEOPLE"
"""The environment's variable that names another file."""

NAMED: Final = """
SELECT photograph.id AS photograph, path, width, height, face.*, name
FROM face JOIN person ON person.id = person JOIN photograph ON photograph.id = photograph
WHERE path IS NOT NULL ORDER BY path, number
"""


def default_path() -> Path:
    """`$OPSIN_PEOPLE`, or `people.sqlite` in opsin's folder of the user's own data."""
    return Path(os.environ.get(SETTING) or data_folder() / "people.sqlite")


class People:
    """An open people file. Several threads may use it, and several processes one file."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        new: bool = True,
        looking: Looking | None = None,
        wait: float = WAIT,
    ) -> None:
        """Opens the file at `path`, by default that of the user (`default_path`).

        There is a new one if there was none, or with `new=False` a `DataError`. `looking` is how
        photographs are looked at. `wait` is for how many seconds another process may write. What
        is no people file, damaged or of a newer opsin is a `DataError`; what cannot be written a
        `SaveError`.
        """
        self.path = Path(path) if path is not None else default_path()
        self.looking = looking or Looking()
        if not new and not self.path.exists():
            raise DataError(
                f"{shown(self.path)}: no such people file yet. opsin people add begins one."
            )
        self._database = Database(self.path, wait=wait)

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None, **options: Any) -> Self:
        """The same in a word: `People.open()`."""
        return cls(path, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file. All that was reported as done is on the disk before."""
        self._database.close()

    def list(self) -> tuple[Person, ...]:
        """Everybody who was introduced, by name."""
        return tuple(facts.persons(self._database))

    def named(self) -> Iterator[NamedPhoto]:
        """All photographs with confirmed faces, by path; no unknown or ignored face is among them.

        A photograph need not lie there any more.
        """
        photo: NamedPhoto | None = None
        last = None
        for row in self._database.all(NAMED):
            face = NamedFace(
                str(row["name"]), photographs.box_of(row), str(row["source"]), int(row["number"])
            )
            if photo is not None and row["photograph"] == last:
                photo = NamedPhoto(photo.path, photo.width, photo.height, (*photo.faces, face))
                continue
            if photo is not None:
                yield photo
            last = row["photograph"]
            path = Path(os.fsdecode(row["path"]))
            photo = NamedPhoto(path, int(row["width"]), int(row["height"]), (face,))
        if photo is not None:
            yield photo

    def teach(
        self, photo: str | os.PathLike[str], faces: Iterable[NamedFace]
    ) -> tuple[NamedFace, ...]:
        """Takes the names that a photograph's metadata has for its faces; those that were new.

        Boxes are in pixels of the upright photograph. A region whose face is found gets that face's
        box and teaches how the person looks; another is kept as it is. What the user has said
        stays: a face that is confirmed or ignored, and a name that was rejected for it.
        """
        regions = list(faces)
        kept = self._seen(photo)
        taken = []
        with self._database.change():
            there = photographs.faces_of(self._database, kept.id)
            places = matched(
                as_boxes([one.box for one in regions]), as_boxes([one.box for one in there])
            )
            for row, region in enumerate(regions):
                face = there[places[row]] if row in places else None
                if any(_same(one.name, region.name) for one in there) or not _open(face, region):
                    continue
                face = face or self._new_face(kept.id, region)
                facts.confirm(self._database, face, region.name, source="metadata")
                there = photographs.faces_of(self._database, kept.id)
                now = next(one for one in there if one.id == face.id)
                taken.append(NamedFace(str(now.name), now.box, now.source, now.number))
        return tuple(taken)

    def _new_face(self, photograph: int, region: NamedFace) -> StoredFace:
        number = photographs.next_number(self._database, photograph)
        photographs.add_face(self._database, photograph, number, region.box, None)
        return photographs.faces_of(self._database, photograph)[-1]

    def _seen(
        self, photo: str | os.PathLike[str], *, again: bool = False, threads: int | None = None
    ) -> photographs.Kept:
        """A photograph that was looked at as `looking` says, now or before."""
        place, how = resolved(photo), self.looking.how
        self._check_model()
        if not again and (found := photographs.unchanged(self._database, place, how)) is not None:
            return photographs.Kept(found)
        if not place.is_file():
            open_photo(photo)  # which says what is wrong with most
            raise PhotoError(f"{shown(photo)}: not a file. Give the name of a photograph.")
        try:
            file = facts_of(place)
        except OSError as error:
            raise PhotoError(f"{shown(photo)}: cannot be read ({error.strerror}).") from error
        if not again and (found := photographs.recognized(self._database, file, how)) is not None:
            return photographs.Kept(found)
        look = self.looking.look(place, threads=threads)
        seen = photographs.Seen(how, self.looking.made_by, self.looking.rates[0][1])
        kept = photographs.keep(self._database, file, look, seen)
        return photographs.Kept(kept.id, (*look.notes, *kept.notes))

    def _check_model(self) -> None:
        """Embeddings of two models cannot be compared: a file has those of one."""
        model = self.looking.made_by
        first, last = self._database.one("SELECT min(model), max(model) FROM embedding")
        other = next((one for one in (first, last) if one not in (None, model)), None)
        if other is not None:
            raise ModelError(
                f"{shown(self.path)}: its faces were embedded by '{shown(other)}', which '{model}' "
                "cannot be compared with. Name that model, or another file."
            )


def _same(name: str | None, other: str) -> bool:
    return name is not None and folded(name) == folded(other)


def _open(face: StoredFace | None, region: NamedFace) -> bool:
    """Whether the user has said nothing of a face that a region's name would contradict."""
    if face is None:
        return True
    is_said = face.state != "unknown" and face.source == "user"
    return not is_said and not any(_same(one, region.name) for one in face.rejected)
