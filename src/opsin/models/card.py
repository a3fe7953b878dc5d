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
    contrast = 0.35                     # a power of the chroma: 0 treats all colors alike
    restraint = 1.0                     # less gain where the network is sure: 0 is one gain for all

    [[figures]]
    name = "CIEDE2000, eval-diverse"
    value = 11.8
    command = "opsin evaluate ..."
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from opsin import toml
from opsin.errors import ModelError
from opsin.files import shown, write_atomically

CHANNELS: Final[Mapping[str, int]] = {"bins": 313, "ab": 2}
"""Of the output, by its kind."""

# Nothing that a terminal obeys, XML forbids or that turns the direction of writing about.
LINE: Final = (
    r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff0-\uffff\ud800-\udfff]*\Z"
)
NAME: Final = r"^[a-z0-9][a-z0-9._-]*(?<!\.toml)\Z"
FILE: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]*\.onnx\Z"
SHA256: Final = r"^[0-9a-f]{64}\Z"
WORDS: Final = {
    LINE: "one line of text without control characters",
    NAME: "lower-case letters, digits, dots, dashes and underscores, at most 64, "
    "the first a letter or digit",
    FILE: "the name of an .onnx file beside the card, of letters, digits, dots and dashes",
    SHA256: "64 hexadecimal digits",
}
"""What the patterns ask for."""

Name = Annotated[
    str, Meta(pattern=NAME, max_length=64, description=WORDS[NAME], examples=["my-model"])
]
"""What a model may be called; a recipe too, for it names the model that comes of it."""
Line = Annotated[str, Meta(pattern=LINE, max_length=1000)]
"""It is printed, and parts of it go into XMP."""
Text = Annotated[str, Meta(pattern=LINE, min_length=1, max_length=1000)]
Word = Annotated[str, Meta(pattern=LINE, min_length=1, max_length=64)]
Axis = Annotated[int, Meta(ge=1, le=4096)]
Finite = Annotated[float, Meta(ge=-1e9, le=1e9)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Input(_Table, frozen=True, kw_only=True):
    name: Literal["light", "hints", "condition", "thumbnail"]
    shape: Annotated[tuple[Axis | Word, ...], Meta(min_length=1, max_length=4)]
    unit: Text
    mean: Annotated[float, Meta(ge=-1e6, le=1e6)] = 0.0
    std: Annotated[float, Meta(ge=1e-6, le=1e6)] = 1.0


class Output(_Table, frozen=True, kw_only=True):
    name: Word
    kind: Literal["bins", "ab"]
    stride: Annotated[int, Meta(ge=1, le=256)]


Temperature = Annotated[float, Meta(ge=0.01, le=100)]
Gain = Annotated[float, Meta(ge=0.01, le=10)]


class Decode(_Table, frozen=True, kw_only=True):
    vividness: Annotated[tuple[tuple[Temperature, Gain], ...], Meta(min_length=1, max_length=100)]
    contrast: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """Strong colors are made stronger by this power of their chroma, weak ones weaker."""
    restraint: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """The gain is less by so much where the network is sure, and more where it is not."""


class Figure(_Table, frozen=True, kw_only=True):
    name: Text
    value: Finite
    command: Text


class Card(_Table, frozen=True, kw_only=True):
    name: Name
    version: Word
    task: Literal["colorize"]
    network: Word
    file: Annotated[str, Meta(pattern=FILE, max_length=100)]
    sha256: Annotated[str, Meta(pattern=SHA256)]
    license: Text
    paper: Line
    training_data: Line
    size: Annotated[int, Meta(ge=32, le=2048)]
    multiple: Annotated[int, Meta(ge=1, le=512)]
    inputs: Annotated[tuple[Input, ...], Meta(min_length=1, max_length=4)]
    output: Output
    decode: Decode | None = None
    figures: Annotated[tuple[Figure, ...], Meta(max_length=100)] = ()

    def input_names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.inputs)


def read_card(path: str | Path) -> Card:
    """The card at `path`; a `ModelError` names the key that is wrong."""
    path = Path(path)
    try:
        values = toml.parse(toml.read_text(path))
    except OSError as error:
        raise ModelError(f"{shown(path)}: cannot read this card ({error.strerror}).") from error
    except ValueError as error:
        raise ModelError(
            f"{shown(path)}: cannot be read as a card ({shown(str(error))})."
        ) from error
    return _checked(values, path)


def write_card(card: Card, path: str | Path) -> None:
    """Write `card` as TOML, such that `read_card` gives it back.

    A card that `read_card` would refuse is a `ModelError`, and nothing is written.
    """
    check_card(card, Path(path))
    write_atomically(path, card_to_toml(card).encode())


def check_card(card: Card, path: Path) -> None:
    """Raises the `ModelError` that `read_card` would, of this card written to `path`."""
    _checked(msgspec.to_builtins(card), path)


def card_to_toml(card: Card) -> str:
    return toml.write(msgspec.to_builtins(card))


def _checked(values: dict[str, Any], path: Path) -> Card:
    """The card of these values; what its types cannot say is checked here."""
    try:
        card = msgspec.convert(values, Card)
    except msgspec.ValidationError as error:
        raise _wrong(path, _plain(str(error))) from None
    except RecursionError:
        raise _wrong(path, "it is nested too deeply") from None
    names = card.input_names()
    if "light" not in names:
        raise _wrong(path, "`inputs` has no `light`")
    if len(set(names)) < len(names):
        raise _wrong(path, "`inputs` names one input twice")
    for entry in card.inputs:
        if not _fits(entry):
            raise _wrong(path, f"`{entry.name}` must have the shape {SHAPES[entry.name]}")
    if card.name == "default":
        raise _wrong(path, "`name` must not be 'default', that is an alias")
    if card.multiple % card.output.stride:
        raise _wrong(path, "`multiple` must be a multiple of `output.stride`")
    return card


SHAPES: Final = {
    "light": '[1, 1, "H", "W"]',
    "hints": '[1, 3, "H", "W"]',
    "condition": "[1, 313], of numbers",
    "thumbnail": "[1, 1, 224, 224], of numbers",
}
"""What the card must say of each input; a thumbnail may have other sides."""


def _fits(entry: Input) -> bool:
    if entry.name == "condition":
        return entry.shape == (1, CHANNELS["bins"])
    channels = 3 if entry.name == "hints" else 1
    side = int if entry.name == "thumbnail" else str
    head, sides = entry.shape[:2], entry.shape[2:]
    return head == (1, channels) and len(sides) == 2 and all(isinstance(one, side) for one in sides)


def _wrong(path: Path, what: str) -> ModelError:
    return ModelError(f"{shown(path)}: wrong card: {what}.")


def _plain(message: str) -> str:
    """msgspec's words without regular expressions, and with nothing that a terminal obeys."""
    for pattern, words in WORDS.items():
        message = message.replace(f"`str` matching regex {pattern!r}", words)
    return shown(message)
