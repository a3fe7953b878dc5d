"""The sidecars of photographs: files of XMP beside them that hold what others would write into
them. `photo.jpg.xmp` is what digiKam, darktable and Immich call them, `photo.xmp` Lightroom.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from opsin.errors import DataError
from opsin.files import read_regular, shown

MOST: Final = 1 << 26
"""Bytes of a sidecar."""


def sidecars(photo: Path) -> Iterator[Path]:
    """The sidecars of a photograph that are there, the first the most particular."""
    for name in (
        f"{photo.name}.xmp",
        f"{photo.name}.XMP",
        f"{photo.stem}.xmp",
        f"{photo.stem}.XMP",
    ):
        path = photo.with_name(name)
        if os.path.lexists(path):
            yield path


def sidecar_of(photo: Path) -> Path:
    """The sidecar to write: one that is there, or `photo.jpg.xmp`.

    `photo.xmp` is another file's where there is a `photo.cr2`, as beside a camera's raw file.
    """
    own = photo.with_name(f"{photo.name}.xmp")
    for path in sidecars(photo):
        if path.name.startswith(photo.name) or _is_alone(photo):
            return path
    return own


def read_sidecar(path: Path) -> bytes:
    """What a sidecar holds. Raises `DataError` where it cannot be read."""
    try:
        return read_regular(path, most=MOST)
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise DataError(f"{shown(path)}: this is no sidecar, {error}.") from error


def _is_alone(photo: Path) -> bool:
    """Whether no other file but its sidecars is called as the photograph, apart from its suffix."""
    return not any(
        other.stem == photo.stem and other.name != photo.name and other.suffix.lower() != ".xmp"
        for other in photo.parent.iterdir()
    )
