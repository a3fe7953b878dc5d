"""Names of people that other programs have written into photographs, and where their faces are.

Three conventions are read: regions of the Metadata Working Group (Guidelines 2.0, section 5.9;
digiKam, Lightroom, Picasa), Microsoft's (People Tagging; Windows Photo Gallery, digiKam), and
IPTC's image regions (Photo Metadata 2019.1). Their places are those of the stored pixels, before
the orientation in EXIF; here they become boxes of the photograph as it is shown upright.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias
from xml.etree.ElementTree import Element

from opsin.boxes import iou, scale, upright
from opsin.formats import rdf
from opsin.formats.rdf import Value, fields, items, text
from opsin.formats.xmp import (
    AREA,
    DIMENSIONS,
    IPTC_EXT,
    MP,
    MP_INFO,
    MP_REGION,
    MWG,
    parse,
    qname,
)

Part: TypeAlias = tuple[float, float, float, float]
"""x1, y1, x2, y2 as shares of the picture's width and height."""

SAME_FACE: Final = 0.3
"""The least overlap of two boxes of one face. Programs frame a face or a whole head, of which the
one covers a third of the other; the faces of two people hardly overlap."""

ASPECT: Final = 0.02
"""By how much a size may differ in shape from another that is a copy of it made smaller."""

IGNORED: Final = "ffffffffffffffff"
"""The name that Windows and digiKam give a face that is to be ignored."""

REGIONS: Final = qname(MWG, "Regions")
REGION_INFO: Final = qname(MP, "RegionInfo")
SIZE: Final = qname(MWG, "AppliedToDimensions")
REGION_LIST: Final = qname(MWG, "RegionList")
MP_LIST: Final = qname(MP_INFO, "Regions")
IMAGE_REGION: Final = qname(IPTC_EXT, "ImageRegion")
BOUNDARY: Final = qname(IPTC_EXT, "RegionBoundary")
REGION_NAME: Final = qname(IPTC_EXT, "Name")
"""Of a region, and of its content type."""
CONTENT_TYPE: Final = qname(IPTC_EXT, "rCtype")
PERSONS: Final = qname(IPTC_EXT, "PersonInImage")


class Frame(NamedTuple):
    """The picture that a packet is about, as its file stores it."""

    height: int
    width: int
    orientation: int = 1


class Region(NamedTuple):
    """A face that has a name."""

    name: str
    box: Part
    """x1, y1, x2, y2 in pixels of the upright photograph."""
    kind: str
    """Whose convention it is in: "mwg", "mp" or "iptc"."""


class Names(NamedTuple):
    """The people that a packet names."""

    regions: list[Region]
    others: list[str]
    """People who are said to be on the photograph, and not where."""
    notes: list[str]
    """What was left out, in plain words."""


def read_names(packet: bytes, frame: Frame) -> Names:
    """The named faces and the people in a packet of XMP; `ValueError` where it is broken.

    Faces without a name, and what is no face (a pet, a focus point, a barcode), are left out. A
    face that two conventions tell of is there once, as the Metadata Working Group's.
    """
    tree = rdf.rdf_of(parse(packet)[0])
    notes: list[str] = []
    regions = distinct([*_mwg(tree, frame, notes), *_mp(tree, frame), *_iptc(tree, frame)])
    placed = {key_of(one.name) for one in regions}
    said = (one for _, value in rdf.values(tree, PERSONS) for one in rdf.texts(value))
    others = [one for one in dict.fromkeys(said) if key_of(one) not in placed]
    return Names(regions, others, notes)


def distinct(regions: Iterable[Region]) -> list[Region]:
    """Without later ones of a face or a name that was there: nobody is on a photograph twice."""
    kept: list[Region] = []
    for region in regions:
        names = {key_of(one.name) for one in kept}
        overlap = iou([region.box], [one.box for one in kept])
        if key_of(region.name) not in names and overlap.max(initial=0) < SAME_FACE:
            kept.append(region)
    return kept


