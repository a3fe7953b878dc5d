"""The file of a cascade of boosted trees, in OpenCV's form of XML: how it is read and written.

Viola and Jones: Rapid Object Detection using a Boosted Cascade of Simple Features, CVPR 2001;
Lienhart and Maydt: An Extended Set of Haar-like Features for Rapid Object Detection, ICIP 2002.

    <cascade>  <height>, <width>                     the window, in pixels
               <stages>    each: <stageThreshold>    the least sum of its trees
                           <weakClassifiers>         its trees: <internalNodes>, <leafValues>
               <features>  each: <rects>             x, y, width, height, weight of its rectangles

A node is four numbers: where to go if the feature's value is below the threshold, where otherwise,
which feature, and the threshold. Where to go is a node's number, or, at 0 or below, a leaf's.

What a cascade does with a picture stands in `opsin.faces.haar`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.etree import ElementTree

import numpy as np

from opsin.errors import ModelError
from opsin.files import shown

MOST_BYTES: Final = 16 << 20  # OpenCV's largest has 2.7 MB
SIDES: Final = range(8, 129)  # pixels of a window
MOST: Final = 100_000  # stages, trees, nodes or features
LARGEST: Final = 1e6  # of a number
RECTANGLES: Final = (2, 3)  # of a feature; four are written as three, see `opsin.faces.boost`


class Rectangle(NamedTuple):
    """A part of the window, in its pixels, and what each of its pixels counts."""

    x: int
    y: int
    width: int
    height: int
    weight: int


class Node(NamedTuple):
    """One question of a tree: is the value of that feature below the threshold?"""

    left: int
    """Where to go if it is: above 0 a node's number in its tree, else minus a leaf's."""
    right: int
    """Where to go if not."""
    feature: int
    threshold: float


class Tree(NamedTuple):
    """Questions, the first being the root, and what the answers count. One question is a stump."""

    nodes: tuple[Node, ...]
    leaves: tuple[float, ...]


class Stage(NamedTuple):
    """A window goes on if the leaves that its trees end at have that sum or more."""

    threshold: float
    trees: tuple[Tree, ...]


@dataclass(frozen=True)
class Cascade:
    """Stages that a window must pass one after the other to be taken for a face."""

    width: int
    height: int
    features: tuple[tuple[Rectangle, ...], ...]
    stages: tuple[Stage, ...]


def parse(data: bytes, name: str) -> Cascade:
    """The cascade in an XML file's bytes; `name` is the file's, for the `ModelError` if it is none.

    Turned ("tilted") features, and those that are no sums over rectangles, are refused.
    """
    try:
        if len(data) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MB")
        if b"<!DOCTYPE" in data:
            raise ValueError("it defines words of its own (DOCTYPE)")
        return _cascade(ElementTree.fromstring(data))
    except (ElementTree.ParseError, ValueError, OverflowError, RecursionError) as error:
        reason = shown(str(error))[:200]
        raise ModelError(
            f"{shown(name)}: no cascade that opsin reads ({reason}). It must be an XML file as "
            "OpenCV has it for CascadeClassifier."
        ) from None


def _cascade(root: ElementTree.Element) -> Cascade:
    top = root if root.tag == "cascade" else _part(root, "cascade")
    kinds = (_part(top, "stageType").text or "", _part(top, "featureType").text or "")
    if tuple(kind.strip() for kind in kinds) != ("BOOST", "HAAR"):
        raise ValueError("it is not of boosted Haar features")
    width, height = (_number(_part(top, side), SIDES) for side in ("width", "height"))
    features = tuple(_feature(one, width, height) for one in _items(_part(top, "features")))
    stages = tuple(_stage(one, len(features)) for one in _items(_part(top, "stages")))
    if not stages:
        raise ValueError("it has no stage")
    return Cascade(width, height, features, stages)


def _feature(item: ElementTree.Element, width: int, height: int) -> tuple[Rectangle, ...]:
    if (tilted := item.find("tilted")) is not None and (tilted.text or "").strip() not in ("", "0"):
        raise ValueError("it has turned features, which opsin does not evaluate")
    found = []
    for one in _items(_part(item, "rects")):
        x, y, wide, high, weight = _numbers(one, 5)
        place = Rectangle(*(_whole(value) for value in (x, y, wide, high, weight)))
        if min(place[:2]) < 0 or min(place[2:4]) < 1:
            raise ValueError("a rectangle is empty or begins outside of its window")
        if place.x + place.width > width or place.y + place.height > height:
            raise ValueError("a rectangle reaches beyond its window")
        found.append(place)
    if len(found) not in RECTANGLES:
        raise ValueError("a feature must have two or three rectangles")
    return tuple(found)


def _stage(item: ElementTree.Element, features: int) -> Stage:
    [threshold] = _numbers(_part(item, "stageThreshold"), 1)
    trees = tuple(_tree(one, features) for one in _items(_part(item, "weakClassifiers")))
    if not trees:
        raise ValueError("a stage has no tree")
    return Stage(_single(threshold), trees)


def _tree(item: ElementTree.Element, features: int) -> Tree:
    values = _numbers(_part(item, "internalNodes"))
    leaves = tuple(_single(value) for value in _numbers(_part(item, "leafValues")))
    if not values or len(values) % 4:
        raise ValueError("a node must have four numbers")
    nodes = []
    for number, start in enumerate(range(0, len(values), 4)):
        left, right, feature = (_whole(value) for value in values[start : start + 3])
        for goal in (left, right):  # forward only, so that no walk goes in circles
            if not (number < goal < len(values) // 4 or -len(leaves) < goal <= 0):
                raise ValueError("a node leads to what is not there, or back")
        if not 0 <= feature < features:
            raise ValueError("a node asks for a feature that is not there")
        nodes.append(Node(left, right, feature, _single(values[start + 3])))
    return Tree(tuple(nodes), leaves)


def write(cascade: Cascade, note: str = "") -> bytes:
    """The same as an XML file that OpenCV and `parse` read; `note` is a comment at its head."""
    depth = max(len(tree.nodes) for stage in cascade.stages for tree in stage.trees)
    return "".join(_lines(cascade, note, depth)).encode()


def _lines(cascade: Cascade, note: str, depth: int) -> Iterator[str]:
    most = max(len(stage.trees) for stage in cascade.stages)
    yield '<?xml version="1.0"?>\n'
    if note:
        yield f"<!--\n{note.replace('--', '- -')}\n-->\n"
    yield '<opencv_storage>\n<cascade type_id="opencv-cascade-classifier">'
    yield "<stageType>BOOST</stageType><featureType>HAAR</featureType>"
    yield f"<height>{cascade.height}</height><width>{cascade.width}</width>\n"
    yield f"<stageParams><maxWeakCount>{most}</maxWeakCount></stageParams>"
    yield "<featureParams><maxCatCount>0</maxCatCount></featureParams>"
    yield f"<stageNum>{len(cascade.stages)}</stageNum>\n<stages>\n"
    for stage in cascade.stages:
        yield f"<_><maxWeakCount>{len(stage.trees)}</maxWeakCount>"
        yield f"<stageThreshold>{_said(stage.threshold)}</stageThreshold><weakClassifiers>\n"
        for tree in stage.trees:
            nodes = (f"{n.left} {n.right} {n.feature} {_said(n.threshold)}" for n in tree.nodes)
            yield f"<_><internalNodes>{' '.join(nodes)}</internalNodes>"
            yield f"<leafValues>{' '.join(map(_said, tree.leaves))}</leafValues></_>\n"
        yield "</weakClassifiers></_>\n"
    yield "</stages>\n<features>\n"
    for feature in cascade.features:
        rows = (f"{x} {y} {w} {h} {weight}." for x, y, w, h, weight in feature)
        yield f"<_><rects>{''.join(f'<_>{row}</_>' for row in rows)}</rects></_>\n"
    yield "</features></cascade>\n</opencv_storage>\n"


def _said(value: float) -> str:
    """The shortest digits that are this number in single precision, as OpenCV keeps it.

    >>> _said(-1.0), _said(0.1)
    ('-1.', '0.1')
    """
    text = str(np.float32(value))
    return text[:-1] if text.endswith(".0") else text


def _part(item: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = item.find(tag)
    if found is None:
        raise ValueError(f"<{item.tag}> has no <{tag}>")
    return found


def _items(item: ElementTree.Element) -> list[ElementTree.Element]:
    found = item.findall("_")
    if len(found) > MOST:
        raise ValueError(f"<{item.tag}> has more than {MOST:,} parts")
    return found


def _numbers(item: ElementTree.Element, count: int | None = None) -> list[float]:
    values = [float(word) for word in (item.text or "").split()]
    if count is not None and len(values) != count:
        raise ValueError(f"<{item.tag}> must have {count} numbers, it has {len(values)}")
    if not all(math.isfinite(value) and abs(value) <= LARGEST for value in values):
        raise ValueError(f"<{item.tag}> has a number that is not finite, or too large")
    return values


def _number(item: ElementTree.Element, among: range) -> int:
    [value] = _numbers(item, 1)
    if value not in among:
        raise ValueError(f"<{item.tag}> must be from {among[0]} to {among[-1]}")
    return int(value)


def _whole(value: float) -> int:
    if value != int(value):
        raise ValueError("a place or a number of something is no whole number")
    return int(value)


def _single(value: float) -> float:
    return float(np.float32(value))
