"""From a colorizer's run to a model that `opsin colorize --model` can use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.colorization.bins import BINS
from opsin.colorization.data import Data
from opsin.colorization.decode import DEFAULT_SCALE, Scale, decode
from opsin.colorization.networks.conditional_gan import Discriminator
from opsin.colorization.task import TASK, ColorSystem
from opsin.errors import DataError, ModelError, RecipeError
from opsin.files import shown
from opsin.models.card import (
    Card,
    Decode,
    Input,
    Line,
    Name,
    Output,
    Text,
    Word,
    check_card,
    write_card,
)
from opsin.models.store import publish, refuse_existing, staging
from opsin.training.checkpoint import load_weights, read_state, weights_of
from opsin.training.export import export_onnx
from opsin.training.recipe import Recipe, recipe_of_run, section
from opsin.training.task import load_start

INPUTS = {
    "light": Input(name="light", shape=(1, 1, "H", "W"), unit="L*"),
    "hints": Input(name="hints", shape=(1, 3, "H", "W"), unit="a*, b*, mask"),
    "condition": Input(name="condition", shape=(1, len(BINS)), unit="share of each a*b* bin"),
}


RECIPE, CHECKPOINT = "recipe.json", "checkpoint.pt"  # of a run's folder
NO_LICENSE = (
    "a model needs a license, and only you know what the photographs it learned from allow. "
    'Say it with --license, for example --license CC-BY-4.0, or as license = "CC-BY-4.0" '
    "in the recipe."
)


class Export(NamedTuple):
    """What an export has written, and how near it is to the network it came from."""

    card: Card
    path: Path
    """The card's file; the network lies beside it."""
    difference: float
    """Mean |difference| of a* and b*, stored file against torch, in Lab units."""
    discriminator: Path | None = None
    """Of a GAN: what `opsin evaluate --discriminator` takes."""


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What a user says of a model; checked before anything is written."""

    name: Name
    license: Text
    version: Word
    training_data: Line
    size: Annotated[int, Meta(ge=32, le=2048, examples=[256])]


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    license: str | None = None,
    version: str = "1",
    size: int | None = None,
    vividness: Scale = DEFAULT_SCALE,
    contrast: float = 0.0,
    restraint: float = 0.0,
    blend: float = 0.0,
    training_data: str = "",
    overwrite: bool = False,
) -> Export:
    """Writes the averaged network of a run's checkpoint as ONNX with its card, both or neither.

    `name` and `license` are the recipe's if they are not given; one that the recipe does not give
    either is a `ModelError`. `size` is the short side at which the model will see photographs, by
    default that at which things are as large as they were in its crops, on average. `vividness`
    are its temperatures and gains, muted to saturated, for a network that answers with bins, and
    `contrast` and `restraint` are its decoding's (`decode.Vividness`). `blend` is the share of
    the weights that the run began with (`network.start`) in a mean of both: what a run has learned
    with little loss of what it forgot (Wortsman et al. 2022, arXiv 2109.01903).
    Files that exist are a `ModelError`, unless `overwrite` says otherwise.
    """
    done = read_run(run)
    system, data, _ = TASK.tables(done.recipe)
    about = f"{done.step} steps of recipe '{done.recipe.name}', seed {done.recipe.seed}"
    labels = Labels(
        name=done.recipe.name if name is None else name,
        license=(license or "").strip() or done.recipe.license.strip(),
        version=version,
        training_data=training_data or about,
        size=size_of_crops(data) if size is None else size,
    )
    if not labels.license:
        raise ModelError(NO_LICENSE)
    section(msgspec.structs.asdict(labels), Labels)
    network, judge = _network(done, system, run), _discriminator(done, run)
    if blend:
        _blend(network, system, blend)
    how = Decode(vividness=tuple(vividness), contrast=contrast, restraint=restraint)
    card = _card(system, network, labels, how)
    check_card(card, folder / f"{card.name}.toml")
    return _write(network, system, judge, card, folder, overwrite=overwrite)


def _write(
    network: nn.Module,
    system: ColorSystem,
    judge: Discriminator | None,
    card: Card,
    folder: Path,
    *,
    overwrite: bool,
) -> Export:
    """Writes the files of a model, all or none."""
    judged = f"{card.name}-discriminator.onnx"
    names = [card.file, *([judged] if judge else []), f"{card.name}.toml"]
    if not overwrite:
        refuse_existing(folder, names, advice="Type --overwrite to replace it, or another --name.")
    with staging(folder) as staged:
        difference = _write_network(network, system, card, staged / card.file)
        if judge:
            _write_discriminator(judge, staged / judged)
        card = msgspec.structs.replace(card, sha256=_sha256(staged / card.file))
        write_card(card, staged / names[-1])
        publish(staged, names, folder, overwrite=overwrite)
    return Export(card, folder / names[-1], difference, folder / judged if judge else None)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _network(run: Run, system: ColorSystem, path: Path) -> nn.Module:
    try:
        network = system.build()
    except ValueError as error:  # a value that its type allows and the network does not
        raise RecipeError(f"{shown(path / RECIPE)}: [network]: {error}") from None
    load_weights(network, run.weights, path / CHECKPOINT, RECIPE)
    return network


def _blend(network: nn.Module, system: ColorSystem, share: float) -> None:
    """Moves the weights toward those that the run began with, in place."""
    if not 0 < share < 1:
        raise ModelError(f"--blend {share}: give a share between 0 and 1.")
    if not system.start:
        raise ModelError("--blend needs a run that began with a model; its network.start is empty.")
    before = system.build()
    load_start(before, system.start)
    with torch.no_grad():
        for now, old in zip(network.parameters(), before.parameters(), strict=True):
            now.lerp_(old, share)


def _card(system: ColorSystem, network: nn.Module, labels: Labels, decode: Decode) -> Card:
    """The card of a network that is not yet written, without its hash."""
    bins = system.answer == "bins"
    stride = int(network.stride)  # type: ignore[arg-type]
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
        output=Output(name="logits" if bins else "ab", kind=system.answer, stride=stride),
        decode=decode if bins else None,
    )


def _write_network(network: nn.Module, system: ColorSystem, card: Card, path: Path) -> float:
    """The mean |difference| of a* and b*, the stored file against torch."""
    inputs: dict[str, Input] = {entry.name: entry for entry in card.inputs}
    free = [name for name in ("light", "hints") if name in inputs]
    output, stride = card.output.name, card.output.stride
    pairs = export_onnx(
        network if system.answer == "bins" else Small(network),
        [_example(inputs, 3 * card.multiple, 2 * card.multiple), _example(inputs, 256, 384)],
        path,
        output=output,
        axes={
            **{name: {2: "H", 3: "W"} for name in free},
            output: {2: f"H/{stride}", 3: f"W/{stride}"},
        },
    )
    colors = [[_color(answer[0], system) for answer in pair] for pair in pairs]
    return float(np.mean([np.abs(ours - stored).mean() for ours, stored in colors]))


def _discriminator(run: Run, path: Path) -> Discriminator | None:
    """A run's discriminator, for pictures of its training size, if the run has one."""
    if "discriminator" not in run.others:
        return None
    network = Discriminator(size=int(run.recipe.network.get("size", 32)))
    load_weights(network, run.others["discriminator"], path / CHECKPOINT, RECIPE)
    return network


