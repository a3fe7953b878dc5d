"""Color hints as a person gives them: a few points say what color one thing has.

A photograph's true colors would teach a network that a hint is a sample of the whole palette: one
blue point, and everything turns blue. So a thing is made another color than it had, the points lie
in it, and the rest of the photograph stays as it was: a hint means this thing, up to its edges.

A thing is a surface of one color: it grows from a random cell over neighbors whose true color is
nearly the same, so its edges are real ones. Shading counts little, as it does to the eye.

Arrays: colors of cells are (h, w, 2) a*b* in Lab units, L* is (h, w); hints are (3, H, W) with
H = h * stride: a*, b* and a mask of 0 and 1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.color import fit_gamut

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

MOST_THINGS: Final = 4
MOST_POINTS: Final = 6  # in one thing
LARGEST_POINT: Final = 9  # pixels across
SHADING: Final = 0.45  # what a step of L* counts beside one of a* or b*
LARGEST_THING: Final = 0.6  # of the photograph: what is larger is the palette, and no thing
RECOLORED: Final = 0.8  # share of things given another color; the others keep their own
GRAYED: Final = 0.15  # share of those that lose their color: a gray point takes a stain away


class Touched(NamedTuple):
    """A photograph's colors after hints were given, and the hints."""

    hints: Float
    """(3, H, W)"""
    ab: Float
    """(h, w, 2): the colors that a network should give to `hints`."""
    things: Mask
    """(h, w): the cells that the hints are about."""


def touch(ab: Float, light: Float, stride: int, rng: np.random.Generator) -> Touched:
    """Gives points to one or a few things of a photograph with a*b* (h, w, 2) and L* (h, w)."""
    height, width = light.shape
    hints = np.zeros((3, height * stride, width * stride), np.float32)
    touched, things = ab.copy(), np.zeros((height, width), bool)
    wanted = min(MOST_THINGS, int(rng.geometric(0.5)))
    for _ in range(4 * wanted):
        thing = grow(ab, light, rng) & ~things
        if not 0 < thing.mean() < LARGEST_THING:
            continue
        if rng.random() < RECOLORED:
            touched[thing] = _recolored(touched[thing], float(light[thing].mean()), rng)
        things |= thing
        for _ in range(min(MOST_POINTS, int(rng.geometric(0.5)))):
            _draw_point(hints, touched, thing, stride, rng)
        wanted -= 1
        if not wanted:
            break
    return Touched(hints, touched, things)


def grow(ab: Float, light: Float, rng: np.random.Generator) -> Mask:
    """A surface of about one color, (h, w): what can be walked to from a random cell.

    No step may be large, nor the way from the first cell; how large is drawn by chance.
    """
    lab = np.concatenate([light[..., None] * np.float32(SHADING), ab], axis=-1)
    most, step = rng.uniform(8, 25), rng.uniform(2.5, 8)
    down = np.linalg.norm(np.diff(lab, axis=0), axis=-1) < step
    right = np.linalg.norm(np.diff(lab, axis=1), axis=-1) < step
    start = tuple(int(rng.integers(side)) for side in light.shape)
    near = np.linalg.norm(lab - lab[start], axis=-1) < most
    reached = np.zeros(light.shape, bool)
    reached[start] = True
    count = 0
    while count != (count := int(reached.sum())):
        for _ in range(4):
            reached[1:] |= reached[:-1] & down
            reached[:-1] |= reached[1:] & down
            reached[:, 1:] |= reached[:, :-1] & right
            reached[:, :-1] |= reached[:, 1:] & right
            reached &= near
    return reached


def _recolored(ab: Float, light: float, rng: np.random.Generator) -> Float:
    """Colors (n, 2) moved to another mean color, one that exists at this L*."""
    if rng.random() < GRAYED:
        return np.zeros_like(ab)
    hue, chroma = rng.uniform(0, 2 * np.pi), rng.uniform(8, 75)
    wish = np.array([light, chroma * np.cos(hue), chroma * np.sin(hue)], np.float32)
    color = fit_gamut(wish)[1:]
    return np.asarray(color + 0.5 * (ab - ab.mean(axis=0)), np.float32)


def _draw_point(
    hints: Float, ab: Float, thing: Mask, stride: int, rng: np.random.Generator
) -> None:
    """Writes a small square into `hints`, in place, as far as it lies in the thing."""
    rows, columns = np.nonzero(thing)
    chosen = int(rng.integers(len(rows)))
    size = int(rng.integers(1, LARGEST_POINT + 1))
    y, x = (int(cells[chosen]) * stride + int(rng.integers(stride)) for cells in (rows, columns))
    color = ab[rows[chosen], columns[chosen]]
    tall = range(max(0, y - size // 2), min(hints.shape[1], y - size // 2 + size))
    wide = range(max(0, x - size // 2), min(hints.shape[2], x - size // 2 + size))
    place = np.ix_(tall, wide)
    inside = thing[np.ix_([row // stride for row in tall], [column // stride for column in wide])]
    for channel, value in enumerate((*color, 1.0)):
        hints[channel][place] = np.where(inside, value, hints[channel][place])
