"""Names of people and of things put into a packet of XMP, and taken out of it again.

A person becomes a region with a name, in the convention of the Metadata Working Group and in
Microsoft's (digiKam reads and writes both), and an entry in four lists of words that other programs
read. A thing becomes an image region of IPTC's and an entry in three of the lists: other programs
take whatever the other two conventions name for people. What is there already stays, and is not
said twice. What was added is kept in the packet (`formats.added`), so that it alone is taken out
again, also before names of its kind are put in anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import msgspec

from opsin.formats import rdf, xmp
from opsin.formats.added import Added, keep_added, pop_added, take_added
from opsin.formats.regions import Frame
from opsin.formats.tag_writer import KINDS, Kind, Writer, name_for_xml

COPIED: Final = "copied"
"""The kind of what a new sidecar repeats of its photograph."""


class Tagged(NamedTuple):
    """A packet with names."""

    packet: bytes | None
    """None where nothing is left to say."""
    names: list[str]
    """Who or what is named in it now, of those who were asked for."""
    notes: list[str]
    """What was not done, in plain words."""


def with_tags(
    kind: Kind,
    packet: bytes | None,
    named: Sequence[tuple[str, Sequence[float]]],
    frame: Frame,
    *,
    embedded: bytes | None = None,
    beside: bytes | None = None,
) -> Tagged:
    """The packet with those of a kind that are `named`, by boxes in pixels of the upright
    photograph.

    What was named here before and is not among them is taken out; what was added of another kind
    stays. Where a face has another name already, that stays. `embedded` is the packet inside a
    photograph whose sidecar this is: many programs read a sidecar in its place, so a new one says
    what is named there, too. `beside` is another packet, from which what was added of other kinds
    is taken over.

    The same call on its own packet gives the same bytes. Raises `ValueError` where a packet is
    broken.
    """
    root, prefixes = xmp.parse(packet) if packet else (xmp.empty(), {})
    tree = rdf.rdf_of(root)
    before, own = pop_added(tree)
    before = before or Added(is_file=packet is None)
    now = msgspec.convert(msgspec.to_builtins(before), Added)
    is_copied_anew = embedded is not None and now.is_file
    is_whole = take_added(tree, now, [kind.name, COPIED] if is_copied_anew else [kind.name])
    if embedded and is_copied_anew:
        Writer(tree, own, frame, now, COPIED).copy(rdf.rdf_of(xmp.parse(embedded)[0]))
    names, notes = [], []
    for one in KINDS:
        writer = Writer(tree, own, frame, now, one.name)
        if one == kind:
            for name, box in named:
                writer.add(kind, name_for_xml(name), box)
            names, notes = writer.names, writer.notes
        elif beside:
            writer.take_over(rdf.rdf_of(xmp.parse(beside)[0]))
    if not now.said().keys() - {COPIED}:  # all is said inside the photograph
        take_added(tree, now, [COPIED])
    if is_whole and now.said() == before.said():  # not a byte of it is changed
        return Tagged(packet, names, notes)
    return Tagged(_finished(root, prefixes, own, now), names, notes)


def without_tags(packet: bytes, *kinds: Kind) -> bytes | None:
    """The packet without what was added of these kinds, all if none is given; None where nothing
    is left of a sidecar that was made.

    A packet to which nothing was added stays as it is, byte for byte. Raises `ValueError` where it
    is broken.
    """
    root, prefixes = xmp.parse(packet)
    tree = rdf.rdf_of(root)
    now, own = pop_added(tree)
    taken = {kind.name for kind in kinds or KINDS}
    if now is None or not taken & now.said().keys():
        return packet
    take_added(tree, now, taken)
    if not now.said().keys() - {COPIED}:
        take_added(tree, now, [COPIED])
    return _finished(root, prefixes, own, now)


def _finished(root: Element, prefixes: dict[str, str], own: Element, now: Added) -> bytes | None:
    """The packet with what was added to it; None where it was made and nothing is left in it."""
    if now.said():
        keep_added(own, now)
    tree = rdf.rdf_of(root)
    xmp.drop_empty(tree, keep=None)
    if now.is_file and not len(tree):
        return None
    try:
        ElementTree.indent(root, " ")
    except RecursionError as error:
        raise ValueError("its parts are nested too deeply") from error
    return xmp.written(root, prefixes)
