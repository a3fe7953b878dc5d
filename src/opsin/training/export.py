"""From a trained network to an ONNX file: written, stored in half, and compared with torch.

Weights are stored as float16 with a cast in front of each use, so the file is half as large and
the arithmetic stays float32; ONNX Runtime folds the casts while it loads the file.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.errors import ModelError, needs_extra
from opsin.files import shown, write_atomically
from opsin.models.engine import first_line, runtime
from opsin.models.store import Model

TOLERANCE: Final = 1e-3
"""Largest difference between torch's answer and the float32 graph's, as a share of the largest."""
_HALF = ".half"
_SMALL = 256  # weights of fewer numbers stay float32


def export_onnx(
    network: nn.Module,
    examples: Sequence[Mapping[str, Tensor]],
    path: Path,
    *,
    output: str,
    axes: Mapping[str, Mapping[int, str]],
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Writes the network as ONNX; for each example, torch's answer and that of the stored file.

    The graph is traced on the first example; the others, of other sizes, show that its free
    `axes` are free. The float32 graph must agree with torch within `TOLERANCE`, or nothing is
    written.
    """
    with needs_extra("the export", "train"):
        import onnx
    network = network.float().cpu().eval()
    with torch.no_grad():
        expected = [network(*example.values()).numpy() for example in examples]
    if not all(np.isfinite(answer).all() for answer in expected):
        raise ModelError(
            f"{path.name}: the network gives no finite answer, its training has gone astray. "
            "Train again, with a lower optimizer.rate. Nothing was written."
        )
    graph = _trace(network, examples[0], output=output, axes=axes)
    _compare(expected, _run(graph, examples), path.name)
    model = onnx.load_from_string(graph)
    store_half(model)
    stored = model.SerializeToString()
    answers = _run(stored, examples)
    write_atomically(path, stored)
    return list(zip(expected, answers, strict=True))


def _trace(
    network: nn.Module,
    example: Mapping[str, Tensor],
    *,
    output: str,
    axes: Mapping[str, Mapping[int, str]],
) -> bytes:
    """The network as ONNX, in memory: a full disk is met only where it can be told."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's notes on constants
        torch.onnx.export(
            network,
            tuple(example.values()),
            buffer,  # type: ignore[arg-type]  # an open file will do, too
            input_names=list(example),
            output_names=[output],
            dynamic_axes={name: dict(free) for name, free in axes.items()},
            opset_version=17,
            do_constant_folding=False,  # keeps the parameters' names, see `read_weights`
            dynamo=False,
        )
    return buffer.getvalue()


def _compare(
    expected: Sequence[NDArray[np.float32]], exported: Sequence[NDArray[np.float32]], name: str
) -> None:
    for answer, plain in zip(expected, exported, strict=True):
        off = float(np.abs(answer - plain).max() / max(1e-6, float(np.abs(answer).max())))
        if not off < TOLERANCE:
            raise ModelError(
                f"{name}: the exported graph differs from torch's answer by {off:.2g} of its "
                f"range (at most {TOLERANCE} is allowed). Nothing was written."
            )


def read_weights(model: Model) -> dict[str, Tensor]:
    """The parameters of an exported network by their names in torch, as float32."""
    with needs_extra("starting from an exported model", "train"):
        import onnx
        from onnx import numpy_helper
    data = model.read()
    try:
        return {
            weight.name.removesuffix(_HALF): torch.tensor(numpy_helper.to_array(weight)).float()
            for weight in onnx.load_from_string(data).graph.initializer
        }
    except Exception as error:  # protobuf's errors and onnx's have no common parent but this
        raise ModelError(
            f"{shown(model.path)}: its weights cannot be read ({first_line(error)})."
        ) from error


def store_half(model: Any) -> None:
    """Stores the larger float32 weights of an ONNX model as float16, in place."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < _SMALL:
            continue
        limit = float(np.finfo(np.float16).max)
        half = np.clip(values, -limit, limit).astype(np.float16)
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, name + _HALF))
        casts.append(helper.make_node("Cast", [name + _HALF], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def _run(model: bytes, examples: Sequence[Mapping[str, Tensor]]) -> list[NDArray[np.float32]]:
    session = runtime().InferenceSession(model, providers=["CPUExecutionProvider"])
    return [
        session.run(None, {name: value.numpy() for name, value in example.items()})[0]
        for example in examples
    ]
