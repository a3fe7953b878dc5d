"""The colors of another photograph, place by place: skin to skin, sky to sky, a coat to that coat.

What the colorizer's inner layers make of a place (`things.features_of`) says what is there. So the
reference is taken apart into swatches, each a look and a color, and each cell of a photograph that
is colorized gets the color of the swatches that look as it does, as far as one does. Swatches are
kept as a text, so that a request can say them and the reference need not be at hand.

Looks are the strongest common directions of the features of many photographs (`looks.npz`, made by
`benchmarks/reference.py`).

Related: Welsh, Ashikhmin, Mueller: Transferring Color to Greyscale Images (2002); He et al.: Deep
Exemplar-based Colorization (2018, arXiv 1807.06587), which matches by a network's features, too.
"""

from __future__ import annotations

import base64
import binascii
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization.ensemble import Grid, mean
from opsin.colorization.palette import colors_seen
from opsin.colorization.things import STRIDE, features_of
from opsin.colorization.upsample import cell_means
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]

COUNT: Final = 96  # swatches; with twice as many hardly a color is nearer
WIDTH: Final = 64  # numbers of a look
SHARP: Final = 0.02  # of two swatches one that is so much more alike counts e times as much
UNLIKE, ALIKE = 0.5, 0.8  # cosines of looks from which a cell gets nothing, and all
FORM: Final = "1:"  # what a text begins with: the looks that it was made with
MOST_TEXT: Final = len(FORM) + 4 * -(-COUNT * (WIDTH + 2) // 3)


class Swatches(NamedTuple):
    """What a reference is made of."""

    looks: Floats
    """(N, WIDTH), each of length 1."""
    ab: Floats
    """(N, 2) a*b* in Lab units."""

    def text(self) -> str:
        """As it stands in a request."""
        looks = np.rint(self.looks * 127).clip(-127, 127)
        ab = np.rint(self.ab).clip(-127, 127)
        rows = np.concatenate([looks, ab], axis=1).astype(np.int8)
        return FORM + base64.b64encode(rows.tobytes()).decode()


class Lent(NamedTuple):
    """Colors that a reference lends to a photograph."""

    ab: Grid
    """(h, w, 2)"""
    share: Grid
    """(h, w) how much of them each cell gets, from 0 to 1."""


def swatches_of(reference: Any, *, threads: int | None = None) -> str:
    """The swatches of a photograph in color as a text, or the text itself if it is one; "" of "".

    `reference` is a `Photo` or anything that `opsin.open` takes; a file whose name begins as such a
    text does is given as a `Path`. What is all transparent of it lends nothing. A `ValueError` if
    it is black and white, or nothing of it is seen.
    """
    if isinstance(reference, str) and (not reference or reference.startswith(FORM)):
        if reference:
            read(reference)
        return reference
    photo = reference if isinstance(reference, Photo) else open_photo(reference)
    photo = photo.there
    features, view = features_of(photo, threads=threads or min(cores(), MOST_THREADS))
    ab, seen = colors_seen(photo, *view.seen)
    planes = np.concatenate([ab, np.ones_like(ab[..., :1])], axis=-1) * seen[..., None]
    *sums, share = cell_means(np.ascontiguousarray(planes.transpose(2, 0, 1)), STRIDE)
    kept = share >= min(0.5, share.max())
    means = np.stack([one[kept] / share[kept] for one in sums], axis=-1)
    return _grouped(looks_of(features)[kept], means).text()


def read(text: str) -> Swatches:
    """The swatches that a text says; a `ValueError` where it says none, or more than there are."""
    try:
        data = base64.b64decode(text.removeprefix(FORM), validate=True)
    except (binascii.Error, ValueError):
        data = b""
    count, rest = divmod(len(data), WIDTH + 2)
    if not text.startswith(FORM) or rest or not 0 < count <= COUNT:
        raise ValueError("reference must be a photograph, or what opsin has noted of one.")
    rows = np.frombuffer(data, np.int8).reshape(-1, WIDTH + 2).astype(np.float32)
    return Swatches(_unit(rows[:, :WIDTH]), rows[:, WIDTH:])


def lent(text: str, features: Floats, cells: tuple[float, float], matching: float) -> Lent:
    """What the swatches of a text lend to a photograph with features (h, w, D), which takes so many
    `cells`; `matching`, from 0 to 1, is how much that is at most."""
    swatches, shape = read(text), features.shape[:2]
    alike = looks_of(features).reshape(-1, WIDTH) @ swatches.looks.T
    most = alike.max(axis=1, keepdims=True)
    weights = np.exp((alike - most) / SHARP)
    ab = (weights / weights.sum(axis=1, keepdims=True)) @ swatches.ab
    share = ((most - UNLIKE) / (ALIKE - UNLIKE)).clip(0, 1) * np.float32(matching)
    return Lent(Grid(ab.reshape(*shape, 2), cells), Grid(share.reshape(shape), cells))


def with_lent(ab: Floats, cells: tuple[float, float], colors: Lent) -> Floats:
    """Colors (h, w, 2) of a grid on which the photograph takes so many cells, and what was lent."""
    own = Grid(ab, cells)
    share = mean([colors.share], own)[..., None]
    return np.asarray(ab + share * (mean([colors.ab], own) - ab), np.float32)


def looks_of(features: Floats) -> Floats:
    """(h, w, WIDTH) looks of length 1 of features (h, w, D)."""
    weight, bias = _looks()
    return _unit(features @ weight.T + bias)


@cache
def _looks() -> tuple[Floats, Floats]:
    """(WIDTH, D) and (WIDTH,): from features to looks."""
    with files("opsin.colorization").joinpath("looks.npz").open("rb") as file:
        stored = np.load(file)
        return stored["weight"].astype(np.float32), stored["bias"].astype(np.float32)


def _grouped(looks: Floats, ab: Floats) -> Swatches:
    """N cells as at most `COUNT` swatches, as different as can be: each cell goes to the one of
    those chosen that is most like it, and a swatch is the mean of its cells."""
    chosen = [int(np.abs(looks - looks.mean(axis=0)).sum(axis=1).argmin())]
    nearest = looks @ looks[chosen[0]]
    while len(chosen) < COUNT and nearest.min() < 0.999:  # else they all look like one of these
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, looks @ looks[chosen[-1]])
    own = (looks @ looks[chosen].T).argmax(axis=1)
    groups = [own == number for number in range(len(chosen))]
    return Swatches(
        _unit(np.array([looks[group].mean(axis=0) for group in groups])),
        np.array([ab[group].mean(axis=0) for group in groups]),
    )


def _unit(rows: Floats) -> Floats:
    """Rows (..., K) of length 1."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)
