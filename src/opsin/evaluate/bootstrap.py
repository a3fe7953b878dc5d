"""How sure a figure is: percentile bootstrap over pictures.

Pictures are drawn with replacement, as many as there are, and the figure is computed anew; the
middle 95 % of what comes out is the interval. It speaks of other pictures of the same kind, not
of other kinds of pictures. Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]

RESAMPLES: Final = 2000
LEVEL: Final = 0.95
SEED: Final = 0
INTERVAL: Final = (
    f"{LEVEL:.0%}, percentile bootstrap over pictures, {RESAMPLES} resamples, seed {SEED}"
)


@dataclass(frozen=True)
class Estimate:
    """A number and its interval; `nan` where it is not defined."""

    value: float
    low: float
    high: float


def bootstrap(
    columns: Doubles,
    figures: Callable[[Doubles], Doubles] = lambda means: means,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = SEED,
) -> list[Estimate]:
    """One `Estimate` for each of the numbers that `figures` makes of the columns' means.

    `columns` (n, k) has a row for each picture. `figures` takes means (..., k) to (..., m), so
    that a figure may be a mean, or a ratio or a difference of means; `nan` where it is not
    defined, and such resamples are left out of its interval.

    >>> bootstrap(np.array([[1.0], [2.0], [3.0], [6.0]]))
    [Estimate(value=3.0, low=1.5, high=5.0)]
    """
    count = len(columns)
    if count == 0:
        raise ValueError("columns must have a row for each picture, got none.")
    random = np.random.default_rng(seed)
    times = random.multinomial(count, np.full(count, 1 / count), size=resamples)  # (resamples, n)
    values = figures(columns.mean(axis=0))
    spread = figures(times @ columns / count)  # (resamples, m)
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # defined in no resample: nan
        low, high = np.nanquantile(spread, [tail, 1 - tail], axis=0)
    return [Estimate(*map(float, row)) for row in zip(values, low, high, strict=True)]
