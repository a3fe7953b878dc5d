"""Several answers: the same photograph in other palettes that are likely for it.

A network's mean over all palettes is dull where they differ, and what it knows is which color goes
where once the palette is known. So a palette is drawn first, as its condition; then each answer
is of a piece. Which of 64 palettes are likely is told by a linear classifier from the network's own
answer without a condition. Both are in `palettes.npz`, made by `benchmarks/palettes.py`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization.bins import BINS
from opsin.colorization.pipeline import run_model
from opsin.defaults import MOST_SAMPLES
from opsin.errors import ModelError
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]

SIZE: Final = 128  # at which the answer is looked at that tells which palettes are likely
NEAR: Final = 12.0  # Lab units: colors that are hardly told apart in a palette


class Sample(NamedTuple):
    """One answer of several."""

    palette: tuple[float, ...]
    """313 shares, see `opsin.colorization.palette`; () is none, as `opsin.colorize` without one."""
    share: float
    """How likely it is that this answer is the nearest of all that are shown, from 0 to 1."""


def samples(
    photo: Any,
    count: int = 4,
    *,
    model: str = "default",
    threads: int | None = None,
    device: str = "cpu",
) -> tuple[Sample, ...]:
    """`count` answers for `photo`, at most 16: first the plain one, then those with likely palettes
    that differ (`covering`), the likeliest first. `opsin.colorize(photo, palette=sample.palette)`
    makes the picture of one.

    `photo` is a `Photo` or anything that `opsin.open` takes. A model that takes no palette, or
    gives no distribution to tell likely ones from, is a `ModelError`.
    """
    if not 1 <= count <= MOST_SAMPLES:
        raise ValueError(f"count must be from 1 to {MOST_SAMPLES}, got {count}.")
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    known = palettes()
    output = run_model(photo, model=model, size=SIZE, threads=threads, device=device)[0]
    if "condition" not in output.card.input_names() or len(output.raw) != known.shares.shape[1]:
        raise ModelError(f"model '{output.card.name}' has one answer alone. Take color-bins.")
    features = features_of(output.raw)
    likely, expected = known.likely(features), features[: len(output.raw)]
    chosen, shares = covering(likely, known.apart(), known.away_from(expected), count - 1)
    others = [Sample(tuple(map(float, known.shares[one])), shares[one]) for one in chosen]
    others.sort(key=lambda one: -one.share)
    return Sample((), 1 - sum(one.share for one in others)), *others


def covering(
    likely: Floats, apart: Floats, from_plain: Floats, count: int
) -> tuple[list[int], dict[int, float]]:
    """Which of K palettes to show, beside the plain answer, and the share of each.

    The likeliest ones are nearly one palette. So one after the other is taken that brings what is
    likely nearest to something that is shown (greedy facility location): `likely` (K,) says how
    likely palettes are, `apart` (K, K) how far from each other, and `from_plain` (K,) how far from
    what the plain answer shows. Each palette's share goes to the nearest that is shown.

    >>> covering(np.array([0.6, 0.3, 0.1]), 1 - np.eye(3), np.array([0.1, 1.0, 1.0]), 1)[0]
    [1]
    """
    distance, nearest = from_plain.astype(np.float64), np.full(len(likely), -1)
    chosen: list[int] = []
    for _ in range(count):
        gains = likely @ np.maximum(distance[:, None] - apart, 0)
        gains[chosen] = -1
        best = int(gains.argmax())
        chosen.append(best)
        nearest[apart[:, best] < distance] = best
        distance = np.minimum(distance, apart[:, best])
    return chosen, {one: float(likely[nearest == one].sum()) for one in chosen}


class Palettes(NamedTuple):
    """The palettes of many photographs, and what tells which are likely."""

    shares: Floats
    """(K, 313)"""
    mean: Floats
    """(D,) of the features of many photographs, and"""
    deviation: Floats
    weight: Floats
    """(K, D)"""
    bias: Floats

    def likely(self, features: Floats) -> Floats:
        """(K,) how likely each palette is for a photograph with these features (D,)."""
        scores = self.weight @ ((features - self.mean) / self.deviation) + self.bias
        found = np.exp(scores - scores.max())
        return np.asarray(found / found.sum(), np.float32)

    def apart(self) -> Floats:
        """(K, K) how far palettes are from each other."""
        roots = _roots(self.shares)
        return np.asarray(np.linalg.norm(roots[:, None] - roots[None], axis=-1), np.float32)

    def away_from(self, shares: Floats) -> Floats:
        """(K,) how far they are from one palette (313,)."""
        return np.asarray(
            np.linalg.norm(_roots(self.shares) - _roots(shares[None]), axis=-1), np.float32
        )


def _roots(shares: Floats) -> Floats:
    """Square roots of smoothed palettes (N, 313): their distance is Hellinger's, but that bins
    that are nearly one color are not far apart."""
    smooth = (shares / shares.sum(axis=1, keepdims=True)) @ _KERNEL.T
    return np.asarray(np.sqrt(smooth), np.float32)


@cache
def palettes() -> Palettes:
    """Those that the package has."""
    with files("opsin.colorization").joinpath("palettes.npz").open("rb") as file:
        stored = np.load(file)
        return Palettes(*(stored[name].astype(np.float32) for name in Palettes._fields))


def features_of(logits: Floats) -> Floats:
    """What of an answer (313, h, w) tells palettes, (939,): of each bin its mean share, its largest
    share and the mean logarithm of its share."""
    flat = logits.reshape(len(logits), -1)
    shares = np.exp(flat - flat.max(axis=0))
    shares /= shares.sum(axis=0)
    logs = np.log(shares + 1e-6)
    parts = [shares.mean(axis=1), shares.max(axis=1), logs.mean(axis=1)]
    return np.concatenate(parts).astype(np.float32)


def _kernel() -> Floats:
    squared = ((BINS[:, None] - BINS[None]) ** 2).sum(axis=-1)
    near = np.exp(-squared / (2 * NEAR**2))
    return np.asarray(near / near.sum(axis=0), np.float32)


_KERNEL: Final = _kernel()
