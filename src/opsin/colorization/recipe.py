"""What a colorizer's recipe says, checked as a whole before anything is done or written.

`opsin.training.recipe` checks each setting by its own bounds; here are those that must fit each
other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from opsin.colorization.data import Data
from opsin.colorization.systems import System, system_of
from opsin.errors import RecipeError
from opsin.training.recipe import Recipe, section


class Tables(NamedTuple):
    """The three tables of a recipe as the types of its task."""

    system: System
    data: Data
    objective: Any
    """The settings of `system`."""


def tables_of(recipe: Recipe) -> Tables:
    """The tables of a recipe; a `RecipeError` names the first setting that is wrong."""
    section(msgspec.to_builtins(recipe), Recipe)  # one made in Python was not checked
    system = system_of(recipe.network)
    data = section(recipe.data, Data, "data")
    objective = section(recipe.objective, system.settings, "objective")
    if data.small_share and data.small_size > data.size:
        raise RecipeError(
            f"data.small_size = {data.small_size}, but it must be at most data.size = {data.size}. "
            f"Write small_size = {data.size}, or small_share = 0.0 for no small pictures.",
            key="data.small_size",
        )
    system.check(data.size, objective)
    return Tables(system, data, objective)


def check_sizes(data: Data, *, multiple: int, stride: int) -> None:
    """Refuses crops that the network cannot take."""
    for key in ("size", "small_size", "validation_size"):
        size, step = getattr(data, key), max(multiple, stride)
        if size % multiple or size % stride:
            near = max(step, size // step * step)
            raise RecipeError(
                f"data.{key} = {size} does not fit the network, which takes multiples of {step}. "
                f"Write for example {key} = {near}.",
                key=f"data.{key}",
            )
