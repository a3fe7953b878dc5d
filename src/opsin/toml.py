"""TOML as people write it: read with every fault a sentence, and told line by line.

Model cards and recipes are read here. A hostile file costs no more than `MOST_BYTES` of memory,
and what a parser may stumble over (nesting too deep, numbers too long) is a fault like any other.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from opsin.files import read_regular

MOST_BYTES: Final = 1 << 18
"""Cards and recipes are a page; more is something else."""
DEEPEST: Final = 200  # tables in tables that one key may name: Python's parser takes their square
_HEADER: Final = re.compile(r"\s*\[+\s*([^\[\]]+?)\s*\]+")
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


def _parts(text: str) -> list[str]:
    return [part.strip().strip("\"'") for part in text.split(".")]
