"""A finished run: what its folder holds, and the model that is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from opsin.errors import DataError, ModelError, RecipeError
from opsin.files import shown
from opsin.models.card import Card, check_card, write_card
from opsin.models.store import publish, refuse_existing, staging
from opsin.training import best
from opsin.training.checkpoint import load_weights, read_state, weights_of
from opsin.training.crops import seen_size
from opsin.training.export import export_onnx
from opsin.training.recipe import Recipe, recipe_of_run, section
from opsin.training.run import CHECKPOINT, RECIPE
from opsin.training.run_page import VALIDATION, columns
from opsin.training.task import Graph, Labels, System, Task, load_start

NO_LICENSE: Final = (
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
    """Of the stored file's answers from torch's, in the task's unit (`Graph.difference`)."""
    others: dict[str, Path]
    """What was trained beside it, as the discriminator that `opsin evaluate` takes."""


class Run(NamedTuple):
    """What is left of a training run."""

    recipe: Recipe
    weights: dict[str, Tensor]
    """Of the averaged network."""
    others: dict[str, dict[str, Tensor]]
    """Of what was trained beside it, such as a discriminator."""
    step: int
    figures: dict[str, float]
    """Of the last validation, or of the best where its weights are taken."""


def export(
    task: Task,
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    license: str | None = None,
    version: str = "1",
    size: int | None = None,
    decode: Mapping[str, Any] | None = None,
    blend: float = 0.0,
    training_data: str = "",
    overwrite: bool = False,
) -> Export:
    """Writes the averaged network of a run's checkpoint as ONNX with its card, both or neither.

    `name` and `license` are the recipe's if they are not given; one that the recipe does not give
    either is a `ModelError`. `size` is the short side at which the model will see photographs, by
    default that at which things are as large as they were in its crops, on average. `decode` is
    what a user says of how answers are read (`System.decode`). `blend` is the share of
    the weights that the run began with (`network.start`) in a mean of both: what a run has learned
    with little loss of what it forgot (Wortsman et al. 2022, arXiv 2109.01903).
    Files that exist are a `ModelError`, unless `overwrite` says otherwise.
    """
    done = read_run(run)
    system, data, _ = task.tables(done.recipe)
    about = f"{done.step} steps of recipe '{done.recipe.name}', seed {done.recipe.seed}"
    labels = Labels(
        name=done.recipe.name if name is None else name,
        license=(license or "").strip() or done.recipe.license.strip(),
        version=version,
        training_data=training_data or about,
        size=seen_size(data) if size is None else size,
    )
    if not labels.license:
        raise ModelError(NO_LICENSE)
    section(msgspec.structs.asdict(labels), Labels)
    for key in decode or {}:
        if key not in system.decode:
            raise ModelError(f"{key} says nothing to a model of the task '{task.name}'.")
    network = _network(done, system, run)
    parts = {name: _part(system, name, weights, run) for name, weights in done.others.items()}
    if blend:
        _blend(network, system, blend)
    card = system.card(network, labels, system.reading(done.figures) | dict(decode or {}))
    count = sum(part.numel() for part in network.parameters())
    card = msgspec.structs.replace(card, parameters=count)
    check_card(card, folder / f"{card.name}.toml")
    return _write(system.graph(network, card), parts, card, folder, overwrite=overwrite)


def recipe_of(run: Path) -> Recipe:
    """The recipe of a run's folder."""
    try:
        return recipe_of_run(run / RECIPE)
    except FileNotFoundError as error:
        raise _no_run(run, error) from None


def read_run(run: Path) -> Run:
    """The recipe and the checkpoint of a run's folder; of one with patience, its best weights."""
    path, recipe = run / CHECKPOINT, recipe_of(run)
    try:
        state = read_state(path)
    except FileNotFoundError as error:
        raise _no_run(run, error) from None
    others = state.get("others", {})
    if not isinstance(others, dict):
        raise DataError(f"{shown(path)}: holds no state of a run. Was it made by opsin train?")
    parts = {str(name): weights_of(state, "others", name, path=path) for name in others}
    if recipe.patience and (run / best.BEST).exists():
        path = run / best.BEST
        state = read_state(path)
    if not isinstance(step := state.get("step"), int):
        raise DataError(f"{shown(path)}: holds no state of a run. Was it made by opsin train?")
    figures = best.figures_of(run, step) if recipe.patience else _last(run / VALIDATION)
    return Run(recipe, weights_of(state, "average", path=path), parts, step, figures)


def _last(path: Path) -> dict[str, float]:
    """The last line of a CSV of numbers; {} if there is none."""
    return {name: values[-1] for name, values in columns(path).items() if values}


def _no_run(run: Path, error: FileNotFoundError) -> DataError:
    return DataError(
        f"{shown(run)}: not the folder of a training run, {Path(error.filename).name} is "
        "missing. Give the folder that `opsin train --out` wrote."
    )


def _write(
    graph: Graph, parts: Mapping[str, Graph], card: Card, folder: Path, *, overwrite: bool
) -> Export:
    """Writes the files of a model, all or none."""
    files = {name: f"{card.name}-{name}.onnx" for name in parts}
    names = [card.file, *files.values(), f"{card.name}.toml"]
    if not overwrite:
        refuse_existing(folder, names, advice="Type --overwrite to replace it, or another --name.")
    with staging(folder) as staged:
        difference = graph.difference(_onnx(graph, staged / card.file))
        for name, part in parts.items():
            _onnx(part, staged / files[name])
        digest = hashlib.sha256((staged / card.file).read_bytes()).hexdigest()
        card = msgspec.structs.replace(card, sha256=digest)
        write_card(card, staged / names[-1])
        publish(staged, names, folder, overwrite=overwrite)
    others = {name: folder / file for name, file in files.items()}
    return Export(card, folder / names[-1], difference, others)


def _onnx(graph: Graph, path: Path) -> Any:
    return export_onnx(
        graph.network,
        graph.examples,
        path,
        output=graph.output,
        axes=graph.axes,
        others=graph.others,
        ranked=graph.ranked,
    )


def _network(run: Run, system: System, path: Path) -> nn.Module:
    try:
        network = system.build()
    except ValueError as error:  # a value that its type allows and the network does not
        raise RecipeError(f"{shown(path / RECIPE)}: [network]: {error}") from None
    load_weights(network, run.weights, path / CHECKPOINT, RECIPE)
    return network


def _part(system: System, name: str, weights: dict[str, Tensor], path: Path) -> Graph:
    """What was trained beside the network, with its weights."""
    part = system.part(name)
    if part is None:
        raise DataError(
            f"{shown(path / CHECKPOINT)}: holds a '{shown(name)[:80]}', which {RECIPE} has not."
        )
    load_weights(part.network, weights, path / CHECKPOINT, RECIPE)
    return part


def _blend(network: nn.Module, system: System, share: float) -> None:
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
