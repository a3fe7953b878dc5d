"""Recipes: everything a training run depends on, in one short TOML file, checked before it starts.

A recipe has a head that every task shares (`Recipe`) and three tables, `[network]`, `[objective]`
and `[data]`, that belong to its task: `section` checks those against the task's own types. Every
setting has bounds, written in its type. An unknown key, a wrong type, a value out of bounds or a
missing one is a `RecipeError` that names the key; `told_where` adds the line that gave it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from opsin import toml
from opsin.errors import RecipeError
from opsin.files import shown
from opsin.models.card import NAME, WORDS, Line, Name

T = TypeVar("T", bound=msgspec.Struct)

Share = Annotated[float, Meta(ge=0, le=1)]
PartialShare = Annotated[float, Meta(ge=0.001, le=1)]
"""A share that is more than nothing."""
Decay = Annotated[float, Meta(ge=0, lt=1)]
"""What stays at each step of a running mean."""
Weight = Annotated[float, Meta(ge=0, le=1e6)]
"""Of a term of a loss."""
Pixels = Annotated[int, Meta(ge=16, le=2048)]
Batch = Annotated[int, Meta(ge=1, le=4096)]
TaskName = Annotated[
    str, Meta(pattern=NAME, max_length=64, description=WORDS[NAME], examples=["colorize"])
]
Steps = Annotated[int, Meta(ge=1, le=1_000_000_000, examples=[1000])]

LONGEST_SHOWN: Final = 60  # letters of a wrong value


class Optimizer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AdamW on a one-cycle schedule (Smith and Topin 2019, arXiv 1708.07120).

    Without warmup and with `floor = 1` the rate is constant.
    """

    rate: Annotated[float, Meta(gt=0, le=10)] = 1e-3
    """The highest learning rate."""
    weight_decay: Annotated[float, Meta(ge=0, le=10)] = 0.02
    betas: tuple[Decay, Decay] = (0.9, 0.99)
    warmup: Share = 0.05
    """Share of the steps in which the rate climbs to its highest."""
    floor: Share = 0.01
    """The last rate, as a share of the highest."""
    clip: Annotated[float, Meta(gt=0, le=1e9)] = 1.0
    """Largest norm of the gradient."""
    ema: Decay = 0.999
    """How much of the averaged weights stays at each step; 0 keeps no average."""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training run. The tables `network`, `objective` and `data` are checked by the task."""

    task: TaskName
    name: Name
    steps: Steps
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the products; weights are float32. By itself bfloat16 where the device has it."""
    validate_every: Steps = 1000
    """Steps between two validations; each writes a line, a sheet and the report."""
    patience: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Validations without a lower loss after which the run ends; the weights of the lowest are then
    what it is exported with. 0: it goes to its last step, and those are taken."""
    license: Line = ""
    """Of the model that comes of it; empty: `opsin export` asks for it."""
    network: dict[str, Any] = {}
    objective: dict[str, Any] = {}
    data: dict[str, Any] = {}
    optimizer: Optimizer = Optimizer()


def read_recipe(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a TOML file, with `KEY=VALUE` changes (`steps=100`, `data.size=96`) applied."""
    try:
        values = toml.parse(toml.read_text(path))
    except FileNotFoundError:
        raise RecipeError(
            f"{shown(path)}: no such recipe. Give the path of a .toml file."
        ) from None
    except (OSError, ValueError) as error:
        raise RecipeError(f"{shown(path)}: cannot be read as a recipe ({error}).") from error
    for change in changes:
        _apply(values, change)
    with told_where(path, changes):
        return section(values, Recipe)


def recipe_of_run(path: Path) -> Recipe:
    """The recipe that a run has kept, as JSON; `FileNotFoundError` if there is none."""
    try:
        values = json.loads(toml.read_text(path))
    except FileNotFoundError:
        raise
    except RecursionError:
        raise RecipeError(f"{shown(path)}: nested too deeply to be a recipe.") from None
    except (OSError, ValueError) as error:
        raise RecipeError(f"{shown(path)}: cannot be read as a recipe ({error}).") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{shown(path)}: holds no recipe. Was it made by opsin train?")
    try:
        return section(values, Recipe)
    except RecipeError as error:
        raise RecipeError(f"{shown(path)}: {error}", key=error.key) from None


@contextmanager
def told_where(path: Path, changes: tuple[str, ...] = ()) -> Iterator[None]:
    """Errors of a recipe's settings say which line of its file gave them, or which `--set`."""
    try:
        yield
    except RecipeError as error:
        if not error.key:
            raise
        raise RecipeError(f"{_where(path, changes, error.key)}: {error}") from error


