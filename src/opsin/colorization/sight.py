"""Where on a photograph a thing is that was named, and its color put there.

What a surface is made of (sky, skin, a coat) is told by `things`, cell by cell. Other things are
found by the detector, which draws a box; which cells of the box are the thing is then told by how
they differ from those around it, in what the colorizer makes of them.

A sky of fog, or one that is white all over, is told in a corner only, and is a wall elsewhere. So a
sky goes on from where it is told surely, over cells that are as light, as far as they are nothing
that a sky is not taken for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import light_of_pixels
from opsin.colorization.bins import BINS
from opsin.colorization.coherence import coherent
from opsin.colorization.color_names import color_at
from opsin.colorization.ensemble import Grid, mean
from opsin.colorization.reference import Lent, lent
from opsin.colorization.things import features_of, head
from opsin.colorization.words import SEEN, Wish
from opsin.drawing.pixels import resized
from opsin.photo import Photo

Floats: TypeAlias = NDArray[np.float32]
Bools: TypeAlias = NDArray[np.bool_]

LEAST: Final = 0.003  # of the photograph: what is smaller was not found
SURE, UNSURE = 0.6, 0.35  # shares from which a cell has all of the color, and none

PLAIN: Final = ("sky", "wall", "water", "other")  # what a plain sky is taken for
STEP: Final = 3.0  # L*: a step from cell to cell that a sky hardly goes over

KINDS: Final = 24  # principal components by which a thing differs from what is around it
PENALTY: Final = 0.05  # of the regression on them, and
ROUNDS: Final = 3

SCALE: Final = 20.0  # a share of 1 is as large a step as so many units of a*b*
COHERENCE: Final = 20.0  # what neighbors that look alike count


class Region(NamedTuple):
    """Where a color is wished for."""

    wish: Wish
    share: Grid
    """(h, w) how much of the color each cell is to have, from 0 to 1."""


class Sight:
    """A photograph that is looked at for things: once for all that `things` tells, and once for
    each kind that the detector finds."""

    def __init__(self, photo: Photo, *, threads: int, device: str = "cpu") -> None:
        self.photo = photo.there
        self._how: dict[str, Any] = {"threads": threads, "device": device}
        self._found: dict[str, Floats] = {}
        self._seen: tuple[Floats, Floats, tuple[float, float]] | None = None

    def regions(self, wishes: Sequence[Wish]) -> tuple[tuple[Region, ...], tuple[Wish, ...]]:
        """Where the wishes' things are, and the wishes whose things are not on the photograph.

        Things that the detector finds come last: a blue cup stays blue on brown wood.
        """
        regions, missing = [], []
        for wish in sorted(wishes, key=lambda wish: wish.thing not in SEEN):
            share = self._share(wish.thing) * self._not_rather(wish, wishes)
            if (share > (SURE + UNSURE) / 2).mean() < LEAST:
                missing.append(wish)
            else:
                regions.append(Region(wish, Grid(share, self._look()[2])))
        return tuple(regions), tuple(missing)

    def lent(self, reference: str, matching: float) -> Lent:
        """What the swatches of a reference lend to it, see `opsin.colorization.reference`."""
        features, _, cells = self._look()
        return lent(reference, features, cells, matching)

    def _not_rather(self, wish: Wish, wishes: Sequence[Wish]) -> Bools:
        """(h, w): where it is not another of these things, which might be taken for it."""
        mine: Bools = np.ones(self._look()[0].shape[:2], np.bool_)
        names = SEEN.get(wish.thing, ())
        for other in {one.thing for one in wishes} & set(names[1:]):
            mine &= self._told(names[:1]) >= self._told((other,))
        return mine

    def _share(self, thing: str) -> Floats:
        """(h, w): how likely each cell is that thing."""
        if thing not in self._found:
            found = self._told(SEEN[thing]) if thing in SEEN else self._detected(thing)
            self._found[thing] = self._carried_on(found) if thing == "sky" else found
        return self._found[thing]

    def _carried_on(self, share: Floats) -> Floats:
        """A sky's shares (h, w), carried on over cells that may be sky."""
        rival = self._look()[1][..., [one not in PLAIN for one in head().names]].max(axis=-1)
        light = light_of_pixels(resized(self.photo.pixels, *share.shape))
        return carried_on(share, light, rival < SURE)

    def _told(self, names: Sequence[str]) -> Floats:
        """(h, w): how likely it is one of these, of what `things` tells."""
        _, shares, _ = self._look()
        chosen = shares[..., [head().names.index(one) for one in names]]
        return np.asarray(chosen.sum(axis=-1), np.float32)

    def _detected(self, label: str) -> Floats:
        """The same for what the detector finds, whose room is above this one: it is asked for by
        its name, and loaded by nobody else."""
        detect = import_module("opsin.objects.pipeline").detect
        features, _, cells = self._look()
        scale = np.array([cells[1] / self.photo.width, cells[0] / self.photo.height] * 2)
        boxes = [one.box * scale for one in detect(self.photo, classes=(label,), **self._how)]
        found = np.zeros(features.shape[:2], np.float32)
        for box in boxes:
            found = np.maximum(found, within(box, features))
        return found

    def _look(self) -> tuple[Floats, Floats, tuple[float, float]]:
        """Features (h, w, D), the shares (h, w, N) of things, and how many cells there are."""
        if self._seen is None:
            features, view = features_of(self.photo, threads=self._how["threads"])
            self._seen = features, head().shares(features), view.cells
        return self._seen


