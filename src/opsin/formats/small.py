"""Pictures to train on and to validate on: bytes to upright 8-bit sRGB, quickly.

The one decoder of everything that learns: crops, validation squares, a set's first look and
`opsin pack`. Orientation and ICC profiles are honored as in `formats.decode`, transparency is laid
on white, gray becomes RGB, 16 bits become 8. Photographs to colorize go through `formats.decode`,
which keeps all that is left out here and refuses what is damaged.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from opsin.defaults import PIXEL_LIMIT
from opsin.errors import PhotoError
from opsin.formats import icc
from opsin.formats.decode import decode
from opsin.formats.sniff import READABLE, is_heic
from opsin.formats.vips import vips

UNSPOKEN: Final = tuple(magic for magic, format in READABLE if format in ("bmp", "jp2"))


def header(data: bytes, **how: Any) -> Any:
    """The picture as it is stored, not decoded yet; `how` is libvips' (`access`, `fail_on`)."""
    return vips().Image.new_from_buffer(_readable(data), "", **how)


def whole(data: bytes, *, fail_on: str = "error") -> Any:
    """The picture as a libvips image, (H, W) of three 8-bit bands; `pyvips.Error` if it is none."""
    image = header(data, fail_on=fail_on).autorot()
    cmyk = image.interpretation == "cmyk"
    if cmyk or image.get_typeof("icc-profile-data"):
        inside = {"input_profile": "cmyk"} if cmyk else {}
        try:
            image = image.icc_transform("srgb", **icc.HOW, **inside)
        except vips().Error:
            pass  # a broken profile: the numbers are taken for sRGB
    return _plain(image)


def thumbnail(data: bytes, width: int, height: int, **how: Any) -> Any:
    """The picture made smaller while it is decoded; `how` is libvips' (`size`, `crop`, ...)."""
    return _plain(
        vips().Image.thumbnail_buffer(
            _readable(data), width, height=height, export_profile="srgb", **how
        )
    )


def _readable(data: bytes) -> bytes:
    """The file, or, if of a format that libvips does not speak, the same picture as a TIFF."""
    if not (data.startswith(UNSPOKEN) or is_heic(data[:512])):
        return data
    try:
        decoded = decode(data, where="a picture", source=None, limit=PIXEL_LIMIT)
    except PhotoError as error:
        raise vips().Error(str(error)) from error
    pixels = decoded.pixels
    if decoded.alpha is not None:
        pixels = np.concatenate([pixels, decoded.alpha[..., None]], axis=2)
    file: bytes = vips().Image.new_from_array(pixels).tiffsave_buffer()
    return file


def _plain(image: Any) -> Any:
    image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=255)
    return image.extract_band(0, n=3).cast("uchar")
