"""BMP, which the packaged libvips does not speak.

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
    """(H, W, 1) where the palette is gray, else (H, W, 3), or (H, W, 4) with an alpha mask."""
    if header.compression in (RLE8, RLE4):
        return _through_palette(_run_lengths(data, header)[::-1], header)
    stride = (header.width * header.bits + 31) // 32 * 4
    body = data[header.offset : header.offset + stride * header.height]
    if len(body) < stride * header.height:
        raise EOFError(f"{len(body)} of {stride * header.height} bytes of pixels are there")
    rows = np.frombuffer(body, np.uint8).reshape(header.height, stride)
    if not header.top_down:
        rows = rows[::-1]
    if header.bits <= 8:
        return _through_palette(_indices(rows, header), header)
    if header.bits == 24:
        return np.ascontiguousarray(
            rows[:, : header.width * 3].reshape(-1, header.width, 3)[..., ::-1]
        )
    if not all(header.masks[:3]) or max(header.masks) >> header.bits:
        raise ValueError("its color masks are not those of a picture")
    kind = "<u2" if header.bits == 16 else "<u4"
    words = np.ascontiguousarray(rows[:, : header.width * header.bits // 8]).view(kind)
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


def _run_lengths(data: bytes | memoryview, header: Header) -> NDArray[np.uint8]:
    """Palette indices, bottom row first; what is skipped stays 0."""
    out = np.zeros((header.height, header.width), np.uint8)
    four = header.compression == RLE4
    at, x, y = header.offset, 0, 0
    while True:
        if at + 2 > len(data):
            raise EOFError("its runs are cut off")
        count, value = data[at], data[at + 1]
        at += 2
        if count == 0 and value == 1:
            return out
        if count == 0 and value == 0:
            x, y = 0, y + 1
            continue
        if count == 0 and value == 2:
            if at + 2 > len(data):
                raise EOFError("its runs are cut off")
            x, y, at = x + data[at], y + data[at + 1], at + 2
            continue
        if count:
            run = np.array([value >> 4, value & 15] if four else [value, value], np.uint8)
            values = np.resize(run, count)
        else:
            used = (value + 1) // 2 if four else value
            raw = np.frombuffer(data[at : at + used], np.uint8)
            at += used + used % 2
            values = np.stack([raw >> 4, raw & 15], 1).ravel()[:value] if four else raw
        if y >= header.height or x > header.width:
            raise ValueError("its runs leave the picture")
        values = values[: header.width - x]
        out[y, x : x + len(values)] = values
        x += len(values)