def carried_on(share: Floats, light: Floats, possible: Bools) -> Floats:
    """Shares (h, w) that go from where they are sure to neighbors of about the same L* (h, w), as
    far as it is `possible` (h, w).

    >>> light = np.array([[80.0, 80, 80, 40, 80]])
    >>> found = carried_on(np.array([[0.9, 0.1, 0, 0, 0]]), light, light > 0)
    >>> (found > 0.5).tolist()
    [[True, True, True, False, False]]
    """
    down, right = (np.exp(-((np.diff(light, axis=axis) / STEP) ** 2) / 2) for axis in (0, 1))
    before = np.where(share > SURE, share, 0)
    while True:
        reached = before.copy()
        reached[1:] = np.maximum(reached[1:], before[:-1] * down)
        reached[:-1] = np.maximum(reached[:-1], before[1:] * down)
        reached[:, 1:] = np.maximum(reached[:, 1:], before[:, :-1] * right)
        reached[:, :-1] = np.maximum(reached[:, :-1], before[:, 1:] * right)
        reached = np.where(possible, reached, before)
        if (reached - before).max() < 0.001:
            return np.asarray(np.maximum(share, reached), np.float32)
        before = reached


def within(box: Floats, features: Floats) -> Floats:
    """(h, w): which cells of a box x1, y1, x2, y2, in cells, are the thing that it is about.

    At first a thing is most likely where an ellipse fills the box. Then a ridge regression on the
    principal components of the features (h, w, D) tells those cells from all outside of the box,
    and half of what it says of the cells in the box counts.
    """
    height, width = features.shape[:2]
    across, down = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    left, top, right, bottom = box
    inside = (across > left) & (across < right) & (down > top) & (down < bottom)
    if not inside.any() or inside.all():
        return np.asarray(inside, np.float32)
    x, y = (2 * across - left - right) / (right - left), (2 * down - top - bottom) / (bottom - top)
    shape = np.where(inside, (1.25 - 0.75 * (x**2 + y**2)).clip(0.05, 1), 0)
    flat = features.reshape(height * width, -1) - features.mean(axis=(0, 1))
    parts = flat @ np.linalg.eigh(flat.T @ flat)[1][:, -KINDS:]
    known = np.concatenate([parts / parts.std(axis=0), np.ones((len(flat), 1))], axis=1)
    weighted = known * np.where(inside, 1 / inside.sum(), 1 / (~inside).sum()).reshape(-1, 1)
    squares = known.T @ weighted + PENALTY * np.eye(known.shape[1])
    wanted = shape
    for _ in range(ROUNDS):
        told = (known @ np.linalg.solve(squares, weighted.T @ wanted.ravel())).reshape(shape.shape)
        wanted = np.where(inside, (shape + (told > 0.45)) / 2, 0)
    return np.where(inside, (shape + told) / 2, 0).astype(np.float32)


def colored(
    ab: Floats,
    light: Floats,
    cells: tuple[float, float],
    regions: Sequence[Region],
    logits: Floats | None,
) -> Floats:
    """Colors (h, w, 2) with those that are wished for; `light` is L* of the cells (h, w), `logits`
    (313, h, w) the network's distribution, if it gives one."""
    for region in regions:
        share = _drawn_to_edges(mean([region.share], Grid(ab, cells)), light)
        likely = np.full(len(BINS), 1 / len(BINS), np.float32)
        if logits is not None and share.any():
            likely = _likely(logits[:, share > 0], share[share > 0])
        share = share[..., None]
        ab = ab + share * (color_at(region.wish.color, light, likely) - ab)
    return np.asarray(ab, np.float32)


def _likely(logits: Floats, weights: Floats) -> Floats:
    """(313,) how likely each bin is in cells (313, n), of which some count more."""
    shares = np.exp(logits - logits.max(axis=0))
    return np.asarray((shares / shares.sum(axis=0)) @ weights / weights.sum(), np.float32)


def _drawn_to_edges(share: Floats, light: Floats) -> Floats:
    """Shares (h, w) drawn together where L* shows one surface, and made plain: mostly 0 or 1."""
    unsure = 1 - np.abs(2 * share - 1)
    planes = np.stack([share * SCALE, np.zeros_like(share)], axis=-1)
    drawn = coherent(planes, light, unsure, COHERENCE)[..., 0] / SCALE
    return np.asarray(((drawn - UNSURE) / (SURE - UNSURE)).clip(0, 1), np.float32)
