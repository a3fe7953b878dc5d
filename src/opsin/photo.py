"""Photographs: open them, hold them, save them.

A `Photo` is upright and in sRGB, gray as (H, W, 1) or color as (H, W, 3), 8 or 16
bits, with everything its file said about it. Opening never changes a file; saving
writes the whole file or nothing.
"""

import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from opsin.defaults import PIXEL_LIMIT, QUALITY
from opsin.drawing.mark import marked
from opsin.errors import PhotoError, SaveError, TruncatedPhotoError
from opsin.files import NO_ADDRESS, fingerprint, is_address, read_whole, shown, write_atomically
from opsin.formats import xmp
from opsin.formats.decode import decode
from opsin.formats.encode import encode, format_of, losses, to_8_bits
from opsin.formats.finish import Decoded, check_size
from opsin.formats.metadata import Metadata
from opsin.formats.suffixes import SUFFIX

__all__ = ["Metadata", "Photo", "made_by_opsin", "open"]

PREVIEW_SIDE = 512
ALIASES = {"jpg": "jpeg", "tif": "tiff"}
OVERSHOOT = 1e-3  # what filters leave beyond 0..1 in pictures of real numbers


@dataclass(frozen=True, eq=False)
class Photo:
    """One photograph.

    >>> photo = open(np.zeros((2, 3), np.uint8))
    >>> photo
    Photo(3 x 2, gray, 8 bits)
    >>> photo.pixels.shape
    (2, 3, 1)
    """

    pixels: NDArray[Any]  # (H, W, 1) or (H, W, 3), uint8 or uint16
    alpha: NDArray[Any] | None = None  # (H, W), of the same type
    metadata: Metadata = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        pixels, alpha = self.pixels, self.alpha
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
            raise ValueError(f"pixels must have shape (H, W, 1 or 3), got {pixels.shape}")
        if pixels.dtype not in (np.uint8, np.uint16):
            raise TypeError(f"pixels must be uint8 or uint16, got {pixels.dtype}")
        object.__setattr__(self, "pixels", np.ascontiguousarray(pixels))
        if alpha is None:
            return
        if alpha.shape != pixels.shape[:2] or alpha.dtype != pixels.dtype:
            raise ValueError(
                f"alpha must be {pixels.dtype} of shape {pixels.shape[:2]}, "
                f"got {alpha.dtype} of {alpha.shape}"
            )
        object.__setattr__(self, "alpha", np.ascontiguousarray(alpha))

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def depth(self) -> int:
        """Bits a channel: 8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    @property
    def is_gray(self) -> bool:
        return int(self.pixels.shape[2]) == 1

    @property
    def there(self) -> "Photo":
        """The part of it that its file holds: all of it, unless that was damaged."""
        if self.metadata.there is None:
            return self
        alpha = None if self.alpha is None else self.alpha[self.metadata.there]
        metadata = replace(self.metadata, there=None)
        return Photo(self.pixels[self.metadata.there], alpha, metadata)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed on the way in."""
        return self.metadata.notes

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        quality: int = QUALITY,
        mark: bool = False,
        overwrite: bool = True,
    ) -> Path:
        """The path, once the file is whole and on the disk.

        The format follows the name unless given; missing folders are made. What the
        format cannot hold is told by `losses`. `mark` draws a small "AI" into a corner.

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "gray.png"
        >>> open(np.zeros((2, 3), np.uint8)).save(path) == path
        True
        """
        target = Path(os.fsdecode(path))
        format = _format(format) if format else format_of(target)
        if not overwrite and target.exists():
            raise SaveError(f"{shown(target)}: already there. Choose another name, or overwrite.")
        data = self._encoded(format, quality=quality, mark=mark, where=shown(target))
        return write_atomically(target, data)

    def encode(self, format: str, *, quality: int = QUALITY, mark: bool = False) -> bytes:
        """The bytes that `save` would write.

        >>> open(np.zeros((2, 3), np.uint8)).encode("png")[1:4]
        b'PNG'
        """
        return self._encoded(_format(format), quality=quality, mark=mark, where="the photograph")

    def losses(self, format: str) -> tuple[str, ...]:
        """What would be lost in this format, in plain words; empty where nothing is.

        >>> open(np.zeros((2, 3), np.uint16)).losses("jpeg")
        ('16 bits reduced to 8, the most JPEG can hold',)
        """
        return losses(self.pixels, self.alpha, self.metadata, _format(format))

    def _encoded(self, format: str, *, quality: int, mark: bool, where: str) -> bytes:
        if not 1 <= quality <= 100:
            raise ValueError(f"quality must be from 1 to 100, got {quality}")
        pixels = self.pixels
        if mark:
            pixels = marked(pixels)
        return encode(pixels, self.alpha, self.metadata, format, quality=quality, where=where)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The pixels, (H, W, 1 or 3); so `numpy.asarray(photo)` gives them.

        >>> np.asarray(open(np.zeros((2, 3), np.uint8))).shape
        (2, 3, 1)
        """
        return np.array(self.pixels, dtype=dtype, copy=copy)

    def to_pil(self) -> Any:
        """A PIL image of 8 bits: L, LA, RGB or RGBA; 16-bit gray without alpha is I;16."""
        from PIL import Image

        pixels = self.pixels
        if pixels.dtype == np.uint16 and self.is_gray and self.alpha is None:
            return Image.fromarray(pixels[..., 0])
        if self.alpha is not None:
            pixels = np.concatenate([pixels, self.alpha[..., None]], axis=2)
        pixels = to_8_bits(pixels)
        return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)

    def __repr__(self) -> str:
        channels = "gray" if self.is_gray else "color"
        source = f", {self.metadata.source!r}" if self.metadata.source else ""
        return f"Photo({self.width} x {self.height}, {channels}, {self.depth} bits{source})"

    def _repr_png_(self) -> bytes:
        step = -(-max(self.height, self.width) // PREVIEW_SIDE)
        alpha = None if self.alpha is None else self.alpha[::step, ::step]
        return Photo(self.pixels[::step, ::step], alpha).encode("png")


def open(source: Any, *, pixel_limit: int = PIXEL_LIMIT, damaged: bool = False) -> Photo:
    """The photograph in a path, bytes, a binary file, a NumPy array or a PIL image.

    A damaged file is a `TruncatedPhotoError`; with `damaged` it is taken as far as it goes. What
    is missing is then gray and stays so when the rest gets its colors; `notes` tell how much.
    A sound file is the same with it.

    Arrays are (H, W), (H, W, 1), (H, W, 3) or with alpha (H, W, 2), (H, W, 4), of uint8,
    uint16, bool, or real numbers from 0 to 1, which become 16 bits; they are copied.

    >>> open(np.ones((4, 4, 3), bool)).pixels.max()
    np.uint8(255)
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, limit=pixel_limit)
    if isinstance(source, str | os.PathLike):
        return _from_path(source, limit=pixel_limit, damaged=damaged)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(
            bytes(source), where="these bytes", source=None, limit=pixel_limit, damaged=damaged
        )
    if hasattr(source, "tobytes") and hasattr(source, "getbands"):
        return Photo(*_from_pil(source, limit=pixel_limit))
    if hasattr(source, "read"):
        return _from_file(source, limit=pixel_limit, damaged=damaged)
    raise TypeError(
        "a photograph must be a path, bytes, a binary file, a NumPy array or a PIL image, "
        f"got {type(source).__name__}"
    )


