"""EXIF blobs and the TIFF directories they are made of.

A blob is a small TIFF: a header (byte order, 42, offset), then directories (IFDs) of
12-byte entries (tag, type, count, value or offset). Blobs are patched in place, so
that makers' notes, which count offsets from the blob's start, stay readable. Only a
blob that comes from or goes into a TIFF file is rebuilt, little-endian.
Reference: CIPA DC-008 (Exif 2.32) and TIFF 6.0. Broken blobs raise `ValueError`.
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple

from opsin.formats.metadata import sensible_dpi

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8}  # BigTIFF
WORDS = {**SIZES, 5: 4, 10: 4}  # what a change of byte order turns around
SHORT, LONG, UNDEFINED, LONG8 = 3, 4, 7, 16

BITS = 0x0102
ORIENTATION, EXIF_POINTER, GPS_POINTER = 0x0112, 0x8769, 0x8825
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202
PIXELS_X, PIXELS_Y, INTEROP_POINTER = 0xA002, 0xA003, 0xA005
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
TAKEN = 0x9003  # DateTimeOriginal; others are of the file
CM_PER_INCH = 2.54
# Where the pixels lie and how many bytes they take, in strips and in tiles.
PIXELS = ((0x0111, 0x0117), (0x0144, 0x0145))
IPTC = 0x83BB
WIDTH, HEIGHT, COMPRESSION, ROWS_PER_STRIP = 0x0100, 0x0101, 0x0103, 0x0116
TILE_WIDTH, TILE_HEIGHT = 0x0142, 0x0143
JPEG_IN_TIFF = 7  # a compression
SUBFILE_TYPE, SUB_DIRECTORIES, DNG_VERSION = 0x00FE, 0x014A, 0xC612

# The tags of a first directory that tell about the photograph, not about its file.
TELLING = {
    *(0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C),
    *(0x4746, 0x4749, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
}


class Entry(NamedTuple):
    type: int  # of its numbers, as TIFF has them: SHORT, LONG, ...
    number: int
    value: bytes | memoryview  # in the byte order of the blob
    at: int  # where the value lies in the blob


class Directory(NamedTuple):
    entries: dict[int, Entry]
    next_at: int  # where the offset of the next directory stands
    order: str  # "<" or ">"
    big: bool  # BigTIFF, with offsets of 8 bytes

    def numbers(self, tag: int) -> tuple[int, ...]:
        entry = self.entries.get(tag)
        letter = {SHORT: "H", LONG: "I", LONG8: "Q"}.get(entry.type) if entry else None
        if entry is None or letter is None:
            return ()
        return struct.unpack(f"{self.order}{entry.number}{letter}", entry.value)

    def number(self, tag: int, default: int = 0) -> int:
        return (*self.numbers(tag), default)[0]


def orientation(exif: bytes) -> int:
    """1 to 8, 1 where nothing is said."""
    value = first_directory(exif).number(ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def upright(exif: bytes, *, size_hw: tuple[int, int]) -> bytes:
    """The blob of the picture once it is turned: orientation 1, its size, no thumbnail."""
    out = bytearray(exif)
    first = first_directory(exif)
    turned = first.number(ORIENTATION, 1) in (5, 6, 7, 8)
    _patch(out, first, ORIENTATION, 1)
    if turned and {X_RESOLUTION, Y_RESOLUTION} <= first.entries.keys():
        x, y = first.entries[X_RESOLUTION], first.entries[Y_RESOLUTION]
        if len(x.value) == len(y.value) == 8:
            out[x.at : x.at + 8], out[y.at : y.at + 8] = y.value, x.value
    if child := _child(exif, first, EXIF_POINTER):
        _patch(out, child, PIXELS_X, size_hw[1])
        _patch(out, child, PIXELS_Y, size_hw[0])
    done = _without_thumbnail(out, first)
    _told(done)  # in a broken blob a value may have lain over a directory
    return done


def dpi(exif: bytes) -> tuple[float, float] | None:
    """(x, y), or None where nothing is said."""
    first = first_directory(exif)
    found = [first.entries.get(tag) for tag in (X_RESOLUTION, Y_RESOLUTION)]
    sides = [struct.unpack(first.order + "II", e.value) for e in found if e and len(e.value) == 8]
    unit = {2: 1.0, 3: CM_PER_INCH}.get(first.number(RESOLUTION_UNIT, 2))
    if unit is None or len(sides) < 2 or not all(top and bottom for top, bottom in sides):
        return None
    return sensible_dpi(*(top / bottom * unit for top, bottom in sides))


def taken(exif: bytes) -> str | None:
    """When the photograph was taken, as the blob has it ("1931:07:14 12:00:00"), or None."""
    child = _child(exif, first_directory(exif), EXIF_POINTER)
    entry = child.entries.get(TAKEN) if child else None
    return bytes(entry.value).split(b"\0")[0].decode("latin-1") if entry else None


def without_unit(tiff: bytes) -> bytes:
    """The TIFF file with its resolution unit set to none."""
    out = bytearray(tiff)
    _patch(out, first_directory(tiff), RESOLUTION_UNIT, 1)
    return bytes(out)


def pixels_are_there(tiff: bytes | memoryview) -> bool:
    """Whether the strips or tiles of the first page lie within the file."""
    first = first_directory(tiff)
    return all(
        start + count <= len(tiff)
        for offsets, counts in PIXELS
        for start, count in zip(first.numbers(offsets), first.numbers(counts), strict=False)
    )


def size_of(tiff: bytes | memoryview) -> tuple[int, int]:
    """Width and height of the first page."""
    first = first_directory(tiff)
    return first.number(WIDTH), first.number(HEIGHT)


def rows_there(tiff: bytes | memoryview) -> tuple[int, int]:
    """How many rows of a cut-off file's first page are there, and where its pixels should end.

    The end is that of the file where its pixels are compressed: they cannot be made up.
    """
    first = first_directory(tiff)
    width, height = size_of(tiff)
    tall = first.number(TILE_HEIGHT)
    across = -(-width // first.number(TILE_WIDTH, 1)) if tall else 1
    offsets, counts = PIXELS[bool(tall)]
    tall = tall or min(first.number(ROWS_PER_STRIP, height), height)
    is_plain = across == 1 and first.number(COMPRESSION, 1) == 1
    rows, end = height, len(tiff)
    for index, (start, count) in enumerate(
        zip(first.numbers(offsets), first.numbers(counts), strict=False)
    ):
        if start + count <= len(tiff):
            continue
        top = index // across % -(-height // tall) * tall  # planes lie one behind the other
        if is_plain:
            stride = -(-count // min(tall, height - top))
            top += max(0, len(tiff) - start) // stride
            end = max(end, min(start + count, len(tiff) + count * len(first.numbers(counts))))
        elif not first.entries.keys() & {TILE_HEIGHT}:
            top += tall if start < len(tiff) else 0  # the reader will tell how far this strip goes
        rows = min(rows, top)
    return rows, end


def is_jpeg_in_tiff(tiff: bytes | memoryview) -> bool:
    """Whether the first page's pixels are JPEG of the present style."""
    return first_directory(tiff).number(COMPRESSION) == JPEG_IN_TIFF


