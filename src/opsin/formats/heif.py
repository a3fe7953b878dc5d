"""HEIC, in which telephones keep their photographs: read by pillow-heif, the extra `heif`.

The file itself says how the picture is to be turned, and the reader has done so; the orientation in
its EXIF data counts for nothing (ISO/IEC 23008-12). 10 and 12 bits become 16.
"""

import contextlib
from collections.abc import Callable

import numpy as np

from opsin.errors import NotAPhotoError, TruncatedPhotoError, missing_extra
from opsin.formats import exif, icc
from opsin.formats.finish import Decoded, filled, finish, image_of
from opsin.formats.metadata import Metadata

SPACES = {1: ("b-w", "grey16"), 3: ("srgb", "rgb16")}  # by color channels


def decode_heif(data: bytes, *, where: str, check: Callable[[int, int], None]) -> Decoded:
    """The main picture in a HEIC file's bytes.

    `check` is given width and height before anything is decoded. Raises `TruncatedPhotoError`, and
    `NotAPhotoError` where pillow-heif is not installed.
    """
    try:
        from pillow_heif import open_heif
    except ModuleNotFoundError as error:
        raise NotAPhotoError(f"{where}: {missing_extra('reading HEIC', 'heif')}") from error
    try:
        file = open_heif(data, convert_hdr_to_8bit=False)
        check(*file.size)
        pixels = np.ascontiguousarray(file)
    except (OSError, ValueError, EOFError, RuntimeError, SyntaxError) as error:
        raise TruncatedPhotoError(
            f"{where}: the picture is damaged or cut off. Copy it again from where it came from."
        ) from error
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.dtype == np.uint16:
        pixels = filled(pixels, file.info["bit_depth"])
    colors = 1 if pixels.shape[2] < 3 else 3
    space = SPACES[colors][pixels.dtype == np.uint16]
    profile = file.info.get("icc_profile") or None
    blob = (file.info.get("exif") or b"").removeprefix(b"Exif\0\0") or None
    dpi = None
    with contextlib.suppress(ValueError):
        dpi = exif.dpi(blob) if blob else None
    notes = [f"first of {len(file)} pictures"] if len(file) > 1 else []
    notes += icc.coded(data[: 1 << 16], "heic", profile is not None)
    metadata = Metadata(
        exif=blob, xmp=file.info.get("xmp") or None, dpi=dpi, format="heic", notes=tuple(notes)
    )
    return finish(image_of(pixels, space, profile), where=where, metadata=metadata)
