"""RDF/XML as XMP uses it: properties, structures and lists, however a program spells them.

A structure may be elements inside a property (`rdf:parseType="Resource"`), a `rdf:Description`
inside it, or attributes; a list is a Bag, a Seq or an Alt. Reference: XMP specification part 1,
section 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias
from xml.etree.ElementTree import Element, SubElement

from opsin.formats.xmp import RDF, XML, qname

Value: TypeAlias = Element | str
"""An element, or the text of an attribute."""

DESCRIPTION: Final = qname(RDF, "Description")
LISTS: Final = tuple(qname(RDF, kind) for kind in ("Bag", "Seq", "Alt"))
ITEM: Final = qname(RDF, "li")
VALUE: Final = qname(RDF, "value")
"""What a qualified value is, beside its qualifiers."""
RESOURCE: Final = {qname(RDF, "parseType"): "Resource"}
SYNTAX: Final = (f"{{{RDF}}}", f"{{{XML}}}")
"""What attributes begin with that are no properties."""


def rdf_of(root: Element) -> Element:
    """The packet's rdf:RDF; `ValueError` where there is none."""
    name = qname(RDF, "RDF")
    found = root if root.tag == name else root.find(name)
    if found is None:
        raise ValueError("no rdf:RDF in it")
    return found


def descriptions(rdf: Element) -> list[Element]:
    """The elements that hold the photograph's own properties."""
    return rdf.findall(DESCRIPTION)


def values(rdf: Element, name: str) -> Iterator[tuple[Element, Value]]:
    """Each value of a property of the photograph, and the element that holds it."""
    for holder in descriptions(rdf):
        if name in holder.attrib:
            yield holder, holder.attrib[name]
        for child in holder.findall(name):
            yield holder, child


def fields(structure: Value | None) -> dict[str, Value]:
    """The fields of a structure by name; none where it is no structure."""
    if structure is None or isinstance(structure, str):
        return {}
    found: dict[str, Value] = {}
    for holder in (structure, *structure.findall(DESCRIPTION)):
        for name, text in holder.attrib.items():
            if not name.startswith(SYNTAX):
                found.setdefault(name, text)
        for child in holder:
            if not child.tag.startswith(SYNTAX):
                found.setdefault(child.tag, child)
    return found


def list_of(value: Value | None) -> Element | None:
    """The list that a property holds, an element whose items can be added to and removed."""
    if value is None or isinstance(value, str):
        return None
    return next((child for child in value if child.tag in LISTS), None)


def items(value: Value | None) -> list[Element]:
    """The items of the list that a property holds."""
    found = list_of(value)
    return [] if found is None else found.findall(ITEM)


def text(value: Value | None) -> str:
    """A simple value, or the first of a list, on one line; "" where there is none."""
    while value is not None and not isinstance(value, str):
        inside = (
            *items(value)[:1],
            *value.findall(VALUE),
            *value.findall(f"{DESCRIPTION}/{VALUE}"),
        )
        value = inside[0] if inside else value.text or ""
    return " ".join((value or "").split())


def texts(value: Value | None) -> list[str]:
    """The items of a list of simple values, those that say something; a single value is a list."""
    listed = items(value)
    found = [text(item) for item in listed] if listed else [text(value)]
    return [one for one in found if one]


def add_list(holder: Element, name: str, kind: str) -> Element:
    """A new, empty list ("Bag", "Seq") as a property of `holder`."""
    return SubElement(SubElement(holder, name), qname(RDF, kind))
