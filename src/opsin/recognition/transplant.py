"""A model with another last layer: its network's graph up to the features, and a new head."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from opsin.errors import ModelError, needs_extra
from opsin.models.card import Card, CardFigure, Output, check_card, write_card
from opsin.models.engine import first_line
from opsin.models.store import Model, publish, staging
from opsin.recognition.features import OUTPUT
from opsin.recognition.head import Head

LOGITS = "logits"


def with_head(base: Model, head: Head) -> bytes:
    """The base's ONNX file with the head in place of its own last layer."""
    with needs_extra("opsin learn", "learn"):
        import onnx
        from onnx import helper, numpy_helper
    try:
        model = onnx.load_from_string(base.read())
    except Exception as error:  # protobuf's errors and onnx's have no common parent but this
        raise ModelError(f"'{base.card.name}' cannot be read ({first_line(error)}).") from error
    graph = model.graph
    old = base.card.outputs[0].name
    kept = [entry for entry in graph.output if entry.name != old]
    _cut(graph, {entry.name for entry in kept})
    graph.initializer.append(numpy_helper.from_array(head.weight, "head.weight"))
    graph.initializer.append(numpy_helper.from_array(head.bias, "head.bias"))
    inputs = [OUTPUT, "head.weight", "head.bias"]
    graph.node.append(helper.make_node("Gemm", inputs, [LOGITS], name="head", transB=1))
    del graph.output[:]
    shape = [1, len(head.bias)]
    graph.output.append(helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, shape))
    graph.output.extend(kept)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _cut(graph: Any, outputs: set[str]) -> None:
    """Removes the nodes and weights that these outputs do not need, and the name `logits`."""
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input)
    weights = [weight for weight in graph.initializer if weight.name in needed]
    nodes.reverse()
    for field, left in ((graph.node, nodes), (graph.initializer, weights)):
        del field[:]
        field.extend(left)
    del graph.value_info[:]


def card_with_head(
    base: Card,
    head: Head,
    *,
    name: str,
    labels: tuple[str, ...],
    license: str,
    training_data: str,
    figures: tuple[CardFigure, ...],
    how: str = "new head",
) -> Card:
    """The card of such a model, without its hash; how photographs are seen is the base's."""
    assert base.classify is not None
    table = msgspec.structs.replace(
        base.classify, temperature=head.temperature, second_look=False, mirror=False
    )
    others = tuple(entry for entry in base.outputs[1:])
    return msgspec.structs.replace(
        base,
        name=name,
        version="1",
        network=f"{base.network[:40]}, {how}",
        file=f"{name}.onnx",
        sha256="0" * 64,
        license=license,
        training_data=training_data,
        labels=labels,
        outputs=(Output(name=LOGITS, shape=(1, len(labels))), *others),
        classify=table,
        figures=figures,
    )


def write(card: Card, network: bytes, extra: dict[str, bytes], folder: Path) -> Path:
    """Writes the model and its other files by their names, all or none; the card's path."""
    card = msgspec.structs.replace(card, sha256=hashlib.sha256(network).hexdigest())
    names = [card.file, *extra, f"{card.name}.toml"]
    check_card(card, folder / names[-1])
    with staging(folder) as staged:
        for name, data in {card.file: network, **extra}.items():
            (staged / name).write_bytes(data)
        write_card(card, staged / names[-1])
        publish(staged, names, folder)
    return folder / names[-1]
