"""The bytes of a photograph to upright sRGB pixels.

Gray stays one channel. Nothing is shrunk and nothing is guessed: a file that cannot be
read whole is an error, and whatever had to be changed on the way is a note.
"""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.errors import NotAPhotoError, PhotoError, PhotoTooLargeError, TruncatedPhotoError
from opsin.formats import bmp, exif, icc, iptc, xmp
from opsin.formats.metadata import Metadata, sensible_dpi
from opsin.formats.sniff import CONVERT, kind_of
from opsin.formats.vips import alone, message, together, vips

MM_PER_INCH = 25.4
LOADERS = {
    "jpeg": "jpegload_source",
    "png": "pngload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "heic": "heifload_source",
    "gif": "gifload_source",
}
WHOLE = "Convert it to gray or RGB of 8 or 16 bits first"
UNSAID = (1.0, 2.834)  # pixels per millimeter that libvips makes up for a PNG
WITHOUT_GRAY = {"gif", "webp", "avif"}
DIVISIBLE = {"jpeg", "png", "tiff", "webp", "gif", "bmp"}  # part of such a picture can be read
CODED_WITHIN = 1 << 16  # bytes: where a file says how its colors are coded
PAGES = {"tiff": "pages", "gif": "frames", "webp": "frames", "avif": "pictures"}
UNSUPPORTED = (
    *("unsupported", "not supported", "not implemented", "unimplemented"),
    *("not configured", "not a whole number of bytes"),  # LZMA; 12 bits
    "bad labq format",  # 8-bit Lab
)
# The latter of tags, which libvips takes for damage.
FOR_PILLOW = (*UNSUPPORTED, "bad value", "required field", "invalid strip byte count")
# Warnings of libjpeg that leave the picture whole.
HARMLESS = ("Invalid SOS parameters", "Unknown Adobe")
DOMAINS = {"avif": "heif", "heic": "heif"}  # in the names of libvips' functions


class Decoded(NamedTuple):
    pixels: NDArray[Any]  # (H, W, 1 or 3) uint8 or uint16
    alpha: NDArray[Any] | None  # (H, W)
    metadata: Metadata


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
    kind = kind_of(data, where)
    try:
        return _whole(data, kind, where=where, source=source, limit=limit)
    except TruncatedPhotoError:
        if not damaged:
            raise
    from opsin.formats.damaged import as_far_as_it_goes

    with alone():
        return as_far_as_it_goes(data, kind, where=where, source=source, limit=limit)


def _whole(
    data: bytes | memoryview, kind: str, *, where: str, source: str | None, limit: int
) -> Decoded:
    if kind == "bmp":
        with together():
            return _decode_bmp(data, where=where, source=source, limit=limit)
    if kind == "jp2":
        return _by_pillow(data, kind, where=where, source=source, limit=limit)
    if kind == "tiff":
        _refuse_cut_off(data, where)
    load = partial(_load, data, kind, where=where, source=source, limit=limit)
    with suppress(vips().Error), together():
        return load()
    try:
        with alone():
            return load()
    except vips().Error as error:
        refused = _photo_error(error, kind, where)
        if kind != "tiff" or not _is_for_pillow(data, str(error).lower()):
            raise refused from error
        try:  # which knows kinds that libvips does not: 8-bit Lab, JPEG of the old style
            return _by_pillow(data, kind, where=where, source=source, limit=limit)
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
    data: bytes | memoryview, kind: str, *, where: str, source: str | None, limit: int
) -> Decoded:
    from opsin.formats.pil import decode_file

    check = partial(check_size, where=where, limit=limit)
    with together():
        decoded = decode_file(bytes(data), where=where, check=check)
    decoded = decoded._replace(metadata=replace(decoded.metadata, source=source, format=kind))
    if kind == "tiff" and decoded.pixels.dtype == np.uint8 and exif.bits(data) > 8:
        return _noted(decoded, f"{exif.bits(data)} bits reduced to 8")
    return decoded