def key_of(name: str) -> str:
    """Equal for two spellings of one name.

    >>> key_of("Ann  LEE") == key_of("ann lee")
    True
    """
    return unicodedata.normalize("NFC", " ".join(name.split()).casefold())


def named_regions(
    tree: Element, kind: str, frame: Frame | None = None
) -> Iterator[tuple[Element, str, Part]]:
    """The named faces of `REGIONS` or `REGION_INFO`, or the regions of `IMAGE_REGION` that have a
    name: the item of its list, name and place.

    Without `frame`, image regions measured in pixels have no place that is right.
    """
    for _, value in rdf.values(tree, kind):
        if kind == REGION_INFO:
            yield from mp_faces(value)
        elif kind == IMAGE_REGION:
            yield from _image_regions(value, frame or Frame(1, 1))
        else:
            regions = fields(value)
            yield from mwg_faces(regions, applied_to(regions) or (1.0, 1.0))


def _mwg(tree: Element, frame: Frame, notes: list[str]) -> Iterator[Region]:
    for _, value in rdf.values(tree, REGIONS):
        regions = fields(value)
        applied = applied_to(regions)
        faces = list(mwg_faces(regions, applied or (frame.width, frame.height)))
        seen = frame if applied is None else _as_applied(frame, *applied)
        if seen is None:
            if faces and applied:
                notes.append(
                    f"named regions for a picture of {applied[0]:.0f} x {applied[1]:.0f} pixels "
                    f"left out: this one is {frame.width} x {frame.height}"
                )
            continue
        for _, name, part in faces:
            yield Region(name, _in_pixels(part, seen), "mwg")


def mwg_faces(
    regions: dict[str, Value], size_wh: tuple[float, float]
) -> Iterator[tuple[Element, str, Part]]:
    """The named faces of a `mwg-rs:Regions`: the item of its list, the name, and where it is.

    `size_wh` is the size that the regions apply to.
    """
    for item in items(regions.get(REGION_LIST)):
        region = fields(item)
        name = name_of(region.get(qname(MWG, "Name")))
        part = _area(fields(region.get(qname(MWG, "Area"))), *size_wh)
        if name and part and text(region.get(qname(MWG, "Type"))).lower() == "face":
            yield item, name, part


def applied_to(regions: dict[str, Value]) -> tuple[float, float] | None:
    """The width and height that a `mwg-rs:Regions` says it applies to."""
    size = fields(regions.get(SIZE))
    width, height = (number_of(size.get(qname(DIMENSIONS, key))) for key in "wh")
    return (width, height) if width and height and min(width, height) > 0 else None


def is_shape(frame: Frame, width: float, height: float) -> bool:
    """Whether a picture of that size, as stored, may be this one made smaller or larger."""
    ratio = width * frame.height / (height * frame.width)
    off = 1 / min(width, height) + 1 / min(frame.width, frame.height)  # sizes are whole pixels
    return abs(math.log(ratio)) <= max(ASPECT, off)


def _as_applied(frame: Frame, width: float, height: float) -> Frame | None:
    """How regions for a picture of that size are to be seen; None where it is another picture.

    Some programs give the places and the size of the upright picture.
    """
    if is_shape(frame, width, height):
        return frame
    if frame.orientation >= 5 and is_shape(frame, height, width):
        return Frame(frame.width, frame.height)
    return None


def _area(area: dict[str, Value], width: float, height: float) -> Part | None:
    """A `stArea`: a box by its center and size, or a circle by its center and diameter."""
    x, y, w, h, d = (number_of(area.get(qname(AREA, key))) for key in "xywhd")
    unit = text(area.get(qname(AREA, "unit"))).lower()
    if x is None or y is None:
        return None
    is_pixels = unit == "pixel"
    if d is not None and (w is None or h is None):
        side = d if is_pixels else d * min(width, height)
        w, h = (side, side) if is_pixels else (side / width, side / height)
    if w is None or h is None:
        return None
    if is_pixels:
        x, y, w, h = x / width, y / height, w / width, h / height
    return within(x - w / 2, y - h / 2, w, h)


