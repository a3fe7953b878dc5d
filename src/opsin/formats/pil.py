"""Pillow's images, and the formats that are left to it: JPEG 2000, 8-bit Lab TIFF."""

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.color import lab_to_rgb
from opsin.errors import NotAPhotoError, TruncatedPhotoError
from opsin.formats import exif
from opsin.formats.finish import Decoded, finish, image_of
from opsin.formats.metadata import Metadata, sensible_dpi
from opsin.formats.vips import vips

BYTES = {"L": ("b-w", 1), "LA": ("b-w", 2), "RGB": ("srgb", 3), "RGBA": ("srgb", 4)}
BYTES["CMYK"] = ("cmyk", 4)
WORDS = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2"}
SIMPLER = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}
SIMPLER["HSV"] = "RGB"
WHERE = "this PIL image"


def decode_pil(image: Any, *, where: str = WHERE) -> Decoded:
    info = image.info
    image = _simple(image)
    array, space, notes = _pixels(image, where)
    wrapped = image_of(array, space, info.get("icc_profile"))
    blob = (info.get("exif") or b"").removeprefix(b"Exif\0\0") or None
    if blob:
        with contextlib.suppress(ValueError):  # `finish` drops a broken blob and says so
            wrapped.set_type(vips().GValue.gint_type, "orientation", exif.orientation(blob))
    dpi = info.get("dpi")
    packet = info.get("xmp")
    metadata = Metadata(
        exif=blob,
        xmp=packet if isinstance(packet, bytes) else None,
        dpi=sensible_dpi(float(dpi[0]), float(dpi[1])) if dpi else None,
        format=(getattr(image, "format", None) or "").lower() or None,
        notes=notes,
    )
    return finish(wrapped, where=where, metadata=metadata)


def decode_file(data: bytes, *, where: str, check: Callable[[int, int], None]) -> Decoded:
    """The picture in a file's bytes, of the formats that are left to Pillow.

    `check` is given width and height before anything is decoded. Raises `TruncatedPhotoError` and
    `NotAPhotoError`.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit on pixels is ours
            image = Image.open(io.BytesIO(data))
            check(image.width, image.height)
            image.load()
    except Image.DecompressionBombError as error:
        raise NotAPhotoError(f"{where}: too many pixels ({error}).") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise TruncatedPhotoError(
            f"{where}: the picture is damaged or cut off. Copy it again from where it came from."
        ) from error
    try:
        return decode_pil(_from_lab(image) if image.mode == "LAB" else image, where=where)
    except ValueError as error:  # of its pixels
        raise NotAPhotoError(str(error)) from error


def _from_lab(image: Any) -> Any:
    """8-bit Lab, as Photoshop writes it: L* from 0 to 255, a* and b* as signed bytes."""
    from PIL import Image

    array = np.asarray(image)
    light, ab = array[..., :1] * np.float32(100 / 255), array[..., 1:].astype(np.int8)
    lab = np.concatenate([light, ab.astype(np.float32)], axis=-1)
    rgb = (lab_to_rgb(lab).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    converted = Image.fromarray(rgb)
    converted.info = dict(image.info)
    return converted


def _simple(image: Any) -> Any:
    transparent = "transparency" in image.info
    if image.mode == "P":
        return image.convert("RGBA" if transparent else "RGB")
    if transparent and image.mode in ("L", "RGB"):
        return image.convert(image.mode + "A")
    target = SIMPLER.get(image.mode)
    return image.convert(target) if target else image


def _pixels(image: Any, where: str) -> tuple[NDArray[Any], str, tuple[str, ...]]:
    size = (image.height, image.width, -1)
    if image.mode in BYTES:
        space, bands = BYTES[image.mode]
        array = np.frombuffer(image.tobytes(), np.uint8)
        return array.reshape(image.height, image.width, bands), space, ()
    if image.mode in WORDS:
        words = np.frombuffer(image.tobytes(), WORDS[image.mode])
        return words.astype(np.uint16).reshape(size), "grey16", ()
    if image.mode == "I":
        numbers = np.frombuffer(image.tobytes(), "=i4")
        if numbers.min() < 0 or numbers.max() > 65535:
            raise ValueError(
                f"{where} of mode I has values from {numbers.min()} to {numbers.max()}; "
                "opsin reads 0 to 65535. Scale them first."
            )
        if numbers.max() <= 255:  # as Pillow itself takes them when it converts them
            return numbers.astype(np.uint8).reshape(size), "b-w", ()
        return numbers.astype(np.uint16).reshape(size), "grey16", ()
    if image.mode == "F":
        return _real(np.frombuffer(image.tobytes(), "=f4"), where).reshape(size), "grey16", ()
    raise TypeError(f"{where} has mode {image.mode}; convert it to RGB first.")


def _real(values: NDArray[np.float32], where: str) -> NDArray[np.uint16]:
    """Pillow's own range for real numbers is 0..255; 0..1 is taken where nothing exceeds 1."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):
        raise ValueError(f"{where} of mode F has values from {low:g} to {high:g}, not 0 to 255.")
    scale = 65535.0 if high <= 1 else 257.0
    return np.rint(values.astype(np.float64) * scale).astype(np.uint16)
