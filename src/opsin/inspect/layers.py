"""The layers of a network as its ONNX graph has them, and a way to look at what they give.

A layer is a node that has parameters, or whose output can be drawn: four axes (1, C, h, w), of
which the last two are still the picture's. Names are the graph's, such as
/encoder/blocks.3/Add: the modules in which a node lies, and its operator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization.pipeline import NetworkOutput, run_engines
from opsin.drawing.pixels import as_rgb
from opsin.errors import ModelError, WrongCallError, needs_extra
from opsin.files import shown
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS, Engine, first_line, session_of
from opsin.models.store import Model, find
from opsin.photo import Photo
from opsin.recognition.pipeline import probabilities

Floats: TypeAlias = NDArray[np.float32]
Shape: TypeAlias = tuple[int, ...]

PICTURES = ("light", "picture", "thumbnail")  # the inputs that are the photograph
CONVOLUTIONS = {"Conv", "ConvTranspose"}  # their output is a picture, whatever came before
REARRANGED = {
    "Expand", "Flatten", "Gather", "Gemm", "MatMul", "Pad", "Reshape", "Shape", "Slice",
    "Softmax", "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
"""Their output is no picture, though it may have four axes."""
PASSED_ON = {"Cast", "Identity", "Transpose", "Unsqueeze", "Reshape"}  # a parameter, as it is
OF_SHAPE = ".shape"


@dataclass(frozen=True)
class Layer:
    """A node of the graph."""

    name: str
    operator: str  # ONNX's name for what it does
    shape: Shape  # of its output, with the padding that the network was given
    parameters: int  # shared ones are counted where they are used first
    drawable: bool
    tensor: str  # its output's name
    depth: int  # how many modules around it also hold all that use its output

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        keys = ("name", "operator", "shape", "parameters")
        return {name: getattr(self, name) for name in keys} | {"shape": list(self.shape)}


class Tapped(Engine):
    """An engine that keeps what its first run gave at other tensors than its output.

    A classifier may be run again, for the mirror image.
    """

    def __init__(self, model: Model, graph: Any, tensors: Sequence[str]) -> None:
        threads = min(cores(), MOST_THREADS)
        super().__init__(model, threads=threads, data=graph.SerializeToString())
        self.tensors = tuple(tensors)
        self.seen: Mapping[str, NDArray[Any]] = {}
        self.padded_hw: Shape = ()

    def run(
        self,
        inputs: Mapping[str, Floats],
        outputs: Sequence[str] = (),
        *,
        kept: dict[str, Any] | None = None,
    ) -> dict[str, NDArray[np.float32]]:
        values = super().run(inputs, [*outputs, *self.tensors], kept=kept)
        if not self.seen:
            first = next(inputs[name] for name in PICTURES if name in inputs)
            self.seen, self.padded_hw = values, first.shape[2:]
        return values


def layers_of(
    photo: Photo, *, model: str = "default", size: int | None = None
) -> tuple[Layer, ...]:
    """The layers of a network in the order of its graph, with their shapes for `photo`."""
    found = _opened(model)
    whole, helper = graph_of(found), _onnx().helper
    tensors = [name for node in whole.graph.node for name in node.output if name]
    for name in tensors:  # shapes can be asked of all at once, which would be too much of values
        whole.graph.node.append(helper.make_node("Shape", [name], [name + OF_SHAPE]))
        whole.graph.output.append(helper.make_empty_tensor_value_info(name + OF_SHAPE))
    engine = Tapped(found, whole, [name + OF_SHAPE for name in tensors])
    _run(engine, photo, size)
    shapes = {name: tuple(map(int, engine.seen[name + OF_SHAPE])) for name in tensors}
    return _layers(graph_of(found).graph, shapes)


def look(
    photo: Photo, layers: Sequence[Layer], *, model: str = "default", size: int | None = None
) -> tuple[NetworkOutput | Floats, list[Floats]]:
    """What the network says, and what each of `layers` gave, (C, h, w) without the padding.

    A classifier says the probabilities (n,) of its labels.
    """
    found = _opened(model)
    whole, helper = graph_of(found), _onnx().helper
    tensors = list(dict.fromkeys(layer.tensor for layer in layers))
    outputs = {entry.name for entry in whole.graph.output}
    whole.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in tensors if name not in outputs
    )
    engine = Tapped(found, whole, tensors)
    output = _run(engine, photo, size)
    seen_hw = output.light.shape if isinstance(output, NetworkOutput) else engine.padded_hw
    return output, [_unpadded(engine, layer, seen_hw) for layer in layers]


def weights_of(model: Model, layers: Sequence[Layer]) -> list[Floats]:
    """The kernels (O, I, h, w) of convolutions, as they are when the network runs.

    A file may hold them as 8 or 16 bits: the graph's own steps that widen them are run alone.
    """
    whole, helper = graph_of(model), _onnx().helper
    graph = whole.graph
    makers = {node.output[0]: node for node in graph.node}
    names = [makers[layer.tensor].input[1] for layer in layers]
    needed = set(names)
    steps: list[Any] = []
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            steps.insert(0, node)
    kept = [one for one in graph.initializer if one.name in needed]
    outputs = [f"{name}.drawn" for name in names]
    steps += [
        helper.make_node("Identity", [name], [out])
        for name, out in zip(names, outputs, strict=True)
    ]
    infos = [helper.make_empty_tensor_value_info(out) for out in outputs]
    part = helper.make_graph(steps, "weights", [], infos, kept)
    alone = helper.make_model(part, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    session = session_of(alone.SerializeToString(), model.path)
    return [np.asarray(one, np.float32) for one in session.run(outputs, {})]


def graph_of(model: Model) -> Any:
    """The ONNX model."""
    data, onnx = model.read(), _onnx()
    try:
        model_proto = onnx.load_from_string(data)
        for node in model_proto.graph.node:  # protobuf gives bytes where a name is no text
            "".join((node.name, node.op_type, *node.input, *node.output))
        return model_proto
    except Exception as error:  # protobuf's errors are of no package that is always there
        raise ModelError(
            f"{shown(model.path)}: not a network in ONNX ({first_line(error)})."
        ) from error


def stages(layers: Sequence[Layer]) -> list[Layer]:
    """Where the resolution changes: the last layer at each scale that leaves its module.

    Where the picture is smallest there are two: the first to leave a module at that scale, with
    which the way down ends, and the last. The layers that make the answer itself are left out.
    """
    drawable = [layer for layer in layers if layer.drawable]
    head = len(drawable)
    if drawable and layers[-1].drawable:  # the answer is a picture; a classifier's is none
        kinds = [layer.operator for layer in drawable]
        head = max((at for at, kind in enumerate(kinds) if kind in CONVOLUTIONS), default=0)
    runs: list[list[Layer]] = []
    for layer in drawable[:head]:
        if not runs or runs[-1][-1].shape[2:] != layer.shape[2:]:
            runs.append([])
        runs[-1].append(layer)
    runs = [run for run in runs if any(layer.operator in CONVOLUTIONS for layer in run)]
    areas = [math.inf, *(math.prod(run[0].shape[2:]) for run in runs), math.inf]
    found: list[Layer] = []
    for run, before, area, after in zip(runs, areas, areas[1:], areas[2:], strict=False):
        least = min(layer.depth for layer in run)
        leaving = [layer for layer in run if layer.depth == least]
        found += leaving[:1] if before > area < after and len(leaving) > 1 else []
        found.append(leaving[-1])
    return found or drawable


def _opened(name: str) -> Model:
    """The model of that name; a `ModelError` if it is for a task that is not looked into."""
    model = find(name)
    if model.card.colorize is None and model.card.classify is None:
        raise ModelError(
            f"model '{model.card.name}' is for the task '{model.card.task}': opsin inspect looks "
            "into models that colorize or classify."
        )
    return model


def _run(engine: Engine, photo: Photo, size: int | None) -> NetworkOutput | Floats:
    """What a colorizer gives, or a classifier's probabilities (n,)."""
    card = engine.card
    if card.classify is None:
        [output] = run_engines([engine], photo, size=size)
        return output
    if size is not None:
        raise WrongCallError(
            f"--size is for colorizers: '{card.name}' sees pictures of {card.size} pixels only."
        )
    return probabilities(engine, as_rgb(photo.there.pixels))


