"""Makes the packaged model mtcnn of the three networks in the package facenet-pytorch.

    pip download facenet-pytorch==2.6.0 --no-deps
    python benchmarks/mtcnn.py facenet_pytorch-2.6.0-py3-none-any.whl

It writes `mtcnn.onnx` and prints its SHA-256, for the card. The three networks stand side by side
in one graph, each with an input of its own: who runs one gives the others a batch of none. They
compute what they did, written otherwise: of two classes only their difference is computed, PReLU is
max(x, 0) + a min(x, 0), channels are filled up to eights, and weights are stored as float16.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from opsin.training.export import store_half

LANES = 8  # ONNX Runtime's fast convolutions work on so many channels at once


class Plan(NamedTuple):
    """A network: its input, the side of what it sees, its convolutions and what pools after each.

    `hidden` and `answers` name the layers of the package's file.
    """

    file: str
    input: str
    shape: list[int | str]
    pools: list[tuple[int, int] | None]
    hidden: str
    answers: dict[str, str]


PLANS = {
    "p": Plan(
        "pnet",
        "picture",
        [1, 3, "H", "W"],
        [(2, 2), None, None],
        "",
        {"score": "conv4_1", "box": "conv4_2"},
    ),
    "r": Plan(
        "rnet",
        "crops_24",
        ["R", 3, 24, 24],
        [(3, 2), (3, 2), None],
        "dense4",
        {"score": "dense5_1", "box": "dense5_2"},
    ),
    "o": Plan(
        "onet",
        "crops_48",
        ["O", 3, 48, 48],
        [(3, 2), (3, 2), (2, 2), None],
        "dense5",
        {"score": "dense6_1", "box": "dense6_2", "points": "dense6_3"},
    ),
}
NUMBERS = {"score": 1, "box": 4, "points": 10}


class Graph:
    """An ONNX graph as it is made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operator: str, name: str, inputs: list[str], **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def weight(self, name: str, values: np.ndarray) -> str:
        array = np.ascontiguousarray(values, np.float32)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def prelu(self, x: str, slopes: np.ndarray) -> str:
        above = self.add("Relu", f"{x}_above", [x])
        below = self.add("Sub", f"{x}_below", [x, above])
        scaled = self.add("Mul", f"{x}_scaled", [below, self.weight(f"{x}_slopes", slopes)])
        return self.add("Add", f"{x}_prelu", [above, scaled])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=Path("mtcnn.onnx"))
    options = parser.parse_args()
    graph, inputs, outputs = Graph(), [], []
    with zipfile.ZipFile(options.wheel) as wheel:
        for letter, plan in PLANS.items():
            data = io.BytesIO(wheel.read(f"facenet_pytorch/data/{plan.file}.pt"))
            layers = torch.load(data, weights_only=True)
            add_network(graph, letter, plan, {key: one.numpy() for key, one in layers.items()})
            inputs.append(port(plan.input, plan.shape))
            for what in plan.answers:
                shape = [1, NUMBERS[what], "h", "w"] if letter == "p" else [plan.shape[0]]
                outputs.append(port(f"{letter}_{what}", [*shape, NUMBERS[what]][:4]))
    made = helper.make_graph(graph.nodes, "mtcnn", inputs, outputs, graph.weights)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(made, opset_imports=opset, ir_version=8)
    store_half(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    options.out.write_bytes(data)
    print(len(data), "bytes, SHA-256", hashlib.sha256(data).hexdigest())


def port(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def add_network(graph: Graph, letter: str, plan: Plan, layers: dict[str, np.ndarray]) -> None:
    x, given = plan.input, 3
    for number, pool in enumerate(plan.pools, 1):
        kernels, bias = layers[f"conv{number}.weight"], layers[f"conv{number}.bias"]
        slopes = layers[f"prelu{number}.weight"]
        more = -len(bias) % LANES
        kernels = filled(filled(kernels, 0, more), 1, given - kernels.shape[1])
        bias, slopes = filled(bias, 0, more), filled(slopes, 0, more)
        name = f"{letter}_conv{number}"
        x = graph.prelu(convolution(graph, name, x, kernels, bias), slopes.reshape(-1, 1, 1))
        x = pooled(graph, x, pool) if pool else x
        given = len(kernels)
    if plan.hidden:
        x = hidden(graph, f"{letter}_hidden", x, plan.hidden, layers, given)
    for what, layer in plan.answers.items():
        weights, bias = layers[f"{layer}.weight"], layers[f"{layer}.bias"]
        if what == "score":  # softmax of two is the sigmoid of their difference
            weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
        name = f"{letter}_{what}"
        last = f"{name}_raw" if what == "score" else name
        if plan.hidden:
            full(graph, last, x, weights, bias)
        else:
            convolution(graph, last, x, weights, bias)
        if what == "score":
            graph.add("Sigmoid", name, [last])


def pooled(graph: Graph, x: str, pool: tuple[int, int]) -> str:
    side, stride = pool
    sides, strides = [side] * 2, [stride] * 2
    return graph.add("MaxPool", f"{x}_pool", [x], kernel_shape=sides, strides=strides, ceil_mode=1)


def convolution(graph: Graph, name: str, x: str, kernels: np.ndarray, bias: np.ndarray) -> str:
    parts = [x, graph.weight(f"{name}_kernels", kernels), graph.weight(f"{name}_bias", bias)]
    return graph.add("Conv", name, parts, kernel_shape=list(kernels.shape[2:]))


def full(graph: Graph, name: str, x: str, weights: np.ndarray, bias: np.ndarray) -> str:
    parts = [x, graph.weight(f"{name}_weights", weights), graph.weight(f"{name}_bias", bias)]
    return graph.add("Gemm", name, parts, transB=1)


def hidden(
    graph: Graph, name: str, x: str, layer: str, layers: dict[str, np.ndarray], channels: int
) -> str:
    """The full layer, whose inputs were the map's numbers by column, row and channel."""
    weights = layers[f"{layer}.weight"]
    side = round((weights.shape[1] / channels) ** 0.5)
    by_channel = weights.reshape(-1, side, side, channels).transpose(0, 3, 2, 1)
    flat = graph.add("Flatten", f"{name}_flat", [x])
    x = full(graph, name, flat, by_channel.reshape(len(weights), -1), layers[f"{layer}.bias"])
    return graph.prelu(x, layers[f"{layer.replace('dense', 'prelu')}.weight"])


def filled(values: np.ndarray, axis: int, more: int) -> np.ndarray:
    """With so many zeros more along an axis."""
    return np.pad(values, [(0, more if n == axis else 0) for n in range(values.ndim)])


if __name__ == "__main__":
    main()
