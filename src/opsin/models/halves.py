"""A network in two halves: what is known from its required inputs alone, and the rest.

A colorizer's encoder sees the photograph and nothing else; points and palettes enter its decoder.
So while a person touches a photograph up, the encoder need not run again. The model stays one file
with one hash: it is cut while it is loaded, wherever what depends on an optional input begins.

The file is read by its wire format (protobuf: a number and a length before each field), and no
node or weight is changed, so no package is needed for it. Numbers of fields are those of
onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

GRAPH, FUNCTION = 7, 25  # of ModelProto
NODE, GRAPH_NAME, WEIGHT, INPUT, OUTPUT, SPARSE = 1, 2, 5, 11, 12, 15  # of GraphProto
TAKES, GIVES, ATTRIBUTE = 1, 2, 5  # of NodeProto
INNER = (6, 11)  # of AttributeProto: graphs in a node, which may use any tensor around it
NAME, WEIGHT_NAME = 1, 8  # of ValueInfoProto, TensorProto
TYPE, TENSOR, ELEMENT = 2, 1, 1  # ValueInfoProto.type.tensor_type.elem_type
BYTES: Final = 2  # the wire type of what has a length
ELEMENTS: Final = {"tensor(float)": 1, "tensor(float16)": 10, "tensor(int64)": 7}


class Field(NamedTuple):
    number: int
    value: memoryview
    """Of a field with a length, else nothing."""
    whole: memoryview
    """With its number and its length."""


class Node(NamedTuple):
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    whole: memoryview


@dataclass(frozen=True)
class Halves:
    """The first half as a file, what it gives, and how the second is made once that is loaded."""

    first: bytes
    cut: tuple[str, ...]
    """The tensors that the second half needs of the first."""
    _model: Sequence[memoryview]
    _graph: _Graph
    _late: tuple[Node, ...]

    def second(self, kinds: Sequence[str]) -> bytes | None:
        """The second half as a file; `kinds` are ONNX Runtime's types of the tensors in `cut`. None
        if it cannot be made, for one of them is of another type."""
        if not set(kinds) <= ELEMENTS.keys():
            return None
        needed = {name for node in self._late for name in node.takes}
        given = [
            _sized(INPUT, _sized(NAME, name.encode()) + _tensor(ELEMENTS[kind]))
            for name, kind in zip(self.cut, kinds, strict=True)
        ]
        inputs = [one for name, one in self._graph.inputs.items() if name in needed]
        outputs = list(self._graph.outputs.values())
        return _model(self._model, self._graph, self._late, [*inputs, *given], outputs)


class _Graph(NamedTuple):
    name: Sequence[memoryview]
    nodes: tuple[Node, ...]
    weights: dict[str, memoryview]
    inputs: dict[str, memoryview]
    outputs: dict[str, memoryview]


def halves_of(data: bytes, optional: Collection[str]) -> Halves | None:
    """A network cut where the inputs called `optional` enter; None if it cannot be, or if nothing
    or everything depends on them."""
    try:
        return _halves_of(memoryview(data), set(optional))
    except (ValueError, IndexError, UnicodeDecodeError):  # no sound file, as its loading will tell
        return None


def _halves_of(data: memoryview, optional: set[str]) -> Halves | None:
    model = list(_fields(data))
    graphs = [field.value for field in model if field.number == GRAPH]
    if len(graphs) != 1 or any(field.number == FUNCTION for field in model):
        return None
    graph = _graph_of(graphs[0])
    if graph is None or graph.inputs.keys() & graph.weights.keys():
        return None
    early, late = _parted(graph, optional)
    given = {name for node in early for name in node.gives}
    own = {name for node in late for name in node.gives}
    needed = {name for node in late for name in node.takes} - own
    cut = tuple(name for node in early for name in node.gives if name in needed and name)
    if not cut or given & graph.outputs.keys():
        return None
    inputs = [one for name, one in graph.inputs.items() if name not in optional]
    outputs = [_sized(OUTPUT, _sized(NAME, name.encode())) for name in cut]
    rest = [field.whole for field in model if field.number != GRAPH]
    return Halves(_model(rest, graph, early, inputs, outputs), cut, rest, graph, late)


def _parted(graph: _Graph, optional: set[str]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The nodes that depend on an input, but on no optional one; and the others, with the constants
    that they need."""
    dynamic, of_optional = set(graph.inputs), set(optional)
    early: list[Node] = []
    late: list[Node] = []
    constant: dict[str, Node] = {}
    for node in graph.nodes:  # in an order in which they can run, as ONNX has them
        if of_optional & set(node.takes):
            of_optional |= set(node.gives)
            late.append(node)
        elif dynamic & set(node.takes):
            early.append(node)
        else:
            constant |= dict.fromkeys(node.gives, node)
            continue
        dynamic |= set(node.gives)
    return tuple(_with(early, constant)), tuple(_with(late, constant))


