"""Names written beside photographs, or into copies of them; photographs are never touched.

What is written is XMP that other programs read (`formats.tagging`). A sidecar that somebody else
made is added to, and kept as it was under another name first.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from opsin.defaults import PIXEL_LIMIT
from opsin.errors import DataError, SaveError
from opsin.files import shown, write_atomically
from opsin.formats import splice
from opsin.formats.added import added_to
from opsin.formats.regions import Frame, is_shape
from opsin.formats.stored import SPLICED, Stored
from opsin.formats.tagging import Tagged, with_names, without_names
from opsin.people.metadata import read_photo, read_sidecar, sidecars
from opsin.people.records import NamedFace

Status = Literal["written", "removed", "unchanged", "nobody"]


@dataclass(frozen=True)
class Named:
    """The confirmed faces of a photograph, and the size that their boxes count from."""

    faces: Sequence[NamedFace] = ()
    width: int = 0
    """Of the upright photograph, in pixels."""
    height: int = 0


@dataclass(frozen=True)
class Written:
    """What became of a photograph's names."""

    status: Status
    """"nobody": there is nothing to write, and nothing was written before."""
    file: Path | None = None
    """The sidecar or the copy."""
    names: tuple[str, ...] = ()
    backup: Path | None = None
    """What the sidecar was before, if somebody else had made it."""
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        backup = None if self.backup is None else str(self.backup)
        return {"names": list(self.names), "change": self.status, "backup": backup}


def write_sidecar(
    photo: Path, named: Named, *, dry_run: bool = False, pixel_limit: int = PIXEL_LIMIT
) -> Written:
    """Writes the names into the photograph's sidecar; with no faces, takes out what was written.

    Raises `PhotoError`, `DataError` where the sidecar is no XMP, and `SaveError`; it is as it was
    then.
    """
    path = sidecar_of(photo)
    before = read_sidecar(path) if os.path.lexists(path) else None
    try:
        if not named.faces:
            after = Tagged(before and without_names(before), [], [])
        else:
            _, stored = read_photo(photo, pixel_limit=pixel_limit)
            after = _with_embedded(before, named, stored, shown(photo))
        is_others = before is not None and added_to(before) is None
    except ValueError as error:
        raise DataError(
            f"{shown(path)}: this is no XMP ({error}); left as it is. Mend it or move it away."
        ) from error
    status = _status(before, after.packet, named)
    if status in ("unchanged", "nobody"):
        return Written(status, path if before else None, tuple(after.names), None, (*after.notes,))
    backup = _backup_of(path, before) if before is not None and is_others else None
    if not dry_run:
        _check_writable(path)
        if backup is not None and before is not None and not backup.exists():
            write_atomically(backup, before)
        if after.packet is None:
            path.unlink()
        else:
            write_atomically(path, after.packet)
    return Written(status, path, tuple(after.names), backup, tuple(after.notes))


def write_copy(
    photo: Path,
    named: Named,
    target: Path,
    *,
    dry_run: bool = False,
    pixel_limit: int = PIXEL_LIMIT,
) -> Written:
    """Writes a copy of the photograph with the names inside, its pixels as they are.

    With no faces there is no copy, unless one is to be replaced that has names. Raises `PhotoError`
    and `SaveError`; where the target is a file that was not made so, it stays.
    """
    if os.path.realpath(target) == os.path.realpath(photo):
        raise SaveError(f"{shown(target)}: this is the photograph itself. Choose another folder.")
    data, stored = read_photo(photo, pixel_limit=pixel_limit)
    there = _packet_there(target)
    if stored.format not in SPLICED:
        if not named.faces:
            return Written("nobody")
        raise SaveError(
            f"{shown(photo)}: names cannot be put into {stored.format.upper()} without encoding "
            "the picture again. Write a sidecar, without --embed."
        )
    try:
        if named.faces:
            frame = stored.frame
            after = with_names(stored.packet, _people(named, frame, shown(photo)), frame)
        else:
            after = Tagged(stored.packet and without_names(stored.packet), [], [])
        changed = data
        if after.packet != stored.packet:
            changed = splice.with_packet(data, after.packet, stored.format)
    except ValueError as error:
        raise SaveError(
            f"{shown(photo)}: cannot take the names in, {error}. Write a sidecar, without --embed."
        ) from error
    is_written = there is not None and added_to(there) is not None
    if not is_written and changed == data:
        return Written("nobody" if not named.faces else "unchanged", None, tuple(after.names))
    old = target.read_bytes() if target.exists() else None
    if old == changed:
        return Written("unchanged", target, tuple(after.names), None, tuple(after.notes))
    if old is not None and not is_written:
        raise SaveError(
            f"{shown(target)}: already there, and not written by opsin people write. "
            "Choose another folder."
        )
    if not dry_run:
        write_atomically(target, changed)
        with suppress(OSError):  # programs go by a photograph's date
            found = photo.stat()
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    status: Status = "written" if named.faces else "removed"
    return Written(status, target, tuple(after.names), None, tuple(after.notes))


