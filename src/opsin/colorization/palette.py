"""How often each color is wanted in a picture: what networks take as their condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS, histogram
from opsin.colorization.points import rgb_of
from opsin.drawing.pixels import as_rgb, resized
from opsin.models.view import View
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]
Bools: TypeAlias = NDArray[np.bool_]
Palette: TypeAlias = Any
"""313 shares, a photograph, or a list of colors; see `shares_of`."""

SIDE = 64  # of the picture whose colors are counted: about the cells of a crop in training
DIGITS = 5  # of a share, so that a copy can say it in its XMP
LEAST_CHROMA = 1.5  # Lab units, in the mean: with less a photograph has no colors to take
SPREAD = 8.0  # Lab units: a thing of one color has neighbors of it, and
SHADES = (0.4, 0.55, 0.7, 0.85, 1.0)  # paler ones, where light falls on it or it is in shadow


def shares_of(palette: Palette) -> Floats:
    """The share of each of the 313 colors, (313,) float32 that sum to 1, but for rounding.

    `palette` is an array of 313 shares (not negative, of any sum) in the order of `bins.BINS`,
    the a*, b* of the colors; or a list of colors, each "#rrggbb" or (r, g, b) in 0..255, of which
    each counts the same; or a photograph, a `Photo` or anything that `opsin.open` takes: the share
    of its surface that is nearest to each color, without what is all transparent.

    >>> postcard = np.full((8, 8, 3), (200, 40, 40), np.uint8)
    >>> BINS[shares_of(postcard).argmax()].tolist()
    [60.0, 40.0]
    """
    if _are_shares(palette):
        shares = np.asarray(palette, np.float32)
        if not np.isfinite(shares).all() or shares.min() < 0 or not shares.sum() > 0:
            raise ValueError("a palette must be 313 shares, finite, none negative, one above 0.")
        total = float(shares.sum())
        if abs(total - 1) > 0.01:  # those that were rounded once stay as they are
            shares = shares / total
        return np.asarray(shares.round(DIGITS), np.float32)
    if isinstance(palette, (list, tuple)):
        return _of_colors(palette)
    photo = palette if isinstance(palette, Photo) else open_photo(palette)
    photo = photo.there
    ab, seen = colors_seen(photo, *View.of(photo.height, photo.width, SIDE).seen)
    return histogram(ab[seen]).round(DIGITS)


def colors_seen(photo: Photo, height: int, width: int) -> tuple[Floats, Bools]:
    """a*b* (h, w, 2) of a photograph made that small, and where (h, w) they are seen: what is all
    transparent has colors, too, which count for nothing.

    A `ValueError` if nothing is seen, or it is black and white.
    """
    pixels, hidden = photo.pixels, None if photo.alpha is None else photo.alpha == 0
    if hidden is None or not hidden.any():
        seen = np.full((height, width), True)
        rgb = as_rgb(resized(pixels, height, width)) / np.float32(255)
    else:
        # hidden colors are black, and what they take from their neighbors is given back
        visible = np.where(hidden, 0, 255).astype(np.uint8)[..., None]
        share = resized(visible, height, width, kernel="linear") / np.float32(255)
        pixels = np.where(hidden[..., None], 0, pixels).astype(pixels.dtype)
        rgb = as_rgb(resized(pixels, height, width, kernel="linear")) / np.float32(255)
        seen = share[..., 0] > 0.5
        rgb = (rgb / np.maximum(share, 0.5)).clip(0, 1)
    ab = rgb_to_lab(rgb)[..., 1:]
    if not seen.any():
        raise ValueError("it is all transparent: there are no colors to take from it.")
    if np.linalg.norm(ab[seen], axis=-1).mean() < LEAST_CHROMA:
        raise ValueError("it is black and white: there are no colors to take from it.")
    return ab, seen


def _are_shares(palette: Any) -> bool:
    """Whether these are 313 numbers; a list of so many colors is none."""
    if isinstance(palette, np.ndarray):
        return bool(palette.shape == (len(BINS),))
    is_list = isinstance(palette, (list, tuple)) and len(palette) == len(BINS)
    return is_list and all(isinstance(one, (int, float, np.number)) for one in palette)


def _of_colors(colors: Sequence[Any]) -> Floats:
    """The shares of a picture of things in these colors: each with its neighbors and paler ones."""
    if not colors:
        raise ValueError("a palette of colors needs one or more.")
    rgb = np.array([rgb_of(color) for color in colors], np.float32) / 255
    centers = rgb_to_lab(rgb)[:, None, 1:] * np.array(SHADES, np.float32)[:, None]
    squared = ((centers[:, :, None] - BINS) ** 2).sum(axis=-1)
    spread = np.exp(-squared / (2 * SPREAD**2))
    each = spread.sum(axis=1) / spread.sum(axis=(1, 2))[:, None]
    return np.asarray(each.mean(axis=0), np.float32).round(DIGITS)
