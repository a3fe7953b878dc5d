"""From a colorizer's run to a model that `opsin colorize --model` can use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.colorize.bins import BINS
from opsin.colorize.data import Data
from opsin.colorize.decode import DEFAULT_SCALE, decode
from opsin.colorize.networks.conditional_gan import Discriminator
from opsin.colorize.systems import System, system_of
from opsin.errors import DataError
from opsin.models.card import Card, Decode, Input, Output, write_card
from opsin.training.export import export_onnx
from opsin.training.recipe import Recipe, section

INPUTS = {
    "light": Input(name="light", shape=(1, 1, "H", "W"), unit="L*"),
    "hints": Input(name="hints", shape=(1, 3, "H", "W"), unit="a*, b*, mask"),
    "condition": Input(name="condition", shape=(1, len(BINS)), unit="share of each a*b* bin"),
}


class Export(NamedTuple):
    """What an export has written, and how near it is to the network it came from."""

    card: Card
    path: Path
    """The card's file; the network lies beside it."""
    difference: float
    """Mean |difference| of a* and b*, stored file against torch, in Lab units."""
    discriminator: Path | None = None
    """Of a GAN: what `opsin evaluate --discriminator` takes."""


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    version: str = "1",
    size: int | None = None,
    vividness: tuple[tuple[float, float], ...] = DEFAULT_SCALE,
    training_data: str = "",
) -> Export:
    """Writes the averaged network of a run's checkpoint as ONNX with its card.

    `size` is the short side at which the model will see photographs, by default that at which
    things are as large as they were in its crops, on average. `vividness` are its temperatures and
    gains, muted to saturated, for a network that answers with bins.
    """
    done = read_run(run)
    name = name or done.recipe.name
    system = system_of(done.recipe.network)
    network = system.build()
    network.load_state_dict(done.weights, strict=True)
    inputs = _inputs(system, network)
    output = "logits" if system.answer == "bins" else "ab"
    multiple = max(32, int(network.multiple))  # type: ignore[arg-type]
    stride = int(network.stride)  # type: ignore[arg-type]
    path = folder / f"{name}.onnx"
    pairs = export_onnx(
        network if system.answer == "bins" else Small(network),
        [_example(inputs, 3 * multiple, 2 * multiple), _example(inputs, 256, 384)],
        path,
        output=output,
        axes={
            **{name: {2: "H", 3: "W"} for name in ("light", "hints") if name in inputs},
            output: {2: f"H/{stride}", 3: f"W/{stride}"},
        },
    )
    about = f"{done.step} steps of recipe '{done.recipe.name}', seed {done.recipe.seed}"
    card = Card(
        name=name,
        version=version,
        task="colorize",
        network=system.kind,
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        license="Apache-2.0",
        paper=system.paper,
        training_data=training_data or about,
        size=size or size_of_crops(section(done.recipe.data, Data, "data")),
        multiple=multiple,
        inputs=tuple(inputs.values()),
        output=Output(name=output, kind=system.answer, stride=stride),
        decode=Decode(vividness=vividness) if system.answer == "bins" else None,
    )
    write_card(card, folder / f"{name}.toml")
    colors = [[_color(answer[0], system) for answer in pair] for pair in pairs]
    difference = float(np.mean([np.abs(ours - stored).mean() for ours, stored in colors]))
    judge = _export_discriminator(done, folder / f"{name}-discriminator.onnx")
    return Export(card, folder / f"{name}.toml", difference, judge)


def _export_discriminator(run: Run, path: Path) -> Path | None:
    """Writes a GAN's discriminator for pictures of its training size, if the run has one."""
    if "discriminator" not in run.others:
        return None
    size = int(run.recipe.network.get("size", 32))
    network = Discriminator(size=size)
    network.load_state_dict(run.others["discriminator"], strict=True)
    light, ab = torch.full((1, 1, size, size), 50.0), torch.zeros(1, 2, size, size)
    export_onnx(network, [{"light": light, "ab": ab}], path, output="logit", axes={})
    return path


def size_of_crops(data: Data) -> int:
    """The short side of a photograph in which things are as large as in its crops, on average.

    A crop covers a share of the photograph's largest square, `least_area` to all of it.
    """
    area = (data.least_area + 1) / 2
    return max(32, 32 * round(data.size / float(np.sqrt(area)) / 32))


class Small(nn.Module):
    """A network without its last enlargement, which the photograph's own does better."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        small: Tensor = self.network.small(*inputs)  # type: ignore[operator]
        return small


def _inputs(system: System, network: nn.Module) -> dict[str, Input]:
    names = ["light", *(name for name in ("hints", "condition") if name in system.gives)]
    inputs = {name: INPUTS[name] for name in names}
    side = system.thumbnail(network)
    if side:
        inputs["thumbnail"] = Input(name="thumbnail", shape=(1, 1, side, side), unit="L*")
    return inputs


def _color(answer: NDArray[np.float32], system: System) -> NDArray[np.float32]:
    """a*b* (h, w, 2) of a network's answer (C, h, w)."""
    if system.answer == "bins":
        return decode(answer)[0]
    return np.asarray(answer.transpose(1, 2, 0))


class Run(NamedTuple):
    """What is left of a training run."""

    recipe: Recipe
    weights: dict[str, Tensor]
    """Of the averaged network."""
    others: dict[str, dict[str, Tensor]]
    """Of what was trained beside it, such as a discriminator."""
    step: int


def read_run(run: Path) -> Run:
    """The recipe and the checkpoint of a run's folder."""
    try:
        recipe = msgspec.json.decode((run / "recipe.json").read_bytes(), type=Recipe)
        state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(
            f"{run}: not the folder of a training run, {Path(error.filename).name} is missing. "
            "Give the folder that `opsin train --out` wrote."
        ) from None
    return Run(recipe, state["average"], state.get("others", {}), int(state["step"]))


def _example(inputs: dict[str, Input], height: int, width: int) -> dict[str, Tensor]:
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