def way(layers: Sequence[Layer], layer: Layer) -> str:
    """Where in the network a layer lies, in words: before, at or after the smallest picture."""
    drawable = [one for one in layers if one.drawable]
    areas = [math.prod(one.shape[2:]) for one in drawable]
    smallest = [one for one, area in zip(drawable, areas, strict=True) if area == min(areas)]
    place = drawable.index(layer)
    if place < drawable.index(smallest[0]):
        return "on the way down"
    if place > drawable.index(smallest[-1]):
        return "on the way up"
    return "at the bottom, where the picture is smallest"


def place(layers: Sequence[Layer], layer: Layer) -> str:
    """The modules that a layer lies in, in words, with the numbers that the graph gives them.

    One that lies between numbered modules is after the one before it. "" if it is in none.

    >>> block, tap = (
    ...     Layer(name, "Div", (1, 8, 4, 4), 0, True, name, 1)
    ...     for name in ("/encoder/blocks.2/Add", "/encoder/Div_1")
    ... )
    >>> place([block, tap], block), place([block, tap], tap)
    ('encoder, block 2', 'encoder, after block 2')
    """
    around = _modules(layer)
    depth = len(around)
    words = [
        _in_words(module)
        for module, inner in zip(around, [*around, ""][1:], strict=True)
        if not inner.startswith(f"{module}.")  # a list of modules is named with each: climb/climb.6
    ]
    for before in map(_modules, reversed(layers[: layers.index(layer)])):
        if depth and before[:depth] == around and len(before) > depth:
            numbered = "." in before[depth]
            words += [f"after {_in_words(before[depth])}"] if numbered else []
            break
    return ", ".join(words)


