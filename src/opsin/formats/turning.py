"""Regions of a packet of XMP that follow their picture when it is turned upright.

Their places are of the pixels as they were stored. A copy that is upright would have frames beside
its faces, in every program that draws them.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from opsin.boxes import upright
from opsin.formats import rdf
from opsin.formats.rdf import Value, fields, items, text
from opsin.formats.regions import (
    BOUNDARY,
    IMAGE_REGION,
    MP_LIST,
    REGION_INFO,
    REGION_LIST,
    REGIONS,
    SIZE,
    Frame,
    Part,
    applied_to,
    is_shape,
    number_of,
)
from opsin.formats.xmp import AREA, DIMENSIONS, IPTC_EXT, MP_REGION, MWG, parse, qname, written

RECTANGLE: Final = qname(MP_REGION, "Rectangle")
SIDES: Final = tuple(qname(IPTC_EXT, key) for key in ("rbX", "rbY", "rbW", "rbH"))
RADIUS: Final = qname(IPTC_EXT, "rbRx")
VERTICES: Final = qname(IPTC_EXT, "rbVertices")
NAMES: Final = (b"Regions", b"RegionInfo", b"ImageRegion")
"""Without any of these a packet has no region."""


def with_regions_upright(packet: bytes, frame: Frame) -> bytes:
    """The packet of the picture once it is turned as its orientation says; named or not, of faces
    or not, its regions are turned with it.

    `frame` is of the picture before. What tells of regions of another picture stays as it is.
    Raises `ValueError` where the packet is broken.
    """
    if frame.orientation == 1 or not any(name in packet for name in NAMES):
        return packet
    root, prefixes = parse(packet)
    tree = rdf.rdf_of(root)
    for _, value in rdf.values(tree, REGIONS):
        _turn_regions(value, frame)
    for _, value in rdf.values(tree, REGION_INFO):
        for item in items(fields(value).get(MP_LIST)):
            sides = [number_of(one) for one in text(fields(item).get(RECTANGLE)).split(",")]
            if len(sides) == 4 and None not in sides:
                x, y, w, h = (float(one or 0) for one in sides)
                x1, y1, x2, y2 = _turned((x, y, x + w, y + h), frame, (1, 1))
                _set(item, RECTANGLE, ", ".join(f"{n:.6f}" for n in (x1, y1, x2 - x1, y2 - y1)))
    for _, value in rdf.values(tree, IMAGE_REGION):
        for item in items(value):
            boundary = fields(item).get(BOUNDARY)
            if isinstance(boundary, Element):
                _turn_boundary(boundary, frame)
    return written(root, prefixes)


def _turn_regions(value: Value, frame: Frame) -> None:
    """Turns the areas of a `mwg-rs:Regions`, and the size that they apply to."""
    regions = fields(value)
    applied = applied_to(regions)
    if applied and not is_shape(frame, *applied):
        return
    for item in items(regions.get(REGION_LIST)):
        area = fields(item).get(qname(MWG, "Area"))
        if isinstance(area, Element):
            _turn_area(area, frame, applied or (frame.width, frame.height))
    size = regions.get(SIZE)
    if applied and frame.orientation >= 5 and isinstance(size, Element):
        width, height = (text(fields(size).get(qname(DIMENSIONS, key))) for key in "wh")
        _set(size, qname(DIMENSIONS, "w"), height)
        _set(size, qname(DIMENSIONS, "h"), width)


def _turn_area(area: Element, frame: Frame, size_wh: tuple[float, float]) -> None:
    """Turns a center, and the sides if there are any; a circle stays as large as it was."""
    found = fields(area)
    x, y, w, h = (number_of(found.get(qname(AREA, key))) for key in "xywh")
    if x is None or y is None:
        return
    is_pixels = text(found.get(qname(AREA, "unit"))).lower() == "pixel"
    w, h = w or 0.0, h or 0.0
    whole = size_wh if is_pixels else (1.0, 1.0)
    x1, y1, x2, y2 = _turned((x - w / 2, y - h / 2, x + w / 2, y + h / 2), frame, whole)
    numbers = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "w": x2 - x1, "h": y2 - y1}
    for key, number in numbers.items():
        if qname(AREA, key) in found:
            _set(area, qname(AREA, key), f"{number:.6f}")


def _turn_boundary(boundary: Element, frame: Frame) -> None:
    """Turns a rectangle, or the center of a circle, or the corners of a polygon."""
    is_pixels = text(fields(boundary).get(qname(IPTC_EXT, "rbUnit"))).lower() == "pixel"
    whole = (frame.width, frame.height) if is_pixels else (1.0, 1.0)
    for point in (boundary, *items(fields(boundary).get(VERTICES))):
        x, y, w, h = (number_of(fields(point).get(key)) for key in SIDES)
        if x is None or y is None:
            continue
        x1, y1, x2, y2 = _turned((x, y, x + (w or 0), y + (h or 0)), frame, whole)
        for key, number in zip(SIDES, (x1, y1, x2 - x1, y2 - y1), strict=True):
            _set(point, key, f"{number:.6f}")
    radius = number_of(fields(boundary).get(RADIUS))
    if radius is not None and frame.orientation >= 5 and not is_pixels:  # a share of the width
        _set(boundary, RADIUS, f"{radius * frame.width / frame.height:.6f}")


def _turned(part: Part, frame: Frame, whole: tuple[float, float]) -> Part:
    """A box on a picture of the size `whole` (width, height), once that is turned."""
    width, height = whole
    x1, y1, x2, y2 = upright([part], frame.orientation, height, width)[0].tolist()
    return x1, y1, x2, y2


def _set(structure: Element, name: str, value: str) -> None:
    """Changes a field that is there, an attribute or an element."""
    for holder in (structure, *structure.findall(rdf.DESCRIPTION)):
        if name in holder.attrib:
            holder.set(name, value)
        for child in holder.findall(name):
            child.text = value
