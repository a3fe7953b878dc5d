"""What a file says besides its pixels, and how libvips opens it."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.formats import bmp, exif, icc, iptc, xmp
from opsin.formats.finish import Decoded, filled, gray_if_gray
from opsin.formats.metadata import Metadata, sensible_dpi
from opsin.formats.vips import blob_of, vips

MM_PER_INCH: Final = 25.4
LOADERS: Final = {
    "jpeg": "jpegload_source",
    "png": "pngload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "gif": "gifload_source",
}
UNSAID: Final = (1.0, 2.834)  # pixels per millimeter that libvips makes up for a PNG
WITHOUT_GRAY: Final = {"gif", "webp", "avif"}
CODED_WITHIN: Final = 1 << 16  # bytes: where a file says how its colors are coded
PAGES: Final = {"tiff": "pages", "gif": "frames", "webp": "frames", "avif": "pictures"}


def opened(data: bytes | memoryview, format: str, *, fail_on: str) -> Any:
    origin = vips().Source.new_from_memory(data)
    load = getattr(vips().Image, LOADERS[format])
    return load(origin, access="sequential", fail_on=fail_on)


def metadata_of(image: Any, data: bytes | memoryview, format: str, source: str | None) -> Metadata:
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    blob, packet = _exif(image, data, format), blob_of(image, "xmp-data")
    notes = [f"first of {pages} {PAGES.get(format, 'pages')}"] if pages > 1 else []
    has_profile = image.get_typeof("icc-profile-data") != 0
    notes += icc.coded(bytes(data[:CODED_WITHIN]), format, has_profile)
    if packet and xmp.EXTENDED in packet:
        packet = xmp.without_extension(packet)
        notes.append("XMP beyond the first 64 KiB left out")
    return Metadata(
        exif=blob,
        xmp=packet,
        iptc=_iptc(image, data, format),
        dpi=_dpi(image, format, blob),
        source=source,
        format=format,
        notes=tuple(notes),
    )


def tidied(decoded: Decoded, image: Any, format: str) -> Decoded:
    pixels = decoded.pixels
    if format == "avif" and pixels.dtype == np.uint16:
        pixels = filled(pixels, image.get("heif-bitdepth"))
    if format in WITHOUT_GRAY or image.get_typeof("palette"):
        pixels = gray_if_gray(pixels)
    return decoded._replace(pixels=pixels)


def of_bmp(header: bmp.Header, array: NDArray[Any], source: str | None) -> Decoded:
    """The photograph of a BMP's header and pixels (H, W, 1, 3 or 4)."""
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    if alpha is not None and not alpha.any():
        alpha = None  # many programs leave the fourth byte at zero and mean opaque
    metadata = Metadata(dpi=header.dpi, source=source, format="bmp")
    return Decoded(np.ascontiguousarray(array[..., :3]), alpha, metadata)


def _exif(image: Any, data: bytes | memoryview, format: str) -> bytes | None:
    if format == "tiff":
        try:
            return exif.from_tiff(data)
        except ValueError:
            return None
    blob = blob_of(image, "exif-data")
    return blob.removeprefix(b"Exif\0\0") if blob else None


def _iptc(image: Any, data: bytes | memoryview, format: str) -> bytes | None:
    if format == "tiff" and (found := exif.iptc(data)):
        return found
    for field in ("iptc-data", "photoshop-data"):
        blob = blob_of(image, field)
        if blob and blob[:1] == b"\x1c":
            return blob
        if blob and (found := iptc.from_photoshop(blob)):
            return found
    return None


def _dpi(image: Any, format: str, blob: bytes | None) -> tuple[float, float] | None:
    if format in ("webp", "avif"):  # which have it in the EXIF data or nowhere
        try:
            return exif.dpi(blob) if blob else None
        except ValueError:
            return None
    said = image.xres not in UNSAID if format == "png" else image.get_typeof("resolution-unit")
    return sensible_dpi(image.xres * MM_PER_INCH, image.yres * MM_PER_INCH) if said else None
