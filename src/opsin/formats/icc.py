"""ICC profiles: to sRGB on the way in, and which one to write on the way out.

Relative colorimetric with black point compensation, as photo editors do by default.
Reference: ICC.1:2010 (profile version 4.3).
"""

import functools
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.formats.vips import vips

HOW = {"embedded": True, "intent": "relative", "black_point_compensation": True}
SRGB_TOLERANCE = 2  # of 255: rounding in the many editions of the sRGB profile
HDR = {16: "PQ", 18: "HLG"}
CODES = {"png": (b"cICP", 1), "avif": (b"colrnclx", 2), "heic": (b"colrnclx", 2)}
WIDE = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
D50 = (0.9642, 1.0, 0.8249)
# IEC 61966-2-1: g, a, b, c, d of the curve (a x + b)^g where x >= d, c x below.
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@functools.lru_cache(maxsize=64)
def is_srgb(profile: bytes) -> bool:
    """Whether converting to sRGB would change next to nothing (then the pixels stay exact)."""
    if profile[16:20] != b"RGB ":
        return True  # a profile of another color space says nothing about RGB pixels
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colors = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    try:
        converted = _transformed(colors, profile, depth=8)
    except vips().Error:
        return True
    return int(np.abs(converted.astype(int) - colors).max()) <= SRGB_TOLERANCE


def gray_to_srgb(pixels: NDArray[Any], profile: bytes) -> tuple[NDArray[Any], list[str]]:
    """Gray pixels in sRGB's tone curve, still gray, and a note if that changed them."""
    curve = _gray_curve(profile, pixels.dtype.itemsize)
    if curve is None:
        return pixels, []
    return curve[pixels], [f"gray profile {name(profile)} converted to sRGB"]


def coded(head: bytes, format: str, has_profile: bool) -> list[str]:
    """What to say of colors that a PNG (cICP), AVIF or HEIC (nclx) codes in another way than sRGB.

    The numbers are those of ITU-T H.273: primaries and transfer characteristics.
    """
    mark, width = CODES.get(format, (b"", 0))
    at = head.find(mark) if mark else -1
    if at < 0 or len(head) < at + len(mark) + 2 * width:
        return []
    numbers = head[at + len(mark) :]
    primaries = int.from_bytes(numbers[:width], "big")
    transfer = int.from_bytes(numbers[width : 2 * width], "big")
    notes = []
    if transfer in HDR:
        notes.append(f"HDR ({HDR[transfer]}) taken for sRGB: its tones are not as they were meant")
    if primaries in WIDE and not has_profile:
        notes.append(f"colors of {WIDE[primaries]} taken for sRGB: they are paler than meant")
    return notes


def name(profile: bytes) -> str:
    """The profile's own description, in quotes."""
    text = b""
    (count,) = struct.unpack_from(">I", profile.ljust(132, b"\0"), 128)
    for at in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        tag, offset, size = struct.unpack_from(">4sII", profile, at)
        if tag == b"desc":
            text = profile[offset : offset + size]
    if text[:4] == b"desc":
        said = text[12:].split(b"\0")[0].decode("ascii", "replace")
    elif text[:4] == b"mluc" and len(text) >= 28:
        size, offset = struct.unpack_from(">II", text, 20)
        said = text[offset : offset + size].decode("utf-16-be", "replace")
    else:
        said = ""
    return f"'{said.strip()}'" if said.strip() else "without a name"


@functools.cache
def srgb() -> bytes:
    """The profile to write beside color pixels: libvips' own sRGB."""
    return bytes(vips().Image.profile_load("srgb"))


@functools.cache
def srgb_gray() -> bytes:
    """The profile to write beside gray pixels: gray with sRGB's tone curve."""
    fixed = [round(value * 65536) for value in SRGB_CURVE]
    tags = {
        b"desc": _text("Gray, sRGB tone curve"),
        b"cprt": _text("CC0"),
        b"wtpt": struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in D50)),
        b"kTRC": struct.pack(">4s4xHxx5i", b"para", 3, *fixed),
    }
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, offset + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    rest = struct.pack(">I", len(tags)) + table + body
    head = struct.pack(
        ">I4xI4s4s4s6H4s24xI3i48x",
        *(128 + len(rest), 0x04300000, b"mntr", b"GRAY", b"XYZ "),
        *(2024, 1, 1, 0, 0, 0, b"acsp"),
        *(1, *(round(value * 65536) for value in D50)),
    )
    return head + rest


@functools.lru_cache(maxsize=64)
def _gray_curve(profile: bytes, depth_bytes: int) -> NDArray[Any] | None:
    """sRGB value of each gray value; None where they are the same."""
    count = 256**depth_bytes
    ramp = np.arange(count, dtype=np.uint8 if depth_bytes == 1 else np.uint16)
    if profile[16:20] == b"RGB ":
        if is_srgb(profile):
            return None
        ramp_colors = np.repeat(ramp[None, :, None], 3, axis=2)
    elif profile[16:20] == b"GRAY":
        ramp_colors = ramp[None, :, None]
    else:
        return None
    try:
        curve = _transformed(ramp_colors, profile, depth=8 * depth_bytes)[0, :, 1]
    except vips().Error:
        return None
    step = (count - 1) // 255
    if int(np.abs(curve.astype(int) - ramp).max()) <= SRGB_TOLERANCE * step:
        return None
    return np.ascontiguousarray(curve)


def _transformed(pixels: NDArray[Any], profile: bytes, *, depth: int) -> NDArray[Any]:
    image = vips().Image.new_from_array(pixels)
    if pixels.dtype == np.uint16:
        image = image.copy(interpretation="grey16" if pixels.shape[2] == 1 else "rgb16")
    image = image.copy()
    image.set_type(vips().GValue.blob_type, "icc-profile-data", profile)
    converted: NDArray[Any] = image.icc_transform("srgb", **HOW, depth=depth).numpy()
    return converted


def _text(text: str) -> bytes:
    said = text.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(said), 28) + said
