"""Which face of a photograph is meant: by its number, by a name, or because there is only one."""

from __future__ import annotations

from collections.abc import Sequence

from opsin.boxes import area, as_boxes
from opsin.errors import DataError, WrongCallError
from opsin.files import shown
from opsin.people.records import PhotoNames, StoredFace, folded


def to_teach(
    faces: Sequence[StoredFace], name: str, number: int | None, largest: bool
) -> StoredFace:
    """The face that shows how a person looks: the one that was asked for, that is confirmed as
    theirs already, or that is the only one."""
    if number is not None:
        return numbered(faces, number)
    theirs = [face for face in faces if face.name and folded(face.name) == folded(name)]
    if theirs:
        return theirs[0]
    there = [face for face in faces if face.state != "ignored"]
    if not there:
        raise DataError("no face was found. Take a photograph that shows one more clearly.")
    if len(there) > 1 and not largest:
        raise WrongCallError(
            f"{len(there)} faces: say which is meant with --face and its number, which opsin "
            "people name tells, or take the largest with --largest."
        )
    sizes = area(as_boxes([face.box for face in there]))
    return there[int(sizes.argmax())]


def number_of(names: PhotoNames, number: int | None, name: str | None) -> int:
    """The number of the face that is meant: the given one, or of the only one that has or may have
    that name, or of the only one that there is."""
    if number is not None:
        if number not in [face.number for face in names]:
            raise _no_such(number, [face.number for face in names])
        return number
    if name is not None:
        theirs = [face for face in names if face.name and folded(face.name) == folded(name)]
        if len(theirs) == 1:
            return theirs[0].number
    if not len(names):
        raise DataError("no face was found on this photograph.")
    if len(names) > 1:
        who = f", and none looks like {shown(name)} alone" if name is not None else ""
        raise WrongCallError(
            f"{len(names)} faces{who}: say which is meant with --face and its number, which opsin "
            "people name tells."
        )
    return names[0].number


def numbered(faces: Sequence[StoredFace], number: int) -> StoredFace:
    """The face of that number; a `WrongCallError` tells those that there are."""
    for face in faces:
        if face.number == number:
            return face
    raise _no_such(number, [face.number for face in faces])


def _no_such(number: int, there: Sequence[int]) -> WrongCallError:
    known = ", ".join(map(str, there)) if there else "none"
    return WrongCallError(f"there is no face {number} on this photograph. Its faces: {known}.")