def copied(old: Metadata) -> Metadata:
    """The metadata of a copy of a photograph: its own, with the file that it was read from and what
    that lacks."""
    if not (old.origin or old.xmp):
        return old
    return replace(old, xmp=xmp.with_origin(old.xmp, old.origin, old.damage))


def part_of(photo: Photo, rows: slice, columns: slice) -> Photo:
    """A part of a photograph. Of the metadata only the resolution and the file that it was read
    from are kept: the rest tells of the whole photograph."""
    alpha = None if photo.alpha is None else photo.alpha[rows, columns]
    old = photo.metadata
    packet = xmp.with_origin(None, old.origin) if old.origin else None
    kept = Metadata(dpi=old.dpi, source=old.source, format=old.format, xmp=packet)
    return Photo(photo.pixels[rows, columns], alpha, kept)


def made_by_opsin(
    photo: Photo, pixels: NDArray[Any], *, model: str, version: str, request: str | None = None
) -> Photo:
    """The colorized copy: new pixels, the same metadata, and XMP that says what it is.

    `request` is what was asked for, as JSON, by which the copy can be made again.

    >>> photo = open(np.zeros((2, 3), np.uint8))
    >>> copy = made_by_opsin(photo, np.zeros((2, 3, 3), np.uint8), model="default", version="0.1")
    >>> b"compositeWithTrainedAlgorithmicMedia" in copy.metadata.xmp
    True
    """
    old = photo.metadata
    facts: Mapping[str, Any] = {
        "source": old.source,
        "origin": old.origin,
        "model": model,
        "version": version,
        "damage": old.damage,
        "request": request,
        "fingerprint": f"{zlib.crc32(np.ascontiguousarray(pixels).data):08x}",
    }
    notes = old.notes
    try:
        packet = xmp.with_provenance(old.xmp, **facts)
    except ValueError:
        packet = xmp.with_provenance(None, **facts)
        notes = (*notes, "broken XMP replaced")
    return replace(photo, pixels=pixels, metadata=replace(old, xmp=packet, notes=notes))


