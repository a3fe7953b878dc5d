"""Every setting of every table has bounds, and a value outside of them is refused by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

pytest.importorskip("torch")

from msgspec.inspect import (
    BoolType,
    DictType,
    FloatType,
    IntType,
    LiteralType,
    Metadata,
    StrType,
    StructType,
    TupleType,
    VarTupleType,
    type_info,
)

from opsin import tasks
from opsin.errors import RecipeError
from opsin.training.recipe import Recipe, section

TABLES = {"": Recipe}
for task in (tasks.task_of(name) for name, room in tasks.ROOMS.items() if room.training):
    TABLES[f"{task.name} data"] = task.data
    for name, system in task.systems.items():
        TABLES[f"{task.name} network.{name}"] = system
        TABLES[f"{task.name} objective.{name}"] = system.settings
NEEDED = {"task": "colorize", "name": "x", "steps": 1, "kind": "x"}


class Setting(NamedTuple):
    table: str
    path: tuple[str, ...]
    type: Any

    def __str__(self) -> str:
        return ".".join((self.table, *self.path))


def settings_of(table: str, kind: type, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    for field in type_info(kind).fields:
        if isinstance(field.type, StructType):
            yield from settings_of(table, field.type.cls, (*path, field.name))
        else:
            yield Setting(table, (*path, field.name), field.type)


SETTINGS = [one for table, kind in TABLES.items() for one in settings_of(table, kind)]


def outside(kind: Any) -> list[Any]:
    """Values that a setting of this type must not take; a type without bounds fails here."""
    if isinstance(kind, Metadata):
        return outside(kind.type)
    if isinstance(kind, IntType):
        low, high = kind.ge, kind.le
        assert low is not None, "an int needs ge"
        assert high is not None, "an int needs le"
        step = [low + 1] if kind.multiple_of else []
        return [low - 1, high + 1, 10**30, -(10**30), 1.5, True, "1", [], None, *step]
    if isinstance(kind, FloatType):
        assert (kind.ge, kind.gt) != (None, None), "a float needs ge or gt"
        assert (kind.le, kind.lt) != (None, None), "a float needs le or lt"
        low = math.nextafter(kind.ge, -math.inf) if kind.ge is not None else kind.gt
        high = math.nextafter(kind.le, math.inf) if kind.le is not None else kind.lt
        return [low, high, math.nan, math.inf, -math.inf, True, "1", [1.0], None]
    if isinstance(kind, StrType):
        assert kind.pattern is not None, "a str needs a pattern"
        assert kind.max_length is not None, "a str needs max_length"
        texts = ["a\n", "a\x1b[2J", "a\0", "a\u2028b", "\ufffe", "\ud800", "x" * 5000]
        return [*texts, 1, None, *([""] if kind.min_length else [])]
    if isinstance(kind, LiteralType):
        return [f"{kind.values[0]}x", "", 31, 1.5, None, [kind.values[0]]]
    if isinstance(kind, BoolType):
        return [0, 1, "true", None]
    if isinstance(kind, TupleType):
        good = [inside(one) for one in kind.item_types]
        wrong = [[*good[:-1], bad] for bad in outside(kind.item_types[-1])]
        return [good[:-1], [*good, good[0]], [], good[0], *wrong]
    if isinstance(kind, VarTupleType):
        assert kind.max_length is not None, "a list needs max_length"
        wrong = [[bad] for bad in outside(kind.item_type)]
        return [[inside(kind.item_type)] * (kind.max_length + 1), "abc", 1, *wrong]
    assert isinstance(kind, DictType), f"what may a {kind} be? Say it here."
    return [1, "x", [1], None]


def inside(kind: Any) -> Any:
    kind = kind.type if isinstance(kind, Metadata) else kind
    if isinstance(kind, (IntType, FloatType)):
        return kind.ge if kind.ge is not None else kind.le
    return "x"


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_values_out_of_bounds_are_refused_by_name(setting: Setting) -> None:
    kind, *_ = [TABLES[setting.table]]
    key = ".".join(setting.path)
    needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
    for value in outside(setting.type):
        values: dict[str, Any] = {name: NEEDED[name] for name in needed}
        inner = values
        for table in setting.path[:-1]:
            inner = inner.setdefault(table, {})
        inner[setting.path[-1]] = value
        with pytest.raises(RecipeError) as caught:
            section(values, kind)
        assert caught.value.key == key
        said = str(caught.value)
        assert said.startswith(f"{key} = "), said
        assert "but it must be " in said, said
        assert "Write for example " in said, said
        assert said.isprintable(), said
        assert len(said) < 600


def test_what_is_left_out_is_within_its_bounds() -> None:
    for table, kind in TABLES.items():
        needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
        whole = section({name: NEEDED[name] for name in needed}, kind, table)
        assert section(msgspec.to_builtins(whole), kind, table) == whole
