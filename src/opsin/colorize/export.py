"""From a colorizer's run to a model that `opsin colorize --model` can use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch

from opsin.colorize.bins import BINS
from opsin.colorize.decode import DEFAULT_SCALE, decode
from opsin.colorize.networks.color_bins import ColorBins
from opsin.colorize.objective import Network
from opsin.errors import DataError
from opsin.models.card import Card, Decode, Input, Output, write_card
from opsin.training.export import export_onnx
from opsin.training.recipe import Recipe, section

PAPER = "https://arxiv.org/abs/1603.08511"


class Export(NamedTuple):
    """What an export has written, and how near it is to the network it came from."""

    card: Card
    path: Path
    """The card's file; the network lies beside it."""
    difference: float
    """Mean |difference| of a* and b*, stored file against torch, in Lab units."""


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    version: str = "1",
    size: int = 256,
    vividness: tuple[tuple[float, float], ...] = DEFAULT_SCALE,
    training_data: str = "",
) -> Export:
    """Writes the averaged network of a run's checkpoint as ONNX with its card.

    `size` is the short side at which the model will see photographs; `vividness` its temperatures
    and gains, muted to saturated.
    """
    recipe, average, step = read_run(run)
    name = name or recipe.name
    settings = section(recipe.network, Network, where="[network]")
    network = ColorBins(widths=settings.widths, attention_blocks=settings.attention_blocks)
    network.load_state_dict(average, strict=True)
    path = folder / f"{name}.onnx"
    pairs = export_onnx(
        network,
        [_example(96, 64), _example(256, 352)],
        path,
        output="logits",
        axes={
            "light": {2: "H", 3: "W"},
            "hints": {2: "H", 3: "W"},
            "logits": {2: "H/4", 3: "W/4"},
        },
    )
    colors = [[decode(logits[0])[0] for logits in pair] for pair in pairs]
    card = Card(
        name=name,
        version=version,
        task="colorize",
        network=settings.kind,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        license="Apache-2.0",
        paper=PAPER,
        training_data=training_data
        or f"{step} steps of recipe '{recipe.name}', seed {recipe.seed}",
        size=size,
        multiple=32,
        inputs=(
            Input(name="light", shape=(1, 1, "H", "W"), unit="L*"),
            Input(name="hints", shape=(1, 3, "H", "W"), unit="a*, b*, mask"),
            Input(name="condition", shape=(1, len(BINS)), unit="share of each a*b* bin"),
        ),
        output=Output(name="logits", kind="bins", stride=4),
        decode=Decode(vividness=vividness),
    )
    write_card(card, folder / f"{name}.toml")
    difference = float(np.mean([np.abs(ours - stored).mean() for ours, stored in colors]))
    return Export(card, folder / f"{name}.toml", difference)


def read_run(run: Path) -> tuple[Recipe, dict[str, torch.Tensor], int]:
    """The recipe, the averaged weights and the step of a run's folder."""
    try:
        recipe = msgspec.json.decode((run / "recipe.json").read_bytes(), type=Recipe)
        state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(
            f"{run}: not the folder of a training run, {Path(error.filename).name} is missing. "
            "Give the folder that `opsin train --out` wrote."
        ) from None
    return recipe, state["average"], int(state["step"])


def _example(height: int, width: int) -> dict[str, torch.Tensor]:
    """A picture-like input: smooth light, a few hints, no condition."""
    rng = torch.Generator().manual_seed(height)
    coarse = torch.rand(1, 1, height // 16, width // 16, generator=rng) * 100
    hints = torch.zeros(1, 3, height, width)
    hints[:, :, 8:12, 8:12] = torch.tensor([30.0, 20.0, 1.0])[:, None, None]
    return {
        "light": torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear"),
        "hints": hints,
        "condition": torch.zeros(1, len(BINS)),
    }
