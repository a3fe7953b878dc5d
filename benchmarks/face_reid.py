"""Makes the packaged model face-reid of Open Model Zoo's network, converted to ONNX.

    python benchmarks/face_reid.py face_reid_0095.onnx

It writes `face-reid.onnx` and prints its SHA-256, for the card. The file is that of
face-reidentification-retail-0095 (FP16, SHA-384 as Intel publishes them) with its input called t0.
Nothing is computed otherwise: the weights are stored as float16, which all of them were, and the
answer (N, 256, 1, 1) is given as (N, 256).
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from opsin.training.export import store_half

INPUT, OUTPUT = "face", "embedding"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("--out", type=Path, default=Path("face-reid.onnx"))
    options = parser.parse_args()
    model = onnx.load(options.network)
    graph = model.graph
    old, last = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.input[:] = [INPUT if name == old else name for name in node.input]
    graph.node.append(helper.make_node("Flatten", [last], [OUTPUT]))
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 3, 128, 128]))
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", 256]))
    store_half(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    options.out.write_bytes(data)
    print(len(data), "bytes, SHA-256", hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    main()
