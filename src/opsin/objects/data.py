"""What detectors are shown in training: windows of pictures, with the boxes of what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.errors import DataError, RecipeError
from opsin.formats import small
from opsin.masks import Mask
from opsin.objects.crops import cut
from opsin.objects.proposals import kept_proposals
from opsin.sets.labeled import Labeled, check_named, outlines_on, things_on
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture, read
from opsin.training.augment import film_gray, wear
from opsin.training.crops import Data, Example
from opsin.training.recipe import PartialShare, Pixels, Share

MOST: Final = 100
"""Things in a window at most; of more the largest."""
NOTHING: Final = -1
"""The label of a row that is there to fill the array."""
UNJUDGED: Final = -2
"""The label of what is neither right nor wrong to find: crowds, and what is mostly cut off."""
UNKNOWN: Final = -1
"""What a shape is full of whose outline nobody has told."""
GRID: Final = 56
"""Cells across a thing's box, for each of which its shape says whether it is of the thing."""
TURNING: Final = ("rotate", "shear", "zoom")
LEAST_SIDE: Final = 2.0  # pixels of a box in the window
Integers = NDArray[np.int64]


class BoxData(Data, frozen=True, forbid_unknown_fields=True):
    """The `[data]` table of detectors."""

    enlarged: ClassVar[bool] = True

    size: Pixels = 256
    validation_size: Pixels = 256
    batch: Annotated[int, Meta(ge=1, le=4096)] = 8
    small_share: Share = 0.0
    least_area: PartialShare = 0.4
    """A window covers at least this share of the square about the whole picture."""
    stretch: Annotated[float, Meta(ge=1, le=4)] = 1.3
    set_exponent: Annotated[float, Meta(ge=0, le=2)] = 1.0
    margin: Share = 0.3
    """A window may be larger by up to this share, with gray around what it shows."""
    seen: PartialShare = 0.4
    """Of a thing at least this share must lie in the window, or it is not judged."""
    light: Share = 0.0
    """Brightness, contrast and the strength of each color change by up to this share."""
    gray: Share = 0.0
    """Share of the windows that look like gray photographs."""
    worn: Share = 0.0
    """Share of those that look old, too."""


def check_squares(data: BoxData, side: int) -> None:
    """Refuses, by a `RecipeError`, a table that does not fit a network that sees such squares."""
    for key in ("size", "validation_size"):
        if getattr(data, key) != side:
            raise RecipeError(
                f"data.{key} = {getattr(data, key)}, but the network sees squares of "
                f"network.size = {side}. Write {key} = {side}.",
                key=f"data.{key}",
            )
    for key in (*TURNING, "variants", "small_share"):
        if getattr(data, key):
            raise RecipeError(
                f"data.{key} = {getattr(data, key)}, but windows with boxes have none of "
                f"that. Write {key} = 0, or leave it out.",
                key=f"data.{key}",
            )


def check_things(training: Listing, held: Listing, classes: Sequence[str]) -> None:
    """Refuses, by a `DataError`, pictures that nobody has said anything of, or not of a class."""
    check_named(training)
    check_named(held)
    told = [things_on(one) for one in training.pictures]
    there = {name for one in told if one for name in one.names}
    if lacking := [name for name in classes if name not in there]:
        raise DataError(
            f"nothing on the training pictures is called '{lacking[0]}'. Change "
            "network.classes, or add pictures with it."
        )


def window_of(
    picture: Picture,
    size: int,
    data: BoxData,
    classes: Sequence[str],
    rng: np.random.Generator,
    *,
    shaped: bool = False,
    proposals: int = 0,
) -> Example:
    """A window on a picture: `picture` (3, S, S) as a detector sees it, blue first, from 0 to 255;
    `boxes` (M, 4) in its pixels and `labels` (M,), filled with `NOTHING`; if they are to be
    `shaped`, `shapes` (M, GRID, GRID): 1 where a cell of a box is of the thing, else 0; and, if any
    `proposals` are wanted, `regions` (proposals, 4): the first that lie in it, filled with empty
    ones."""
    image = small.whole(read(picture)).copy_memory()
    told = things_on(picture)
    things = told if told is not None else Labeled(np.zeros((0, 4), np.float32), ())
    longer = max(image.width, image.height)
    side = longer * np.sqrt(rng.uniform(data.least_area, 1)) * (1 + data.margin * rng.random())
    ratio = np.exp(rng.uniform(-1, 1) * np.log(data.stretch) / 2)
    sides = np.array([side * ratio, side / ratio])
    room = np.array([image.width, image.height]) - sides  # below 0: the window is the larger
    corner = np.minimum(room, 0) + rng.random(2) * np.abs(room)
    rgb = cut(image, corner, sides, size)
    placed, labels, numbers = placed_in(things, corner, sides, size, data.seen, classes)
    outlines = outlines_on(picture, numbers) if shaped else []
    shapes = shapes_of(outlines, placed * np.tile(sides / size, 2) + np.tile(corner, 2))
    regions = np.zeros((0, 4), np.float32)
    if proposals:
        every = kept_proposals(picture, image.numpy)
        regions = _inside(every, corner, sides, size)[:proposals]
    if rng.random() < 0.5:
        rgb, shapes = rgb[:, ::-1], shapes[..., ::-1]
        for found in (placed, regions):
            found[:, [0, 2]] = size - found[:, [2, 0]]
    rgb = changed(rgb, data, rng)
    planes = np.ascontiguousarray(rgb[..., ::-1].transpose(2, 0, 1) * 255, np.float32)
    window: Example = {"picture": planes, **filled(placed, labels, shapes if shaped else None)}
    if proposals:
        empty = np.zeros((proposals - len(regions), 4), np.float32)
        window["regions"] = np.concatenate([regions, empty])
    return window