def _from_path(path: str | os.PathLike[str], *, limit: int, damaged: bool) -> Photo:
    text = os.fsdecode(path)
    if is_address(text):
        raise PhotoError(f"{shown(text)}: {NO_ADDRESS}")
    path = Path(text)
    where = shown(path)
    try:
        if stat.S_ISCHR(mode := path.stat().st_mode) or stat.S_ISBLK(mode):
            raise PhotoError(f"{where}: this is a device. Give a photograph.")
        data = read_whole(path)
    except FileNotFoundError as error:
        raise PhotoError(f"{where}: no such file. Check the name and the folder.") from error
    except IsADirectoryError as error:
        raise PhotoError(f"{where}: this is a folder. Give a photograph in it.") from error
    except PermissionError as error:
        if path.is_dir():  # what Windows says of a folder
            raise PhotoError(f"{where}: this is a folder. Give a photograph in it.") from error
        raise PhotoError(
            f"{where}: no permission to read it. Change the file's permissions."
        ) from error
    except (OSError, ValueError) as error:
        raise PhotoError(
            f"{where}: cannot be read ({error}). Check the name and the disk."
        ) from error
    return _from_bytes(data, where=where, source=shown(path.name), limit=limit, damaged=damaged)


def _from_file(file: BinaryIO, *, limit: int, damaged: bool) -> Photo:
    data = file.read()
    if not isinstance(data, bytes):
        raise TypeError("the file must be open for reading bytes: open(path, 'rb')")
    name = getattr(file, "name", None)
    named = isinstance(name, str) and not name.startswith("<")
    source = shown(os.path.basename(name)) if named and name else None
    where = source or ("standard input" if name == "<stdin>" else "this file")
    return _from_bytes(data, where=where, source=source, limit=limit, damaged=damaged)


def _from_bytes(data: bytes, *, where: str, source: str | None, limit: int, damaged: bool) -> Photo:
    pixels, alpha, metadata = decode(data, where=where, source=source, limit=limit, damaged=damaged)
    return Photo(pixels, alpha, replace(metadata, origin=fingerprint(data)))


def _from_array(array: NDArray[Any], *, limit: int) -> Photo:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise ValueError(
            f"an array must have shape (H, W) or (H, W, 1 to 4), got {array.shape}"
            + (". For one of many, pass array[i]." if array.ndim == 4 else "")
        )
    check_size(array.shape[1], array.shape[0], where="this array", limit=limit)
    array = _whole(array)
    colors = 1 if array.shape[2] < 3 else 3
    alpha = array[..., -1].copy() if array.shape[2] in (2, 4) else None
    return Photo(array[..., :colors].copy(), alpha)


def _whole(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
            raise ValueError(
                f"real numbers must lie in 0..1, got {low:g} to {high:g}. "
                "Divide values of 0..255 by 255."
            )
        return np.rint(array.clip(0, 1).astype(np.float64) * 65535).astype(np.uint16)
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    raise TypeError(
        f"an array must be uint8, uint16, bool or real numbers, got {array.dtype}. "
        "For values of 0..255 use array.astype('uint8')."
    )


def _from_pil(image: Any, *, limit: int) -> Decoded:
    from opsin.formats.pil import decode_pil

    check_size(image.width, image.height, where="this PIL image", limit=limit)
    try:
        return decode_pil(image)
    except OSError as error:  # Pillow reads its file only now
        raise TruncatedPhotoError(
            f"this PIL image: its file is damaged or cut off ({error}). "
            "Copy it again from where it came from."
        ) from error


def _format(name: str) -> str:
    format = ALIASES.get(name.lower(), name.lower())
    if format not in SUFFIX:
        raise ValueError(f"unknown format {name!r}. Known: {', '.join(SUFFIX)}.")
    return format
