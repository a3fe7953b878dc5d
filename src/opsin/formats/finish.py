"""Decoded pixels to upright sRGB, gray as one channel, with all that their file said of them."""

from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.errors import NotAPhotoError, PhotoTooLargeError
from opsin.formats import exif, icc, xmp
from opsin.formats.metadata import Metadata
from opsin.formats.regions import Frame
from opsin.formats.turning import with_regions_upright
from opsin.formats.vips import blob_of, vips

WHOLE: Final = "Convert it to gray or RGB of 8 or 16 bits first"


class Decoded(NamedTuple):
    pixels: NDArray[Any]  # (H, W, 1 or 3) uint8 or uint16
    alpha: NDArray[Any] | None  # (H, W)
    metadata: Metadata


def finish(image: Any, *, where: str, metadata: Metadata) -> Decoded:
    """Decoded pixels of a libvips image that carries its profile and its orientation."""
    profile = blob_of(image, "icc-profile-data")
    image, colors, notes = _in_rgb(_whole_numbers(image, where), profile)
    turn = turn_of(image, metadata)
    stored = Frame(image.height, image.width, turn)
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
    blob, packet, said = _upright(metadata, stored, (pixels.shape[0], pixels.shape[1]))
    turned = replace(
        metadata,
        exif=blob,
        xmp=packet,
        dpi=metadata.dpi[::-1] if metadata.dpi and turn >= 5 else metadata.dpi,
        notes=tuple(dict.fromkeys([*metadata.notes, *notes, *said])),
    )
    return Decoded(pixels, alpha, turned)


def image_of(pixels: NDArray[Any], space: str, profile: bytes | None) -> Any:
    """A libvips image of pixels (H, W, bands), with the profile of their file."""
    height, width, bands = pixels.shape
    format = "ushort" if pixels.dtype == np.uint16 else "uchar"
    image = vips().Image.new_from_memory(pixels.data, width, height, bands, format)
    image = image.copy(interpretation=space)
    if profile:
        image.set_type(vips().GValue.blob_type, "icc-profile-data", profile)
    return image


def turn_of(image: Any, metadata: Metadata) -> int:
    """The orientation of a picture, 1 to 8; that of its XMP counts where no EXIF says another."""
    if metadata.format == "heic":
        return 1  # it is turned as its file says, whatever EXIF and XMP say
    turn = image.get("orientation") if image.get_typeof("orientation") else 1
    if metadata.exif is None and metadata.xmp and turn == 1:
        return xmp.orientation(metadata.xmp)
    return turn if turn in range(1, 9) else 1


def check_size(width: int, height: int, *, where: str, limit: int) -> None:
    if width * height > limit:
        raise PhotoTooLargeError(
            f"{where}: {width} x {height} pixels ({_amount(width * height)}) are over the limit "
            f"of {_amount(limit)}. If you trust the file, raise pixel_limit (--pixel-limit on the "
            "command line)."
        )


def _amount(pixels: int) -> str:
    return f"{pixels / 1e6:.1f} megapixels" if pixels >= 1e5 else f"{pixels:,} pixels"


def filled(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """16-bit pixels, in which 10 or 12 were shifted up with zeros below: white would not be white.

    >>> filled(np.uint16([0xFFC0]), 10).tolist()
    [65535]
    """
    whole: NDArray[Any] = pixels | pixels >> bits
    return whole


def gray_if_gray(pixels: NDArray[Any]) -> NDArray[Any]:
    """One channel where a format that has no gray spells it as three equal ones."""
    for part in (pixels[::64], pixels):  # a look at some rows spares most the long one
        if any(not np.array_equal(part[..., 0], part[..., i]) for i in range(part.shape[2])):
            return pixels
    return np.ascontiguousarray(pixels[..., :1])


def noted(decoded: Decoded, *notes: str) -> Decoded:
    metadata = decoded.metadata
    return decoded._replace(metadata=replace(metadata, notes=(*metadata.notes, *notes)))


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


def _upright(
    metadata: Metadata, stored: Frame, size_hw: tuple[int, int]
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
        packet = with_regions_upright(packet, stored) if packet else None
    return blob, packet, said