def bits(tiff: bytes | memoryview) -> int:
    """Bits per channel of the first page; 1 where nothing is said."""
    return first_directory(tiff).number(BITS) or 1


def iptc(tiff: bytes | memoryview) -> bytes | None:
    """The IPTC-IIM bytes in a TIFF file's first directory.

    They are often declared as 32-bit numbers: libvips then reads a quarter of them, and
    some writers turned them around.
    """
    entry = first_directory(tiff).entries.get(IPTC)
    value = bytes(entry.value) if entry else b""
    if value[3:4] == b"\x1c" != value[:1]:
        value = b"".join(value[i : i + 4][::-1] for i in range(0, len(value), 4))
    return value.rstrip(b"\0") if value[:1] == b"\x1c" else None


def from_tiff(data: bytes | memoryview) -> bytes | None:
    """The blob that a TIFF file's first directory amounts to; None where it tells nothing."""
    telling, children = _told(data)
    if not telling and not children:
        return None
    return struct.pack("<2sHI", b"II", 42, 8) + _pack_tree(telling, children, {}, at=8)


def into_tiff(tiff: bytes, exif: bytes | None, iptc: bytes | None) -> bytes:
    """The little-endian TIFF file with what the blobs tell, in a new directory at its end."""
    own = first_directory(tiff)
    start = int.from_bytes(tiff[4:8], "little") + 2
    kept = {tag: tiff[start + 12 * i : start + 12 * i + 12] for i, tag in enumerate(own.entries)}
    telling, children = _told(exif) if exif else ({}, {})
    telling = {tag: entry for tag, entry in telling.items() if tag not in kept}
    if iptc:  # libvips would write a quarter of it
        telling[IPTC] = Entry(UNDEFINED, len(iptc), iptc, 0)
    at = len(tiff) + len(tiff) % 2
    tree = _pack_tree(telling, children, kept, at=at)
    return tiff[:4] + struct.pack("<I", at) + tiff[8:].ljust(at - 8, b"\0") + tree


def first_directory(data: bytes | memoryview) -> Directory:
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    (magic,) = struct.unpack_from(order + "H", data, 2)
    if magic == 42:
        return _directory(data, struct.unpack_from(order + "I", data, 4)[0], order)
    if magic == 43 and len(data) >= 16:
        return _directory(data, struct.unpack_from(order + "Q", data, 8)[0], order, big=True)
    raise ValueError(f"TIFF magic is {magic}, not 42 or 43")


