"""What is on a training picture: the boxes and outlines that the instances.json of its set tells.

A set is as for `opsin.sets.coco`: a folder or a tar. Each set's file is read once in a process.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opsin.boxes import Floats, as_boxes
from opsin.errors import DataError
from opsin.files import few, shown
from opsin.masks import Mask
from opsin.sets import splits
from opsin.sets.coco import FILE, Annotation, Image, mask_of, read_coco
from opsin.sets.listing import Listing
from opsin.sets.sources import Paths, Picture, chosen


class Labeled(NamedTuple):
    """The things on one picture, a row each."""

    boxes: Floats
    """(N, 4), see `opsin.boxes`."""
    names: tuple[str, ...]
    """What each is; "" for a crowd, which nobody can count."""


def things_on(picture: Picture) -> Labeled | None:
    """The things on a picture of a set; None if its instances.json does not name it."""
    place, name = _set_of(picture)
    return _told(place, picture.changed if place == picture.path else 0).get(splits.plain(name))


def outlines_on(picture: Picture, numbers: Iterable[int]) -> list[Mask | None]:
    """The masks of some of these things, by their numbers; None where only the box is known."""
    place, name = _set_of(picture)
    changed = picture.changed if place == picture.path else 0
    return [_outlined(place, changed, splits.plain(name), int(number)) for number in numbers]


def check_named(listing: Listing) -> None:
    """Refuses pictures of which nobody says what is on them, by a `DataError`."""
    lacking = [one for one in listing.pictures if things_on(one) is None]
    if lacking:
        place, _ = _set_of(lacking[0])
        told = few([_set_of(one)[1] for one in lacking])
        raise DataError(
            f"{shown(place)}: its {FILE} does not name {len(lacking)} of its pictures{told}. Add "
            "them to it, with or without things, or train on a split without them."
        )


def names_in(paths: Paths) -> list[str]:
    """What things are on the pictures that `paths` mean, in the order of their names; none is a
    `DataError`."""
    found: set[str] = set()
    for source, numbers in chosen(paths, lambda place, why: None):
        for number in numbers:
            things = things_on(source.pictures[number])
            found |= set(things.names if things else ())
    if not found:
        raise DataError(f"there is no thing on the training pictures. Their {FILE} is bare.")
    if found == {""}:
        raise DataError(
            "there are only crowds on the training pictures, and a crowd is no example of a thing. "
            f"Add things of their own to their {FILE} (iscrowd 0)."
        )
    return sorted(found - {""})


def _set_of(picture: Picture) -> tuple[str, str]:
    """Where the set of a picture is, and what the picture is called there."""
    if picture.offset:
        return picture.path, picture.name
    path = Path(picture.path)
    for folder in path.parents:
        if (folder / FILE).is_file():
            return str(folder), path.relative_to(folder).as_posix()
    raise DataError(
        f"{shown(picture.path)}: there is no {FILE} in its folder or above it that says what is on "
        "it. Write one as COCO has it (`opsin detect --coco` makes a first one to correct)."
    )


@lru_cache(maxsize=64)
def _told(place: str, changed: int) -> dict[str, Labeled]:
    """The things on each picture of a set, by its name there."""
    kinds = {one.id: one.name for one in read_coco(place).instances.categories}
    found = {}
    for name, (_, things) in _annotated(place, changed).items():
        boxes = as_boxes(np.array([one.bbox for one in things]))
        boxes[:, 2:] += boxes[:, :2]
        names = ("" if one.iscrowd else kinds[one.category_id] for one in things)
        found[name] = Labeled(boxes, tuple(names))
    return found


@lru_cache(maxsize=64)
def _annotated(place: str, changed: int) -> dict[str, tuple[Image, list[Annotation]]]:
    """Each picture of a set and what is told of it, by its name there."""
    instances = read_coco(place).instances
    found: dict[int, list[Annotation]] = {one.id: [] for one in instances.images}
    for one in instances.annotations:
        found[one.image_id].append(one)
    return {splits.plain(one.file_name): (one, found[one.id]) for one in instances.images}


@lru_cache(maxsize=65536)
def _outlined(place: str, changed: int, name: str, number: int) -> Mask | None:
    image, things = _annotated(place, changed)[name]
    return mask_of(things[number], image, Path(place) / FILE)
