"""What things a photograph shows, and where: sky, skin, hair, leaves, clothes and such.

The colorizer must know what it paints, so its inner layers tell things apart. A small network with
one hidden layer reads them, cell by cell, at an eighth of the size that the colorizer sees. Its
weights are in `things.npz`, made by `benchmarks/things.py`, which also tells what it learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import light_of_pixels
from opsin.drawing.pixels import resized
from opsin.models.engine import Engine
from opsin.models.store import find
from opsin.models.view import View
from opsin.photo import Photo

Floats: TypeAlias = NDArray[np.float32]

NETWORK: Final = "color-bins"
SIZE: Final = 224  # short side of what is seen; at 288 large plain skies and walls are confused
STRIDE: Final = 8
TAPS: Final = {
    "/film.3/Add_2_output_0": 4,
    "/film.2/Add_2_output_0": 8,
    "/film.1/Add_2_output_0": 16,
    "/encoder/Div_3_output_0": 16,
    "/encoder/Div_4_output_0": 32,
    "/attend.1/Reshape_5_output_0": 32,
}
"""Tensors of the network's graph, and how many pixels one of their cells stands for."""


def features_of(photo: Photo, *, threads: int, size: int = SIZE) -> tuple[Floats, View]:
    """(h, w, D): what the network makes of each cell of 8 x 8 pixels of what it sees."""
    engine = _engine(threads)
    view = View.of(photo.height, photo.width, size, multiple=engine.card.multiple, stride=STRIDE)
    light = light_of_pixels(resized(photo.pixels, *view.seen))
    found = engine.run({"light": view.pad(light)[None, None]}, tuple(TAPS))
    planes = [_at_stride(found[name][0], stride) for name, stride in TAPS.items()]
    return np.ascontiguousarray(view.cut(np.concatenate(planes)).transpose(1, 2, 0)), view


def _at_stride(values: Floats, stride: int) -> Floats:
    """Values (C, h, w) of cells of that size, for cells of `STRIDE`."""
    if stride < STRIDE:
        channels, height, width = values.shape
        ratio = STRIDE // stride
        cells = values.reshape(channels, height // ratio, ratio, width // ratio, ratio)
        return np.asarray(cells.mean(axis=(2, 4)), np.float32)
    while stride > STRIDE:
        values, stride = _doubled(_doubled(values, 1), 2), stride // 2
    return values


def _doubled(values: Floats, axis: int) -> Floats:
    """Twice as many cells along an axis, between them linearly."""
    padded = np.take(values, [0, *range(values.shape[axis]), values.shape[axis] - 1], axis)
    ahead, here, behind = (
        np.take(padded, range(start, start + values.shape[axis]), axis) for start in range(3)
    )
    pair = np.stack([0.25 * ahead + 0.75 * here, 0.75 * here + 0.25 * behind], axis=axis + 1)
    shape = list(values.shape)
    shape[axis] *= 2
    return np.asarray(pair.reshape(shape), np.float32)


@cache
def _engine(threads: int) -> Engine:
    model = find(NETWORK)
    return Engine(model, threads=threads, data=tapped(model.read(), tuple(TAPS)))


def tapped(network: bytes, tensors: Sequence[str]) -> bytes:
    """An ONNX file that also gives these inner tensors of its graph.

    Where a protocol buffer has a message twice, the second is merged into the first, and lists
    grow. So it is enough to append a graph (field 7 of the model) of outputs (field 12) that have
    a name (field 1): https://protobuf.dev/programming-guides/encoding/#last-one-wins
    """
    outputs = b"".join(_field(12, _field(1, name.encode())) for name in tensors)
    return network + _field(7, outputs)


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes in a protocol buffer: its number and wire type 2, the length, the bytes."""
    head, length = bytearray([number << 3 | 2]), len(data)
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*head, length]) + data


class Head(NamedTuple):
    """What tells things from features: one hidden layer of K units."""

    names: tuple[str, ...]
    network: str
    """SHA-256 of the network whose features it has learned."""
    first: Floats
    """(K, D)"""
    first_bias: Floats
    second: Floats
    """(N, K)"""
    second_bias: Floats

    def shares(self, features: Floats) -> Floats:
        """(h, w, N): how likely each thing is in each cell, of features (h, w, D)."""
        hidden = np.maximum(features @ self.first.T + self.first_bias, 0)
        logits = hidden @ self.second.T + self.second_bias
        found = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(found / found.sum(axis=-1, keepdims=True), np.float32)

    @classmethod
    def read(cls, file: Any) -> Head:
        """The one that `save` wrote."""
        stored = np.load(file)
        layers = (stored[name].astype(np.float32) for name in cls._fields[2:])
        return cls(tuple(map(str, stored["names"])), str(stored["network"]), *layers)

    def save(self, path: Any) -> None:
        """Writes it down in half precision."""
        layers = {name: getattr(self, name).astype(np.float16) for name in self._fields[2:]}
        np.savez_compressed(path, names=np.array(self.names), network=self.network, **layers)


@cache
def head() -> Head:
    """The one that the package has."""
    with files("opsin.colorization").joinpath("things.npz").open("rb") as file:
        return Head.read(file)
