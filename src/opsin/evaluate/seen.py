"""Ways to see the pictures that are measured on, for old photographs are gray: as they are, gray,
gray and worn as a century does it, and gray and then colored by the default colorizer.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization.pipeline import colorize
from opsin.drawing.pixels import as_rgb
from opsin.errors import WrongCallError
from opsin.files import shown
from opsin.training.augment import film_gray, luminance_gray, wear

Floats: TypeAlias = NDArray[Any]
Pixels: TypeAlias = NDArray[np.uint8]


def check(ways: Iterable[str]) -> None:
    """Raises a `WrongCallError` if one is none of `SEEN`."""
    if unknown := [way for way in ways if way not in SEEN]:
        raise WrongCallError(f"'{shown(unknown[0])}' is none of {', '.join(SEEN)}.")


def _gray(rgb: Pixels, name: str) -> Pixels:
    return _of_gray(luminance_gray(_unit(rgb)))


def _worn(rgb: Pixels, name: str) -> Pixels:
    """The same wear for one picture each time, of the kinds that the colorizers learn from."""
    rng = np.random.default_rng(zlib.crc32(name.encode(errors="surrogateescape")))
    return _of_gray(wear(film_gray(_unit(rgb), rng), rng))


def _unit(rgb: Pixels) -> NDArray[np.float32]:
    return np.divide(rgb, 255, dtype=np.float32)


def _of_gray(gray: Floats) -> Pixels:
    return np.repeat((gray.clip(0, 1) * 255 + 0.5).astype(np.uint8)[..., None], 3, axis=2)


def _colorized(rgb: Pixels, name: str) -> Pixels:
    return as_rgb(colorize(np.ascontiguousarray(_gray(rgb, name)[..., 0]), threads=1).pixels)


SEEN: Final[Mapping[str, Callable[[Pixels, str], Pixels]]] = {
    "color": lambda rgb, name: rgb,
    "gray": _gray,
    "worn": _worn,
    "colorized": _colorized,
}
"""Ways to see a picture, given its sRGB pixels and its name."""
