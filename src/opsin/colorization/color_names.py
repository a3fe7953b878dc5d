"""Colors by their names, as people name them.

The names are some 700 of the color survey of xkcd (Munroe 2010, https://xkcd.com/color/rgb.txt,
public domain): what 222,500 people called random colors on their screens.

A name is no single color: a light blue thing and a dark one are both blue, and a photograph says
itself how light a thing is. So "blue" stands for all names that end in it, from navy blue to sky
blue, and at each lightness for those that are about so light. Of these the one is taken that is
likely for the thing: grass that is said to be green is as green as grass is, and no green lamp.
"#rrggbb" stands for its own a*b*.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS
from opsin.colorization.points import rgb_of

Floats: TypeAlias = NDArray[np.float32]

LIGHT: Final = 10.0  # L*: names that are so much lighter or darker count less
COLOR: Final = 10.0  # a*b*: what is so far from a name is still called so, now and then
NEUTRAL: Final = 6.0  # a*b*: a name with less chroma is a gray at any lightness
OPEN: Final = 0.5  # how much is left open of what is likely for a thing: a horse may be blue
LEVELS: Final = np.arange(0.0, 101.0, 2.0)

GERMAN: Final = {
    "rot": "red", "blau": "blue", "gruen": "green", "gelb": "yellow", "braun": "brown",
    "grau": "gray", "schwarz": "black", "weiss": "white", "orange": "orange", "rosa": "pink",
    "lila": "purple", "violett": "violet", "tuerkis": "turquoise", "beige": "beige",
    "blond": "tan", "hell": "light", "dunkel": "dark",
}  # fmt: skip
OTHERS: Final = {"blond": "tan", "blonde": "tan", "brunette": "brown"}
"""What people say of hair and of a few things more."""


def is_color(name: str) -> bool:
    """Whether this is a name that `color_at` knows."""
    return bool(_members(name))


def near_names(name: str) -> list[str]:
    """At most three names that are spelled much as this."""
    return difflib.get_close_matches(name, [*_names(), *GERMAN, *OTHERS], 3)


def color_at(name: str, light: Floats, likely: Floats) -> Floats:
    """a*b* (..., 2) of a name, or of "#rrggbb", for each L* (...).

    `likely` (313,) is how likely each bin is for the thing, as far as anything is known.

    >>> even = np.full(313, 1 / 313, np.float32)
    >>> color_at("#808080", np.array([20.0, 80.0]), even).round().tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    if name.startswith("#"):
        ab = _lab([name])[0, 1:]
        return np.broadcast_to(ab, (*light.shape, 2)).astype(np.float32)
    called = _called(name) * ((1 - OPEN) * likely + OPEN / len(BINS))
    levels = called @ BINS / called.sum(axis=1, keepdims=True)
    planes = [np.interp(light, LEVELS, levels[:, axis]) for axis in (0, 1)]
    return np.stack(planes, axis=-1).astype(np.float32)


@cache
def _called(name: str) -> Floats:
    """(51, 313): how readily each bin is called so, at each of `LEVELS`."""
    members = _members(name)
    if not members:
        raise ValueError(f"'{name}' is no color that is known.")
    lab = _lab(members)
    if np.linalg.norm(lab[0, 1:]) < NEUTRAL:
        lab = lab[:1]
    # beyond the darkest and the lightest name, those count as at it
    apart = ((LEVELS[:, None] - lab[:, 0]) / LIGHT) ** 2
    about = np.exp(-(apart - apart.min(axis=1, keepdims=True)) / 2)
    squared = ((lab[:, None, 1:] - BINS) ** 2).sum(axis=-1)
    alike = np.exp(-squared / (2 * COLOR**2))
    alike /= alike.sum(axis=1, keepdims=True)
    return np.asarray(about @ alike / about.sum(axis=1, keepdims=True), np.float32)


def _lab(colors: Sequence[str]) -> Floats:
    return rgb_to_lab(np.array([rgb_of(color) for color in colors], np.float32) / 255)


def _members(name: str) -> list[str]:
    """The colors that a name stands for, each "#rrggbb", its own first; none if not known."""
    if name.startswith("#"):
        try:
            rgb_of(name)
        except ValueError:
            return []
        return [name]
    known, name = _names(), english(name)
    if name not in known:
        return []
    others = [color for other, color in known.items() if other.endswith(f" {name}")]
    return [known[name], *others]


def english(name: str) -> str:
    """A name as the survey spells it: "grey" is gray, "dunkelblaues" dark blue.

    >>> english("hellrote"), english("Light  Grey")
    ('light red', 'light gray')
    """
    name = " ".join(name.lower().replace("grey", "gray").split())
    if name in _names():
        return name
    if name in OTHERS:
        return OTHERS[name]
    for letter, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(letter, letters)
    shade = next((one for one in ("hell", "dunkel") if name.startswith(one)), "")
    stem = name.removeprefix(shade).strip()
    for ending in ("", "e", "er", "es", "en", "em"):
        if stem.endswith(ending) and (bare := stem.removesuffix(ending)) in GERMAN:
            return f"{GERMAN[shade]} {GERMAN[bare]}" if shade else GERMAN[bare]
    return name


@cache
def _names() -> Mapping[str, str]:
    """Each name of the survey, and its color."""
    text = files("opsin.colorization").joinpath("color_names.csv").read_text("ascii")
    return dict(line.split(",") for line in text.splitlines()[1:])
