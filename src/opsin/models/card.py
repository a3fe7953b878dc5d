"""The card: a TOML file beside the ONNX file that says what a model is.

The code that runs a model reads the card; nothing is guessed from a file name.

    name = "color-bins"                 # lower case letters, digits, dot, dash, underscore
    version = "1"
    task = "colorize"
    network = "color_bins"
    file = "color-bins.onnx"            # beside the card
    sha256 = "..."                      # of that file
    license = "Apache-2.0"
    paper = "https://arxiv.org/abs/1603.08511"
    training_data = "..."
    size = 256                          # short side of the picture that the network sees
    multiple = 32                       # both sides are padded to multiples of this

    [[inputs]]                          # one table an input; a free axis is a name
    name = "light"                      # or "hints", "condition", "thumbnail"
    shape = [1, 1, "H", "W"]
    unit = "L*"
    mean = 0.0                          # the network is given (value - mean) / std
    std = 1.0

    [output]
    name = "logits"
    kind = "bins"                       # or "ab": a* and b* themselves, in Lab units
    stride = 4                          # one answer for 4 x 4 pixels

    [decode]                            # may be left out
    vividness = [[1.0, 1.0], [0.5, 1.0], [0.25, 1.15]]
                                        # temperature and gain at vividness 0, 0.5 and 1

    [[figures]]
    name = "CIEDE2000, eval-diverse"
    value = 11.8
    command = "opsin evaluate ..."
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from opsin.errors import ModelError
from opsin.files import write_atomically

# Nothing that a terminal obeys, XML forbids or that turns the direction of writing about.
LINE: Final = (
    r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff0-\uffff\ud800-\udfff]*\Z"
)

Name = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9._-]*(?<!\.toml)\Z",
        max_length=64,
        description="lower-case letters, digits, dots, dashes and underscores, at most 64, "
        "the first a letter or digit",
        examples=["my-model"],
    ),
]
"""What a model may be called; a recipe too, for it names the model that comes of it."""
Line = Annotated[str, Meta(pattern=LINE, max_length=1000)]
"""One line of text without control characters: it is printed, and parts of it go into XMP."""
Text = Annotated[str, Meta(pattern=LINE, min_length=1, max_length=1000)]
Positive = Annotated[int, Meta(ge=1)]
Factor = Annotated[float, Meta(gt=0)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Input(_Table, frozen=True, kw_only=True):
    name: Literal["light", "hints", "condition", "thumbnail"]
    shape: tuple[Positive | Text, ...]
    unit: Text
    mean: float = 0.0
    std: Annotated[float, Meta(gt=0)] = 1.0


class Output(_Table, frozen=True, kw_only=True):
    name: Text
    kind: Literal["bins", "ab"]
    stride: Positive


class Decode(_Table, frozen=True, kw_only=True):
    vividness: Annotated[tuple[tuple[Factor, Factor], ...], Meta(min_length=1)]


class Figure(_Table, frozen=True, kw_only=True):
    name: Text
    value: float
    command: Text


class Card(_Table, frozen=True, kw_only=True):
    name: Name
    version: Text
    task: Literal["colorize"]
    network: Text
    file: Annotated[str, Meta(pattern=r"^[^/\\]+\.onnx$")]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    license: Text
    paper: str
    training_data: str
    size: Annotated[int, Meta(ge=32)]
    multiple: Positive
    inputs: Annotated[tuple[Input, ...], Meta(min_length=1)]
    output: Output
    decode: Decode | None = None
    figures: tuple[Figure, ...] = ()

    def input_names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.inputs)


def read_card(path: str | Path) -> Card:
    """The card at `path`; a `ModelError` names the key that is wrong."""
    path = Path(path)
    try:
        card = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Card)
    except OSError as error:
        raise ModelError(f"{path}: cannot read this card ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not valid TOML ({error}).") from error
    except msgspec.ValidationError as error:
        raise ModelError(f"{path}: wrong card: {error}.") from error
    _check(card, path)
    return card


def write_card(card: Card, path: str | Path) -> None:
    """Write `card` as TOML, such that `read_card` gives it back."""
    write_atomically(path, card_to_toml(card).encode())


def card_to_toml(card: Card) -> str:
    values = {key: value for key, value in msgspec.to_builtins(card).items() if value is not None}
    plain = [
        f"{key} = {_toml(value)}" for key, value in values.items() if not _is_table_or_tables(value)
    ]
    tables = [
        line
        for key, value in values.items()
        if _is_table_or_tables(value)
        for line in _table_lines(key, value)
    ]
    return "\n".join(plain + tables) + "\n"


def _check(card: Card, path: Path) -> None:
    """What the types cannot say."""
    names = card.input_names()
    if "light" not in names:
        raise ModelError(f"{path}: wrong card: `inputs` has no `light`.")
    if len(set(names)) < len(names):
        raise ModelError(f"{path}: wrong card: `inputs` names one input twice.")
    for entry in card.inputs:
        if entry.name == "thumbnail" and not all(isinstance(side, int) for side in entry.shape):
            raise ModelError(f"{path}: wrong card: `thumbnail` must have a shape of numbers.")
    if card.name == "default":
        raise ModelError(f"{path}: wrong card: `name` must not be 'default', that is an alias.")
    if card.multiple % card.output.stride:
        raise ModelError(f"{path}: wrong card: `multiple` must be a multiple of `output.stride`.")


def _is_table_or_tables(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], dict)
    )


def _table_lines(key: str, value: Any) -> list[str]:
    head = f"\n[{key}]" if isinstance(value, dict) else f"\n[[{key}]]"
    tables = [value] if isinstance(value, dict) else value
    return [
        line
        for table in tables
        for line in (head, *(f"{name} = {_toml(entry)}" for name, entry in table.items()))
    ]


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()  # a JSON string is a TOML basic string
    return repr(value)  # whole and real numbers, also inf and nan; a card holds nothing else
