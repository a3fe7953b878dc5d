"""A colorizer's card, and what is written of its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opsin.colorization.bins import BINS
from opsin.colorization.decode import DEFAULT_SCALE, decode
from opsin.colorization.ensemble import table_of
from opsin.colorization.networks.conditional_gan import Discriminator
from opsin.models.card import CHANNELS, Card, Colorize, Input, Output, Port, map_shape
from opsin.training.task import Graph, Labels, Pairs, mean_difference

if TYPE_CHECKING:
    from opsin.colorization.task import ColorSystem

INPUTS = {
    "light": Input(name="light", shape=(1, 1, "H", "W"), unit="L*"),
    "hints": Input(name="hints", shape=(1, 3, "H", "W"), unit="a*, b*, mask", optional=True),
    "condition": Input(
        name="condition", shape=(1, len(BINS)), unit="share of each a*b* bin", optional=True
    ),
}
DECODE = frozenset({"vividness", "contrast", "restraint"})


def card_of(
    system: ColorSystem, network: nn.Module, labels: Labels, decode: Mapping[str, Any]
) -> Card:
    """The card of a network that is not yet written, without its hash."""
    bins = system.answer == "bins"
    shape = map_shape(CHANNELS[system.answer], int(network.stride))  # type: ignore[arg-type]
    return Card(
        name=labels.name,
        version=labels.version,
        task="colorize",
        network=system.kind,
        file=f"{labels.name}.onnx",
        sha256="0" * 64,
        license=labels.license,
        paper=system.paper,
        training_data=labels.training_data,
        size=labels.size,
        multiple=max(32, int(network.multiple)),  # type: ignore[arg-type]
        inputs=tuple(_inputs(system, network).values()),
        outputs=(Output(name="logits" if bins else "ab", shape=shape),),
        colorize=Colorize(
            answer=system.answer, **({"vividness": DEFAULT_SCALE, **decode} if bins else {})
        ),
    )


def graph_of(network: nn.Module, card: Card) -> Graph:
    """The network that answers small, for its photograph's own enlargement is better."""
    inputs: dict[str, Port] = {entry.name: entry for entry in card.inputs}
    output, bins = card.outputs[0], table_of(card).answer == "bins"
    return Graph(
        network if bins else Small(network),
        [_example(inputs, 3 * card.multiple, 2 * card.multiple), _example(inputs, 256, 384)],
        output.name,
        {one.name: one.free_axes() for one in (*inputs.values(), output)},
        _color_difference if bins else mean_difference,
    )


def discriminator(size: int) -> Graph:
    """A discriminator of pictures of its training size, without weights."""
    network = Discriminator(size=size)
    light = torch.full((1, 1, size, size), 50.0)
    return Graph(network, [{"light": light, "ab": torch.zeros(1, 2, size, size)}], "logit", {})


class Small(nn.Module):
    """A network without its last enlargement, which the photograph's own does better."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        small: Tensor = self.network.small(*inputs)  # type: ignore[operator]
        return small


def _color_difference(pairs: Pairs) -> float:
    """Of a* and b*, in Lab units."""
    return mean_difference([(decode(ours[0])[0], decode(stored[0])[0]) for ours, stored in pairs])


def _inputs(system: ColorSystem, network: nn.Module) -> dict[str, Input]:
    names = ["light", *(name for name in ("hints", "condition") if name in system.gives)]
    inputs = {name: INPUTS[name] for name in names}
    side = system.thumbnail(network)
    if side:
        inputs["thumbnail"] = Input(name="thumbnail", shape=(1, 1, side, side), unit="L*")
    return inputs


def _example(inputs: dict[str, Port], height: int, width: int) -> dict[str, Tensor]:
    """Picture-like inputs: smooth light, a few hints, no condition."""
    rng = torch.Generator().manual_seed(height)
    coarse = torch.rand(1, 1, height // 16, width // 16, generator=rng) * 100
    light = F.interpolate(coarse, size=(height, width), mode="bilinear")
    hints = torch.zeros(1, 3, height, width)
    hints[:, :, 8:12, 8:12] = torch.tensor([30.0, 20.0, 1.0])[:, None, None]
    example = {"light": light, "hints": hints, "condition": torch.zeros(1, len(BINS))}
    if "thumbnail" in inputs:
        side = int(inputs["thumbnail"].shape[-1])
        example["thumbnail"] = F.interpolate(light, size=(side, side), mode="bilinear")
    return {name: example[name] for name in inputs}