def sidecar_of(photo: Path) -> Path:
    """The sidecar to write: one that is there, or `photo.jpg.xmp`.

    `photo.xmp` is another file's where there is a `photo.cr2`, as beside a camera's raw file.
    """
    own = photo.with_name(f"{photo.name}.xmp")
    for path in sidecars(photo):
        if path.name.startswith(photo.name) or _is_alone(photo):
            return path
    return own


def _is_alone(photo: Path) -> bool:
    """Whether no other file but its sidecars is called as the photograph, apart from its suffix."""
    return not any(
        other.stem == photo.stem and other.name != photo.name and other.suffix.lower() != ".xmp"
        for other in photo.parent.iterdir()
    )


def _with_embedded(before: bytes | None, named: Named, stored: Stored, where: str) -> Tagged:
    people, embedded, notes = _people(named, stored.frame, where), stored.packet, []
    if embedded:
        try:
            with_names(embedded, [], stored.frame)
        except ValueError as error:
            notes.append(f"the XMP inside the photograph is broken ({error}), passed over")
            embedded = None
    done = with_names(before, people, stored.frame, embedded=embedded)
    return done._replace(notes=[*notes, *done.notes])


def _people(named: Named, frame: Frame, where: str) -> list[tuple[str, Sequence[float]]]:
    """Names, and boxes in pixels of the photograph as it is now, which may be a smaller copy."""
    height, width = frame.height, frame.width
    if frame.orientation >= 5:
        height, width = width, height
    if not is_shape(Frame(height, width), named.width, named.height):
        raise DataError(
            f"{where}: {width} x {height} pixels, but its faces were named on "
            f"{named.width} x {named.height}. Name them again: opsin people name."
        )
    x, y = width / named.width, height / named.height
    return [
        (face.name, (face.box[0] * x, face.box[1] * y, face.box[2] * x, face.box[3] * y))
        for face in named.faces
    ]


def _status(before: bytes | None, after: bytes | None, named: Named) -> Status:
    if before == after:
        return "unchanged" if named.faces else "nobody"
    return "written" if named.faces else "removed"


def _backup_of(path: Path, data: bytes) -> Path:
    """A free name beside the sidecar, or that of a file which holds just that."""
    for number in itertools.count(1):
        name = f"{path.name}.bak" if number == 1 else f"{path.name}.bak{number}"
        backup = path.with_name(name)
        with suppress(OSError):
            if backup.read_bytes() == data:
                return backup
        if not os.path.lexists(backup):
            return backup
    raise AssertionError


def _packet_there(target: Path) -> bytes | None:
    """The XMP of a file that may be there, if it can be read."""
    with suppress(Exception):
        _, stored = read_photo(target)
        if stored.packet:
            added_to(stored.packet)
            return stored.packet
    return None


def _check_writable(path: Path) -> None:
    """Refuses a sidecar that may not be written to: renaming would replace it all the same."""
    if not path.exists():
        return
    if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
        raise SaveError(
            f"{shown(path)}: may only be read, left as it is. Allow writing to it first."
        )
