"""Makes the packaged mask network of the file of those who trained it.

    python benchmarks/mask_network.py selfie_segmentation.onnx

It writes selfie.onnx and prints its SHA-256, for the card. The network takes and gives channels
first, as all others here do, and its weights are stored as float16; none is changed.

Source: @mediapipe/selfie_segmentation 0.1.1675465747 (Google, Apache-2.0),
selfie_segmentation.tflite, converted to ONNX operator by operator.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Final

import onnx
from onnx import TensorProto, helper

from opsin.training.export import store_half

SIZE: Final = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("--out", type=Path, default=Path(), help="a folder; the current one")
    options = parser.parse_args()
    model = onnx.load(options.network)
    graph = model.graph
    first, *_, last = graph.node  # both only turn the axes
    assert (first.op_type, last.op_type) == ("Transpose", "Transpose")
    names = {first.output[0]: "picture", last.input[0]: "mask"}
    graph.node.remove(first)
    graph.node.remove(last)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    del graph.value_info[:], graph.input[:], graph.output[:]
    tensor = helper.make_tensor_value_info
    graph.input.append(tensor("picture", TensorProto.FLOAT, [1, 3, SIZE, SIZE]))
    graph.output.append(tensor("mask", TensorProto.FLOAT, [1, 1, SIZE, SIZE]))
    store_half(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (options.out / "selfie.onnx").write_bytes(data)
    print(len(data), "bytes, SHA-256", hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
