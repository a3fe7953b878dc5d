"""What regions of a photograph count from is its stored pixels: size, orientation, packet.

Only the head of a file is read where its format allows that.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from opsin.defaults import PIXEL_LIMIT
from opsin.errors import PhotoError, TruncatedPhotoError
from opsin.files import read_whole, shown
from opsin.formats import splice
from opsin.formats.decode import decode
from opsin.formats.finish import turn_of
from opsin.formats.header import LOADERS, metadata_of, opened
from opsin.formats.regions import Frame
from opsin.formats.sniff import sniff
from opsin.formats.vips import vips

SPLICED: Final = ("jpeg", "png", "tiff", "webp")
"""Formats into which a packet can be put without encoding the picture again."""


class Stored(NamedTuple):
    """A file, apart from its pixels."""

    format: str
    frame: Frame
    packet: bytes | None


def read_photo(photo: Path, *, pixel_limit: int = PIXEL_LIMIT) -> tuple[bytes, Stored]:
    """A photograph's bytes, and what its file stores. Raises `PhotoError`."""
    try:
        data = read_whole(photo)
    except OSError as error:
        raise PhotoError(f"{shown(photo)}: cannot be read ({error.strerror}).") from error
    return data, read_stored(data, where=shown(photo), limit=pixel_limit)


def read_stored(data: bytes, *, where: str, limit: int) -> Stored:
    """What a photograph's file stores; `where` names it in errors, `limit` is in pixels.

    Raises `PhotoError` where it is no photograph, or is damaged.
    """
    format = sniff(data, where)
    if format not in LOADERS:  # these have no orientation of their own, or are turned by it
        decoded = decode(data, where=where, source=None, limit=limit)
        height, width = decoded.pixels.shape[:2]
        return Stored(format, Frame(height, width), decoded.metadata.xmp)
    try:
        image = opened(data, format, fail_on="none")
        metadata = metadata_of(image, data, format, None)
        frame = Frame(image.height, image.width, turn_of(image, metadata))
    except vips().Error as error:
        raise TruncatedPhotoError(
            f"{where}: the picture is damaged or cut off. Copy it again from where it came from."
        ) from error
    packet = metadata.xmp
    if format in SPLICED:
        with suppress(ValueError):
            packet = splice.packet_of(data, format)
    return Stored(format, frame, packet)
