"""What classifiers are shown in training: squares of pictures, changed as photographs differ."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from opsin.formats import small
from opsin.models.card import Classify
from opsin.recognition.pipeline import LUMA
from opsin.sets.sources import Picture, read
from opsin.training.crops import Data, warped
from opsin.training.recipe import PartialShare, Share

Float = NDArray[np.float32]


class SquareData(Data, frozen=True, forbid_unknown_fields=True):
    """The `[data]` table of classifiers."""

    enlarged: ClassVar[bool] = True

    small_share: Share = 0.0
    least_area: PartialShare = 0.6
    """A crop covers at least this share of what the network will see of a picture; where that is
    a part in the middle, crops are also as much larger."""
    set_exponent: Annotated[float, Meta(ge=0, le=2)] = 1.0
    shift: Share = 0.0
    """How far a crop may lie beside the middle, as a share of its side."""
    light: Share = 0.0
    """Brightness and contrast change by up to this share."""
    gray: Share = 0.0
    """Share of the crops that are gray."""
    erase: Share = 0.0
    """Share of the crops in which a rectangle is covered (Zhong et al. 2017, arXiv 1708.04896)."""


def crop_of(
    picture: Picture, size: int, data: SquareData, table: Classify, rng: np.random.Generator
) -> Float:
    """A square about what a table says is seen, (S, S, 3) in 0..1, half of them mirrored if it may
    be."""
    rgb = _cut(picture, size, data, table, rng)
    if data.rotate or data.shear or data.zoom:
        rgb = warped(rgb, data, rng)
    if data.light:
        bright, strong = 1 + rng.uniform(-data.light, data.light, 2)
        rgb = np.clip((rgb - 0.5) * strong + 0.5 * bright, 0, 1)
    if rng.random() < data.gray:
        rgb = np.repeat((rgb @ LUMA)[..., None], 3, axis=2)
    if rng.random() < data.erase:
        _erase(rgb, rng)
    return np.asarray(rgb, np.float32)


def _cut(
    picture: Picture, size: int, data: SquareData, table: Classify, rng: np.random.Generator
) -> Float:
    image = small.whole(read(picture)).copy_memory()
    share = np.sqrt(rng.uniform(data.least_area, 1))
    ratio = np.exp(rng.uniform(-1, 1) * np.log(data.stretch) / 2)
    if table.view == "whole":
        width, height = image.width * share, image.height * share
        middle = rng.uniform(0, 1, 2)
        left, top = middle * (image.width - width, image.height - height)
    else:
        if table.crop < 1:  # there is more around it: as often a little more as a little less
            share /= data.least_area**0.25
        side = min(image.width, image.height) * table.crop * share
        width, height = side * ratio, side / ratio
        off = rng.uniform(-data.shift, data.shift, 2) * side
        left, top = (image.width - width) / 2 + off[0], (image.height - height) / 2 + off[1]
    width, height = (
        int(np.clip(round(n), 1, most))
        for n, most in ((width, image.width), (height, image.height))
    )
    left = int(np.clip(round(left), 0, image.width - width))
    top = int(np.clip(round(top), 0, image.height - height))
    image = image.crop(left, top, width, height)
    image = image.thumbnail_image(size, height=size, size="force")
    if table.mirror and rng.random() < 0.5:
        image = image.fliphor()
    return np.asarray(image.numpy(), np.float32) / np.float32(255)


def _erase(rgb: Float, rng: np.random.Generator) -> None:
    """Covers a rectangle of 2 to 25 % with one gray, in place."""
    size = len(rgb)
    area, ratio = rng.uniform(0.02, 0.25), np.exp(rng.uniform(-1, 1) * np.log(3) / 2)
    height, width = (max(1, int(size * min(1, np.sqrt(area) * r))) for r in (ratio, 1 / ratio))
    top, left = (int(rng.integers(0, size - side + 1)) for side in (height, width))
    rgb[top : top + height, left : left + width] = rng.random()
