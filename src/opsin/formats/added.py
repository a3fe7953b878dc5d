"""What opsin has added to a packet of XMP, kept in the packet itself, and taken out of it again.

`opsin:Added` holds it as JSON. Whatever is not there any more as it was added, because another
program or its user has changed it since, is theirs and stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element

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
    named_faces,
)

CLOSE: Final = 1e-4
"""By how much a share may differ that another program has written anew."""

PREFIX_OF: Final = {namespace: prefix for prefix, namespace in xmp.PREFIXES.items()}


class Added(msgspec.Struct, forbid_unknown_fields=True):
    """What was added to a packet."""

    is_file: bool = False
    """The packet itself: there was no sidecar before."""
    made: list[str] = []
    """Properties that were not there."""
    regions: list[tuple[str, str, Part]] = []
    """Property, name and place, as shares of the stored picture."""
    words: list[tuple[str, str]] = []
    """Property and word."""

    def count(self) -> int:
        """How many regions and words there are."""
        return len(self.regions) + len(self.words)


def added_to(packet: bytes) -> Added | None:
    """What was added to a packet; None where nothing was. `ValueError` where it is broken."""
    return _decoded(xmp.value(packet, xmp.OPSIN, "Added"))


def keep_added(holder: Element, added: Added) -> None:
    """Writes down what was added."""
    marker = Element(xmp.qname(xmp.OPSIN, "Added"))
    short = Added(
        added.is_file,
        [_short(name) for name in added.made],
        [(_short(kind), name, part) for kind, name, part in added.regions],
        [(_short(name), word) for name, word in added.words],
    )
    marker.text = msgspec.json.encode(short).decode()
    holder.append(marker)


def take_added(tree: Element) -> Added | None:
    """Takes out what was added, as far as it is there as it was, and says what it was."""
    added = _decoded(xmp.take(tree, xmp.OPSIN, "Added"))
    if added is None:
        return None
    for kind, name, part in added.regions:
        for item, found, place in list(named_faces(tree, kind)):
            if found == name and np.allclose(place, part, rtol=0, atol=CLOSE):
                _drop(tree, item)
                break
    for property, word in added.words:
        listed = [item for _, value in rdf.values(tree, property) for item in rdf.items(value)]
        for item in listed:
            if rdf.text(item) == word:
                _drop(tree, item)
                break
    for property in (REGIONS, REGION_INFO, *dict(added.words)):
        for _, value in list(rdf.values(tree, property)):
            if property in (REGIONS, REGION_INFO):
                _take_structure(tree, value, added.made)
            elif property in added.made and not rdf.items(value) and isinstance(value, Element):
                _drop(tree, value)
    return added


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
        short = msgspec.json.decode(text, type=Added) if text else None
        return short and Added(
            short.is_file,
            [_long(name) for name in short.made],
            [(_long(kind), name, part) for kind, name, part in short.regions],
            [(_long(name), word) for name, word in short.words],
        )
    except (msgspec.MsgspecError, KeyError):
        return None


def _short(name: str) -> str:
    """A property's name with its prefix: what was added is told in every packet."""
    namespace, key = name[1:].split("}")
    return f"{PREFIX_OF[namespace]}:{key}"


def _long(name: str) -> str:
    prefix, _, key = name.partition(":")
    return xmp.qname(xmp.PREFIXES[prefix], key)


def _drop(tree: Element, child: Element) -> None:
    for parent in tree.iter():
        if any(one is child for one in parent):
            parent.remove(child)
            return
