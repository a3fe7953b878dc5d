"""A colorizer's card, and what is written of its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

from opsin.colorization.decode import DEFAULT_SCALE, decode
from opsin.colorization.ensemble import table_of
from opsin.colorization.networks.colorizer import Colorizer, Small
from opsin.colorization.networks.conditional_gan import Discriminator
from opsin.models.card import CHANNELS, Card, Colorize, Output, map_shape
from opsin.training.task import Graph, Labels, Pairs, card_for, graph_for, mean_difference

if TYPE_CHECKING:
    from opsin.colorization.task import ColorSystem

DECODE = frozenset(Colorize.__struct_fields__) - {"answer"}


def card_of(
    system: ColorSystem, network: Colorizer, labels: Labels, decode: Mapping[str, Any]
) -> Card:
    """The card of a network that is not yet written, without its hash."""
    bins = system.answer == "bins"
    shape = map_shape(CHANNELS[system.answer], network.stride)
    card = card_for(
        "colorize",
        system,
        labels,
        inputs=network.inputs,
        outputs=(Output(name="logits" if bins else "ab", shape=shape),),
        multiple=max(32, network.multiple),
    )
    table = {"vividness": DEFAULT_SCALE, **decode} if bins else {}
    return msgspec.structs.replace(card, colorize=Colorize(answer=system.answer, **table))


def graph_of(network: Colorizer, card: Card) -> Graph:
    """The network that answers small, for its photograph's own enlargement is better."""
    bins = table_of(card).answer == "bins"
    return graph_for(
        network if bins else Small(network),
        card,
        [_example(network, 3 * card.multiple, 2 * card.multiple), _example(network, 256, 384)],
        difference=_color_difference if bins else mean_difference,
    )


def discriminator(size: int) -> Graph:
    """A discriminator of pictures of its training size, without weights."""
    network = Discriminator(size=size)
    light = torch.full((1, 1, size, size), 50.0)
    return Graph(network, [{"light": light, "ab": torch.zeros(1, 2, size, size)}], "logit", {})


def _color_difference(pairs: Pairs) -> float:
    """Of a* and b*, in Lab units."""
    return mean_difference([(decode(ours[0])[0], decode(stored[0])[0]) for ours, stored in pairs])


def _example(network: Colorizer, height: int, width: int) -> dict[str, Tensor]:
    """Picture-like inputs: smooth light, a few hints, no condition."""
    rng = torch.Generator().manual_seed(height)
    coarse = torch.rand(1, 1, height // 16, width // 16, generator=rng) * 100
    example = network.given(F.interpolate(coarse, size=(height, width), mode="bilinear"))
    if "hints" in example:
        example["hints"][:, :, 8:12, 8:12] = torch.tensor([30.0, 20.0, 1.0])[:, None, None]
    return example
