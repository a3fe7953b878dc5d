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
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from opsin.boxes import as_boxes
from opsin.errors import DataError
from opsin.files import data_folder, shown
from opsin.people import choice, facts, groups
from opsin.people.asking import names_in, names_on
from opsin.people.database import WAIT, Database
from opsin.people.forgetting import forget
from opsin.people.gallery import Gallery, load_gallery
from opsin.people.groups import Group
from opsin.people.look import Looking
from opsin.people.naming import Limits, limits_of, similarity_at
from opsin.people.photographs import Kept, add_face, box_of, faces_of, next_number
from opsin.people.records import (
    FaceName,
    NamedFace,
    NamedPhoto,
    Person,
    PhotoNames,
    StoredFace,
    folded,
    plain_name,
)
from opsin.people.regions import matched
from opsin.people.seeing import check_model, seen

SETTING: Final = "OPSIN_PEOPLE"
"""The environment's variable that names another file."""

NAMED: Final = """
SELECT photograph.id AS photograph, path, width, height, digest, face.*, name
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
        self._gallery: tuple[int, Gallery] | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None, **options: Any) -> Self:
        """The same in a word: `People.open()`."""
        return cls(path, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"People({str(self.path)!r}, looking={self.looking!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it opens its file there."""
        return _opened, (type(self), self.path, self.looking)

    def close(self) -> None:
        """Closes the file. All that was reported as done is on the disk before."""
        self._database.close()

    def load(self, *, threads: int) -> None:
        """Loads the networks; a `ModelError` if the file's faces were embedded by another."""
        check_model(self._database, self.looking)
        self.looking.load(threads=threads)

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
            face = NamedFace(str(row["name"]), box_of(row), str(row["source"]), int(row["number"]))
            if photo is not None and row["photograph"] == last:
                photo = replace(photo, faces=(*photo.faces, face))
                continue
            if photo is not None:
                yield photo
            last = row["photograph"]
            path = Path(os.fsdecode(row["path"]))
            size = int(row["width"]), int(row["height"])
            photo = NamedPhoto(path, *size, (face,), bytes(row["digest"]))
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
        kept = seen(self._database, self.looking, photo)
        taken = []
        with self._database.change():
            there = faces_of(self._database, kept.id)
            places = matched(
                as_boxes([one.box for one in regions]), as_boxes([one.box for one in there])
            )
            for row, region in enumerate(regions):
                face = there[places[row]] if row in places else None
                if any(_same(one.name, region.name) for one in there) or not _open(face, region):
                    continue
                face = face or self._new_face(kept.id, region)
                facts.confirm(self._database, face, region.name, source="metadata")
                there = faces_of(self._database, kept.id)
                now = next(one for one in there if one.id == face.id)
                taken.append(NamedFace(str(now.name), now.box, now.source, now.number))
        return tuple(taken)

    def _new_face(self, photograph: int, region: NamedFace) -> StoredFace:
        number = next_number(self._database, photograph)
        add_face(self._database, photograph, number, region.box, None)
        return faces_of(self._database, photograph)[-1]

    def name(self, photo: Any, *, again: bool = False, threads: int | None = None) -> PhotoNames:
        """Who is on `photo`: each face with the name that it has, may have, or none.

        A path is looked at once and remembered, faces and embeddings too; with `again` it is
        looked at anew. Anything else that `opsin.open` takes is looked at, and nothing of it kept.
        """
        if not isinstance(photo, str | os.PathLike):
            check_model(self._database, self.looking)
            look = self.looking.look(photo, threads=threads)
            gallery = self._known()
            return names_in(look, gallery, self._limits(gallery))
        kept = seen(self._database, self.looking, photo, again=again, threads=threads)
        return self._names(kept)

    def add(
        self,
        name: str,
        photo: str | os.PathLike[str],
        *,
        face: int | None = None,
        largest: bool = False,
        threads: int | None = None,
    ) -> NamedFace:
        """Introduces a person by a photograph of theirs, or knows them better by one more.

        It must show one face, or `face` says which by its number (see `name`), or `largest` takes
        the largest. No face is a `DataError`, several a `WrongCallError`.
        """
        plain_name(name)
        kept = seen(self._database, self.looking, photo, threads=threads)
        with self._database.change():
            faces = faces_of(self._database, kept.id)
            chosen = choice.to_teach(faces, name, face, largest)
            return self._confirmed(kept.id, chosen, name)

    def confirm(
        self, photo: str | os.PathLike[str], name: str, *, face: int | None = None
    ) -> NamedFace:
        """This face is that person's, which is a fact from now on, whatever was said before.

        `face` is its number, see `name`; it may be left out where there is only one, or only one
        that looks like the person. Somebody who was unknown is introduced.
        """
        plain_name(name)
        kept = seen(self._database, self.looking, photo)
        number = choice.number_of(self._names(kept), face, name)
        if not self._is_embedded(kept.id, number):  # it was forgotten, and is not any more
            kept = seen(self._database, self.looking, photo, again=True)
        with self._database.change():
            chosen = choice.numbered(faces_of(self._database, kept.id), number)
            return self._confirmed(kept.id, chosen, name)

    def reject(
        self, photo: str | os.PathLike[str], name: str, *, face: int | None = None
    ) -> FaceName:
        """This face is not that person's, and is never proposed as theirs again; who it may be now.

        `face` is its number; it may be left out as in `confirm`.
        """
        kept = seen(self._database, self.looking, photo)
        with self._database.change():
            number = choice.number_of(self._names(kept), face, name)
            chosen = choice.numbered(faces_of(self._database, kept.id), number)
            facts.reject(self._database, chosen, name)
        return next(one for one in self._names(kept) if one.number == number)

    def ignore(
        self, photo: str | os.PathLike[str], *, face: int | None = None, undo: bool = False
    ) -> FaceName:
        """No name is ever proposed for this face, as of a statue or a passer-by; with `undo`, it is
        unknown again. What is known of other faces stays. Its embedding stays, see `forget`."""
        kept = seen(self._database, self.looking, photo)
        with self._database.change():
            number = choice.number_of(self._names(kept), face, None)
            chosen = choice.numbered(faces_of(self._database, kept.id), number)
            facts.ignore(self._database, chosen, undo=undo)
        return next(one for one in self._names(kept) if one.number == number)

    def group(self) -> tuple[Group, ...]:
        """Unknown faces of all photographs that were looked at, in groups that each look like one
        person's; the largest first. A group has two faces or more, and keeps its number.

        Confirmed faces of one person stay together, and no group has two of one photograph.
        """
        least = similarity_at(self.looking.rates, groups.RATE)
        check_model(self._database, self.looking)
        groups.regroup(self._database, least)
        return tuple(groups.groups(self._database))

    def name_group(self, number: int, name: str) -> int:
        """All faces of a group are confirmed as that person's; how many there were."""
        plain_name(name)
        with self._database.change():
            found = groups.members(self._database, number)
            for photograph, face in found:
                chosen = choice.numbered(faces_of(self._database, photograph), face)
                facts.confirm(self._database, chosen, name)
        return len(found)

    def split(self, number: int, photo: str | os.PathLike[str], *, face: int | None = None) -> None:
        """A face leaves a group, and is never put together with those that stay in it again."""
        kept = seen(self._database, self.looking, photo)
        with self._database.change():
            chosen = choice.number_of(self._names(kept), face, None)
            there = choice.numbered(faces_of(self._database, kept.id), chosen)
            groups.split(self._database, number, there.id)

    def forget(self, name: str) -> int:
        """Deletes somebody: the name, and the embeddings of the faces that are theirs or would be
        named or suggested as theirs; how many. Nothing of them stays in the file's bytes.

        Photographs are not touched. The boxes of the faces stay, as unknown ones without an
        embedding. A `SaveError` tells if another program keeps the bytes in the file's journal.
        """
        gallery = self._known()
        limits = limits_of(self.looking.rates, len(gallery))
        count = forget(self._database, name, gallery, limits.maybe)
        self._gallery = None
        self._database.wipe()
        return count

    def rename(self, old: str, new: str) -> None:
        """Somebody gets another name. One that somebody else has is a `WrongCallError`."""
        with self._database.change():
            facts.rename(self._database, old, new)

    def merge(self, name: str, into: str) -> int:
        """Two persons are one, called `into`; how many faces that gave them."""
        with self._database.change():
            return facts.merge(self._database, name, into)

    def export(self) -> tuple[dict[str, Any], ...]:
        """All photographs with confirmed faces, as plain values for JSON."""
        return tuple(photo.document() for photo in self.named())

    def _confirmed(self, photograph: int, face: StoredFace, name: str) -> NamedFace:
        facts.confirm(self._database, face, name)
        now = choice.numbered(faces_of(self._database, photograph), face.number)
        before = None if face.name is None or _same(face.name, str(now.name)) else face.name
        return NamedFace(str(now.name), now.box, now.source, now.number, before)

    def _names(self, kept: Kept) -> PhotoNames:
        with self._database.view():
            gallery = self._known()
            return names_on(self._database, kept.id, gallery, self._limits(gallery), kept.notes)

    def _limits(self, gallery: Gallery) -> Limits:
        return limits_of(self.looking.rates, len(gallery))

    def _known(self) -> Gallery:
        """All confirmed faces, read again when somebody has changed them."""
        with self._database.view():
            [count] = self._database.one("SELECT count FROM change")
            if self._gallery is None or self._gallery[0] != count:
                self._gallery = count, load_gallery(self._database)
            return self._gallery[1]

    def _is_embedded(self, photograph: int, number: int) -> bool:
        found = self._database.one(
            "SELECT 1 FROM embedding JOIN face ON face.id = face WHERE photograph = ? "
            "AND number = ?",
            (photograph, number),
        )
        return found is not None


def _opened(kind: type[People], path: Path, looking: Looking) -> People:
    return kind(path, looking=looking)


def _same(name: str | None, other: str) -> bool:
    return name is not None and folded(name) == folded(other)


def _open(face: StoredFace | None, region: NamedFace) -> bool:
    """Whether the user has said nothing of a face that a region's name would contradict."""
    if face is None:
        return True
    is_said = face.state != "unknown" and face.source == "user"
    return not is_said and not any(_same(one, region.name) for one in face.rejected)
