"""Training pictures of the colorizers: what a crop was to the film, and its true colors."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from opsin.color import gray_to_light, rgb_to_lab
from opsin.colorization.bins import BINS, histogram
from opsin.colorization.touch import touch
from opsin.sets.sources import Picture
from opsin.training import augment, crops
from opsin.training.crops import random_square
from opsin.training.recipe import Share

Float = NDArray[np.float32]


class Data(crops.Data, frozen=True, forbid_unknown_fields=True):
    """The `[data]` table of a colorizer's recipe."""

    least_chroma: Annotated[float, Meta(ge=0, le=100)] = 5.0
    """Pictures with less mean Lab chroma than this are left out."""
    film: Share = 0.4
    """Share of crops whose gray is what some film saw, rather than L*."""
    wear: Share = 0.3
    """Share of crops worn as old prints are."""
    hinted: Share = 0.2
    """Share of crops with color hints: points in one or a few things (`colorize.touch`)."""
    conditioned: Share = 0.15
    """Share of crops with their a*b* histogram as the condition."""


def make_crop(
    picture: Picture,
    size: int,
    settings: Data,
    rng: np.random.Generator,
    *,
    whole: bool = False,
    stride: int = 4,
    gives: frozenset[str] = frozenset({"hints", "condition"}),
) -> dict[str, Float]:
    """One training example: light (1, S, S) and ab (2, S/stride, S/stride).

    If `gives` names them: hints (3, S, S) with the things that they are about, (1, S/stride,
    S/stride) of 0 and 1, whose color in `ab` is the hints'; and condition (313,).
    """
    rgb = random_square(picture, size, settings, rng, whole=whole)
    ab = rgb_to_lab(rgb)[..., 1:]
    film = rng.random() < settings.film
    gray = augment.film_gray(rgb, rng) if film else augment.luminance_gray(rgb)
    if rng.random() < settings.wear:
        gray = augment.wear(gray, rng)
    light = gray_to_light(gray)
    cells = size // stride
    coarse = ab.reshape(cells, stride, cells, stride, 2).mean(axis=(1, 3))
    crop = {"light": light[None].astype(np.float32)}
    if "hints" in gives:
        crop["hints"] = np.zeros((3, size, size), np.float32)
        crop["things"] = np.zeros((1, cells, cells), np.float32)
        if rng.random() < settings.hinted:
            seen = light.reshape(cells, stride, cells, stride).mean(axis=(1, 3))
            crop["hints"], coarse, things = touch(coarse, seen, stride, rng)
            crop["things"] = things[None].astype(np.float32)
    if "condition" in gives:
        known = rng.random() < settings.conditioned
        crop["condition"] = histogram(coarse) if known else np.zeros(len(BINS), np.float32)
    crop["ab"] = np.ascontiguousarray(coarse.transpose(2, 0, 1), np.float32)
    return crop
