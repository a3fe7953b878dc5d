"""Damaged PNG files, mended around what is missing.

A PNG is a row of chunks; its pixels are one stream of Deflate, in chunks called IDAT: rows, each
behind a byte that names its filter, and if interlaced seven such pictures, coarse to fine (Adam7).
What can be unpacked is packed again, with rows of zeros behind it, so that any reader reads it.
Reference: W3C, PNG Specification (Third Edition).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
BANDS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
LAST_FILTER: Final = 4
PIECE: Final = 4096  # bytes unpacked at once: what comes before damage is kept


class Pass(NamedTuple):
    """Pixels that are stored together, and how many of their rows are there."""

    left: int
    top: int
    across: int  # steps from pixel to pixel
    down: int
    wide: int  # pixels that one stands for, until finer ones come
    tall: int
    rows: int = 0


PLAIN: Final = (Pass(0, 0, 1, 1, 1, 1),)
ADAM7: Final = (
    *(Pass(0, 0, 8, 8, 8, 8), Pass(4, 0, 8, 8, 4, 8), Pass(0, 4, 4, 8, 4, 4)),
    *(Pass(2, 0, 4, 4, 2, 4), Pass(0, 2, 2, 4, 2, 2), Pass(1, 0, 2, 2, 1, 2)),
    Pass(0, 1, 1, 2, 1, 1),
)


class Mended(NamedTuple):
    """A file that can be read, and what of it is true."""

    data: bytes
    passes: tuple[Pass, ...]
    is_doubtful: bool
    """Some of the rows were in a chunk whose check sum is wrong."""


def mended(data: bytes, check: Callable[[int, int], None]) -> Mended:
    """The file with rows of zeros where its own are missing.

    `check` is given width and height before anything is unpacked. Raises `ValueError` or
    `struct.error` where not even the beginning makes sense.
    """
    before, packed, behind, is_doubtful = _chunks(data)
    width, height, depth, color, interlaced = struct.unpack_from(">IIBB2xB", data, 16)
    if not before.startswith(b"\0\0\0\x0dIHDR") or color not in BANDS:
        raise ValueError("its header is damaged")
    check(width, height)
    shapes = []
    for one in ADAM7 if interlaced else PLAIN:
        columns = len(range(one.left, width, one.across))
        rows = len(range(one.top, height, one.down)) if columns else 0
        shapes.append((one, rows, 1 + -(-columns * depth * BANDS[color] // 8)))
    whole = sum(rows * stride for _, rows, stride in shapes)
    raw = _unpacked(packed, whole)
    passes, at = [], 0
    for one, rows, stride in shapes:
        filters = raw[at : at + rows * stride : stride][: max(0, len(raw) - at) // stride]
        there = next((row for row, code in enumerate(filters) if code > LAST_FILTER), len(filters))
        passes.append(one._replace(rows=there))
        if there < rows:
            raw = raw[: at + there * stride]
        at += rows * stride
    pixels = zlib.compress(raw.ljust(whole, b"\0"), 1)
    file = SIGNATURE + before + chunk(b"IDAT", pixels) + behind + chunk(b"IEND", b"")
    return Mended(file, tuple(passes), is_doubtful)


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk with its length and its check sum."""
    check = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + check


def _chunks(data: bytes) -> tuple[bytes, bytes, bytes, bool]:
    """The sound chunks before the pixels, the packed pixels as far as they go, the chunks behind.

    Also whether the last of the pixels' chunks is all there, but has a wrong check sum.
    """
    before, packed, behind = b"", [], b""
    at, is_doubtful = len(SIGNATURE), False
    while at + 8 < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        body = data[at + 8 : end - 4]
        is_sound = data[at:end] == chunk(name, body)
        if name == b"IDAT" and not is_doubtful:  # what follows damage would be in the wrong place
            packed.append(body)
            is_doubtful = not is_sound and end <= len(data)
        elif is_sound and name not in (b"IDAT", b"IEND"):
            if packed:
                behind += data[at:end]
            else:
                before += data[at:end]
        at = end
    return before, b"".join(packed), behind, is_doubtful


def _unpacked(packed: bytes, most: int) -> bytes:
    """As much as can be unpacked."""
    stream, raw = zlib.decompressobj(), bytearray()
    try:
        for at in range(0, len(packed), PIECE):
            raw += stream.decompress(packed[at : at + PIECE], max(1, most - len(raw)))
            if len(raw) >= most:
                break
    except zlib.error:
        pass
    return bytes(raw[:most])
