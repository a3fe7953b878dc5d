"""Makes the packaged detectors of objects of the files of those who trained them.

    python benchmarks/detectors.py picodet-s picodet_s_416.onnx
    python benchmarks/detectors.py yolox-nano yolox_nano.onnx

It writes NAME.onnx and prints its SHA-256, for the card. What a network answers for its cells
becomes, in the graph itself, what the card of a detector asks for: `boxes` (1, N, 4) as x1, y1, x2,
y2 in pixels of what the network sees, and `scores` (1, N, 80). No weight is changed, but they are
stored as float16; PicoDet's mean and standard deviation are in the graph, too.

Sources: hpc203/picodet-onnxruntime at dfe4d6c, coco/picodet_s_416_coco.onnx (PaddleDetection,
Apache-2.0), its weights taken out of the graph's inputs; Kazuhito00/YOLOX-ONNX-TFLite-Sample at
3d4f1119, model/yolox_nano.onnx (Megvii, Apache-2.0).
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from opsin.training.export import store_half

SIZE: Final = 416
CLASSES: Final = 80
BINS: Final = 8  # PicoDet says how far each side is as shares of eight distances
MEAN: Final = (103.53, 116.28, 123.675)
STD: Final = (57.375, 57.12, 58.395)


class Graph:
    """A graph that is added to, node by node."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.count = 0

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = self._name()
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        name = to or self._name()
        self.graph.node.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def first(self, kind: str, *inputs: str, to: str) -> None:
        self.graph.node.insert(0, helper.make_node(kind, list(inputs), [to]))

    def _name(self) -> str:
        self.count += 1
        return f"opsin.{self.count}"


def picodet(graph: Graph) -> None:
    """Yu et al. 2021, PP-PicoDet, section 3: scores, and the expectation of each side's distance
    (Li et al. 2020, Generalized Focal Loss)."""
    outputs = [one.name for one in graph.graph.output]
    graph.add("Concat", *outputs[:4], to="scores", axis=1)
    strides = (8, 16, 32, 64)
    shares = graph.add("Concat", *outputs[4:], axis=1)
    count = sum((-(-SIZE // stride)) ** 2 for stride in strides)
    shape = graph.constant([1, count, 4, BINS], np.int64)
    shares = graph.add("Softmax", graph.add("Reshape", shares, shape), axis=3)
    distance = graph.add("MatMul", shares, graph.constant(np.arange(BINS)[:, None]))
    distance = graph.add("Reshape", distance, graph.constant([1, count, 4], np.int64))
    steps = [np.full(((-(-SIZE // s)) ** 2, 4), s) * [-1, -1, 1, 1] for s in strides]
    centers = np.concatenate([(cells(stride) + 0.5) * stride for stride in strides])
    placed = graph.add("Mul", distance, graph.constant(np.concatenate(steps)[None]))
    graph.add("Add", placed, graph.constant(np.tile(centers, 2)[None]), to="boxes")
    old = graph.graph.input[0].name
    for node in graph.graph.node:
        node.input[:] = ["normalized" if name == old else name for name in node.input]
    mean, std = (graph.constant(np.reshape(one, (1, 3, 1, 1))) for one in (MEAN, STD))
    graph.first("Div", "centered", std, to="normalized")
    graph.first("Sub", "picture", mean, to="centered")


def yolox(graph: Graph) -> None:
    """Ge et al. 2021, YOLOX, section 2: centers and sides of cells, object times class."""
    [output] = [one.name for one in graph.graph.output]
    strides = (8, 16, 32)
    parts = ["center", "sides", "thing", "kind"]
    split = helper.make_node("Split", [output], parts, axis=2, split=[2, 2, 1, CLASSES])  # opset 11
    graph.graph.node.append(split)
    center, sides, thing, kind = parts
    graph.add("Mul", thing, kind, to="scores")
    cell = graph.constant(np.concatenate([cells(stride) for stride in strides])[None])
    step = np.concatenate([np.full((len(cells(stride)), 1), stride) for stride in strides])
    stride = graph.constant(step[None])
    center = graph.add("Mul", graph.add("Add", center, cell), stride)
    half = graph.add("Mul", graph.add("Exp", sides), graph.constant(step[None] / 2))
    corners = graph.add("Sub", center, half), graph.add("Add", center, half)
    graph.add("Concat", *corners, to="boxes", axis=2)
    old = graph.graph.input[0].name
    for node in graph.graph.node:
        node.input[:] = ["picture" if name == old else name for name in node.input]


def cells(stride: int) -> Any:
    """(N, 2): x, y of each cell, row by row."""
    side = -(-SIZE // stride)
    rows, columns = np.mgrid[:side, :side]
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


MAKERS: Final = {"picodet-s": picodet, "yolox-nano": yolox}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=MAKERS)
    parser.add_argument("network", type=Path)
    parser.add_argument("--out", type=Path, help="a folder; the current one if left out")
    options = parser.parse_args()
    model = onnx.load(options.network)
    graph = model.graph
    del graph.value_info[:]
    MAKERS[options.name](Graph(model))
    used = {name for node in graph.node for name in node.input}
    for weight in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(weight)
    del graph.input[:], graph.output[:]
    tensor = helper.make_tensor_value_info
    graph.input.append(tensor("picture", TensorProto.FLOAT, [1, 3, SIZE, SIZE]))
    graph.output.append(tensor("boxes", TensorProto.FLOAT, [1, "N", 4]))
    graph.output.append(tensor("scores", TensorProto.FLOAT, [1, "N", CLASSES]))
    store_half(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    ((options.out or Path()) / f"{options.name}.onnx").write_bytes(data)
    print(len(data), "bytes, SHA-256", hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