def _with(nodes: Sequence[Node], constant: dict[str, Node]) -> list[Node]:
    """Nodes, and before them the constant ones that they need."""
    before: dict[int, Node] = {}

    def add(names: Sequence[str]) -> None:
        for name in names:
            node = constant.get(name)
            if node is not None and id(node) not in before:
                add(node.takes)
                before[id(node)] = node

    for node in nodes:
        add(node.takes)
    return [*before.values(), *nodes]


def _graph_of(data: memoryview) -> _Graph | None:
    """The parts of a graph by name; None of one with nodes that hold graphs, or sparse weights."""
    graph = _Graph([], (), {}, {}, {})
    nodes, name = [], []
    for field in _fields(data):
        if field.number == NODE:
            parts = list(_fields(field.value))
            attributes = (one for one in parts if one.number == ATTRIBUTE)
            if any(one.number in INNER for part in attributes for one in _fields(part.value)):
                return None
            takes, gives = (
                tuple(_text(one.value) for one in parts if one.number == number)
                for number in (TAKES, GIVES)
            )
            nodes.append(Node(takes, gives, field.whole))
        elif field.number == WEIGHT:
            graph.weights[_named(field.value, WEIGHT_NAME)] = field.whole
        elif field.number == INPUT:
            graph.inputs[_named(field.value, NAME)] = field.whole
        elif field.number == OUTPUT:
            graph.outputs[_named(field.value, NAME)] = field.whole
        elif field.number == GRAPH_NAME:
            name.append(field.whole)
        elif field.number == SPARSE:
            return None
    return graph._replace(nodes=tuple(nodes), name=name)


def _model(
    rest: Sequence[memoryview],
    graph: _Graph,
    nodes: Sequence[Node],
    inputs: Sequence[bytes | memoryview],
    outputs: Sequence[bytes | memoryview],
) -> bytes:
    """A file with some of a graph's nodes, and the weights that they use."""
    needed = {name for node in nodes for name in node.takes}
    weights = [one for name, one in graph.weights.items() if name in needed]
    parts: list[Any] = [*graph.name, *(node.whole for node in nodes), *weights, *inputs, *outputs]
    return b"".join([*rest, _sized(GRAPH, b"".join(parts))])


def _fields(data: memoryview) -> Iterator[Field]:
    """The fields of a message, in order."""
    at, end = 0, len(data)
    while at < end:
        start = at
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        first = at
        if kind == BYTES:
            length, first = _varint(data, at)
            at = first + length
        elif kind == 0:
            _, at = _varint(data, at)
        elif kind in (1, 5):
            at += {1: 8, 5: 4}[kind]
        else:
            raise ValueError(f"no field of protobuf is of type {kind}")
        if at > end:
            raise ValueError("a field reaches beyond its message")
        yield Field(number, data[first:at] if kind == BYTES else data[:0], data[start:at])


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")


def _sized(number: int, value: bytes) -> bytes:
    """A field with a length."""
    return _number(number << 3 | BYTES) + _number(len(value)) + value


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _tensor(element: int) -> bytes:
    """A ValueInfoProto's type: a tensor of any shape."""
    return _sized(TYPE, _sized(TENSOR, _number(ELEMENT << 3) + _number(element)))


def _named(data: memoryview, number: int) -> str:
    names = (_text(field.value) for field in _fields(data) if field.number == number)
    return next(names, "")


def _text(value: memoryview) -> str:
    return bytes(value).decode()