def finish(image: Any, *, where: str, metadata: Metadata) -> Decoded:
    """Decoded pixels of a libvips image that carries its profile and its orientation."""
    profile = _blob(image, "icc-profile-data")
    image, colors, notes = _in_rgb(_whole_numbers(image, where), profile)
    turn = turn_of(image, metadata)
    if turn > 1:
        image = image.copy()
        image.set_type(vips().GValue.gint_type, "orientation", turn)
        image = image.copy_memory().autorot()
    array = image.numpy().reshape(image.height, image.width, image.bands)
    pixels, alpha = array, None
    if array.shape[2] > colors:
        pixels = np.ascontiguousarray(array[..., :colors])
        alpha = np.ascontiguousarray(array[..., colors])
    if array.shape[2] > colors + 1:
        notes.append(f"{array.shape[2] - colors - 1} extra channels dropped")
    if colors == 1 and profile:
        pixels, said = icc.gray_to_srgb(pixels, profile)
        notes += said
    blob, packet, said = _upright(metadata, (pixels.shape[0], pixels.shape[1]))
    turned = replace(
        metadata,
        exif=blob,
        xmp=packet,
        dpi=metadata.dpi[::-1] if metadata.dpi and turn >= 5 else metadata.dpi,
        notes=tuple(dict.fromkeys([*metadata.notes, *notes, *said])),
    )
    return Decoded(pixels, alpha, turned)


def turn_of(image: Any, metadata: Metadata) -> int:
    """The orientation of a picture, 1 to 8; that of its XMP counts where no EXIF says another."""
    turn = image.get("orientation") if image.get_typeof("orientation") else 1
    if metadata.exif is None and metadata.xmp and turn == 1:
        return xmp.orientation(metadata.xmp)
    return turn if turn in range(1, 9) else 1


def check_size(width: int, height: int, *, where: str, limit: int) -> None:
    if width * height > limit:
        raise PhotoTooLargeError(
            f"{where}: {width} x {height} pixels ({width * height / 1e6:.1f} megapixels) are over "
            f"the limit of {limit / 1e6:.1f}. If you trust the file, "
            "raise pixel_limit (--pixel-limit on the command line)."
        )


def _load(
    data: bytes | memoryview, kind: str, *, where: str, source: str | None, limit: int
) -> Decoded:
    strict = kind in ("jpeg", "tiff")  # whose damage libvips tells as a warning
    flaw = ""
    try:
        image = opened(data, kind, fail_on="warning" if strict else "error")
    except vips().Error:
        if not strict:
            raise
        image = opened(data, kind, fail_on="error")
    check_size(image.width, image.height, where=where, limit=limit)
    metadata = metadata_of(image, data, kind, source)
    try:
        decoded = finish(image, where=where, metadata=metadata)
    except vips().Error as error:
        if not strict:
            raise
        # A damaged JPEG that is all there still gives a picture, with a flaw: say so. Of a TIFF
        # whose pixels are all there, an untidy tag is no damage: old scanners write many.
        decoded = finish(opened(data, kind, fail_on="error"), where=where, metadata=metadata)
        if kind == "jpeg":
            flaw = message(error, about=kind) or "no cause given"
    if flaw and not flaw.startswith(HARMLESS):
        decoded = _noted(decoded, f"the file is damaged ({flaw}): parts may look wrong")
    return tidied(decoded, image, kind)


def opened(data: bytes | memoryview, kind: str, *, fail_on: str) -> Any:
    origin = vips().Source.new_from_memory(data)
    load = getattr(vips().Image, LOADERS[kind])
    return load(origin, access="sequential", fail_on=fail_on)


