"""TOML as people write it: read with every fault a sentence, told line by line, and written.

Model cards and recipes are read here. A hostile file costs no more than `MOST_BYTES` of memory,
and what a parser may stumble over (nesting too deep, numbers too long) is a fault like any other.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opsin.files import read_regular

MOST_BYTES: Final = 1 << 18
"""Cards and recipes are a page; more is something else."""
DEEPEST: Final = 200  # tables in tables that one key may name: Python's parser takes their square
_HEADER: Final = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_ENTRY: Final = re.compile(r"""\s*((?:[\w.-]|"[^"]*"|'[^']*'|\s)+?)\s*=""")


def read_text(path: Path) -> str:
    """The text of a small UTF-8 file, without the mark that some editors put before it.

    Raises `OSError` if there is none that can be read, and `ValueError` if it is something else.
    """
    return read_regular(path, most=MOST_BYTES).decode("utf-8-sig")


def parse(text: str) -> dict[str, Any]:
    """The values of a TOML document; whatever is wrong with it is a `ValueError`.

    >>> parse("size = 96")
    {'size': 96}
    """
    parts = (part for line in text.splitlines() for part in line.split("="))
    if any(part.count(".") > DEEPEST and not part.lstrip().startswith("#") for part in parts):
        raise ValueError("it is nested too deeply")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not valid TOML: {error}") from error
    except (ValueError, OverflowError) as error:  # numbers and dates beyond Python's
        raise ValueError(f"not valid TOML: {error}") from error


def write(values: Mapping[str, Any], place: str = "") -> str:
    """The document of these values, None left out; `place` is the table that they are in.

    >>> print(write({"name": "x", "data": {"size": 96, "parts": [0.5, True]}}), end="")
    name = "x"
    <BLANKLINE>
    [data]
    size = 96
    parts = [0.5, true]
    """
    plain, tables = "", ""
    for name, value in values.items():
        key = name if _BARE.fullmatch(name) else written(name)
        path = f"{place}.{key}" if place else key
        if isinstance(value, Mapping):
            tables += f"\n[{path}]\n{write(value, path)}"
        elif value and isinstance(value, Sequence) and isinstance(value[0], Mapping):
            tables += "".join(f"\n[[{path}]]\n{write(one, path)}" for one in value)
        elif value is not None:
            plain += f"{key} = {written(value)}\n"
    return plain + tables


def line_of(text: str, key: str) -> int | None:
    """The number of the line that gives a key, or the table around it, a value.

    >>> line_of("steps = 1\\n[data]\\nsize = 96", "data.size")
    3
    """
    wanted, best = key.split("."), 0
    table: list[str] = []
    found: int | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            path = table = _parts(header[1])
        elif entry := _ENTRY.match(line):
            path = table + _parts(entry[1])
        else:
            continue
        if len(path) > best and path == wanted[: len(path)]:
            best, found = len(path), number
    return found


def written(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, str):  # a JSON string is a TOML basic string, but for one letter
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    return str(value).lower()  # true and false, numbers, inf and nan


def _parts(text: str) -> list[str]:
    return [part.strip().strip("\"'") for part in text.split(".")]