def chosen(layers: Sequence[Layer], wanted: int | Sequence[str] | None) -> list[Layer]:
    """The stages; or that many, evenly spread; or those with a name, or the last in a module."""
    if wanted is None:
        return stages(layers)
    if not isinstance(wanted, int):
        return [_named(layers, name) for name in wanted]
    if wanted < 1:
        raise ValueError(f"layers must be 1 or more, got {wanted}.")
    drawable = [layer for layer in layers if layer.drawable]
    pool = stages(layers) if wanted <= len(stages(layers)) else drawable
    places = np.linspace(0, len(pool) - 1, min(wanted, len(pool))).round().astype(int)
    return [pool[place] for place in places]


def _modules(layer: Layer) -> list[str]:
    """From the outermost on."""
    return layer.name.strip("/").split("/")[:-1]


def _in_words(module: str) -> str:
    """A module's name as a student reads it.

    >>> _in_words("blocks.2"), _in_words("hint_enter")
    ('block 2', 'hint enter')
    """
    name, _, number = module.partition(".")
    words = name.replace("_", " ")
    return f"{words.removesuffix('s')} {number}" if number else words


def _onnx() -> Any:
    with needs_extra("looking into a network", "train"):
        import onnx
    return onnx


def _named(layers: Sequence[Layer], name: str) -> Layer:
    wanted = name.strip("/")
    found = [
        layer
        for layer in layers
        if layer.drawable and f"{layer.name.strip('/')}/".startswith(f"{wanted}/")
    ]
    if not found or not wanted:
        raise ModelError(f"no layer '{name}' that can be drawn. All layers: opsin inspect --list.")
    return found[-1]


def _layers(graph: Any, shapes: Mapping[str, Shape]) -> tuple[Layer, ...]:
    counts = _parameters(graph)
    pictures = {entry.name for entry in graph.input if entry.name in PICTURES}
    seeing = set(pictures)  # the tensors that depend on the photograph
    users = _users(graph)
    found: list[Layer] = []
    size_hw: Shape = ()  # of the last picture
    for node in graph.node:
        tensor, shape = node.output[0], shapes[node.output[0]]
        if not seeing.isdisjoint(node.input):
            seeing.update(node.output)
            if _is_picture(node, shape, pictures, size_hw):
                pictures.add(tensor)
                size_hw = shape[2:]
        name, count = _name(node), counts.get(tensor, 0)
        if count or tensor in pictures:
            depth = min(_common(name, user) for user in users[tensor])
            drawable = tensor in pictures
            found.append(Layer(name, node.op_type, shape, count, drawable, tensor, depth))
    return tuple(found)


def _is_picture(node: Any, shape: Shape, pictures: set[str], size_hw: Shape) -> bool:
    """Whether a tensor made of the photograph still has its rows and columns."""
    if len(shape) != 4 or shape[0] != 1 or math.prod(shape[2:]) == 1:
        return False
    if node.op_type in REARRANGED:  # attention lays its positions out again when it is done
        return node.op_type == "Reshape" and shape[2:] == size_hw
    return node.op_type in CONVOLUTIONS or not pictures.isdisjoint(node.input)


def _parameters(graph: Any) -> dict[str, int]:
    """How many parameters each node has, by its first output."""
    types = _onnx().TensorProto
    learned = (types.FLOAT, types.FLOAT16, types.DOUBLE, types.INT8)
    sizes = {one.name: math.prod(one.dims) for one in graph.initializer if one.data_type in learned}
    sources = {name: name for name in sizes}
    counts: dict[str, int] = {}
    for node in graph.node:
        alone = all(name in sources for name in node.input)  # 8 bits times their scale
        if node.input and node.input[0] in sources and (alone or node.op_type in PASSED_ON):
            sources[node.output[0]] = sources[node.input[0]]
            continue
        # running means and variances are measured, not learned
        inputs = node.input[:3] if node.op_type == "BatchNormalization" else node.input
        used = {sources[name] for name in inputs if name in sources}
        counts[node.output[0]] = sum(sizes.pop(name, 0) for name in used)
    return counts


def _users(graph: Any) -> dict[str, list[str]]:
    """The names of the nodes that use each tensor; an output of the graph is used by none."""
    users: dict[str, list[str]] = {name: [] for node in graph.node for name in node.output}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(_name(node))
    return {name: found or [""] for name, found in users.items()}


def _name(node: Any) -> str:
    return str(node.name or node.output[0])


def _common(name: str, other: str) -> int:
    """How many modules two nodes are both in."""
    pairs: Iterable[tuple[str, str]] = zip(
        name.split("/")[:-1], other.split("/")[:-1], strict=False
    )
    count = 0
    for one, two in pairs:
        if one != two:
            break
        count += 1
    return count


def _unpadded(engine: Tapped, layer: Layer, seen_hw: Shape) -> Floats:
    """The part of a layer's output that lies over the photograph."""
    values = np.asarray(engine.seen[layer.tensor][0], np.float32)
    steps = [side / count for side, count in zip(engine.padded_hw, values.shape[1:], strict=True)]
    if steps[0] != steps[1] or not steps[0].is_integer():  # of the thumbnail, which has no padding
        return values
    rows, columns = (math.ceil(side / steps[0]) for side in seen_hw)
    return values[:, :rows, :columns]
