"""What a photograph's file says of people is of its stored pixels: their size, orientation, packet.

Only the head of a file is read where its format allows that.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, NamedTuple

from opsin.errors import TruncatedPhotoError
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