def _mp(tree: Element, frame: Frame) -> Iterator[Region]:
    for _, value in rdf.values(tree, REGION_INFO):
        for _, name, part in mp_faces(value):
            yield Region(name, _in_pixels(part, frame), "mp")


def mp_faces(value: Value) -> Iterator[tuple[Element, str, Part]]:
    """The named faces of a `MP:RegionInfo`: the item of its list, the name, and where it is."""
    for item in items(fields(value).get(MP_LIST)):
        region = fields(item)
        name = name_of(region.get(qname(MP_REGION, "PersonDisplayName")))
        numbers = [
            number_of(one) for one in text(region.get(qname(MP_REGION, "Rectangle"))).split(",")
        ]
        sides = [number for number in numbers if number is not None]
        if name and len(numbers) == len(sides) == 4 and (part := within(*sides)):
            yield item, name, part


def _iptc(tree: Element, frame: Frame) -> Iterator[Region]:
    """Image regions in which one person is."""
    for _, value in rdf.values(tree, IMAGE_REGION):
        for item in items(value):
            region = fields(item)
            people = rdf.texts(region.get(PERSONS))
            part = _boundary(fields(region.get(BOUNDARY)), frame)
            if len(people) == 1 and part and (name := name_of(people[0])):
                yield Region(name, _in_pixels(part, frame), "iptc")


def _image_regions(value: Value, frame: Frame) -> Iterator[tuple[Element, str, Part]]:
    for item in items(value):
        region = fields(item)
        name = text(region.get(REGION_NAME))
        part = _boundary(fields(region.get(BOUNDARY)), frame)
        if name and part:
            yield item, name, part


def content_of(item: Element) -> str:
    """What an image region shows, by its content type, or by its name where it has none."""
    region = fields(item)
    kinds = [text(fields(one).get(REGION_NAME)) for one in items(region.get(CONTENT_TYPE))]
    return next(filter(None, kinds), text(region.get(REGION_NAME)))


def _boundary(boundary: dict[str, Value], frame: Frame) -> Part | None:
    """A rectangle by its upper left corner, or the box around a circle or a polygon."""

    def number(of: dict[str, Value], key: str) -> float | None:
        return number_of(of.get(qname(IPTC_EXT, key)))

    is_pixels = text(boundary.get(qname(IPTC_EXT, "rbUnit"))).lower() == "pixel"
    across, down = (frame.width, frame.height) if is_pixels else (1, 1)
    x, y, w, h, radius = (number(boundary, key) for key in ("rbX", "rbY", "rbW", "rbH", "rbRx"))
    if None not in (x, y, w, h):
        return within(x / across, y / down, w / across, h / down)  # type: ignore[operator]
    if x is not None and y is not None and radius is not None:  # a share of the width
        wide = radius / across
        tall = wide * frame.width / frame.height
        return within(x / across - wide, y / down - tall, 2 * wide, 2 * tall)
    corners = [fields(one) for one in items(boundary.get(qname(IPTC_EXT, "rbVertices")))]
    xs = [one / across for corner in corners if (one := number(corner, "rbX")) is not None]
    ys = [one / down for corner in corners if (one := number(corner, "rbY")) is not None]
    if not xs or not ys:
        return None
    return within(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def within(x: float, y: float, w: float, h: float) -> Part | None:
    """A box by its upper left corner and size, cut at the borders; None if nothing is left."""
    x1, y1, x2, y2 = (min(max(one, 0.0), 1.0) for one in (x, y, x + w, y + h))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def name_of(value: Value | None) -> str:
    """A person's name; "" where there is none, or where the face is to be ignored."""
    name = text(value)
    return "" if name.lower() == IGNORED else name


def number_of(value: Value | None) -> float | None:
    """A number, or None where there is none; neither is one without end."""
    try:
        number = float(text(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _in_pixels(part: Part, frame: Frame) -> Part:
    boxes = scale([part], frame.width, frame.height)
    x1, y1, x2, y2 = upright(boxes, frame.orientation, frame.height, frame.width)[0].tolist()
    return x1, y1, x2, y2