def metadata_of(image: Any, data: bytes | memoryview, kind: str, source: str | None) -> Metadata:
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    blob, packet = _exif(image, data, kind), _blob(image, "xmp-data")
    notes = [f"first of {pages} {PAGES.get(kind, 'pages')}"] if pages > 1 else []
    notes += icc.coded(bytes(data[:CODED_WITHIN]), kind, image.get_typeof("icc-profile-data") != 0)
    if packet and xmp.EXTENDED in packet:
        packet = xmp.without_extension(packet)
        notes.append("XMP beyond the first 64 KiB left out")
    return Metadata(
        exif=blob,
        xmp=packet,
        iptc=_iptc(image, data, kind),
        dpi=_dpi(image, kind, blob),
        source=source,
        format=kind,
        notes=tuple(notes),
    )


def tidied(decoded: Decoded, image: Any, kind: str) -> Decoded:
    pixels = decoded.pixels
    if kind == "avif" and pixels.dtype == np.uint16:
        # libvips shifts 10 or 12 bits up and leaves zeros below: white would not be white.
        pixels |= pixels >> image.get("heif-bitdepth")
    if kind in WITHOUT_GRAY or image.get_typeof("palette"):
        pixels = _gray_if_gray(pixels)
    return decoded._replace(pixels=pixels)


def _gray_if_gray(pixels: NDArray[Any]) -> NDArray[Any]:
    """One channel where a format that has no gray spells it as three equal ones."""
    for part in (pixels[::64], pixels):  # a look at some rows spares most the long one
        if any(not np.array_equal(part[..., 0], part[..., i]) for i in range(part.shape[2])):
            return pixels
    return np.ascontiguousarray(pixels[..., :1])


def _in_rgb(image: Any, profile: bytes | None) -> tuple[Any, int, list[str]]:
    """The image in gray (its profile left to the caller) or sRGB, its color channels, notes."""
    deep = image.format == "ushort"
    if image.interpretation == "cmyk":
        target = image.icc_transform("srgb", **icc.HOW, input_profile="cmyk", depth=8 << deep)
        return target, 3, ["CMYK converted to sRGB"]
    if image.interpretation in ("lab", "labs", "labq", "xyz"):
        return image.colourspace("rgb16" if deep else "srgb"), 3, ["Lab converted to sRGB"]
    if image.bands < 3:
        return image, 1, []
    if profile and not icc.is_srgb(profile):
        try:
            converted = image.icc_transform("srgb", **icc.HOW, depth=8 << deep)
        except vips().Error:
            return image, 3, ["broken color profile ignored"]
        return converted, 3, [f"color profile {icc.name(profile)} converted to sRGB"]
    return image, 3, []


def _whole_numbers(image: Any, where: str) -> Any:
    if image.format in ("uchar", "ushort") or image.interpretation in ("lab", "labs"):
        return image
    if image.format in ("float", "double"):
        image = image.copy_memory()
        if (image == image).min() == 0:  # nothing is equal to NaN, itself included
            raise NotAPhotoError(f"{where}: some of its pixels are not numbers (NaN). {WHOLE}.")
        low, high = image.min(), image.max()
        if low >= 0 and high <= 1:
            return _spaced((image * 65535).rint().cast("ushort"))
        raise NotAPhotoError(
            f"{where}: its pixels are real numbers from {low:g} to {high:g}; opsin reads those "
            f"from 0 to 1. {WHOLE}."
        )
    if image.format == "char":  # said in error by some programs; others do not look at it
        return _spaced(image.copy(format="uchar"))
    if image.format in ("short", "int", "uint"):
        image = image.copy_memory()
        low, high = image.min(), image.max()
        if low >= 0 and high <= 65535:
            return _spaced(image.cast("ushort"))
        raise NotAPhotoError(
            f"{where}: its pixels are whole numbers from {low:.0f} to {high:.0f}; opsin reads "
            f"those from 0 to 65535. {WHOLE}."
        )
    raise NotAPhotoError(
        f"{where}: its pixels are of type {image.format}; opsin reads 8 and 16 bits. {WHOLE}."
    )


def _spaced(image: Any) -> Any:
    spaces = ("b-w", "srgb") if image.format == "uchar" else ("grey16", "rgb16")
    return image.copy(interpretation=spaces[image.bands >= 3])


