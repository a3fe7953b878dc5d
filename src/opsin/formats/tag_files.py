"""Names of people and things written beside photographs, or into copies of them; photographs are
never touched.

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
from opsin.formats.sidecars import read_sidecar, sidecar_of
from opsin.formats.stored import SPLICED, Stored, read_photo
from opsin.formats.tag_writer import Kind
from opsin.formats.tagging import Tagged, with_tags, without_tags

Status = Literal["written", "removed", "unchanged", "nothing"]


@dataclass(frozen=True)
class Tags:
    """What is named on a photograph, and the size that its boxes count from."""

    kind: Kind
    named: Sequence[tuple[str, Sequence[float]]] = ()
    """Names, and boxes (x1, y1, x2, y2) in pixels of the upright photograph."""
    width: int = 0
    """Of the upright photograph, in pixels."""
    height: int = 0
    notes: tuple[str, ...] = ()
    """What is to be told of the photograph."""


@dataclass(frozen=True)
class Written:
    """What became of a photograph's names."""

    status: Status
    """"nothing": there is nothing to write, and nothing was written before."""
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
    photo: Path, tags: Tags, *, dry_run: bool = False, pixel_limit: int = PIXEL_LIMIT
) -> Written:
    """Writes the names into the photograph's sidecar; with none, takes out what was written.

    Raises `PhotoError`, `DataError` where the sidecar is no XMP, and `SaveError`; it is as it was
    then.
    """
    path = sidecar_of(photo)
    before = read_sidecar(path) if os.path.lexists(path) else None
    try:
        if not tags.named:
            after = Tagged(before and without_tags(before, tags.kind), [], [])
        else:
            _, stored = read_photo(photo, pixel_limit=pixel_limit)
            after = _with_embedded(before, tags, stored, shown(photo))
        is_others = before is not None and added_to(before) is None
    except ValueError as error:
        raise DataError(
            f"{shown(path)}: this is no XMP ({error}); left as it is. Mend it or move it away."
        ) from error
    status = _status(before, after.packet, tags)
    if status in ("unchanged", "nothing"):
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
    tags: Tags,
    target: Path,
    *,
    dry_run: bool = False,
    pixel_limit: int = PIXEL_LIMIT,
) -> Written:
    """Writes a copy of the photograph with the names inside, its pixels as they are.

    With no names there is no copy, unless one is to be replaced that has some. What a copy that is
    there names of another kind is taken over. Raises `PhotoError` and `SaveError`; where the target
    is a file that was not made so, it stays.
    """
    if os.path.realpath(target) == os.path.realpath(photo):
        raise SaveError(f"{shown(target)}: this is the photograph itself. Choose another folder.")
    data, stored = read_photo(photo, pixel_limit=pixel_limit)
    there = _packet_there(target)
    if stored.format not in SPLICED:
        if not tags.named:
            return Written("nothing")
        raise SaveError(
            f"{shown(photo)}: names cannot be put into {stored.format.upper()} without encoding "
            "the picture again. Write a sidecar, without --embed."
        )
    frame = stored.frame
    try:
        named = _on(tags, frame, shown(photo))
        after = with_tags(tags.kind, stored.packet, named, frame, beside=there)
        changed = data
        if after.packet != stored.packet:
            changed = splice.with_packet(data, after.packet, stored.format)
    except ValueError as error:
        raise SaveError(
            f"{shown(photo)}: cannot take the names in, {error}. Write a sidecar, without --embed."
        ) from error
    is_written = there is not None and added_to(there) is not None
    if not is_written and changed == data:
        return Written("nothing" if not tags.named else "unchanged", None, tuple(after.names))
    old = target.read_bytes() if target.exists() else None
    if old == changed:
        return Written("unchanged", target, tuple(after.names), None, tuple(after.notes))
    if old is not None and not is_written:
        raise SaveError(
            f"{shown(target)}: already there, and not written by opsin. Choose another folder."
        )
    if not dry_run:
        write_atomically(target, changed)
        with suppress(OSError):  # programs go by a photograph's date
            found = photo.stat()
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    status: Status = "written" if tags.named else "removed"
    return Written(status, target, tuple(after.names), None, tuple(after.notes))


def _with_embedded(before: bytes | None, tags: Tags, stored: Stored, where: str) -> Tagged:
    named, embedded, notes = _on(tags, stored.frame, where), stored.packet or b"", []
    if embedded:
        try:
            with_tags(tags.kind, embedded, [], stored.frame)
        except ValueError as error:
            notes.append(f"the XMP inside the photograph is broken ({error}), passed over")
            embedded = b""
    done = with_tags(tags.kind, before, named, stored.frame, embedded=embedded)
    return done._replace(notes=[*notes, *done.notes])


def _on(tags: Tags, frame: Frame, where: str) -> list[tuple[str, Sequence[float]]]:
    """Names, and boxes in pixels of the photograph as it is now, which may be a smaller copy."""
    height, width = frame.height, frame.width
    if frame.orientation >= 5:
        height, width = width, height
    if not tags.named:
        return []
    if not is_shape(Frame(height, width), tags.width, tags.height):
        raise DataError(
            f"{where}: {width} x {height} pixels, but its {tags.kind.name} were named on "
            f"{tags.width} x {tags.height}. Name them again: {tags.kind.again}."
        )
    x, y = width / tags.width, height / tags.height
    return [(name, (box[0] * x, box[1] * y, box[2] * x, box[3] * y)) for name, box in tags.named]


def _status(before: bytes | None, after: bytes | None, tags: Tags) -> Status:
    if before == after:
        return "unchanged" if tags.named else "nothing"
    return "written" if tags.named else "removed"


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
