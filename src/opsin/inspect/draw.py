"""What happens inside a network while it looks at a photograph, drawn on one page.

Its graph is run with inner tensors as further outputs. By default these are its stages: the last
layer at each scale, first on the way down and then on the way up. Of each stage the channels
that vary most over the picture are drawn, each from its own least (black) to its own most
(white). Figures and drawings leave out the padding. Needs the package `onnx`, of the extra
`train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization.pipeline import NetworkOutput
from opsin.drawing.sheet import Cell, layout, save, stacked
from opsin.errors import ModelError
from opsin.evaluate.colorization.compare import spare
from opsin.inspect.answers import Coloring, Naming, coloring, naming
from opsin.inspect.layers import Layer, chosen, layers_of, look, place, way, weights_of
from opsin.inspect.tiles import PICTURE, Pixels, block, channel, kernel
from opsin.models.store import find, members
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]

CHANNELS = 12
MOST_KERNELS = 96  # of a convolution
DEAD = 1e-4  # of the layer's deviation: a channel that varies less says nothing of the picture


@dataclass(frozen=True, eq=False)
class Stage:
    """A layer, and what it gave for the photograph."""

    layer: Layer
    values: Floats  # (C, h, w)

    @property
    def mean(self) -> float:
        return float(self.values.mean(dtype=np.float64))

    @property
    def std(self) -> float:
        return float(self.values.std(dtype=np.float64))

    @property
    def dead(self) -> float:
        """The share of channels that are the same all over the picture."""
        return float((self._deviations() <= DEAD * self.std).mean())

    def strongest(self, count: int) -> list[int]:
        """The channels that vary most over the picture, most first."""
        order = np.argsort(-self._deviations(), kind="stable")
        return [int(index) for index in order[:count]]

    def _deviations(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.values.std(axis=(1, 2), dtype=np.float64)
        return found


@dataclass(frozen=True, eq=False)
class Kernels:
    """A convolution, and what it multiplies its inputs by."""

    layer: Layer
    weights: Floats  # (O, I, h, w): for each channel that it gives, a kernel for each input
    color: bool  # its three inputs are red, green and blue


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was seen, given and thought on the way."""

    answer: Coloring | Naming
    layers: tuple[Layer, ...]
    stages: tuple[Stage, ...]
    kernels: tuple[Kernels, ...] = ()

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    def document(self, channels: int = CHANNELS) -> dict[str, Any]:
        """Plain values for JSON, with the `channels` strongest of each stage."""
        return {
            "model": self.answer.card.name,
            "seen": list(self.answer.seen_hw),
            "parameters": self.parameters,
            **self.answer.document(),
            "kernels": [
                {"name": one.layer.name, "shape": list(one.weights.shape)} for one in self.kernels
            ],
            "layers": [
                {
                    **stage.layer.document(),
                    "where": place(self.layers, stage.layer),
                    "mean": stage.mean,
                    "deviation": stage.std,
                    "dead": stage.dead,
                    "strongest": stage.strongest(channels),
                }
                for stage in self.stages
            ],
        }


def inspect(
    photo: Any,
    output: str | Path | None = None,
    *,
    model: str = "default",
    layers: int | Sequence[str] | None = None,
    channels: int = CHANNELS,
    size: int | None = None,
    kernels: bool = False,
) -> Inspection:
    """What the network of `model` does with a photograph; drawn to `output` if that is given.

    An ensemble is several networks: look into each by itself.

    `photo` is anything that `opsin.open` takes. `layers` are names of layers, or of modules (then
    their last layer), or how many to take, evenly spread; by default the stages. `channels` is
    how many of each are drawn. `size` is the short side of the picture that a colorizer sees; a
    classifier sees one size. `kernels` also draws what convolutions multiply by: the first one, or
    those that `layers` names.

    >>> found = inspect("photo.jpg", "inspect.png")  # doctest: +SKIP
    >>> found.stages[0].layer.name, found.stages[0].values.shape  # doctest: +SKIP
    """
    if len(members(model)) > 1:
        raise ModelError(f"'{model}' is an ensemble: look into one network at a time.")
    if output is not None and isinstance(photo, str | Path):
        spare(photo, output)
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    listed = layers_of(photo, model=model, size=size)
    wanted = chosen(listed, layers)
    given, values = look(photo, wanted, model=model, size=size)
    card = find(model).card
    found = Inspection(
        answer=coloring(given, photo)
        if isinstance(given, NetworkOutput)
        else naming(given, photo, card),
        layers=listed,
        stages=tuple(Stage(*pair) for pair in zip(wanted, values, strict=True)),
        kernels=_kernels(model, listed, layers) if kernels else (),
    )
    if output is not None:
        save(draw(found, channels=channels), output)
    return found


