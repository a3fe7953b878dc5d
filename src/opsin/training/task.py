"""What a task owes to be taught: the types of its recipe's tables, and all that follows from them.

A recipe's `[data]` table is of the task's one type. Its `[network]` table has a `kind`; the class
of that kind, a `System`, knows how to build the network, what it is trained for, what it is shown
and what its card says. `[objective]` is of the system's type. Training and export know no task and
no system by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.errors import DataError, RecipeError
from opsin.models.card import Card, Input, Line, Name, Output, Port, Text, Word
from opsin.models.store import find
from opsin.models.trial import made_inputs
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture
from opsin.training.checkpoint import load_weights, read_state, weights_of
from opsin.training.crops import Data, Example, check_small
from opsin.training.export import read_weights
from opsin.training.loop import Objective, Stepper
from opsin.training.recipe import Recipe, section

Pairs = Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]


def mean_difference(pairs: Pairs) -> float:
    """The mean |difference| of answers, torch's and those of the stored file."""
    return float(np.mean([np.abs(ours - stored).mean() for ours, stored in pairs]))


class Graph(NamedTuple):
    """A network as it is written for good."""

    network: nn.Module
    examples: Sequence[Mapping[str, Tensor]]
    """Inputs by name; the graph is traced on the first and tried on all."""
    output: str
    axes: Mapping[str, Mapping[int, str]]
    """The axes of inputs and output that are free, by number, and their names."""
    others: Sequence[str] = ()
    """What else the network gives, after `output`, by name."""
    difference: Callable[[Pairs], float] = mean_difference
    """How far the stored file's answers are from torch's, in a unit that tells people something."""
    ranked: bool = False
    """Whether the order of the answers' rows (axis 1) hangs on a ranking, which rounding may turn
    about: their numbers are then compared in order of size, and most must agree."""


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What a user says of a model; checked before anything is written."""

    name: Name
    license: Text
    version: Word
    training_data: Line
    size: Annotated[int, Meta(ge=32, le=2048, examples=[256])]


def card_for(
    task: str,
    system: System,
    labels: Labels,
    *,
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    multiple: int = 1,
) -> Card:
    """The card of a network that is not yet written, without its hash."""
    return Card(
        name=labels.name,
        version=labels.version,
        task=task,
        network=system.kind,
        file=f"{labels.name}.onnx",
        sha256="0" * 64,
        license=labels.license,
        paper=system.paper,
        training_data=labels.training_data,
        size=labels.size,
        multiple=multiple,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )


def graph_for(
    network: nn.Module,
    card: Card,
    examples: Sequence[Mapping[str, Tensor]],
    *,
    difference: Callable[[Pairs], float] = mean_difference,
) -> Graph:
    """The graph that a card promises."""
    ports: list[Port] = [*card.inputs, *card.outputs]
    axes = {port.name: port.free_axes() for port in ports}
    others = [port.name for port in card.outputs[1:]]
    return Graph(network, examples, card.outputs[0].name, axes, others, difference)


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `[network]` table that all systems share."""

    settings: ClassVar[type[msgspec.Struct]]
    """The `[objective]` table."""
    paper: ClassVar[str] = ""
    sheets: ClassVar[str] = ""
    """What the sheets show that its validation writes, if it writes any."""
    decode: ClassVar[frozenset[str]] = frozenset()
    """What `opsin export` may be told of how its answers are read."""

    kind: Text
    start: Line = ""
    """A model to go on from (`default`), or a run's checkpoint.pt; empty: from scratch."""

    def check(self, data: Any, objective: Any) -> None:
        """Refuses tables that do not fit each other, by a `RecipeError`."""

    def build(self) -> nn.Module:
        """The network; random, but for the pretrained parts that are never trained."""
        raise NotImplementedError

    def pretrain(self, network: Any) -> None:
        """Puts the weights into a new network that it starts with, if there are any."""

    def multiple(self, network: Any) -> int:
        """Crops have sides of multiples of so many pixels."""
        return 1

    def class_names(self) -> tuple[str, ...]:
        """The classes that it learns to tell apart: names of the folders that pictures lie in."""
        return ()

    def check_pictures(self, training: Listing, held: Listing) -> None:
        """Refuses too few pictures to train on, by a `DataError`."""

    def crop(
        self, picture: Picture, size: int, rng: np.random.Generator, *, settings: Any, whole: bool
    ) -> Example:
        """One training example of size x size pixels, by the `[data]` table; see `Cropper`."""
        raise NotImplementedError

    def cache(self, settings: Any, listing: Listing, seed: int) -> Any:
        """Where answers about training pictures are kept that come again; None: nowhere."""
        return None

    def objective(self, network: Any, settings: Any, stepper: Stepper, cache: Any) -> Objective:
        """The network with its losses and optimizers."""
        raise NotImplementedError

    def validation(
        self, objective: Any, held: Listing, settings: Any, out: Path
    ) -> Callable[[int, nn.Module], dict[str, float]]:
        """Figures on held-back pictures, by step and averaged network; may write a sheet."""
        raise NotImplementedError

    def reading(self, figures: Mapping[str, float]) -> dict[str, Any]:
        """What the figures of the last validation tell `card` of how answers are read."""
        return {}

    def card(self, network: Any, labels: Labels, decode: Mapping[str, Any]) -> Card:
        """The card of a network that is not yet written: without its hash."""
        raise NotImplementedError

    def graph(self, network: Any, card: Card) -> Graph:
        """What is written of the network: if nothing else is said all of it, tried on two pictures.

        One with inputs that may be left out has a graph of its own.
        """
        side = card.multiple * -(-32 // card.multiple)
        made = [made_inputs(card, side, 2 * side), made_inputs(card, 3 * side, side)]
        return graph_for(
            network,
            card,
            [{name: torch.from_numpy(one) for name, one in each.items()} for each in made],
        )

    def part(self, name: str) -> Graph | None:
        """What is trained beside the network by that name and exported too, without weights."""
        return None


class Tables(NamedTuple):
    """The three tables of a recipe as the types of its task."""

    system: Any
    data: Any
    objective: Any
    """The settings of `system`."""


@dataclass(frozen=True)
class Task:
    """A task by the name that its recipes give."""

    name: str
    data: type[Data]
    """The `[data]` table."""
    systems: Mapping[str, type[System]]
    """The `[network]` table, by its kind."""
    complete: Callable[[Recipe, Sequence[Path]], Recipe] = lambda recipe, data: recipe
    """A recipe with what it leaves to the training pictures, such as the names of classes."""

    def system(self, table: dict[str, Any]) -> Any:
        """The system that a recipe's `[network]` table describes."""
        kind, known = table.get("kind"), ", ".join(f'"{name}"' for name in self.systems)
        if kind is None:
            raise RecipeError(f"network.kind is missing. Write one of {known}.", key="network.kind")
        if not isinstance(kind, str) or kind not in self.systems:
            raise RecipeError(
                f"network.kind = {str(kind)[:60]!r}, but it must be one of {known}.",
                key="network.kind",
            )
        return section(table, self.systems[kind], "network")

    def tables(self, recipe: Recipe) -> Tables:
        """The tables of a recipe; a `RecipeError` names the first setting that is wrong."""
        section(msgspec.to_builtins(recipe), Recipe)  # one made in Python was not checked
        if recipe.task != self.name:
            raise RecipeError(
                f'task = "{recipe.task}", but this trains the task "{self.name}".', key="task"
            )
        system = self.system(recipe.network)
        data = section(recipe.data, self.data, "data")
        objective = section(recipe.objective, system.settings, "objective")
        check_small(data)
        system.check(data, objective)
        return Tables(system, data, objective)


def start_network(system: System) -> nn.Module:
    """A new network as training starts with it."""
    try:
        network = system.build()
    except ValueError as error:  # a value that its type allows and the network does not
        raise RecipeError(f"[network]: {error}", key="network") from None
    if system.start:
        load_start(network, system.start)
    else:
        system.pretrain(network)
    return network


def load_start(network: nn.Module, start: str) -> None:
    """Gives a network the weights of a run's checkpoint or of a model, by its name or card."""
    if start.endswith(".pt"):
        path = Path(start)
        try:
            state = weights_of(read_state(path), "average", path=path)
        except FileNotFoundError:
            raise DataError(
                f"{start}: no such file. network.start names a checkpoint or a model."
            ) from None
    else:
        model = find(start)
        path, named = model.path, set(network.state_dict())
        weights = read_weights(model)
        renamed = {name.removeprefix("network."): value for name, value in weights.items()}
        state = {name: value for name, value in renamed.items() if name in named}
    load_weights(network, state, path, "[network]")
