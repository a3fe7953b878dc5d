"""The names that a photograph's own metadata has for its faces, in it or in a sidecar beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsin.defaults import PIXEL_LIMIT
from opsin.errors import DataError
from opsin.files import shown
from opsin.formats.regions import Frame, Names, distinct, key_of, read_names
from opsin.formats.sidecars import read_sidecar, sidecars
from opsin.formats.stored import read_photo
from opsin.formats.tagging import without_tags
from opsin.people.records import NamedFace


@dataclass(frozen=True)
class Told:
    """The people whom a photograph's metadata names."""

    faces: tuple[NamedFace, ...]
    """Named regions, boxes in pixels of the upright photograph."""
    files: tuple[str, ...]
    """The file that each face is named in."""
    others: tuple[str, ...]
    """People who are said to be on it, and not where."""
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {
            "people": [
                {"name": face.name, "box": [round(one, 1) for one in face.box], "file": file}
                for face, file in zip(self.faces, self.files, strict=True)
            ],
            "others": list(self.others),
        }


def names_in(photo: Path, *, own: bool = False, pixel_limit: int = PIXEL_LIMIT) -> Told:
    """The names in a photograph's sidecars and in itself; what a sidecar says comes first.

    Names that opsin has written are among them with `own`. A broken packet is a note. Raises
    `PhotoError` where the photograph cannot be read.
    """
    _, stored = read_photo(photo, pixel_limit=pixel_limit)
    regions, others, notes = [], [], []
    packets: list[tuple[Path, bytes]] = []
    for path in dict.fromkeys(sidecars(photo)):
        try:
            packets.append((path, read_sidecar(path)))
        except DataError as error:
            notes.append(str(error))
    if stored.packet:
        packets.append((photo, stored.packet))
    for path, packet in packets:
        try:
            names = _names(packet, stored.frame, own=own)
        except ValueError as error:
            notes.append(f"{shown(path.name)}: its XMP is broken ({error}), not read")
            continue
        regions += [(one, path.name) for one in names.regions]
        others += names.others
        notes += names.notes
    kept = distinct([one for one, _ in regions])
    files = [next(file for one, file in regions if one is region) for region in kept]
    placed = {key_of(one.name) for one in kept}
    return Told(
        tuple(NamedFace(one.name, one.box, "metadata") for one in kept),
        tuple(files),
        tuple(one for one in dict.fromkeys(others) if key_of(one) not in placed),
        tuple(notes),
    )


def _names(packet: bytes, frame: Frame, *, own: bool) -> Names:
    left = packet if own else without_tags(packet)
    return read_names(left, frame) if left else Names([], [], [])