def _directory(
    data: bytes | memoryview, offset: int, order: str, *, big: bool = False
) -> Directory:
    count_format, entry_format = order + "HQ"[big], order + "HH" + "IQ"[big]
    inline, step = (8, 20) if big else (4, 12)
    if offset > len(data):  # of 8 bytes it may be more than an index can be
        raise ValueError(f"directory at {offset} is beyond the end")
    view = memoryview(data)  # a hostile file may name the same bytes many times: copy none
    try:
        (count,) = struct.unpack_from(count_format, data, offset)
        start = offset + struct.calcsize(count_format)
        entries = {}
        for at in range(start, start + step * count, step):
            tag, type_, number = struct.unpack_from(entry_format, data, at)
            size = SIZES.get(type_, 0) * number
            place = at + step - inline
            if size > inline:
                (place,) = struct.unpack_from(order + "IQ"[big], data, place)
            if place + size > len(data):
                if any(tag in pair for pair in PIXELS):
                    raise ValueError(f"tag {tag:#06x} points past the end")
                continue  # a damaged tag that nobody needs
            entries[tag] = Entry(type_, number, view[place : place + size], place)
    except struct.error as error:
        raise ValueError(f"directory at {offset} is cut off") from error
    return Directory(entries, start + step * count, order, big)


def _child(data: bytes | memoryview, parent: Directory, pointer: int) -> Directory | None:
    entry = parent.entries.get(pointer)
    if entry is None or entry.number != 1 or len(entry.value) not in (4, 8):
        return None
    offset = int.from_bytes(entry.value, "little" if parent.order == "<" else "big")
    return _directory(data, offset, parent.order, big=parent.big)


def _patch(out: bytearray, directory: Directory, tag: int, number: int) -> None:
    entry = directory.entries.get(tag)
    if entry and entry.type in (SHORT, LONG) and entry.number == 1:
        struct.pack_into(directory.order + "HI"[entry.type == LONG], out, entry.at, number)


def _without_thumbnail(out: bytearray, first: Directory) -> bytes:
    if len(out) < first.next_at + 4:
        return bytes(out)
    (offset,) = struct.unpack_from(first.order + "I", out, first.next_at)
    struct.pack_into("4x", out, first.next_at)
    if not offset:
        return bytes(out)
    try:
        second = _directory(bytes(out), offset, first.order)
    except ValueError:
        return bytes(out)
    start, length = second.number(THUMBNAIL_OFFSET), second.number(THUMBNAIL_LENGTH)
    if start <= offset or start + length > len(out):  # it would not lie behind its directory
        return bytes(out)
    if start + length >= len(out) - 2:
        del out[start:]
    else:
        out[start : start + length] = bytes(length)
    return bytes(out)


def _little(directory: Directory, tag: int) -> Entry:
    entry = directory.entries[tag]
    word = WORDS.get(entry.type, 1)
    value = bytes(entry.value)
    if directory.order == ">" and word > 1:
        value = b"".join(value[i : i + word][::-1] for i in range(0, len(value), word))
    return entry._replace(value=value)


def _told(
    data: bytes | memoryview,
) -> tuple[dict[int, Entry], dict[int, dict[int, Entry]]]:
    """What a first directory tells about the photograph, and its Exif and GPS directories."""
    first = first_directory(data)
    telling = {tag: _little(first, tag) for tag in first.entries.keys() & TELLING}
    children = {
        pointer: {tag: _little(child, tag) for tag in child.entries if tag != INTEROP_POINTER}
        for pointer in (EXIF_POINTER, GPS_POINTER)
        if (child := _child(data, first, pointer))
    }
    return telling, children


def _pack_tree(
    telling: Mapping[int, Entry],
    children: Mapping[int, Mapping[int, Entry]],
    kept: Mapping[int, bytes],
    *,
    at: int,
) -> bytes:
    """A first directory and its children, to be put at offset `at`."""
    pointers = dict.fromkeys(children, Entry(LONG, 1, bytes(4), 0))
    tail = b""
    below = at + len(_pack({**telling, **pointers}, kept, at=at))
    for pointer, entries in children.items():
        pointers[pointer] = Entry(LONG, 1, struct.pack("<I", below + len(tail)), 0)
        tail += _pack(entries, {}, at=below + len(tail))
    return _pack({**telling, **pointers}, kept, at=at) + tail


def _pack(entries: Mapping[int, Entry], kept: Mapping[int, bytes], *, at: int) -> bytes:
    """A little-endian directory and its values; `kept` are ready-made 12-byte entries."""
    records = dict(kept)
    values = b""
    behind = at + 2 + 12 * len(entries.keys() | kept.keys()) + 4
    for tag, entry in entries.items():
        field = bytes(entry.value).ljust(4, b"\0")
        if len(field) > 4:
            field = struct.pack("<I", behind + len(values))
            values += bytes(entry.value) + bytes(len(entry.value) % 2)
        records[tag] = struct.pack("<HHI", tag, entry.type, entry.number) + field
    body = b"".join(records[tag] for tag in sorted(records))
    return struct.pack("<H", len(records)) + body + bytes(4) + values
