"""Colorizers at equal colorfulness: what each is worth when none is paler than another.

A paler answer is nearer to the truth in PSNR and CIEDE2000, whatever it knows. So that systems can
be compared, each one's a*b* are multiplied by the one gain at which its pictures are, in the mean,
as colorful (Hasler and Suesstrunk 2003) as a share of the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import colorfulness
from opsin.color import pixels_of_lab, rgb_to_lab
from opsin.errors import DataError
from opsin.evaluate.colorization.candidates import Systems

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]

GAINS: Final = np.geomspace(1 / 8, 16, 22)  # each 1.26 times the one before; straight lines between


def gains_of(
    pictures: Iterable[tuple[str, NDArray[np.uint8]]], systems: Systems, share: float
) -> dict[str, float]:
    """The gain of each of `systems` on pictures (H, W, 3), by name.

    With it the mean colorfulness is `share` of the truth's. `DataError` if nothing between 1/8
    and 16 does it.
    """
    true: list[float] = []
    curves: dict[str, list[Doubles]] = {}
    for _, pixels in pictures:
        rgb = pixels.astype(np.float32) / 255
        light = np.ascontiguousarray(rgb_to_lab(rgb)[..., 0])
        true.append(colorfulness(rgb))
        for system, ab in systems(light).items():
            curves.setdefault(system, []).append(curve(light, ab))
    wanted = share * float(np.mean(true))
    return {system: gain_for(found, wanted, system) for system, found in curves.items()}


def curve(light: Floats, ab: Floats) -> Doubles:
    """The colorfulness of a picture with L* (H, W) and a*b* (H, W, 2) times each of `GAINS`."""
    painted = (pixels_of_lab(light, ab * np.float32(gain), np.uint8) for gain in GAINS)
    return np.array([colorfulness(one.astype(np.float32) / 255) for one in painted])


def gain_for(curves: Sequence[Doubles], wanted: float, system: str = "the answer") -> float:
    """The gain at which pictures with these curves have a mean colorfulness of `wanted`.

    >>> round(gain_for([GAINS * 10, GAINS * 20], 30), 2)
    2.0
    """
    means = np.maximum.accumulate(np.mean(curves, axis=0))  # the gamut ends: it may fall at last
    if not means[0] <= wanted <= means[-1]:
        raise DataError(
            f"{system}: no gain from {GAINS[0]:g} to {GAINS[-1]:g} gives a colorfulness of "
            f"{wanted:.1f}. Choose another share of the truth's."
        )
    return float(np.interp(wanted, means, GAINS))


def scaled(systems: Systems, gains: Mapping[str, float]) -> Systems:
    """The same systems, each one's a*b* times its gain."""

    return lambda light: {name: ab * np.float32(gains[name]) for name, ab in systems(light).items()}