def _exif(image: Any, data: bytes | memoryview, kind: str) -> bytes | None:
    if kind == "tiff":
        try:
            return exif.from_tiff(data)
        except ValueError:
            return None
    blob = _blob(image, "exif-data")
    return blob.removeprefix(b"Exif\0\0") if blob else None


def _iptc(image: Any, data: bytes | memoryview, kind: str) -> bytes | None:
    if kind == "tiff" and (found := exif.iptc(data)):
        return found
    for field in ("iptc-data", "photoshop-data"):
        blob = _blob(image, field)
        if blob and blob[:1] == b"\x1c":
            return blob
        if blob and (found := iptc.from_photoshop(blob)):
            return found
    return None


def _blob(image: Any, field: str) -> bytes | None:
    return bytes(image.get(field)) or None if image.get_typeof(field) else None


def _dpi(image: Any, kind: str, blob: bytes | None) -> tuple[float, float] | None:
    if kind in ("webp", "avif"):  # which have it in the EXIF data or nowhere
        try:
            return exif.dpi(blob) if blob else None
        except ValueError:
            return None
    said = image.xres not in UNSAID if kind == "png" else image.get_typeof("resolution-unit")
    return sensible_dpi(image.xres * MM_PER_INCH, image.yres * MM_PER_INCH) if said else None


def _upright(
    metadata: Metadata, size_hw: tuple[int, int]
) -> tuple[bytes | None, bytes | None, list[str]]:
    """EXIF and XMP of the picture as it now stands, and what had to be said of them."""
    blob, packet, said = metadata.exif, metadata.xmp, []
    try:
        blob = exif.upright(blob, size_hw=size_hw) if blob else None
    except ValueError:
        blob = None
        said.append("broken EXIF data dropped")
    with suppress(ValueError):  # a broken packet is replaced when the copy is made, and told
        packet = xmp.upright(packet, size_hw=size_hw) if packet else None
    return blob, packet, said


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


def of_bmp(header: bmp.Header, array: NDArray[Any], source: str | None) -> Decoded:
    """The photograph of a BMP's header and pixels (H, W, 1, 3 or 4)."""
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    if alpha is not None and not alpha.any():
        alpha = None  # many programs leave the fourth byte at zero and mean opaque
    metadata = Metadata(dpi=header.dpi, source=source, format="bmp")
    return Decoded(np.ascontiguousarray(array[..., :3]), alpha, metadata)


def _photo_error(error: Exception, kind: str, where: str) -> PhotoError:
    said = message(error, about=DOMAINS.get(kind, kind))
    if kind == "heic":
        return NotAPhotoError(
            f"{where}: this is a HEIC picture, which the installed libvips cannot decode. "
            f"{CONVERT}, or set the camera to 'most compatible'."
        )
    if any(word in said.lower() for word in UNSUPPORTED):
        return NotAPhotoError(
            f"{where}: this kind of {kind.upper()} cannot be read ({said}). {WHOLE}."
        )
    return _cut_off(where, kind, said)


def _refuse_cut_off(data: bytes | memoryview, where: str) -> None:
    """libvips leaves tiles that are not there as they happen to be in memory, in silence."""
    try:
        whole = exif.pixels_are_there(data)
    except ValueError as error:
        raise _cut_off(where, "tiff", str(error)) from error
    if not whole:
        raise _cut_off(where, "tiff", "pixels are missing at its end")


def _cut_off(where: str, kind: str, said: str) -> TruncatedPhotoError:
    return TruncatedPhotoError(
        f"{where}: the picture is damaged or cut off{f' ({said})' if said else ''}. "
        "Copy it again from where it came from"
        + (
            ", or take it as far as it goes: --damaged (in Python damaged=True)."
            if kind in DIVISIBLE and "directory" not in said  # which says where the pixels are
            else "."
        )
    )


def _noted(decoded: Decoded, *notes: str) -> Decoded:
    metadata = decoded.metadata
    return decoded._replace(metadata=replace(metadata, notes=(*metadata.notes, *notes)))
