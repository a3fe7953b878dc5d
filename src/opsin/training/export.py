"""From a trained network to an ONNX file: written, stored in half, and compared with torch.

Weights are stored as float16, or as 8 bits with a scale for each channel, and widened in front of
each use, so the file is a half or a quarter as large and the arithmetic stays float32; ONNX Runtime
does the widening while it loads the file.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
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
_HALF, _BYTES, _SCALE = ".half", ".int8", ".scale"
_SMALL = 256  # weights of fewer numbers stay float32


def export_onnx(
    network: nn.Module,
    examples: Sequence[Mapping[str, Tensor]],
    path: Path,
    *,
    output: str,
    axes: Mapping[str, Mapping[int, str]],
    others: Sequence[str] = (),
    ranked: bool = False,
    store: Callable[[Any], None] | None = None,
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Writes the network as ONNX; for each example, torch's answer and that of the stored file.

    The graph is traced on the first example; the others, of other sizes, show that its free
    `axes` are free. The float32 graph must agree with torch within `TOLERANCE`, or nothing is
    written. A network that gives several tensors has the names of those after the first in
    `others`; `ranked` is as `Graph.ranked`. `store` makes the weights smaller: `store_half` if not
    given, or `store_bytes`.
    """
    with needs_extra("the export", "train"):
        import onnx
    network = network.float().cpu().eval()
    with torch.no_grad():
        expected = [_arrays(network(*example.values())) for example in examples]
    if not all(np.isfinite(answer).all() for answers in expected for answer in answers):
        raise ModelError(
            f"{path.name}: the network gives no finite answer, its training has gone astray. "
            "Train again, with a lower optimizer.rate. Nothing was written."
        )
    graph = _trace(network, examples[0], outputs=[output, *others], axes=axes)
    for plain, exported in zip(expected, _run(graph, examples), strict=True):
        _compare(plain, exported, path.name, ranked=ranked)
    model = onnx.load_from_string(graph)
    (store or store_half)(model)
    stored = model.SerializeToString()
    answers = _run(stored, examples)
    write_atomically(path, stored)
    return [(one[0], other[0]) for one, other in zip(expected, answers, strict=True)]


def _arrays(answer: Tensor | Sequence[Tensor]) -> list[NDArray[np.float32]]:
    return [one.numpy() for one in ([answer] if isinstance(answer, Tensor) else answer)]


def _trace(
    network: nn.Module,
    example: Mapping[str, Tensor],
    *,
    outputs: Sequence[str],
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
            output_names=list(outputs),
            dynamic_axes={name: dict(free) for name, free in axes.items()},
            opset_version=17,
            do_constant_folding=False,  # keeps the parameters' names, see `read_weights`
            dynamo=False,
        )
    return buffer.getvalue()


def _compare(
    expected: Sequence[NDArray[np.float32]],
    exported: Sequence[NDArray[np.float32]],
    name: str,
    *,
    ranked: bool,
) -> None:
    for answer, plain in zip(expected, exported, strict=True):
        if ranked:
            apart = np.median(np.abs(np.sort(answer, axis=1) - np.sort(plain, axis=1)))
        else:
            apart = np.abs(answer - plain).max()
        off = float(apart / max(1e-6, float(np.abs(answer).max())))
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
        stored = {
            weight.name: torch.tensor(numpy_helper.to_array(weight)).float()
            for weight in onnx.load_from_string(data).graph.initializer
        }
    except Exception as error:  # protobuf's errors and onnx's have no common parent but this
        raise ModelError(
            f"{shown(model.path)}: its weights cannot be read ({first_line(error)})."
        ) from error
    scales = {name: stored.pop(name) for name in list(stored) if name.endswith(_SCALE)}
    weights = {}
    for name, weight in stored.items():
        plain = name.removesuffix(_HALF).removesuffix(_BYTES)
        weights[plain] = weight * scales[plain + _SCALE] if name.endswith(_BYTES) else weight
    return weights


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


def store_bytes(model: Any) -> None:
    """Stores the larger float32 weights of an ONNX model as 8 bits, in place: each of the channels
    along the first axis with its scale, that of the least squared error."""
    from onnx import TensorProto, helper, numpy_helper

    widened = []
    for weight in list(model.graph.initializer):
        if weight.data_type != TensorProto.FLOAT or len(weight.dims) < 2:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < _SMALL:
            continue
        rounded, scale = to_bytes(values)
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(rounded, name + _BYTES))
        model.graph.initializer.append(numpy_helper.from_array(scale, name + _SCALE))
        float_ = helper.make_node("Cast", [name + _BYTES], [name + ".float"], to=TensorProto.FLOAT)
        widened += [float_, helper.make_node("Mul", [name + ".float", name + _SCALE], [name])]
    for node in reversed(widened):
        model.graph.node.insert(0, node)


def to_bytes(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights (C, ...) as integers from -127 to 127, and the scale (C, 1, ...) to multiply by.

    >>> rounded, scale = to_bytes(np.array([[1.0, -0.5], [0.0, 0.0]], np.float32))
    >>> np.round(rounded * scale, 2).tolist()
    [[1.0, -0.5], [0.0, 0.0]]
    """
    flat = values.reshape(len(values), -1)
    most = np.abs(flat).max(axis=1, keepdims=True)
    best, least = most / 127, np.full_like(most, np.inf)
    for share in np.linspace(0.6, 1, 17, dtype=np.float32):  # what is larger is cut off
        scale = np.where(most > 0, most * share / 127, 1)
        error = (np.clip(np.round(flat / scale), -127, 127) * scale - flat) ** 2
        error = error.sum(axis=1, keepdims=True)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    rounded = np.clip(np.round(flat / best), -127, 127).astype(np.int8).reshape(values.shape)
    return rounded, best.reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)


def _run(model: bytes, examples: Sequence[Mapping[str, Tensor]]) -> list[list[NDArray[np.float32]]]:
    session = runtime().InferenceSession(model, providers=["CPUExecutionProvider"])
    return [
        session.run(None, {name: value.numpy() for name, value in example.items()})
        for example in examples
    ]
