"""How a region with a name is spelled in each convention; `formats.regions` reads them."""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement

from opsin.formats import rdf
from opsin.formats.regions import BOUNDARY, CONTENT_TYPE, REGION_NAME, Part
from opsin.formats.xmp import AREA, IPTC_EXT, MP_REGION, MWG, XML, qname

LANGUAGE: Final = {qname(XML, "lang"): "x-default"}


def face(name: str, part: Part) -> Element:
    """A face as the Metadata Working Group has it: by its center."""
    x1, y1, x2, y2 = part
    item = Element(rdf.ITEM, rdf.RESOURCE)
    SubElement(item, qname(MWG, "Name")).text = name
    SubElement(item, qname(MWG, "Type")).text = "Face"
    numbers = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "w": x2 - x1, "h": y2 - y1}
    area = {key: f"{number:.6f}" for key, number in numbers.items()} | {"unit": "normalized"}
    SubElement(item, qname(MWG, "Area"), attributes(AREA, area))
    return item


def rectangle(name: str, part: Part) -> Element:
    """A face as Microsoft has it: by its upper left corner."""
    x1, y1, x2, y2 = part
    item = Element(rdf.ITEM, rdf.RESOURCE)
    SubElement(item, qname(MP_REGION, "PersonDisplayName")).text = name
    numbers = (x1, y1, x2 - x1, y2 - y1)
    SubElement(item, qname(MP_REGION, "Rectangle")).text = ", ".join(f"{n:.6f}" for n in numbers)
    return item


def image_region(name: str, content: str, part: Part) -> Element:
    """A thing as IPTC has it: by its upper left corner, `content` being what it shows.

    Photo Metadata 2019.1, Image Region: a name should be the only one of its kind on a photograph,
    which a content type need not be.
    """
    x1, y1, x2, y2 = part
    item = Element(rdf.ITEM, rdf.RESOURCE)
    numbers = {"rbX": x1, "rbY": y1, "rbW": x2 - x1, "rbH": y2 - y1}
    boundary = {key: f"{number:.6f}" for key, number in numbers.items()}
    boundary |= {"rbShape": "rectangle", "rbUnit": "relative"}
    SubElement(item, BOUNDARY, attributes(IPTC_EXT, boundary))
    _add_text(item, name)
    kinds = rdf.add_list(item, CONTENT_TYPE, "Bag")
    _add_text(SubElement(kinds, rdf.ITEM, rdf.RESOURCE), content)
    return item


def attributes(namespace: str, fields: dict[str, Any]) -> dict[str, str]:
    """The fields of a structure, spelled as attributes."""
    return {qname(namespace, key): value for key, value in fields.items()}


def _add_text(holder: Element, text: str) -> None:
    """A name, in a list of languages of which there is one."""
    SubElement(rdf.add_list(holder, REGION_NAME, "Alt"), rdf.ITEM, LANGUAGE).text = text
