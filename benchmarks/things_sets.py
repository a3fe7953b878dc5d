"""Photographs with labels of what is where, which `things.py` learns from: one reader for each set.

Each set is a checkout of a public repository, which docs/training-data.md names. They know
different things: what COCO calls a person may be skin, hair or a coat. So a label is a set of
things.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

PERSON = "skin hair dress coat shirt trousers skirt hat shoes"
THINGS = (
    "other sky leaves grass flowers water wood wall building ground floor snow mountain "
    f"{PERSON} animal vehicle furniture"
).split()
BOXES = Path(__file__).with_name("things.csv")
MORE = Path(__file__).with_name("things_more.csv")
SIDES = ("left", "top", "right", "bottom")

EVERYTHING = "any"
COCO = {
    "": EVERYTHING,
    "1": PERSON,
    "2-9": "vehicle",
    "16-25": "animal",
    "15 62 63 65": "furniture wood",
    "64": "leaves flowers other",
    "67 156 188 189": "wood furniture",
    "10-14 27-61 70-90 92 93 100 109 122 130 133 138 141 166 168 176 180 195 196": "other",
    "95": "building wood",
    "107": "wood furniture other",
    "112": "wood building other",
    "118 177": "wood",
    "119": "flowers",
    "125 144 147 149 154 191 194": "ground",
    "128 151 197": "building",
    "145": "grass ground",
    "148 155 178": "water",
    "159": "snow",
    "161": "floor wood ground building",
    "171 175": "wall building",
    "181": "other building wall",
    "184": "leaves",
    "185": "wood other",
    "186 199": "wall",
    "187": "sky",
    "190": "floor",
    "192": "mountain",
    "193": "grass",
    "198": "mountain ground",
    "200": "floor other",
}
"""Of COCO's panoptic numbers; what is not labelled may be anything."""
CLOTHING = {
    "0": " ".join(name for name in THINGS if name not in PERSON.split()),
    "2 33": "other",
    "4 10 11 13 24 46": "coat",
    "5 22 26 38 49 48 51 54 55": "shirt",
    "6 14 37": "dress",
    "7 12 16 21 28 32 36 39 43 58": "shoes",
    "19": "hair",
    "20": "hat",
    "25 27 31 40": "trousers",
    "41": "skin",
    "42": "skirt",
    "45 53": "trousers skin",
}
FACADES = {
    (128, 0, 0): "building",
    (128, 0, 128): "vehicle",
    (128, 128, 0): "wood building other",
    (128, 128, 128): "ground",
    (128, 64, 0): "ground",
    (0, 128, 128): "sky",
    (0, 128, 0): "leaves grass",
    (0, 0, 128): "other building",
}
STREETS = {
    "0": "sky",
    "1": "building wall",
    "3 4": "ground",
    "5": "leaves grass",
    "6": "other",
    "7": "wood wall other",
    "8": "vehicle",
    "9": PERSON,
}


class Labelled(NamedTuple):
    """A picture whose pixels have labels."""

    name: str
    picture: Path
    labels: np.ndarray
    """(H, W): sets of things, a bit each; 0 where nothing is known."""
    held: bool
    """Never learned from."""


def bits(names: str) -> int:
    """A set of things as a number."""
    every = THINGS if names == EVERYTHING else names.split()
    return sum(1 << THINGS.index(name) for name in every)


def numbered(table: dict[str, str]) -> np.ndarray:
    """(256,): the set of things for each number that a set of labels has."""
    sets = np.zeros(256, np.int32)
    for keys, names in table.items():
        for key in keys.split():
            first, _, last = key.partition("-")
            sets[int(first) : int(last or first) + 1] = bits(names)
    return sets


def coco(folder: Path) -> Iterator[Labelled]:
    sets = numbered(COCO)
    for mask in sorted(folder.glob("semantic_segmentation/masks/*/*.png")):
        picture = folder / "images" / mask.parent.name / f"{mask.stem}.jpg"
        yield Labelled("coco", picture, sets[np.array(Image.open(mask))], held=False)


def clothing(folder: Path) -> Iterator[Labelled]:
    from scipy.io import loadmat

    sets = numbered(CLOTHING)
    paths = sorted(folder.glob("annotations/pixel-level/*.mat"))[::2]
    for number, path in enumerate(paths):
        labels = sets[loadmat(path)["groundtruth"]]
        yield Labelled("clothing", folder / f"photos/{path.stem}.jpg", labels, number % 10 == 0)


def facades(folder: Path) -> Iterator[Labelled]:
    for number, path in enumerate(sorted(folder.glob("labels/*.png"))[::4]):
        colors = np.array(Image.open(path).convert("RGB"))
        labels = np.zeros(colors.shape[:2], np.int32)
        for color, names in FACADES.items():
            labels[(colors == color).all(axis=-1)] = bits(names)
        picture = folder / f"images/{path.stem}.jpg"
        yield Labelled("facades", picture, labels, number % 10 == 0)


def streets(folder: Path) -> Iterator[Labelled]:
    sets = numbered(STREETS)
    paths = sorted(folder.glob("CamVid/trainannot/*.png"))
    for path in paths[::10]:  # frames of a film: the next one is nearly the same
        picture = folder / f"CamVid/train/{path.name}"
        yield Labelled("streets", picture, sets[np.array(Image.open(path))], held=False)


def boxes(folder: Path, table: Path = BOXES) -> Iterator[Labelled]:
    """Boxes of one thing on a few pictures, drawn by hand: sides in tenths of the picture."""
    rows: dict[str, list[dict[str, str]]] = {}
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["picture"], []).append(row)
    for name, drawn in rows.items():
        with Image.open(folder / name) as picture:
            width, height = picture.size
        labels = np.zeros((height, width), np.int32)
        for row in drawn:
            left, top, right, bottom = (float(row[key]) / 10 for key in SIDES)
            place = np.s_[
                round(top * height) : round(bottom * height),
                round(left * width) : round(right * width),
            ]
            labels[place] = bits(row["things"])
        yield Labelled("boxes", folder / name, labels, held=False)
