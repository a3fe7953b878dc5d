"""How names and their places are put into a tree of XMP: one kind of them at a time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, SubElement

from opsin.boxes import iou, scale, stored
from opsin.formats import rdf, region_items
from opsin.formats.added import Added, pop_added, regions_there, words_there
from opsin.formats.regions import (
    IMAGE_REGION,
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
    content_of,
    is_shape,
    key_of,
    named_regions,
    within,
)
from opsin.formats.xmp import DC, DIGIKAM, DIMENSIONS, LIGHTROOM, MP_REGION, MWG, qname

SAME_THING: Final = 0.5
"""The least overlap of two boxes of one thing, as where detectors are judged."""

LEAST: Final = 1e-5
"""The least width of a region, as a share: with six decimals it is more than nothing."""

NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Words(NamedTuple):
    """A list of words that says who or what is on a photograph."""

    name: str
    list: str
    separator: str = ""
    """Between the levels of a hierarchy; "" where there is none."""

    def word(self, name: str, top: str) -> str:
        if not self.separator:
            return name
        return f"{top}{self.separator}{name.replace(self.separator, '-')}"

    def key(self, word: str) -> str:
        """Equal for two words that name the same, wherever in the hierarchy."""
        return key_of(word.split(self.separator)[-1] if self.separator else word)


WORDS: Final = (
    _Words(PERSONS, "Bag"),
    _Words(qname(DC, "subject"), "Bag"),
    _Words(qname(DIGIKAM, "TagsList"), "Seq", "/"),
    _Words(qname(LIGHTROOM, "hierarchicalSubject"), "Bag", "|"),
)


class Kind(NamedTuple):
    """What is named."""

    name: str
    """In the list of what was added."""
    top: str
    """The keyword above all others, in lists that have a hierarchy."""
    lists: tuple[_Words, ...]
    again: str
    """The command that looks at a photograph again."""


PEOPLE: Final = Kind("people", "People", WORDS, "opsin people name")
THINGS: Final = Kind("things", "Objects", WORDS[1:], "opsin tag")
KINDS: Final = (PEOPLE, THINGS)


class Writer:
    """Adds names to a tree, and keeps what was added as of one kind."""

    def __init__(self, tree: Element, own: Element, frame: Frame, now: Added, kind: str) -> None:
        self.tree, self.own, self.frame, self.made = tree, own, frame, now.made
        self.kind, self.items = kind, now.of(kind)
        self.names: list[str] = []
        self.notes: list[str] = []
        self.keys: dict[str, set[str]] = {}
        self.others = list(named_regions(tree, IMAGE_REGION, frame))
        sizes = (applied_to(rdf.fields(value)) for _, value in rdf.values(tree, REGIONS))
        applied = next(sizes, None)
        self.other_size = None if not applied or is_shape(frame, *applied) else applied
        """Which regions there have that are of another picture."""
        self.faces = [REGION_INFO] if self.other_size else [REGIONS, REGION_INFO]

    def add(self, kind: Kind, name: str, box: Sequence[float]) -> None:
        """A person or a thing, with the words for it."""
        part = part_of(box, self.frame)
        if not name or part is None:
            self.notes.append(f"{name or 'a box without a name'}: no place on the photograph")
            return
        if kind is THINGS:
            self._add_thing(name, part)
        elif not self._add_face(name, part):
            return
        for words in kind.lists:
            self.add_word(words.name, words.word(name, kind.top))
        if name not in self.names:
            self.names.append(name)

    def _add_face(self, name: str, part: Part) -> bool:
        """A person's face, and whether it is this person's; nobody is on a photograph twice."""
        if self.other_size and not self.notes:
            width, height = self.other_size
            self.notes.append(
                f"the regions that are there are for {width:.0f} x {height:.0f} pixels, which are "
                f"not this photograph's {self.frame.width} x {self.frame.height}: none added"
            )
        there = [(kind, *one[1:]) for kind in self.faces for one in named_regions(self.tree, kind)]
        others = [other for _, other, place in there if iou([part], [place])[0, 0] >= SAME_FACE]
        keys = {key_of(other) for _, other, _ in there}
        if others and key_of(name) not in keys:
            self.notes.append(f"{name}: not written, that face is named {others[0]} already")
            return False
        for kind in self.faces:
            self.put(kind, name, part)
        return True

    def _add_thing(self, name: str, part: Part) -> None:
        """A thing, unless somebody else has said that it is there; the second bicycle is called
        "Bicycle 2"."""
        for item, _, place in self.others:
            if key_of(content_of(item)) == key_of(name) and iou([part], [place]) >= SAME_THING:
                return
        taken = self._keys(IMAGE_REGION)
        numbered = (f"{name} {number}" for number in itertools.count(2))
        free = (one for one in itertools.chain([name], numbered) if key_of(one) not in taken)
        self.put(IMAGE_REGION, next(free), part, content=name)

    def copy(self, other: Element) -> None:
        """The named faces and the words of another packet, where they are not there."""
        for kind in self.faces:
            sizes = [applied_to(rdf.fields(value)) for _, value in rdf.values(other, kind)]
            if kind == REGIONS and not all(is_shape(self.frame, *one) for one in sizes if one):
                continue
            for _, name, part in named_regions(other, kind):
                self.put(kind, name, part)
        for words in WORDS:
            for _, value in rdf.values(other, words.name):
                for word in rdf.texts(value):
                    self.add_word(words.name, word)

    def take_over(self, other: Element) -> None:
        """What was added of this kind to another packet, as far as it is there still."""
        items = (pop_added(other)[0] or Added()).of(self.kind)
        for item, convention, name, part in regions_there(other, items):
            if convention in (*self.faces, IMAGE_REGION):
                self.put(convention, name, part, content=content_of(item))
        for _, words, word in words_there(other, items):
            self.add_word(words, word)

    def put(self, kind: str, name: str, part: Part, *, content: str = "") -> None:
        """A region in one convention, unless that has one of the name."""
        if key_of(name) in self._keys(kind):
            return
        if kind == REGIONS:
            _insert(self._regions(), region_items.face(name, part), qname(MWG, "Name"))
        elif kind == REGION_INFO:
            item = region_items.rectangle(name, part)
            _insert(self._rectangles(), item, qname(MP_REGION, "PersonDisplayName"))
        else:
            listed = self._list(IMAGE_REGION, "Bag")
            listed.append(region_items.image_region(name, content, part))
        self.items.regions.append((kind, name, _rounded(part)))
        self._keys(kind).add(key_of(name))

    def _keys(self, kind: str) -> set[str]:
        """The names that regions have in a convention."""
        if kind not in self.keys:
            regions = named_regions(self.tree, kind, self.frame)
            self.keys[kind] = {key_of(one) for _, one, _ in regions}
        return self.keys[kind]

    def _regions(self) -> Element:
        holder = self._structure(REGIONS)
        if applied_to(rdf.fields(holder)) is None:
            for parent in (holder, *holder.findall(rdf.DESCRIPTION)):
                parent.attrib.pop(SIZE, None)
                for child in parent.findall(SIZE):  # it says nothing that can be read
                    parent.remove(child)
            size = {"w": str(self.frame.width), "h": str(self.frame.height), "unit": "pixel"}
            SubElement(_inner(holder), SIZE, region_items.attributes(DIMENSIONS, size))
            self.made.append(SIZE)
        return self._list_in(holder, REGION_LIST)

    def _rectangles(self) -> Element:
        return self._list_in(self._structure(REGION_INFO), MP_LIST)

    def _structure(self, name: str) -> Element:
        for _, value in rdf.values(self.tree, name):
            if not isinstance(value, str):
                return value
        self.made.append(name)
        return SubElement(self.own, name, rdf.RESOURCE)

    def _list_in(self, structure: Element, name: str) -> Element:
        value = rdf.fields(structure).get(name)
        found = rdf.list_of(value)
        if found is None:
            self.made.append(name)
            found = rdf.add_list(_inner(structure), name, "Bag")
        return found

    def add_word(self, name: str, word: str) -> None:
        """A word in one of the lists, unless it names what is named there."""
        [words] = (one for one in WORDS if one.name == name)
        there = [one for _, value in rdf.values(self.tree, name) for one in rdf.texts(value)]
        if words.key(word) in map(words.key, there):
            return
        SubElement(self._list(name, words.list), rdf.ITEM).text = word
        self.items.words.append((name, word))

    def _list(self, name: str, kind: str) -> Element:
        """The list that a property is. Some programs write a single word without one."""
        found = [(holder, value) for holder, value in rdf.values(self.tree, name)]
        lists = [one for _, value in found if (one := rdf.list_of(value)) is not None]
        if lists:
            return lists[0]
        there = [one for _, value in found for one in rdf.texts(value)]
        listed = rdf.add_list(found[0][0] if found else self.own, name, kind)
        for holder, value in found:
            if isinstance(value, str):
                del holder.attrib[name]
            else:
                holder.remove(value)
        for old in there:
            SubElement(listed, rdf.ITEM).text = old
        if not there:
            self.made.append(name)
        return listed


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


def _insert(listed: Element, item: Element, named: str) -> None:
    """Puts a face before the first without a name, at which digiKam stops to read."""
    nameless = (at for at, one in enumerate(listed) if not rdf.text(rdf.fields(one).get(named)))
    listed.insert(next(nameless, len(listed)), item)


def _inner(structure: Element) -> Element:
    """The element in a structure that holds its fields."""
    found = structure.find(rdf.DESCRIPTION)
    return structure if found is None else found


def _rounded(part: Part) -> Part:
    x1, y1, x2, y2 = (round(one, 6) for one in part)
    return x1, y1, x2, y2
