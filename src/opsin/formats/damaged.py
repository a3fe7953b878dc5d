"""Damaged photographs, taken as far as they go.

Each format is read row by row, as it was stored, up to the first row that is not there. What
is missing is mid-gray, so that nobody takes it for a part of the picture, and `Metadata.there` says
what is not: nothing is invented. Kinds that keep a picture in one piece (AVIF, JPEG 2000) have no
part that could be taken.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.errors import TruncatedPhotoError
from opsin.formats import bmp, exif, png
from opsin.formats.finish import Decoded, check_size, finish, turn_of
from opsin.formats.header import metadata_of, of_bmp, opened, tidied
from opsin.formats.vips import vips

Array = NDArray[Any]

DTYPES: Final = {"uchar": "u1", "ushort": "u2", "float": "f4", "double": "f8"}
COARSE: Final = ("part of its detail is missing",)
DOUBTFUL: Final = ("parts may look wrong",)
# The side that was stored last, once the picture is turned upright by its orientation, 1 to 8.
LAST: Final = ("lower", "lower", "upper", "upper", "right", "left", "left", "right")
JPEG_FILL: Final = (127, 128)  # what libjpeg puts where data are missing
BLOCK: Final = 8  # pixels of a JPEG's blocks: a row is there if its last block is
GIF_STEP: Final = 8  # from row to row of an interlaced GIF's first pass
# Not every filling can be decoded, so there are several.
WEBP_FILLINGS: Final = tuple(bytes([value]) for value in range(0, 256, 17))
WEBP_MOST: Final = 1 << 29  # bytes


Check = Callable[[int, int], None]
"""Raises if a picture of this width and height is too large."""


class Part(NamedTuple):
    """What a file still holds."""

    header: Any  # the libvips image, for what it says about itself
    pixels: Array  # (H, W, bands), of all rows
    rows: int  # how many of them, from the first stored, are there
    notes: tuple[str, ...] = ()  # what else there is to say


def as_far_as_it_goes(
    data: bytes | memoryview, format: str, *, where: str, source: str | None, limit: int
) -> Decoded:
    """The photograph in a damaged file.

    Raises `TruncatedPhotoError` where nothing of it can be read.
    """

    def check(width: int, height: int) -> None:
        check_size(width, height, where=where, limit=limit)

    data = bytes(data)
    with suppress(vips().Error, ValueError, EOFError, KeyError, struct.error):
        if format == "bmp":
            return _bmp(data, check, source)
        part = PARTS[format](data, check)
        if part.rows:
            image, metadata = _image(part), metadata_of(part.header, data, format, source)
            decoded = tidied(finish(image, where=where, metadata=metadata), part.header, format)
            return _marked(decoded, part.rows, turn_of(image, metadata), part.notes)
    raise TruncatedPhotoError(
        f"{where}: the picture is so damaged that nothing of it can be read. "
        "Copy it again from where it came from."
    )


def _marked(decoded: Decoded, rows: int, turn: int, notes: tuple[str, ...] = ()) -> Decoded:
    """The photograph with what is missing in gray, and told."""
    side = LAST[turn - 1]
    height, width = decoded.pixels.shape[:2]
    lies = side in ("left", "right")
    total = width if lies else height
    kept = slice(0, rows) if side in ("lower", "right") else slice(total - rows, total)
    there = (slice(0, height), kept) if lies else (kept, slice(0, width))
    said = list(notes)
    if rows < total:
        percent = min(max(1, round(100 - 100 * rows / total)), 99)
        said.insert(0, f"the {side} {percent} % are missing: marked gray")
    damage = "; ".join(said) or "the file is damaged, but no row of the picture is missing"
    pixels, alpha, metadata = decoded
    white = np.iinfo(pixels.dtype).max
    return Decoded(
        _only(pixels, there, (white + 1) // 2),
        None if alpha is None else _only(alpha, there, white),
        replace(
            metadata,
            damage=damage,
            there=there if rows < total else None,
            notes=(*metadata.notes, damage),
        ),
    )


def _only(values: Array, there: tuple[slice, slice], other: int) -> Array:
    out = np.full_like(values, other)
    out[there] = values[there]
    return out


def _rows(image: Any) -> tuple[Array, int]:
    """The pixels (H, W, bands) of an image, and how many rows of it can be read."""
    region = vips().Region.new(image)
    dtype = DTYPES[image.format]
    pixels = np.zeros((image.height, image.width, image.bands), dtype)
    for y in range(image.height):
        try:
            row = region.fetch(0, y, image.width, 1)
        except vips().Error:
            return pixels, y
        pixels[y] = np.frombuffer(row, dtype).reshape(image.width, image.bands)
    return pixels, image.height


def _image(part: Part) -> Any:
    """The pixels as a libvips image, with the profile and orientation of their file."""
    height, width, bands = part.pixels.shape
    data = np.ascontiguousarray(part.pixels).data
    image = vips().Image.new_from_memory(data, width, height, bands, part.header.format)
    image = image.copy(interpretation=part.header.interpretation)
    for field, type_ in (
        ("icc-profile-data", vips().GValue.blob_type),
        ("orientation", vips().GValue.gint_type),
    ):
        if part.header.get_typeof(field):
            image.set_type(type_, field, part.header.get(field))
    return image


def _jpeg(data: bytes, check: Check) -> Part:
    header = opened(data, "jpeg", fail_on="none")
    check(header.width, header.height)
    _, sure = _rows(opened(data, "jpeg", fail_on="truncated"))
    pixels, read = _rows(header)
    real = np.flatnonzero(~np.isin(pixels[:read, -BLOCK:], JPEG_FILL).all(axis=(1, 2)))
    rows = max(sure, int(real.max(initial=-1)) + 1)
    if header.get_typeof("interlaced"):  # progressive
        return Part(header, pixels, rows, COARSE if sure < len(pixels) else ())
    return Part(header, pixels, rows if rows == len(pixels) else rows // BLOCK * BLOCK)


def _tiff(data: bytes, check: Check) -> Part:
    check(*exif.size_of(data))
    rows, end = exif.rows_there(data)
    padded = data.ljust(end, b"\0")  # libvips does not hold it
    header = opened(padded, "tiff", fail_on="error")
    pixels, read = _rows(header)
    return Part(header, pixels, min(rows, read))


def _gif(data: bytes, check: Check) -> Part:
    """libvips leaves what is missing transparent: the end, and if interlaced rows in between."""
    header = opened(data, "gif", fail_on="none")
    check(header.width, header.height)
    pixels, read = _rows(header)
    if pixels.shape[2] < 4:
        return Part(header, pixels, read)
    here = np.flatnonzero(pixels[:, -1, 3])
    rows = int(here.max(initial=-1)) + 1
    if is_coarse := len(here) < rows:
        rows = min(rows + GIF_STEP - 1, len(pixels))
    nearest = np.zeros(len(pixels), np.intp)
    nearest[here] = here
    pixels = pixels[np.maximum.accumulate(nearest)]
    if rows and pixels[:rows, :, 3].min() == 255:
        pixels = pixels[..., :3]
    return Part(header, pixels, rows, COARSE if is_coarse else ())


def _webp(data: bytes, check: Check) -> Part:
    """Decoded with several fillings of what is missing: rows that are the same are there."""
    before, name, body, size = _webp_parts(data)
    header, found = None, []
    for filling in WEBP_FILLINGS:
        filled = body + filling * (size - len(body) + size % 2)
        rest = b"WEBP" + before + name + struct.pack("<I", size) + filled
        file = b"RIFF" + struct.pack("<I", len(rest)) + rest
        try:
            header = opened(file, "webp", fail_on="none")
            check(header.width, header.height)
            found.append(header.numpy().reshape(header.height, header.width, header.bands))
        except vips().Error:
            continue
        if len(found) == 3:
            break
    if len(found) < 2:
        raise ValueError("no filling can be decoded")
    pixels = found[0]
    unlike = [np.flatnonzero((pixels != other).any(axis=(1, 2))) for other in found[1:]]
    return Part(header, pixels, int(np.concatenate(unlike).min(initial=len(pixels))))


def _webp_parts(data: bytes) -> tuple[bytes, bytes, bytes, int]:
    """The chunks before the pixels; the name of theirs, what is there of it, its whole size."""
    before, at = b"", 12
    while True:
        name, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if name in (b"VP8 ", b"VP8L"):
            if size > WEBP_MOST:
                raise ValueError("no picture takes so many bytes")
            return before, name, body, size
        if name == b"VP8X":  # of what follows the pixels nothing is there
            body = bytes([body[0] & 0x30]) + body[1:]
        if name in (b"VP8X", b"ICCP", b"ALPH"):
            before += name + struct.pack("<I", size) + body + bytes(size % 2)
        at += 8 + size + size % 2


def _bmp(data: bytes, check: Check, source: str | None) -> Decoded:
    header = bmp.read_header(data)
    check(header.width, header.height)
    pixels, rows = bmp.decode_part(data, header)
    if not rows:
        raise EOFError("no row is there")
    decoded = of_bmp(header, pixels, source)
    return _marked(decoded, rows, 1 if header.top_down else 4)


def _png(data: bytes, check: Check) -> Part:
    mended = png.mended(data, check)
    passes = mended.passes
    header = opened(mended.data, "png", fail_on="error")
    pixels, _ = _rows(header)
    shown = np.zeros_like(pixels)
    for left, top, across, down, wide, tall, rows in passes:  # the finer over the coarser
        seen = pixels[top::down, left::across][:rows]
        for y, x in np.ndindex(tall, wide):
            blocks = shown[top + y :: down, left + x :: across][:rows]
            blocks[...] = seen[: blocks.shape[0], : blocks.shape[1]]
    height = len(pixels)
    is_coarse = any(one.rows < len(range(one.top, height, one.down)) for one in passes[1:])
    notes = (COARSE if is_coarse else ()) + (DOUBTFUL if mended.is_doubtful else ())
    return Part(header, shown, min(height, passes[0].rows * passes[0].tall), notes)


PARTS: Final[dict[str, Callable[[bytes, Check], Part]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "tiff": _tiff,
    "gif": _gif,
    "webp": _webp,
}