def section(values: dict[str, Any], struct: type[T], table: str = "") -> T:
    """A table of a recipe as its type; `table` is its name, "" for the head."""
    prefix = f"{table}." if table else ""
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    for key in values:
        if key not in fields:
            raise _unknown(str(key), list(fields), table)
    for name, field in fields.items():
        if name not in values:
            if field.required:
                example = _example(field)
                raise RecipeError(f"{prefix}{name} is missing. Write for example {example}.")
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            if not isinstance(values[name], dict):
                raise _wrong(values[name], field, prefix)
            section(values[name], field.type, prefix + name)
        else:
            try:
                msgspec.convert(values[name], field.type)
            except (msgspec.ValidationError, RecursionError):
                raise _wrong(values[name], field, prefix) from None
    return msgspec.convert(values, struct)


def must_be(type: Any) -> str:
    """What values a setting of this type takes, in words.

    >>> must_be(Batch), must_be(Decay)
    ('a whole number from 1 to 4,096', 'a number from 0 to below 1')
    """
    return _words(msgspec.inspect.type_info(type))


def _words(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.Metadata():
            return (info.extra_json_schema or {}).get("description") or _words(info.type)
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return _number(info)
        case msgspec.inspect.LiteralType():
            return "one of " + ", ".join(map(_shown, info.values))
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.TupleType():
            return f"a list of {len(info.item_types)}, each {_words(info.item_types[0])}"
        case msgspec.inspect.VarTupleType():
            return f"a list of at most {info.max_length}, each {_words(info.item_type)}"
        case msgspec.inspect.StrType():
            return f"text in quotes, at most {info.max_length} letters on one line"
    return "a table"


def _number(info: Any) -> str:
    """The words for a bounded number."""
    whole = isinstance(info, msgspec.inspect.IntType)
    form = ",d" if whole else "g"
    low = f"from {info.ge:{form}}" if info.ge is not None else f"above {info.gt:{form}},"
    high = f"to {info.le:{form}}" if info.le is not None else f"to below {info.lt:{form}}"
    step = f", a multiple of {info.multiple_of}" if info.multiple_of else ""
    return f"a {'whole ' if whole else ''}number {low} {high}{step}"


def _unknown(key: str, known: list[str], table: str) -> RecipeError:
    prefix = f"{table}." if table else ""
    close = get_close_matches(key, known, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return RecipeError(
        f"{_short(prefix + key)} is not a setting.{hint} Known keys: {', '.join(known)}.",
        key=prefix + key,
    )


def _wrong(value: Any, field: Any, prefix: str) -> RecipeError:
    advice = f"Write for example {_example(field)}"
    if not field.required:
        advice += ", which is what it is when left out"
    return RecipeError(
        f"{prefix}{field.name} = {_shown(value)}, but it must be {must_be(field.type)}. {advice}.",
        key=prefix + field.name,
    )


def _example(field: Any) -> str:
    """A setting as it may be written: what it is by default, or what its type gives."""
    info = msgspec.inspect.type_info(field.type)
    if not field.required:
        value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    elif isinstance(info, msgspec.inspect.LiteralType):
        value = info.values[0]
    else:
        value = (getattr(info, "extra_json_schema", None) or {}).get("examples", ["..."])[0]
    return f"{field.name} = {_shown(msgspec.to_builtins(value))}"


def _shown(value: Any) -> str:
    """A value as TOML has it, at a length that can be read and with nothing a terminal obeys."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value[:8])) + (", ...]" if len(value) > 8 else "]")
    if isinstance(value, dict):
        return "a table"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return _short(text)


def _short(text: str) -> str:
    return shown(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


def _where(path: Path, changes: tuple[str, ...], key: str) -> str:
    """The `--set` or the line that gave a key its value."""
    for change in reversed(changes):
        changed = change.partition("=")[0].strip()
        if f"{key}.".startswith(f"{changed}."):
            return f"--set {_short(change)}"
    try:
        line = toml.line_of(toml.read_text(path), key)
    except (OSError, ValueError):  # it was there a moment ago
        line = None
    return f"{shown(path)}, line {line}" if line else shown(path)


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {_short(change)}: write KEY=VALUE, as in --set data.size=96.")
    *tables, last = key.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {_short(change)}: {_short(table)} is not a table.")
    try:
        values[last] = toml.parse(f"value = {value}")["value"]
    except ValueError:
        values[last] = value.strip()
