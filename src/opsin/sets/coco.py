"""Pictures with boxes and outlines of things, as in COCO's instances.json (Lin et al. 2014).

A set is a folder or a tar with an `instances.json` and the pictures that it names, or such a file
under another name, beside which its pictures lie.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from opsin.errors import DataError
from opsin.files import few, shown
from opsin.masks import Mask, polygons_to_mask, rle_to_mask
from opsin.sets import splits
from opsin.sets.splits import beside, split_of

FILE: Final = "instances.json"

Side = Annotated[float, Meta(ge=0)]


class Image(Struct, frozen=True):
    id: int
    file_name: str
    width: int
    height: int


class Category(Struct, frozen=True):
    id: int
    name: str


class Annotation(Struct, frozen=True):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, Side, Side]
    """x, y of the upper left corner, width and height, in pixels."""
    iscrowd: int = 0
    area: float | None = None
    segmentation: Any = None
    """Polygons, or runs; see `mask_of`."""


class Instances(Struct, frozen=True):
    images: list[Image]
    annotations: list[Annotation]
    categories: list[Category]


class CocoSet(NamedTuple):
    """What is on the pictures of a set."""

    pictures: str | Path
    """Where they are, as for `opsin.sets.pictures.read`."""
    instances: Instances
    file: Path
    """That of the instances."""

    def of(self, names: set[str]) -> Instances:
        """What is on the pictures of these names alone."""
        images = [one for one in self.instances.images if splits.plain(one.file_name) in names]
        ids = {one.id for one in images}
        things = [one for one in self.instances.annotations if one.image_id in ids]
        return Instances(images, things, self.instances.categories)


def read_coco(path: str | Path) -> CocoSet:
    """The set at `path`, which may end in a split; what is wrong with it is a `DataError`."""
    place, _ = split_of(path)
    if place.suffix.lower() == ".json":
        try:
            data = place.read_bytes()
        except OSError as error:
            raise DataError(f"{shown(place)}: cannot be read ({error.strerror}).") from error
        return CocoSet(place.parent, _parsed(data, place), place)
    return CocoSet(path, _parsed(beside(place, FILE), place / FILE), place / FILE)


def mask_of(one: Annotation, image: Image, where: Path = Path(FILE)) -> Mask | None:
    """The mask of a thing on its picture; None where only its box is known. One that cannot be
    understood is a `DataError`, which names the file `where` it stands."""
    told = one.segmentation
    if not told:
        return None
    try:
        if isinstance(told, dict):
            mask = rle_to_mask(told)
            if tuple(told["size"]) != (image.height, image.width):
                raise ValueError(f"its size is not that of image {image.id}")
            return mask
        return polygons_to_mask(told, image.height, image.width)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{shown(where)}: the segmentation of annotation {one.id} is neither "
            f"polygons nor runs as COCO has them ({shown(str(error))}). Correct it or leave it out."
        ) from error


def _parsed(data: bytes | str, where: Path) -> Instances:
    try:
        found = msgspec.json.decode(data, type=Instances)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataError(f"{shown(where)}: not COCO's instances ({shown(str(error))}).") from error
    _check_ids(found, where)
    return found


def _check_ids(found: Instances, where: Path) -> None:
    groups: dict[str, list[Any]] = {
        "images": found.images,
        "annotations": found.annotations,
        "categories": found.categories,
    }
    known = {name: {one.id for one in ones} for name, ones in groups.items()}
    for name, ones in groups.items():
        if len(known[name]) < len(ones):
            raise DataError(f"{shown(where)}: two of its {name} have one id.")
    if not found.images:
        raise DataError(f"{shown(where)}: it has no images.")
    for key, name in (("image_id", "images"), ("category_id", "categories")):
        lacking = {getattr(one, key) for one in found.annotations} - known[name]
        if lacking:
            told = few([str(one) for one in sorted(lacking)])
            raise DataError(f"{shown(where)}: {key} of annotations that are no {name}{told}.")
