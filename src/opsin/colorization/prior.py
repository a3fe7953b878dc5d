"""What colors photographs have: the mean one, and how common each of the 313 bins is.

Two yardsticks need it: the mean-color baseline, and the figure that counts rare colors as much
as common ones. Both constants were made by

    python benchmarks/prior.py train-000.tar train-001.tar

from 4,969 photographs of many themes (COCO, ImageNet, BSDS500, SUN, faces, houses and others;
short side 96 to 176 pixels), each counted alike whatever its size. None is an evaluation picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS, histogram

Floats = NDArray[np.float32]

MEAN_COLOR = (2.15, 8.51)
"""a*, b* of the mean color: a dull orange brown."""

SMOOTHING = 5.0
"""Sigma of the Gaussian over the a*b* plane (Zhang et al. 2016, section 2.2)."""

LEAST_SHARE = 1e-5
"""A rarer bin counts as if it were as common as this: 60 bins occur in no training picture, and
a handful of pixels there would outweigh all others."""


@cache
def shares() -> Floats:
    """The share of pixels in each bin, (313,), summing to 1; not smoothed."""
    text = files("opsin.colorization").joinpath("prior.csv").read_text("utf-8")
    rows = np.loadtxt(text.splitlines(), delimiter=",", dtype=np.float32, skiprows=1)
    return np.ascontiguousarray(rows[:, 2])


@cache
def rarity() -> Floats:
    """How much a pixel of each bin counts, (313,): the inverse of its smoothed share.

    Equation 4 of Zhang et al. 2016 with lambda = 0 and the limit `LEAST_SHARE`, scaled so that
    the mean over the training pixels is 1: all but the rarest bins have the same weight in all.
    """
    distance = ((BINS[:, None] - BINS[None]) ** 2).sum(axis=-1)
    kernel = np.exp(-distance / (2 * SMOOTHING**2))
    smooth = (kernel / kernel.sum(axis=1, keepdims=True)) @ shares()
    smooth = np.maximum(smooth, LEAST_SHARE)
    weights: Floats = (1 / smooth).astype(np.float32)
    return weights / np.float32(weights @ shares())


def count(pictures: Iterable[NDArray[np.uint8]]) -> tuple[Floats, Floats]:
    """The mean a*b* (2,) and the share of each bin (313,) of `pictures`, each counted alike."""
    total, mean, color = 0, np.zeros(len(BINS)), np.zeros(2)
    for rgb in pictures:
        ab = rgb_to_lab(rgb.astype(np.float32) / 255)[..., 1:].reshape(-1, 2)
        mean += histogram(ab)
        color += ab.mean(axis=0, dtype=np.float64)
        total += 1
    return (color / total).astype(np.float32), (mean / total).astype(np.float32)