def placed_in(
    things: Labeled,
    corner: NDArray[np.float64],
    sides: NDArray[np.float64],
    size: int,
    seen: float,
    classes: Sequence[str],
) -> tuple[Floats, Integers, NDArray[np.intp]]:
    """The boxes and labels of what a window shows, in the window's pixels, and the number of each
    among `things`.

    The window begins at `corner` and has `sides`, both x, y in the picture's pixels. Things of
    other classes are left out; those of which less than `seen` lies in the window are `UNJUDGED`.
    """
    numbers = {name: number for number, name in enumerate(classes)} | {"": UNJUDGED}
    labels = np.array([numbers.get(name, NOTHING) for name in things.names], np.int64)
    moved = (things.boxes - np.tile(corner, 2)) * np.tile(size / sides, 2)
    inside = boxes.clip(moved, size, size)
    shares = boxes.area(inside) / np.maximum(boxes.area(moved), 1e-6)
    labels[(labels >= 0) & (shares < seen)] = UNJUDGED
    there = (labels != NOTHING) & (inside[:, 2:] - inside[:, :2] >= LEAST_SIDE).all(axis=1)
    return inside[there], labels[there], np.flatnonzero(there)


def shapes_of(outlines: Sequence[Mask | None], placed: NDArray[Any]) -> NDArray[np.int8]:
    """(N, GRID, GRID): of each box (N, 4) on a picture 1 at the cells whose centers are of the
    thing, else 0; `UNKNOWN` where there is no outline."""
    found = np.full((len(outlines), GRID, GRID), UNKNOWN, np.int8)
    steps = (np.arange(GRID) + 0.5) / GRID
    for shape, mask, (x1, y1, x2, y2) in zip(found, outlines, placed, strict=False):
        if mask is not None:
            padded = np.pad(mask.crop, 1)  # what lies beyond is not of it
            rows = np.floor(y1 + (y2 - y1) * steps).astype(int) - mask.top + 1
            columns = np.floor(x1 + (x2 - x1) * steps).astype(int) - mask.left + 1
            rows, columns = (
                np.clip(one, 0, side - 1)
                for one, side in zip((rows, columns), padded.shape, strict=True)
            )
            shape[:] = padded[np.ix_(rows, columns)]
    return found


def _inside(
    regions: Floats, corner: NDArray[np.float64], sides: NDArray[np.float64], size: int
) -> Floats:
    """Boxes of a picture as a window shows them; those that it hardly shows are left out."""
    moved = (regions - np.tile(corner, 2)) * np.tile(size / sides, 2)
    shown = boxes.clip(moved, size, size)
    return shown[(shown[:, 2:] - shown[:, :2] >= LEAST_SIDE).all(axis=1)]


def filled(placed: Floats, labels: Integers, shapes: NDArray[np.int8] | None = None) -> Example:
    """The same as arrays of `MOST` rows, by name; the largest things first."""
    order = np.argsort(-boxes.area(placed), kind="stable")[:MOST]
    found: Example = {
        "boxes": np.zeros((MOST, 4), np.float32),
        "labels": np.full(MOST, NOTHING, np.int64),
    }
    found["boxes"][: len(order)], found["labels"][: len(order)] = placed[order], labels[order]
    if shapes is not None:
        found["shapes"] = np.full((MOST, GRID, GRID), UNKNOWN, np.int8)
        found["shapes"][: len(order)] = shapes[order]
    return found


def changed(rgb: Floats, data: BoxData, rng: np.random.Generator) -> Floats:
    """Other light, and by chance the look of a gray or an old photograph; (S, S, 3) in 0..1."""
    if data.light:
        bright, strong, vivid = 1 + rng.uniform(-data.light, data.light, 3)
        middle = rgb.mean(axis=2, keepdims=True)
        rgb = middle + (rgb - middle) * vivid
        rgb = np.clip((rgb - 0.5) * strong + 0.5 * bright, 0, 1)
    if rng.random() < data.gray:
        gray = film_gray(np.asarray(rgb, np.float32), rng)
        gray = wear(gray, rng) if rng.random() < data.worn else gray
        rgb = np.repeat(gray[..., None], 3, axis=2)
    return np.asarray(rgb, np.float32)
