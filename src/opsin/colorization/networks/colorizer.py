"""What all colorizers have in common: what they are given, and how their answers are read.

Letters: B pictures, H and W their height and width, S the side of a thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from opsin.colorization.bins import BINS
from opsin.models.card import Input, sides

LIGHT = Input(name="light", shape=(1, 1, "H", "W"), unit="L*")
HINTS = Input(name="hints", shape=(1, 3, "H", "W"), unit="a*, b*, mask", optional=True)
CONDITION = Input(
    name="condition", shape=(1, len(BINS)), unit="share of each a*b* bin", optional=True
)


class Colorizer(nn.Module):
    """L* (B, 1, H, W) and its other `inputs` in; a*b* at full size, or logits over bins, out."""

    stride: int = 1
    """One position of its small answer stands for stride x stride pixels."""
    multiple: int = 1
    """Of H and W."""
    ab_scale: float = 110.0
    """The range of its a*b*, by which they are divided before an error is taken."""
    thumbnail: int | None = None
    """S, if it also sees the whole photograph squashed to a square."""
    optional: tuple[Input, ...] = ()
    """What it may be given, too."""
    small: Callable[..., Tensor]
    """Its answer before the last enlargement, from the same inputs."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """In the order of `forward`."""
        found = (LIGHT, *self.optional)
        if self.thumbnail is None:
            return found
        return (*found, Input(name="thumbnail", shape=(1, 1, *[self.thumbnail] * 2), unit="L*"))

    def given(self, light: Tensor) -> dict[str, Tensor]:
        """All inputs of whole photographs: squashed as thumbnails, 0 for what is optional."""
        given = {"light": light}
        sizes = {"H": light.shape[2], "W": light.shape[3]}
        for entry in self.optional:
            _, *shape = sides(entry.shape, sizes)
            given[entry.name] = light.new_zeros(len(light), *(side or 1 for side in shape))
        if self.thumbnail is not None:
            given["thumbnail"] = squashed(light, self.thumbnail)
        return given

    def both(self, light: Tensor, thumbnail: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """a*b* (B, 2, H, W), and the logits of the classes that it tells apart, if it does."""
        given = (light,) if thumbnail is None else (light, thumbnail)
        ab: Tensor = self(*given)
        return ab, None


class Small(nn.Module):
    """A colorizer without its last enlargement, which the photograph's own does better."""

    def __init__(self, network: Colorizer) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network.small(*inputs)


def squashed(light: Tensor, size: int) -> Tensor:
    """The whole picture as a square, (B, 1, S, S)."""
    shrinks = min(light.shape[2:]) > size
    return F.interpolate(light, size=(size, size), mode="bilinear", antialias=shrinks)
