"""BMP, which the packaged libvips does not speak, nor Pillow all of it.

Reads 1, 4, 8, 16, 24 and 32 bits, palettes, bit fields and run lengths; writes 8-bit
gray and 24-bit color. Reference: Microsoft, "Bitmap Storage".
"""

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.formats.metadata import sensible_dpi

RGB, RLE8, RLE4, BITFIELDS, ALPHABITFIELDS = 0, 1, 2, 3, 6
DPI_PER_METER = 0.0254
DEFAULT_MASKS = {16: (0x7C00, 0x03E0, 0x001F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}


class Header(NamedTuple):
    width: int
    height: int
    bits: int
    compression: int
    top_down: bool
    dpi: tuple[float, float] | None
    palette: NDArray[np.uint8]  # (N, 3) red, green, blue
    masks: tuple[int, int, int, int]
    offset: int


def read_header(data: bytes | memoryview) -> Header:
    """The header; `ValueError` where it makes no sense, `EOFError` where it is cut off."""
    try:
        offset, size = struct.unpack_from("<II", data, 10)
        if size == 12:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            compression, x_density, y_density, colors, entry = RGB, 0, 0, 0, 3
        else:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
            x_density, y_density, colors = struct.unpack_from("<iiI", data, 38)
            entry = 4
        masks = DEFAULT_MASKS.get(bits, (0, 0, 0, 0))
        if compression in (BITFIELDS, ALPHABITFIELDS):
            with_alpha = size >= 56 or compression == ALPHABITFIELDS
            masks = (*struct.unpack_from("<III", data, 54), 0)
            if with_alpha:
                masks = (*masks[:3], *struct.unpack_from("<I", data, 66))
    except struct.error as error:
        raise EOFError("its header is cut off") from error
    if width <= 0 or height == 0 or bits not in (1, 4, 8, 16, 24, 32):
        raise ValueError(f"{width} x {height} pixels of {bits} bits make no BMP")
    if compression not in (RGB, RLE8, RLE4, BITFIELDS, ALPHABITFIELDS):
        raise ValueError(f"BMP compression {compression}")
    palette = np.zeros((0, 3), np.uint8)
    if bits <= 8:
        start, colors = 14 + size, min(colors or 1 << bits, 1 << bits)
        table = np.frombuffer(data[start : start + colors * entry], np.uint8)
        palette = table[: len(table) // entry * entry].reshape(-1, entry)[:, 2::-1]
    dpi = sensible_dpi(x_density * DPI_PER_METER, y_density * DPI_PER_METER)
    return Header(width, abs(height), bits, compression, height < 0, dpi, palette, masks, offset)


def decode(data: bytes | memoryview, header: Header) -> NDArray[np.uint8]:
    """(H, W, 1) where the palette is gray, else (H, W, 3), or (H, W, 4) with an alpha mask.

    Raises `EOFError` where pixels are missing, `ValueError` where they make no sense.
    """
    pixels, there = decode_part(data, header)
    if there < header.height:
        raise EOFError(f"{there} of {header.height} rows of pixels are there")
    return pixels


def decode_part(data: bytes | memoryview, header: Header) -> tuple[NDArray[np.uint8], int]:
    """As `decode`, and how many rows are there, counted as they are stored; the others are 0."""
    if header.compression in (RLE8, RLE4):
        indices, there = _run_lengths(data, header)
        return _through_palette(indices[::-1], header), there
    stride = (header.width * header.bits + 31) // 32 * 4
    body = bytes(data[header.offset : header.offset + stride * header.height])
    there = len(body) // stride
    body = body.ljust(stride * header.height, b"\0")
    rows = np.frombuffer(body, np.uint8).reshape(header.height, stride)
    return _plain(rows if header.top_down else rows[::-1], header), there


def _plain(rows: NDArray[np.uint8], header: Header) -> NDArray[np.uint8]:
    """The pixels of rows that are not compressed."""
    if header.bits <= 8:
        return _through_palette(_indices(rows, header), header)
    if header.bits == 24:
        return np.ascontiguousarray(
            rows[:, : header.width * 3].reshape(-1, header.width, 3)[..., ::-1]
        )
    if not all(header.masks[:3]) or max(header.masks) >> header.bits:
        raise ValueError("its color masks are not those of a picture")
    dtype = "<u2" if header.bits == 16 else "<u4"
    words = np.ascontiguousarray(rows[:, : header.width * header.bits // 8]).view(dtype)
    planes = [_field(words, mask) for mask in header.masks if mask]
    return np.stack(planes, axis=-1)


def encode(pixels: NDArray[np.uint8], dpi: tuple[float, float] | None) -> bytes:
    """The file of (H, W, 1) or (H, W, 3) pixels."""
    height, width, bands = pixels.shape
    stride = (width * bands + 3) // 4 * 4
    rows = np.zeros((height, stride), np.uint8)
    rows[:, : width * bands] = pixels[::-1, :, ::-1].reshape(height, -1)
    ramp = np.arange(256, dtype=np.uint32)
    palette = (ramp * 0x010101).astype("<u4").tobytes() if bands == 1 else b""
    offset = 54 + len(palette)
    density = [round(value / DPI_PER_METER) for value in dpi or (0, 0)]
    head = struct.pack("<2sIII", b"BM", offset + rows.nbytes, 0, offset)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 8 * bands, RGB, rows.nbytes, *density, 0, 0
    )
    return head + info + palette + rows.tobytes()


def _indices(rows: NDArray[np.uint8], header: Header) -> NDArray[np.uint8]:
    if header.bits == 8:
        return rows[:, : header.width]
    if header.bits == 1:
        return np.unpackbits(rows, axis=1)[:, : header.width]
    return np.stack([rows >> 4, rows & 15], axis=2).reshape(len(rows), -1)[:, : header.width]


def _through_palette(indices: NDArray[np.uint8], header: Header) -> NDArray[np.uint8]:
    if indices.size and int(indices.max()) >= len(header.palette):
        raise ValueError("a pixel names a color that the palette does not have")
    gray = (header.palette == header.palette[:, :1]).all()
    colors: NDArray[np.uint8] = header.palette[:, :1] if gray else header.palette
    return np.ascontiguousarray(colors)[indices]


def _field(words: NDArray[Any], mask: int) -> NDArray[np.uint8]:
    shift = (mask & -mask).bit_length() - 1
    top = mask >> shift
    values: NDArray[np.uint8] = np.rint(((words & mask) >> shift) * (255 / top)).astype(np.uint8)
    return values


def _run_lengths(data: bytes | memoryview, header: Header) -> tuple[NDArray[np.uint8], int]:
    """Palette indices, bottom row first, and how many rows are there; what is skipped stays 0."""
    body = np.frombuffer(data[header.offset :], np.uint8)
    four = header.compression == RLE4
    at, ended = _commands(body, four)
    count, value = body[at].astype(np.intp), body[at + 1].astype(np.intp)
    run, jump = count > 0, (count == 0) & (value == 2)
    row_ends = (count == 0) & (value == 0)
    there = np.where(run, count, np.where(value > 2, value, 0))  # pixels of each command
    right, up = there.copy(), row_ends.astype(np.intp)
    right[jump], up[jump] = body[at[jump] + 2], body[at[jump] + 3]
    y = np.cumsum(up) - up
    walked = np.cumsum(right) - right
    x = walked - np.maximum.accumulate(np.where(_behind(row_ends), walked, 0))
    if np.any((there > 0) & (y >= header.height)):
        raise ValueError("its runs leave the picture")
    there = np.minimum(there, header.width - x).clip(0)
    step = np.arange(there.sum()) - np.repeat(np.cumsum(there) - there, there)
    source = np.repeat(np.where(run, at + 1, at + 2), there)
    source += np.where(np.repeat(run, there), 0, step // 2 if four else step)
    pixels = body[source]
    if four:
        pixels = np.where(step % 2, pixels & 15, pixels >> 4)
    out = np.zeros(header.height * header.width, np.uint8)
    out[np.repeat(y * header.width + x, there) + step] = pixels
    begun = int(up.sum())
    rows = begun + bool(len(x) and not row_ends[-1] and x[-1] + right[-1] >= header.width)
    whole = ended or rows >= header.height
    return out.reshape(header.height, header.width), header.height if whole else rows


def _behind(ends: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which commands are the first behind one of `ends`."""
    return np.concatenate([[True], ends[:-1]])[: len(ends)]


def _commands(body: NDArray[np.uint8], four: bool) -> tuple[NDArray[np.intp], bool]:
    """Where the run length commands stand, as far as they are all there; whether an end does."""
    count, value = body[:-1], body[1:].astype(np.intp)
    bytes_of = (value + 1) // 2 if four else value
    literal = np.where(value > 2, bytes_of + bytes_of % 2, np.where(value == 2, 2, 0))
    following = (np.arange(len(value)) + 2 + np.where(count > 0, 0, literal)).tolist()
    ends = ((count == 0) & (value == 1)).tolist()
    found, at = [], 0
    while at < len(ends) and not ends[at] and following[at] <= len(body):
        found.append(at)
        at = following[at]
    return np.array(found, np.intp), at < len(ends) and ends[at]