def _write_discriminator(network: Discriminator, path: Path) -> None:
    light, ab = (
        torch.full((1, 1, *[network.size] * 2), 50.0),
        torch.zeros(1, 2, *[network.size] * 2),
    )
    export_onnx(network, [{"light": light, "ab": ab}], path, output="logit", axes={})


def size_of_crops(data: Data) -> int:
    """The short side of a photograph in which things are as large as in its crops, on average.

    A crop covers a share of the photograph's largest square, `least_area` to all of it.
    """
    area = (data.least_area + 1) / 2
    return min(2048, max(32, 32 * round(data.size / float(np.sqrt(area)) / 32)))


class Small(nn.Module):
    """A network without its last enlargement, which the photograph's own does better."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        small: Tensor = self.network.small(*inputs)  # type: ignore[operator]
        return small


def _inputs(system: ColorSystem, network: nn.Module) -> dict[str, Input]:
    names = ["light", *(name for name in ("hints", "condition") if name in system.gives)]
    inputs = {name: INPUTS[name] for name in names}
    side = system.thumbnail(network)
    if side:
        inputs["thumbnail"] = Input(name="thumbnail", shape=(1, 1, side, side), unit="L*")
    return inputs


def _color(answer: NDArray[np.float32], system: ColorSystem) -> NDArray[np.float32]:
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
    path = run / CHECKPOINT
    try:
        recipe, state = recipe_of_run(run / RECIPE), read_state(path)
    except FileNotFoundError as error:
        raise DataError(
            f"{shown(run)}: not the folder of a training run, {Path(error.filename).name} is "
            "missing. Give the folder that `opsin train --out` wrote."
        ) from None
    others = state.get("others", {})
    if not isinstance(others, dict) or not isinstance(state.get("step"), int):
        raise DataError(f"{shown(path)}: holds no state of a run. Was it made by opsin train?")
    return Run(
        recipe,
        weights_of(state, "average", path=path),
        {str(name): weights_of(state, "others", name, path=path) for name in others},
        state["step"],
    )


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
