"""XMP packets taken out of files and put into them, without touching the pixels.

Everything else stays byte for byte: the picture is not encoded again. References: XMP specification
part 3 (JPEG, PNG, TIFF), and Google's WebP Container Specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from opsin.formats import exif, png

MARK: Final = b"http://ns.adobe.com/xap/1.0/\0"
MOST: Final = 65_502
"""Bytes of a packet that a JPEG has room for: a segment of 65,533 without the mark."""

KEYWORD: Final = b"XML:com.adobe.xmp"
TAG: Final = 700  # of a TIFF directory
BYTES: Final = 1  # a type of its entries
WITH_XMP: Final = 0x04  # a flag in WebP's VP8X
WITH_ALPHA: Final = 0x10
MOST_UNPACKED: Final = 1 << 26  # bytes: no packet has as many


class _Place(NamedTuple):
    """Where a packet stands, or would."""

    start: int
    end: int
    packet: bytes | None


def packet_of(data: bytes, format: str) -> bytes | None:
    """The XMP packet in a JPEG, PNG, TIFF or WebP file; None where there is none.

    Raises `ValueError` where the file is damaged or of another format.
    """
    if format not in _READERS:
        raise ValueError(f"XMP in {format.upper()} cannot be read here")
    try:
        return _READERS[format](data)
    except (struct.error, IndexError) as error:
        raise ValueError("the file is damaged") from error


def with_packet(data: bytes, packet: bytes | None, format: str) -> bytes:
    """The file with another packet, or with none.

    Raises `ValueError` where the file is damaged or of another format, or has no room for it.
    """
    if format not in _WRITERS:
        raise ValueError(f"XMP cannot be put into {format.upper()} without encoding it again")
    try:
        return _WRITERS[format](data, packet)
    except (struct.error, IndexError) as error:
        raise ValueError("the file is damaged") from error


def _jpeg(data: bytes) -> _Place:
    """Segments up to the pixels; a new packet goes behind JFIF's and EXIF's."""
    at, best = 2, 2
    while True:
        if len(data) < at + 4 or data[at] != 0xFF:
            raise ValueError("its segments are damaged")
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return _Place(best, best, None)
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : end]
        if marker == 0xE1 and body.startswith(MARK):
            return _Place(at, end, body[len(MARK) :])
        if marker == 0xE0 or (marker == 0xE1 and body.startswith(b"Exif\0")):
            best = end
        at = end


def _into_jpeg(data: bytes, packet: bytes | None) -> bytes:
    place = _jpeg(data)
    if packet is None:
        return data[: place.start] + data[place.end :]
    if len(packet) > MOST:
        raise ValueError(
            f"its XMP would take {len(packet):,} bytes, and a JPEG has room for {MOST:,}"
        )
    segment = struct.pack(">2sH", b"\xff\xe1", 2 + len(MARK) + len(packet)) + MARK + packet
    return data[: place.start] + segment + data[place.end :]


def _chunks(data: bytes, start: int, head: str) -> Iterator[tuple[bytes, int, bytes]]:
    """Name, place and content of each chunk of a PNG (">I4s") or WebP ("<4sI")."""
    at = start
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("its chunks are damaged")
        first, second = struct.unpack_from(head, data, at)
        name, size = (second, first) if head[0] == ">" else (first, second)
        if at + 8 + size > len(data):
            raise ValueError("its chunks are damaged")
        yield name, at, data[at + 8 : at + 8 + size]
        at += 8 + size + (4 if head[0] == ">" else size % 2)


def _png(data: bytes) -> _Place:
    behind = 8 + 25  # the signature and the header
    for name, at, body in _chunks(data, 8, ">I4s"):
        if name == b"iTXt" and body.startswith(KEYWORD + b"\0"):
            return _Place(at, at + 12 + len(body), _international(body))
        if name == b"IEND":
            break
    return _Place(behind, behind, None)


def _into_png(data: bytes, packet: bytes | None) -> bytes:
    place = _png(data)
    text = KEYWORD + bytes(5) + (packet or b"")  # not compressed, in no language
    chunk = b"" if packet is None else png.chunk(b"iTXt", text)
    return data[: place.start] + chunk + data[place.end :]


def _international(body: bytes) -> bytes:
    """The text of an iTXt chunk: keyword, 0, is compressed, how, language, 0, translation, 0."""
    is_packed, rest = body[len(KEYWORD) + 1], body[len(KEYWORD) + 3 :]
    text = rest.split(b"\0", 2)[-1]
    if not is_packed:
        return text
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(text, MOST_UNPACKED)
    except zlib.error as error:
        raise ValueError("its XMP is damaged") from error
    if stream.unconsumed_tail:
        raise ValueError("its XMP is too large")
    return unpacked


def _of_webp(data: bytes) -> bytes | None:
    return next((body for name, _, body in _chunks(data, 12, "<4sI") if name == b"XMP "), None)


def _into_webp(data: bytes, packet: bytes | None) -> bytes:
    parts = [(name, body) for name, _, body in _chunks(data, 12, "<4sI") if name != b"XMP "]
    if not parts:
        raise ValueError("its chunks are damaged")
    name, body = parts[0]
    if name == b"VP8X":
        flags = body[0] | WITH_XMP if packet is not None else body[0] & ~WITH_XMP
        extended = bytes([flags]) + body[1:]
        parts = parts[1:]
    elif packet is None:
        return data
    else:
        flags, width, height = WITH_XMP, *_size_of_webp(name, body)
        if name == b"VP8L" and body[4] & 0x10:
            flags |= WITH_ALPHA
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        extended = bytes([flags, 0, 0, 0]) + sides
    last = [] if packet is None else [(b"XMP ", packet)]
    whole = [(b"VP8X", extended), *parts, *last]
    rest = b"WEBP" + b"".join(
        struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2) for name, body in whole
    )
    return b"RIFF" + struct.pack("<I", len(rest)) + rest


def _size_of_webp(name: bytes, body: bytes) -> tuple[int, int]:
    """Width and height of a picture that is a single chunk, lossy or lossless."""
    if len(body) < 10 or name not in (b"VP8 ", b"VP8L"):
        raise ValueError("its chunks are damaged")
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    bits = int.from_bytes(body[1:5], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _of_tiff(data: bytes) -> bytes | None:
    entry = exif.first_directory(data).entries.get(TAG)
    return bytes(entry.value) if entry else None


def _into_tiff(data: bytes, packet: bytes | None) -> bytes:
    """The packet and, behind it, the first directory anew: all that it points to stays in place."""
    first = exif.first_directory(data)
    word, wide, head, step = ("Q", 8, 8, 20) if first.big else ("I", 4, 2, 12)
    pointer = 8 if first.big else 4
    (old,) = struct.unpack_from(first.order + word, data, pointer)
    if len(data) < first.next_at + wide:
        raise ValueError("its directory is cut off")
    records = [data[at : at + step] for at in range(old + head, first.next_at, step)]
    at = len(data) + len(data) % 2
    tags = {struct.unpack_from(first.order + "H", one)[0]: one for one in records}
    tags.pop(TAG, None)
    if packet is not None:
        tags[TAG] = struct.pack(first.order + "HH" + 2 * word, TAG, BYTES, len(packet), at)
    packet = packet or b""
    packet += bytes(len(packet) % 2)
    if not first.big and at + len(packet) + step * (len(tags) + 1) >= 1 << 32:
        raise ValueError("it is too large a TIFF to be added to")
    count = struct.pack(first.order + ("Q" if first.big else "H"), len(tags))
    directory = count + b"".join(tags[tag] for tag in sorted(tags))
    directory += data[first.next_at : first.next_at + wide]
    start = struct.pack(first.order + word, at + len(packet))
    file = data[:pointer] + start + data[pointer + wide :]
    return file.ljust(at, b"\0") + packet + directory


_READERS: Final[dict[str, Callable[[bytes], bytes | None]]] = {
    "jpeg": lambda data: _jpeg(data).packet,
    "png": lambda data: _png(data).packet,
    "webp": _of_webp,
    "tiff": _of_tiff,
}
_WRITERS: Final[dict[str, Callable[[bytes, bytes | None], bytes]]] = {
    "jpeg": _into_jpeg,
    "png": _into_png,
    "webp": _into_webp,
    "tiff": _into_tiff,
}
