"""The bytes of a photograph to upright sRGB pixels.

Gray stays one channel. Nothing is shrunk and nothing is guessed: a file that cannot be
read whole is an error, and whatever had to be changed on the way is a note.
"""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from opsin.errors import NotAPhotoError, PhotoError, TruncatedPhotoError
from opsin.formats import bmp, exif
from opsin.formats.damaged import as_far_as_it_goes
from opsin.formats.finish import WHOLE, Decoded, check_size, finish, noted
from opsin.formats.header import metadata_of, of_bmp, opened, tidied
from opsin.formats.heif import decode_heif
from opsin.formats.pil import decode_file
from opsin.formats.sniff import CONVERT, sniff
from opsin.formats.vips import alone, message, together, vips

DIVISIBLE: Final = {"jpeg", "png", "tiff", "webp", "gif", "bmp"}  # part of such a picture is read
UNSUPPORTED = (
    *("unsupported", "not supported", "not implemented", "unimplemented"),
    *("not configured", "not a whole number of bytes"),  # LZMA; 12 bits
    "bad labq format",  # 8-bit Lab
)
# The latter of tags, which libvips takes for damage.
FOR_PILLOW = (*UNSUPPORTED, "bad value", "required field", "invalid strip byte count")
# Warnings of libjpeg that leave the picture whole.
HARMLESS = ("Invalid SOS parameters", "Unknown Adobe")
DOMAINS = {"avif": "heif"}  # in the names of libvips' functions


def decode(
    data: bytes | memoryview,
    *,
    where: str,
    source: str | None,
    limit: int,
    damaged: bool = False,
) -> Decoded:
    """`where` names the picture in errors; `limit` is in pixels and checked before decoding.

    With `damaged`, a file that cannot be read whole is taken as far as it goes.
    """
    format = sniff(data, where)
    try:
        return _whole(data, format, where=where, source=source, limit=limit)
    except TruncatedPhotoError:
        if not damaged:
            raise
    with alone():
        return as_far_as_it_goes(data, format, where=where, source=source, limit=limit)


def _whole(
    data: bytes | memoryview, format: str, *, where: str, source: str | None, limit: int
) -> Decoded:
    if format == "bmp":
        with together():
            return _decode_bmp(data, where=where, source=source, limit=limit)
    if format in ("jp2", "heic"):
        return _by_pillow(data, format, where=where, source=source, limit=limit)
    if format == "tiff":
        _refuse_cut_off(data, where)
    load = partial(_load, data, format, where=where, source=source, limit=limit)
    with suppress(vips().Error), together():
        return load()
    try:
        with alone():
            return load()
    except vips().Error as error:
        refused = _photo_error(error, format, where)
        if format != "tiff" or not _is_for_pillow(data, str(error).lower()):
            raise refused from error
        try:  # which knows kinds that libvips does not: 8-bit Lab, JPEG of the old style
            return _by_pillow(data, format, where=where, source=source, limit=limit)
        except TruncatedPhotoError:
            raise refused from error


def _is_for_pillow(tiff: bytes | memoryview, said: str) -> bool:
    """Whether Pillow may know the kind of TIFF of which libvips said this.

    Where no reason is given, work on another picture has taken it: Pillow decides. Both have the
    same JPEG in TIFF, so there the error is damage, of which Pillow's library would write to the
    terminal.
    """
    known = any(word in said for word in FOR_PILLOW)
    return (known or "tiff" not in said) and not exif.is_jpeg_in_tiff(tiff)


def _by_pillow(
    data: bytes | memoryview, format: str, *, where: str, source: str | None, limit: int
) -> Decoded:
    by = decode_heif if format == "heic" else decode_file
    check = partial(check_size, where=where, limit=limit)
    with together():
        decoded = by(bytes(data), where=where, check=check)
    decoded = decoded._replace(metadata=replace(decoded.metadata, source=source, format=format))
    if format == "tiff" and decoded.pixels.dtype == np.uint8 and exif.bits(data) > 8:
        return noted(decoded, f"{exif.bits(data)} bits reduced to 8")
    return decoded


def _load(
    data: bytes | memoryview, format: str, *, where: str, source: str | None, limit: int
) -> Decoded:
    strict = format in ("jpeg", "tiff")  # whose damage libvips tells as a warning
    flaw = ""
    try:
        image = opened(data, format, fail_on="warning" if strict else "error")
    except vips().Error:
        if not strict:
            raise
        image = opened(data, format, fail_on="error")
    check_size(image.width, image.height, where=where, limit=limit)
    metadata = metadata_of(image, data, format, source)
    try:
        decoded = finish(image, where=where, metadata=metadata)
    except vips().Error as error:
        if not strict:
            raise
        # A damaged JPEG that is all there still gives a picture, with a flaw: say so. Of a TIFF
        # whose pixels are all there, an untidy tag is no damage: old scanners write many.
        decoded = finish(opened(data, format, fail_on="error"), where=where, metadata=metadata)
        if format == "jpeg":
            flaw = message(error, about=format) or "no cause given"
    if flaw and not flaw.startswith(HARMLESS):
        decoded = noted(decoded, f"the file is damaged ({flaw}): parts may look wrong")
    return tidied(decoded, image, format)


def _decode_bmp(data: bytes | memoryview, *, where: str, source: str | None, limit: int) -> Decoded:
    try:
        header = bmp.read_header(data)
        check_size(header.width, header.height, where=where, limit=limit)
        array = bmp.decode(data, header)
    except EOFError as error:
        raise _cut_off(where, "bmp", str(error)) from error
    except ValueError as error:
        raise NotAPhotoError(f"{where}: cannot read this BMP ({error}). {CONVERT}.") from error
    return of_bmp(header, array, source)


def _photo_error(error: Exception, format: str, where: str) -> PhotoError:
    said = message(error, about=DOMAINS.get(format, format))
    if any(word in said.lower() for word in UNSUPPORTED):
        return NotAPhotoError(
            f"{where}: this kind of {format.upper()} cannot be read ({said}). {WHOLE}."
        )
    return _cut_off(where, format, said)


def _refuse_cut_off(data: bytes | memoryview, where: str) -> None:
    """libvips leaves tiles that are not there as they happen to be in memory, in silence."""
    try:
        whole = exif.pixels_are_there(data)
    except ValueError as error:
        raise _cut_off(where, "tiff", str(error)) from error
    if not whole:
        raise _cut_off(where, "tiff", "pixels are missing at its end")


def _cut_off(where: str, format: str, said: str) -> TruncatedPhotoError:
    return TruncatedPhotoError(
        f"{where}: the picture is damaged or cut off{f' ({said})' if said else ''}. "
        "Copy it again from where it came from"
        + (
            ", or take it as far as it goes: --damaged (in Python damaged=True)."
            if format in DIVISIBLE and "directory" not in said  # which says where the pixels are
            else "."
        )
    )
