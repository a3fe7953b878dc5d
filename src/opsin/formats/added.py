"""What opsin has added to a packet of XMP, kept in the packet itself, and taken out of it again.

`opsin:Added` holds it as JSON, by kind: people, things, and what was copied from the photograph.
Whatever is not there any more as it was added, because another program or its user has changed it
since, is theirs and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

import msgspec
import numpy as np

from opsin.formats import rdf, xmp
from opsin.formats.regions import (
    MP_LIST,
    REGION_INFO,
    REGION_LIST,
    REGIONS,
    SIZE,
    Part,
    named_regions,
)

CLOSE: Final = 1e-4
"""By how much a share may differ that another program has written anew."""

PREFIX_OF: Final = {namespace: prefix for prefix, namespace in xmp.PREFIXES.items()}


class Items(msgspec.Struct, forbid_unknown_fields=True):
    """What was added of one kind."""

    regions: list[tuple[str, str, Part]] = []
    """Property, name and place, as shares of the stored picture."""
    words: list[tuple[str, str]] = []
    """Property and word."""


class Added(msgspec.Struct, forbid_unknown_fields=True):
    """What was added to a packet."""

    is_file: bool = False
    """The packet itself: there was no sidecar before."""
    made: list[str] = []
    """Properties that were not there."""
    kinds: dict[str, Items] = {}
    """What there is, by kind; those of which there is nothing may be missing."""

    def of(self, kind: str) -> Items:
        """What was added of a kind, to be added to."""
        return self.kinds.setdefault(kind, Items())

    def said(self) -> dict[str, tuple[list[tuple[str, str, Part]], list[tuple[str, str]]]]:
        """What there is of each kind, whatever the order: to be compared."""
        return {
            kind: (sorted(items.regions), sorted(items.words))
            for kind, items in self.kinds.items()
            if items.regions or items.words
        }


def added_to(packet: bytes) -> Added | None:
    """What was added to a packet; None where nothing was. `ValueError` where it is broken."""
    return _decoded(xmp.value(packet, xmp.OPSIN, "Added"))


def pop_added(tree: Element) -> tuple[Added | None, Element]:
    """The same of a tree, from which the list itself is taken out, and nothing else; and the
    element that it was in, or a new one, for what is to be added."""
    name = xmp.qname(xmp.OPSIN, "Added")
    holders = [
        one for one in rdf.descriptions(tree) if name in one.attrib or len(one.findall(name))
    ]
    added = _decoded(xmp.take(tree, xmp.OPSIN, "Added"))
    if holders:
        return added, holders[0]
    about = xmp.qname(xmp.RDF, "about")
    subjects = [one.get(about, "") for one in rdf.descriptions(tree)]
    return added, SubElement(tree, rdf.DESCRIPTION, {about: subjects[0] if subjects else ""})


def keep_added(holder: Element, added: Added) -> None:
    """Writes down what was added."""
    marker = Element(xmp.qname(xmp.OPSIN, "Added"))
    marker.text = msgspec.json.encode(_with_names(added, _short)).decode()
    holder.append(marker)


def regions_there(tree: Element, items: Items) -> list[tuple[Element, str, str, Part]]:
    """The regions that are there as they were added, each with its element."""
    found = {kind: list(named_regions(tree, kind)) for kind in {kind for kind, *_ in items.regions}}
    regions = []
    for kind, name, part in items.regions:
        for at, (item, named, place) in enumerate(found[kind]):
            if named == name and np.allclose(place, part, rtol=0, atol=CLOSE):
                regions.append((item, kind, name, part))
                del found[kind][at]
                break
    return regions


def words_there(tree: Element, items: Items) -> list[tuple[Element, str, str]]:
    """The words that are there as they were added, each with its element."""
    found = []
    for name, word in items.words:
        listed = (item for _, value in rdf.values(tree, name) for item in rdf.items(value))
        found += [(item, name, word) for item in listed if rdf.text(item) == word][:1]
    return found


def take_added(tree: Element, added: Added, kinds: Iterable[str]) -> bool:
    """Takes out what was added of these kinds, as far as it is there as it was, and what was made
    for it alone; whether all of it was there."""
    is_whole = True
    for kind in kinds:
        items = added.kinds.pop(kind, Items())
        regions, words = regions_there(tree, items), words_there(tree, items)
        if len(regions) < len(items.regions) or len(words) < len(items.words):
            is_whole = False
        parents = {child: parent for parent in tree.iter() for child in parent}
        for item in (*(one[0] for one in regions), *(one[0] for one in words)):
            parents[item].remove(item)
        properties = {property for property, *_ in items.regions}
        for name in properties | {property for property, _ in items.words}:
            _take_empty(tree, name, added.made)
    added.made = [name for name in added.made if tree.find(f".//{name}") is not None]
    return is_whole


def _take_empty(tree: Element, name: str, made: Sequence[str]) -> None:
    """Takes out what was made of a property, where nothing is in it any more."""
    for _, value in list(rdf.values(tree, name)):
        if name in (REGIONS, REGION_INFO):
            _take_structure(tree, value, made)
        elif name in made and isinstance(value, Element) and not rdf.items(value):
            _drop(tree, value)


def _take_structure(tree: Element, value: rdf.Value, made: Sequence[str]) -> None:
    """Takes out what was made of a structure of regions, unless others need it."""
    if isinstance(value, str):
        return
    inside = rdf.fields(value)
    is_made = value.tag in made
    listed = REGION_LIST if value.tag == REGIONS else MP_LIST
    is_used = bool(rdf.items(inside.get(listed)))
    if is_used and is_made:
        return
    for name in (SIZE, listed):
        child = inside.get(name)
        if name in made and isinstance(child, Element) and not (is_used and name == listed):
            _drop(tree, child)
    if is_made and not rdf.fields(value):
        _drop(tree, value)


def _decoded(text: str | None) -> Added | None:
    """What a packet says was added; what is not as it was written says nothing."""
    try:
        return _with_names(msgspec.json.decode(text, type=Added), _long) if text else None
    except (msgspec.MsgspecError, KeyError):
        return None


def _with_names(added: Added, name: Callable[[str], str]) -> Added:
    """The same with the names of properties as `name` has them."""
    kinds = {
        kind: Items(
            [(name(property), *rest) for property, *rest in items.regions],  # type: ignore[misc]
            [(name(property), word) for property, word in items.words],
        )
        for kind, items in added.kinds.items()
        if items.regions or items.words
    }
    return Added(added.is_file, list(map(name, added.made)), kinds)


def _short(name: str) -> str:
    """A property's name with its prefix: what was added is told in every packet."""
    namespace, key = name[1:].split("}")
    return f"{PREFIX_OF[namespace]}:{key}"


def _long(name: str) -> str:
    prefix, _, key = name.partition(":")
    return xmp.qname(xmp.PREFIXES[prefix], key)


def _drop(tree: Element, child: Element) -> None:
    parent = next(parent for parent in tree.iter() if any(one is child for one in parent))
    parent.remove(child)
