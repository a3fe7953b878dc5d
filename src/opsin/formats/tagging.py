"""Names of people put into a packet of XMP, and taken out of it again.

A person becomes a region with a name, in the convention of the Metadata Working Group and in
Microsoft's (digiKam reads and writes both), and an entry in four lists of words that other
programs read. What is there already stays, and is not said twice. What was added is kept in the
packet (`formats.added`), so that it alone is taken out again, also before names are put in anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from opsin.boxes import iou, scale, stored
from opsin.formats import rdf, xmp
from opsin.formats.added import Added, keep_added, take_added
from opsin.formats.regions import (
    MP_LIST,
    PERSONS,
    REGION_INFO,
    REGION_LIST,
    REGIONS,
    SAME_FACE,
    SIZE,
    Frame,
    Part,
    applied_to,
    is_shape,
    key_of,
    named_faces,
    within,
)
from opsin.formats.xmp import (
    AREA,
    DC,
    DIGIKAM,
    DIMENSIONS,
    LIGHTROOM,
    MP_REGION,
    MWG,
    qname,
)

TOP: Final = "People"
"""The keyword above all people, in lists that have a hierarchy."""

LEAST: Final = 1e-5
"""The least width of a face, as a share: with six decimals it is more than nothing."""

NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Words(NamedTuple):
    """A list of words that says who is on a photograph."""

    name: str
    list: str
    separator: str = ""
    """Between the levels of a hierarchy; "" where there is none."""

    def word(self, person: str) -> str:
        if not self.separator:
            return person
        return f"{TOP}{self.separator}{person.replace(self.separator, '-')}"

    def key(self, word: str) -> str:
        """Equal for two words that name one person, wherever in the hierarchy."""
        return key_of(word.split(self.separator)[-1] if self.separator else word)


WORDS: Final = (
    _Words(PERSONS, "Bag"),
    _Words(qname(DC, "subject"), "Bag"),
    _Words(qname(DIGIKAM, "TagsList"), "Seq", "/"),
    _Words(qname(LIGHTROOM, "hierarchicalSubject"), "Bag", "|"),
)


class Tagged(NamedTuple):
    """A packet with names."""

    packet: bytes | None
    """None where nothing is left to say."""
    names: list[str]
    """Who is named in it now, of those who were asked for."""
    notes: list[str]
    """What was not done, in plain words."""


def with_names(
    packet: bytes | None,
    people: Sequence[tuple[str, Sequence[float]]],
    frame: Frame,
    *,
    embedded: bytes | None = None,
) -> Tagged:
    """The packet with `people`: names, and boxes in pixels of the upright photograph.

    Whoever was named here before and is not among them is taken out. Where a face has another name
    already, that stays. `embedded` is the packet inside a photograph whose sidecar this is: many
    programs read a sidecar in its place, so a new one says who is named there, too.

    The same call on its own packet gives the same bytes. Raises `ValueError` where a packet is
    broken.
    """
    root, prefixes = xmp.parse(packet) if packet else (xmp.empty(), {})
    tree = rdf.rdf_of(root)
    before = take_added(tree)
    now = Added(is_file=packet is None or (before is not None and before.is_file))
    about = qname(xmp.RDF, "about")
    subjects = [found.get(about, "") for found in rdf.descriptions(tree)]
    own = SubElement(tree, rdf.DESCRIPTION, {about: subjects[0] if subjects else ""})
    writer = _Writer(tree, own, frame, now)
    if embedded and now.is_file:
        writer.copy(rdf.rdf_of(xmp.parse(embedded)[0]))
    copied = now.count()
    for name, box in people:
        writer.add(name_for_xml(name), box)
    if copied and now.count() == copied:  # all is said inside the photograph
        return with_names(packet, [], frame)._replace(names=writer.names, notes=writer.notes)
    if now.count():
        keep_added(own, now)
    elif before is None:
        return Tagged(packet, writer.names, writer.notes)  # not a byte of it is changed
    xmp.drop_empty(tree, keep=None)
    return Tagged(_written(root, prefixes, now.is_file), writer.names, writer.notes)


def without_names(packet: bytes) -> bytes | None:
    """The packet without what was added; None where nothing is left of a sidecar that was made.

    A packet to which nothing was added stays as it is, byte for byte. Raises `ValueError` where it
    is broken.
    """
    root, prefixes = xmp.parse(packet)
    tree = rdf.rdf_of(root)
    before = take_added(tree)
    if before is None:
        return packet
    xmp.drop_empty(tree, keep=None)
    return _written(root, prefixes, before.is_file)


def name_for_xml(name: str) -> str:
    r"""A name on one line, without what XML cannot hold.

    >>> name_for_xml(" Ann\n\x00 Lee ")
    'Ann Lee'
    """
    return " ".join(NOT_XML.sub("", name).split())


def part_of(box: Sequence[float], frame: Frame) -> Part | None:
    """A box of the upright photograph as shares of the stored one; None if it lies outside."""
    boxes = stored([box], frame.orientation, frame.height, frame.width)
    x1, y1, x2, y2 = scale(boxes, 1 / frame.width, 1 / frame.height)[0].tolist()
    part = within(x1, y1, x2 - x1, y2 - y1)
    if part is None or min(part[2] - part[0], part[3] - part[1]) < LEAST:
        return None
    return part


class _Writer:
    """Adds people to a tree, and keeps what was added."""

    def __init__(self, tree: Element, own: Element, frame: Frame, now: Added) -> None:
        self.tree, self.own, self.frame, self.now = tree, own, frame, now
        self.names: list[str] = []
        self.notes: list[str] = []
        applied = next(
            (applied_to(rdf.fields(value)) for _, value in rdf.values(tree, REGIONS)), None
        )
        self.kinds = [REGIONS, REGION_INFO]
        if applied and not is_shape(frame, *applied):
            self.kinds = [REGION_INFO]
            self.notes.append(
                f"the regions that are there are for {applied[0]:.0f} x {applied[1]:.0f} pixels, "
                f"which are not this photograph's {frame.width} x {frame.height}: none added"
            )

    def add(self, name: str, box: Sequence[float]) -> None:
        """A person; nobody is on a photograph twice."""
        part = part_of(box, self.frame)
        if not name or part is None:
            self.notes.append(f"{name or 'a face without a name'}: no place on the photograph")
            return
        there = [(kind, *one[1:]) for kind in self.kinds for one in named_faces(self.tree, kind)]
        others = [other for _, other, place in there if iou([part], [place])[0, 0] >= SAME_FACE]
        keys = {key_of(other) for _, other, _ in there}
        if others and key_of(name) not in keys:
            self.notes.append(f"{name}: not written, that face is named {others[0]} already")
            return
        for kind in self.kinds:
            if key_of(name) not in {key_of(one) for at, one, _ in there if at == kind}:
                self._insert(kind, name, part)
        for words in WORDS:
            self._add_word(words, words.word(name))
        self.names.append(name)

    def copy(self, other: Element) -> None:
        """The named faces and the words of another packet, where they are not there."""
        for kind in self.kinds:
            sizes = [applied_to(rdf.fields(value)) for _, value in rdf.values(other, kind)]
            if kind == REGIONS and not all(is_shape(self.frame, *one) for one in sizes if one):
                continue
            names = {key_of(one[1]) for one in named_faces(self.tree, kind)}
            for _, name, part in named_faces(other, kind):
                if key_of(name) not in names:
                    self._insert(kind, name, part)
        for words in WORDS:
            for _, value in rdf.values(other, words.name):
                for word in rdf.texts(value):
                    self._add_word(words, word)

    def _insert(self, kind: str, name: str, part: Part) -> None:
        """Before the first region without a name, at which digiKam stops to read."""
        listed = self._regions() if kind == REGIONS else self._rectangles()
        named = qname(MWG, "Name") if kind == REGIONS else qname(MP_REGION, "PersonDisplayName")
        nameless = (at for at, one in enumerate(listed) if not rdf.text(rdf.fields(one).get(named)))
        item = _region(name, part) if kind == REGIONS else _rectangle(name, part)
        listed.insert(next(nameless, len(listed)), item)
        self.now.regions.append((kind, name, _rounded(part)))

    def _regions(self) -> Element:
        holder = self._structure(REGIONS)
        if applied_to(rdf.fields(holder)) is None:
            for parent in (holder, *holder.findall(rdf.DESCRIPTION)):
                parent.attrib.pop(SIZE, None)
                for child in parent.findall(SIZE):  # it says nothing that can be read
                    parent.remove(child)
            size = {"w": str(self.frame.width), "h": str(self.frame.height), "unit": "pixel"}
            SubElement(_inner(holder), SIZE, _attributes(DIMENSIONS, size))
            self.now.made.append(SIZE)
        return self._list_in(holder, REGION_LIST)

    def _rectangles(self) -> Element:
        return self._list_in(self._structure(REGION_INFO), MP_LIST)

    def _structure(self, name: str) -> Element:
        for _, value in rdf.values(self.tree, name):
            if not isinstance(value, str):
                return value
        self.now.made.append(name)
        return SubElement(self.own, name, rdf.RESOURCE)

    def _list_in(self, structure: Element, name: str) -> Element:
        value = rdf.fields(structure).get(name)
        found = rdf.list_of(value)
        if found is None:
            self.now.made.append(name)
            found = rdf.add_list(_inner(structure), name, "Bag")
        return found

    def _add_word(self, words: _Words, word: str) -> None:
        found = [(holder, value) for holder, value in rdf.values(self.tree, words.name)]
        there = [one for _, value in found for one in rdf.texts(value)]
        if words.key(word) in map(words.key, there):
            return
        lists = [one for _, value in found if (one := rdf.list_of(value)) is not None]
        if lists:
            listed = lists[0]
        else:
            listed = rdf.add_list(found[0][0] if found else self.own, words.name, words.list)
            for holder, value in found:  # it was no list, as some programs write a single one
                if isinstance(value, str):
                    del holder.attrib[words.name]
                else:
                    holder.remove(value)
            for old in there:
                SubElement(listed, rdf.ITEM).text = old
            if not there:
                self.now.made.append(words.name)
        SubElement(listed, rdf.ITEM).text = word
        self.now.words.append((words.name, word))


def _region(name: str, part: Part) -> Element:
    x1, y1, x2, y2 = part
    item = Element(rdf.ITEM, rdf.RESOURCE)
    SubElement(item, qname(MWG, "Name")).text = name
    SubElement(item, qname(MWG, "Type")).text = "Face"
    numbers = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "w": x2 - x1, "h": y2 - y1}
    area = {key: f"{number:.6f}" for key, number in numbers.items()} | {"unit": "normalized"}
    SubElement(item, qname(MWG, "Area"), _attributes(AREA, area))
    return item


def _rectangle(name: str, part: Part) -> Element:
    x1, y1, x2, y2 = part
    item = Element(rdf.ITEM, rdf.RESOURCE)
    SubElement(item, qname(MP_REGION, "PersonDisplayName")).text = name
    numbers = (x1, y1, x2 - x1, y2 - y1)
    SubElement(item, qname(MP_REGION, "Rectangle")).text = ", ".join(f"{n:.6f}" for n in numbers)
    return item


def _written(root: Element, prefixes: dict[str, str], is_file: bool) -> bytes | None:
    if is_file and not len(rdf.rdf_of(root)):
        return None
    try:
        ElementTree.indent(root, " ")
    except RecursionError as error:
        raise ValueError("its parts are nested too deeply") from error
    return xmp.written(root, prefixes)


def _inner(structure: Element) -> Element:
    """The element in a structure that holds its fields."""
    found = structure.find(rdf.DESCRIPTION)
    return structure if found is None else found


def _attributes(namespace: str, fields: dict[str, Any]) -> dict[str, str]:
    return {qname(namespace, key): value for key, value in fields.items()}


def _rounded(part: Part) -> Part:
    x1, y1, x2, y2 = (round(one, 6) for one in part)
    return x1, y1, x2, y2