def draw(found: Inspection, *, channels: int = CHANNELS) -> Pixels:
    """The page (H, W, 3): what was seen and answered, the kernels, the stages."""
    parts = [layout([found.answer.cells(found.parameters)], cell=PICTURE)]
    parts += found.answer.blocks()
    for one in found.kernels:
        cells = [
            Cell(kernel(weights, color=one.color), str(number))
            for number, weights in enumerate(one.weights[:MOST_KERNELS])
        ]
        parts += block(_kernel_title(found, one), cells)
    for stage in found.stages:
        tiles = [Cell(channel(stage.values[i]), str(i)) for i in stage.strongest(channels)]
        parts += block(title(found, stage), tiles)
    return stacked(parts)


def title(found: Inspection, stage: Stage) -> str:
    """What a stage is, in two lines: for a student, and for who looks for it in the graph.

    The first says where it lies, how many channels there are, and how much of the picture one
    number of them stands for; the second has its name in the graph and figures.
    """
    channels, rows, columns = stage.values.shape
    multiple = found.answer.card.multiple
    padded = [-(-side // multiple) * multiple for side in found.answer.seen_hw]
    down, across = (side / count for side, count in zip(padded, stage.layer.shape[2:], strict=True))
    whole = down == across and down.is_integer()  # not of the thumbnail
    seen = f", each number for {down:.0f} x {across:.0f} pixels" if whole else ""
    figures = f"mean {stage.mean:.3g}   deviation {stage.std:.3g}   dead {stage.dead:.0%}"
    where = [place(found.layers, stage.layer), way(found.layers, stage.layer)]
    return (
        f"{', '.join(filter(None, where))}: {channels} channels of {rows} x {columns}{seen}\n"
        f"{stage.layer.name}   {figures}"
    )


def _kernel_title(found: Inspection, one: Kernels) -> str:
    """What the kernels are, in two lines."""
    count, inputs, rows, columns = one.weights.shape
    first = f"the first {MOST_KERNELS} of " if count > MOST_KERNELS else ""
    several = "" if inputs == 1 else f", each for {inputs} inputs"
    drawn = ", in red, green and blue" if one.color else several
    return (
        f"{first}{count} kernels of {rows} x {columns}{drawn}: "
        "gray is 0, lighter adds, darker takes away\n"
        f"{one.layer.name}   each drawn by its own largest number"
    )


def _kernels(
    model: str, listed: Sequence[Layer], layers: int | Sequence[str] | None
) -> tuple[Kernels, ...]:
    """Of the convolutions that `layers` names; of the first one if it names none."""
    named = layers is not None and not isinstance(layers, int)
    among = chosen(listed, layers) if named else listed
    wanted = [layer for layer in among if layer.operator == "Conv" and layer.drawable]
    if not wanted:
        raise ModelError(
            "there are no kernels to draw: none of these layers is a convolution (Conv). "
            "All layers: opsin inspect --list."
        )
    wanted = wanted if named else wanted[:1]
    opened = find(model)
    sees_color = opened.card.classify is not None and opened.card.inputs[0].shape[1] == 3
    return tuple(
        Kernels(layer, weights, color=sees_color and weights.shape[1] == 3)
        for layer, weights in zip(wanted, weights_of(opened, wanted), strict=True)
    )
