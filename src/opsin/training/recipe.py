"""Recipes: everything a training run depends on, in one short TOML file, checked before it starts.

A recipe has a head that every task shares (`Recipe`) and three tables, `[network]`, `[objective]`
and `[data]`, that belong to its task: `section` checks those against the task's own types. An
unknown key, a wrong type or a missing value is a `RecipeError` that names the key.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from opsin.errors import RecipeError

T = TypeVar("T")


class Optimizer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AdamW on a one-cycle schedule (Smith and Topin 2019, arXiv 1708.07120).

    Without warmup and with `floor = 1` the rate is constant.
    """

    rate: float = 1e-3
    """The highest learning rate."""
    weight_decay: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    warmup: float = 0.05
    """Share of the steps in which the rate climbs to its highest."""
    floor: float = 0.01
    """The last rate, as a share of the highest."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.999
    """How much of the averaged weights stays at each step; 0 keeps no average."""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training run. The tables `network`, `objective` and `data` are checked by the task."""

    task: Literal["colorize"]
    name: str
    steps: int
    seed: int = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the products; weights are float32. By itself bfloat16 where the device has it."""
    validate_every: int = 1000
    """Steps between two validations; each writes a line, a sheet and the report."""
    network: dict[str, Any] = {}
    objective: dict[str, Any] = {}
    data: dict[str, Any] = {}
    optimizer: Optimizer = Optimizer()


def read_recipe(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a TOML file, with `KEY=VALUE` changes (`steps=100`, `data.size=96`) applied."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe. Give the path of a .toml file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read ({error}).") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}.") from error
    for change in changes:
        _apply(values, change)
    return section(values, Recipe, where=str(path))


def section(values: dict[str, Any], kind: type[T], *, where: str) -> T:
    """A table of a recipe as its type; `where` says in the error which table it was."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]
        raise RecipeError(f"{where}: {error}. Known keys: {fields}.") from None


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals:
        raise RecipeError(f"--set {change}: write KEY=VALUE, as in --set data.size=96.")
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {change}: {table} is not a table.")
    try:
        values[last] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        values[last] = value.strip()
