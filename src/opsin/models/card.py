"""The card: a TOML file beside the ONNX file that says what a model is, whatever its task.

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
    parameters = 4790000                # how many numbers training sets; may be left out
    size = 256                          # short side of the picture that the network sees
    multiple = 32                       # both sides are padded to multiples of this
    labels = ["cat", "dog"]             # what the numbers of a classifier stand for

    [[inputs]]                          # one table an input
    name = "light"
    shape = [1, 1, "H", "W"]            # a free axis is a name
    unit = "L*"
    optional = false                    # true: may be left out, and is all 0 then
    mean = 0.0                          # the network is given (value - mean) / std
    std = 1.0

    [[outputs]]
    name = "logits"
    shape = [1, 313, "H/4", "W/4"]      # free axes of the inputs, divided; or any other name

    [colorize]                          # what only this task needs
    answer = "bins"                     # or "ab": a* and b* themselves, in Lab units
    vividness = [[1.0, 1.0], [0.5, 1.0], [0.25, 1.15]]
                                        # temperature and gain at vividness 0, 0.5 and 1
    contrast = 0.35                     # a power of the chroma: 0 treats all colors alike
    restraint = 1.0                     # less gain where the network is sure: 0 is one gain for all
    coherence = 100.0                   # one surface, one color: 0 leaves each position alone

    [classify]                          # what only this task needs
    view = "middle"                     # a square of it, or "whole": all of it, squashed
    crop = 0.89                         # side of that square, as a share of the short side
    temperature = 1.0                   # the numbers are divided by it, so that shares are honest
    mirror = false                      # true: the mean with the answer to the mirror image
    second_look = false                 # true: of gray ones the mean with that to them in color

    [faces]                             # what only this task needs; `size` is that of a tile
    threshold = 0.6                     # the least score of a face, from 0 to 1
    overlap = 0.3                       # two boxes that share more are one face
    smallest = 15.0                     # pixels of a face, as the network sees it, that it finds
    largest = 300.0
    stages = [0.6, 0.7]                 # of MTCNN: the least scores of its first two networks;
                                        # left out: one network with grids, as YuNet is
                                        # of a cascade (an .xml file): largest / smallest is by how
                                        # much each size of window is larger than the one before
    good = 0.9                          # with a face of this score no other turn is tried
    fair = 0.85                         # a turn needs a face of this score to be believed

    [recognize]                         # what only this task needs; `size` is the side of a face
    places = [[0.32, 0.46], ...]        # where its five landmarks go, in units of the side: the
                                        # person's right eye, left eye, nose, corners of the mouth
    channels = "bgr"                    # or "rgb", from 0 to 255
    thresholds = [[0.01, 0.2], [0.001, 0.3]]
                                        # how many pairs of strangers pass for one person, of 1, if
                                        # that similarity is asked for; the most first

    [detect]                            # what only this task needs; `size` is the side of a tile
    threshold = 0.4                     # the least score of what is told, from 0 to 1
    overlap = 0.5                       # of two boxes with one label that share more, one is told
    fit = "pad"                         # gray beside what is no square, or "stretch"
    proposals = 200                     # how many regions it is told to look at; 0: it takes none.
                                        # Inputs: `picture` and `regions` of it, or `crops` of those

    [segment]                           # what only this task needs; `size` is the side of a crop,
                                        # or, with a table [detect] too, of the whole photograph
    classes = ["person"]                # the things whose pixels it tells, by a detector's labels
    margins = [0.0, 0.4]                # what it sees around a box, as a share of its sides;
                                        # of several looks the mean counts
    threshold = 0.5                     # from this share on a pixel belongs to the thing
    mirror = false                      # true: the mean with the answer to the mirror image
                                        # Inputs: `picture`, a crop, and, if it is told where in it
                                        # the thing is and what, `box` and `kind`

    [[figures]]
    name = "CIEDE2000, eval-diverse"
    value = 11.8
    command = "opsin evaluate ..."
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from opsin import toml
from opsin.errors import ModelError
from opsin.files import shown, write_atomically

CHANNELS: Final[Mapping[str, int]] = {"bins": 313, "ab": 2}
"""Of a colorizer's output, by what it answers with."""

# Nothing that a terminal obeys, XML forbids or that turns the direction of writing about.
LINE: Final = (
    r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff0-\uffff\ud800-\udfff]*\Z"
)
NAME: Final = r"^[a-z0-9][a-z0-9._-]*(?<!\.toml)\Z"
FILE: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]*\.(onnx|xml)\Z"
SHA256: Final = r"^[0-9a-f]{64}\Z"
AXIS: Final = r"^[A-Za-z][A-Za-z0-9_]{0,30}(/[1-9][0-9]{0,2})?\Z"
WORDS: Final = {
    LINE: "one line of text without control characters",
    NAME: "lower-case letters, digits, dots, dashes and underscores, at most 64, "
    "the first a letter or digit",
    FILE: "the name of an .onnx or .xml file beside the card, of letters, digits, dots and dashes",
    SHA256: "64 hexadecimal digits",
    AXIS: "the name of a free axis, such as H, or a part of one, such as H/4",
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
Axis = Annotated[int, Meta(ge=1, le=100_000)] | Annotated[str, Meta(pattern=AXIS)]
Shape = Annotated[tuple[Axis, ...], Meta(min_length=1, max_length=5)]
Finite = Annotated[float, Meta(ge=-1e9, le=1e9)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Port(_Table, frozen=True, kw_only=True):
    """What goes into a network, or comes out of it."""

    name: Word
    shape: Shape

    def free_axes(self) -> dict[int, str]:
        return {n: axis for n, axis in enumerate(self.shape) if isinstance(axis, str)}


class Input(Port, frozen=True, kw_only=True):
    unit: Text
    optional: bool = False
    mean: Annotated[float, Meta(ge=-1e6, le=1e6)] = 0.0
    std: Annotated[float, Meta(ge=1e-6, le=1e6)] = 1.0


class Output(Port, frozen=True, kw_only=True):
    @property
    def stride(self) -> int:
        """How many pixels one number of a map stands for, across; 1 if it is no map."""
        *_, part = str(self.shape[-1]).split("/")
        return int(part) if isinstance(self.shape[-1], str) and part.isdecimal() else 1


Temperature = Annotated[float, Meta(ge=0.01, le=100)]
Gain = Annotated[float, Meta(ge=0.01, le=10)]


class Colorize(_Table, frozen=True, kw_only=True):
    answer: Literal["bins", "ab"]
    vividness: Annotated[tuple[tuple[Temperature, Gain], ...], Meta(max_length=100)] = ()
    """Empty: the usual one of such answers."""
    contrast: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """Strong colors are made stronger by this power of their chroma, weak ones weaker."""
    restraint: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """The gain is less by so much where the network is sure, and more where it is not."""
    coherence: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    """What neighbors that look alike count, when a surface is drawn to one color."""


class Classify(_Table, frozen=True, kw_only=True):
    view: Literal["middle", "whole"] = "middle"
    """A square in the middle of the photograph, or all of it, squashed to a square."""
    crop: Annotated[float, Meta(ge=0.1, le=1)] = 1.0
    """The side of the square in the middle, as a share of the photograph's short side."""
    temperature: Temperature = 1.0
    mirror: bool = False
    """The probabilities are the mean of those of the picture and of its mirror image."""
    second_look: bool = False
    """Of a gray photograph they are the mean of those of it and of it in color."""


Share = Annotated[float, Meta(ge=0, le=1)]


class FaceTable(_Table, frozen=True, kw_only=True):
    threshold: Annotated[float, Meta(ge=0.01, le=1)]
    overlap: Annotated[float, Meta(ge=0.05, le=1)]
    smallest: Annotated[float, Meta(ge=1, le=1000)]
    """The short side of a face's box, in pixels of what the network sees."""
    largest: Annotated[float, Meta(ge=1, le=10_000)]
    """Larger ones are looked for on a smaller picture."""
    stages: Annotated[tuple[Share, ...], Meta(max_length=2)] = ()
    good: Share = 0.9
    fair: Share = 0.85


class RecognizeTable(_Table, frozen=True, kw_only=True):
    places: Annotated[tuple[tuple[Share, Share], ...], Meta(min_length=5, max_length=5)]
    """Right eye, left eye, nose, right and left corner of the mouth: x, y in units of `size`."""
    channels: Literal["bgr", "rgb"]
    thresholds: Annotated[
        tuple[tuple[Share, Annotated[float, Meta(ge=-1, le=1)]], ...], Meta(max_length=20)
    ] = ()
    """False-accept rates, and the least similarity that keeps to each; the highest rate first."""


class Detect(_Table, frozen=True, kw_only=True):
    threshold: Annotated[float, Meta(ge=0.01, le=1)]
    overlap: Annotated[float, Meta(ge=0.05, le=1)]
    """Of two boxes with one label that share more than this, the better is told."""
    fit: Literal["stretch", "pad"]
    """How a photograph becomes a square: stretched to it, or with gray beside or below."""
    proposals: Annotated[int, Meta(ge=0, le=10_000)] = 0
    """How many regions it is told to look at, as its input `regions`: the first ones of
    `opsin.objects.proposals`. 0: it takes none."""


class Segment(_Table, frozen=True, kw_only=True):
    classes: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=1000)]
    """The things whose pixels it tells, as a detector's labels call them."""
    margins: Annotated[tuple[Share, ...], Meta(min_length=1, max_length=8)] = (0.0,)
    """What it sees around a thing's box on each side, as a share of the box's sides; of several
    looks the mean counts."""
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """The least share of a pixel that belongs to the thing."""
    mirror: bool = False
    """The answer is the mean with that to the mirror image."""


class CardFigure(_Table, frozen=True, kw_only=True):
    name: Text
    value: Finite
    command: Text


class Card(_Table, frozen=True, kw_only=True):
    name: Name
    version: Word
    task: Annotated[str, Meta(pattern=NAME, max_length=64)]
    network: Word
    file: Annotated[str, Meta(pattern=FILE, max_length=100)]
    sha256: Annotated[str, Meta(pattern=SHA256)]
    license: Text
    paper: Line
    training_data: Line
    parameters: Annotated[int, Meta(ge=1)] | None = None
    """How many numbers training sets."""
    size: Annotated[int, Meta(ge=8, le=2048)]
    multiple: Annotated[int, Meta(ge=1, le=512)] = 1
    labels: Annotated[tuple[Text, ...], Meta(max_length=20_000)] = ()
    inputs: Annotated[tuple[Input, ...], Meta(min_length=1, max_length=16)]
    outputs: Annotated[tuple[Output, ...], Meta(min_length=1, max_length=16)]
    colorize: Colorize | None = None
    classify: Classify | None = None
    faces: FaceTable | None = None
    recognize: RecognizeTable | None = None
    detect: Detect | None = None
    segment: Segment | None = None
    figures: Annotated[tuple[CardFigure, ...], Meta(max_length=100)] = ()

    def input_names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.inputs)

    def output_names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.outputs)


def sides(shape: Sequence[int | str], sizes: Mapping[str, int]) -> tuple[int | None, ...]:
    """A shape when the free axes have these sizes; None where one may have any.

    >>> sides((1, 313, "H/4", "N"), {"H": 64})
    (1, 313, 16, None)
    """
    return tuple(axis if isinstance(axis, int) else _size(axis, sizes) for axis in shape)


def _size(axis: str, sizes: Mapping[str, int]) -> int | None:
    name, _, part = axis.partition("/")
    return sizes[name] // int(part or 1) if name in sizes else None


def map_shape(channels: int, stride: int) -> tuple[int | str, ...]:
    """The shape of a map that has one place for `stride` x `stride` pixels.

    >>> map_shape(2, 8)
    (1, 2, 'H/8', 'W/8')
    """
    return (1, channels, *(side if stride == 1 else f"{side}/{stride}" for side in "HW"))


def read_card(path: str | Path) -> Card:
    """The card at `path`; a `ModelError` names the key that is wrong."""
    path = Path(path)
    try:
        return _understood(toml.read_text(path), path)
    except OSError as error:
        raise ModelError(f"{shown(path)}: cannot read this card ({error.strerror}).") from error
    except ValueError as error:
        raise ModelError(
            f"{shown(path)}: cannot be read as a card ({shown(str(error))})."
        ) from error


@functools.lru_cache(maxsize=32)
def _understood(text: str, path: Path) -> Card:
    """The card with that text; kept, as a thousand labels take longer to parse than to use."""
    return _checked(toml.parse(text), path)


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
    values = msgspec.to_builtins(card)
    return toml.write({key: value for key, value in values.items() if value != ()})


def _checked(values: dict[str, Any], path: Path) -> Card:
    """The card of these values; what its types cannot say is checked here."""
    if "output" in values:
        raise _wrong(
            path,
            "its [output] is of an older opsin. Export its run again (opsin export), or give it "
            "[[outputs]] and [colorize] as `opsin models show default` has them",
        )
    try:
        card = msgspec.convert(values, Card)
    except msgspec.ValidationError as error:
        raise _wrong(path, _plain(str(error))) from None
    except RecursionError:
        raise _wrong(path, "it is nested too deeply") from None
    for key, names in (("inputs", card.input_names()), ("outputs", card.output_names())):
        if len(set(names)) < len(names):
            raise _wrong(path, f"`{key}` names one {key[:-1]} twice")
    if card.name == "default":
        raise _wrong(path, "`name` must not be 'default', that is an alias")
    if card.labels and not any(len(card.labels) in entry.shape[1:] for entry in card.outputs):
        raise _wrong(path, f"no output has {len(card.labels)} numbers, one for each of `labels`")
    tables = {
        "colorize": card.colorize,
        "classify": card.classify,
        "faces": card.faces,
        "recognize": card.recognize,
        "detect": card.detect,
        "segment": card.segment,
    }
    for task, table in tables.items():
        both = task == "detect" and card.task == "segment"  # one that finds things and masks them
        if (card.task == task) != (table is not None) and not both:
            raise _wrong(path, f"task '{task}' and a table [{task}] go together")
    if card.file.endswith(".xml") and not card.faces:
        raise _wrong(path, "`file` must be an .onnx file: only faces are found by an .xml file")
    if card.colorize and (reason := _no_colorizer(card, CHANNELS[card.colorize.answer])):
        raise _wrong(path, reason)
    if card.classify and (reason := _no_classifier(card)):
        raise _wrong(path, reason)
    if card.faces and (reason := _no_detector(card, card.faces)):
        raise _wrong(path, reason)
    if card.recognize and (reason := _no_recognizer(card, card.recognize)):
        raise _wrong(path, reason)
    if card.detect and (reason := _no_object_detector(card)):
        raise _wrong(path, reason)
    if card.segment and card.detect and (reason := _no_masks_of_things(card, card.segment)):
        raise _wrong(path, reason)
    if card.segment and not card.detect and (reason := _no_mask_network(card)):
        raise _wrong(path, reason)
    return card


PICTURE_UNIT: Final = "sRGB, 0 to 1"  # of what a classifier sees
LEAST_SIZE: Final = 32  # of what a colorizer sees
SHAPES: Final = {
    "light": '[1, 1, "H", "W"]',
    "hints": '[1, 3, "H", "W"], and be optional',
    "condition": "[1, 313], of numbers, and be optional",
    "thumbnail": "[1, 1, 224, 224], of numbers",
}
"""What the card must say of each input; a thumbnail may have other sides."""


def _no_colorizer(card: Card, channels: int) -> str:
    """Why a network is none that colorizes, if so."""
    if card.size < LEAST_SIZE:
        return f"`size` must be {LEAST_SIZE} or more"
    if "light" not in card.input_names():
        return "`inputs` has no `light`"
    for entry in card.inputs:
        if entry.name in SHAPES and not _fits(entry):
            return f"`{entry.name}` must have the shape {SHAPES[entry.name]}"
        if entry.name not in SHAPES and not entry.optional:
            return f"`{entry.name}` is no input of a colorizer: {', '.join(SHAPES)}"
    stride = card.outputs[0].stride
    if card.multiple % stride:
        return "`multiple` must be a multiple of what its output's sides are divided by"
    if card.outputs[0].shape != (expected := map_shape(channels, stride)):
        return f"the first of `outputs` must have the shape {toml.written(expected)}"
    return ""


def _no_classifier(card: Card) -> str:
    """Why a network is none that classifies, if so."""
    if len(card.labels) < 2 or len(set(card.labels)) < len(card.labels):
        return "`labels` must be two or more names, each another"
    if card.input_names() != ("picture",) or not _is_square(card.inputs[0].shape):
        return "`inputs` must be one, `picture`, of the shape [1, 3, S, S] or [1, 1, S, S]"
    picture = card.inputs[0]
    if card.size != picture.shape[2]:
        return f"`size` must be {picture.shape[2]}, the side of its input"
    if picture.unit != PICTURE_UNIT:
        return f"the `unit` of `picture` must be '{PICTURE_UNIT}': it is given nothing else"
    if card.multiple != 1:
        return "`multiple` must be 1 or left out: a classifier sees one size"
    if card.outputs[0].shape != (1, len(card.labels)):
        return f"the first of `outputs` must have the shape [1, {len(card.labels)}]"
    return ""


GRIDS: Final = (8, 16, 32)
"""Pixels for a cell of each grid that a detector of faces answers for."""
FACE: Final[Mapping[str, int]] = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""What it says of a cell, and in how many numbers."""


WINDOW: Final = 12
"""Pixels of a side of the squares that the first of MTCNN's networks looks at."""
CROPS: Final = (24, 48)
"""The same of its second and third network."""
STAGES: Final[Mapping[str, tuple[int | str, ...]]] = {
    "p_score": (1, 1, "h", "w"),
    "p_box": (1, 4, "h", "w"),
    "r_score": ("R", 1),
    "r_box": ("R", 4),
    "o_score": ("O", 1),
    "o_box": ("O", 4),
    "o_points": ("O", 10),
}
"""What MTCNN's networks say, with the names of their free axes."""


def _no_detector(card: Card, table: FaceTable) -> str:
    """Why a network is none that finds faces, if so."""
    if table.good < table.fair:
        return "`good` must be `fair` or more"
    if card.file.endswith(".xml"):
        return _no_cascade(card, table)
    if card.inputs[0].shape == BLOCKS:
        return _no_hog(card, table)
    return _no_stages(card, table) if table.stages else _no_grids(card, table)


DIRECTIONS: Final = 9
"""Of gradients, in a histogram of them."""
BLOCKS: Final[tuple[int | str, ...]] = (1, 4 * DIRECTIONS, "H", "W")
"""What a HOG detector is given: four histograms a block."""


def _no_hog(card: Card, table: FaceTable) -> str:
    """Why a network is none that finds faces by histograms of gradients, if so."""
    if len(card.inputs) != 1 or [entry.shape for entry in card.outputs] != [(1, 1, "h", "w")]:
        return '`inputs` must be one, and `outputs` one of the shape [1, 1, "h", "w"]'
    if card.multiple != 1 or table.stages or table.smallest % 4:
        return "`multiple` and `stages` must be left out, and `smallest` a multiple of 4"
    if not table.smallest * 1.02 <= table.largest <= table.smallest * 2:
        return "`largest` must be 1.02 to 2 times `smallest`"
    return ""


def _no_cascade(card: Card, table: FaceTable) -> str:
    """Why an XML file is no cascade, if so."""
    if [entry.shape for entry in card.inputs] != [(1, 1, "H", "W")]:
        return '`inputs` must be one, of the shape [1, 1, "H", "W"]'
    if [entry.shape for entry in card.outputs] != [("N", 4)]:
        return '`outputs` must be one, of the shape ["N", 4]'
    if card.multiple != 1 or table.stages:
        return "`multiple` and `stages` must be left out"
    if not table.smallest * 1.02 <= table.largest <= table.smallest * 2:
        return "`largest` must be 1.02 to 2 times `smallest`"
    return ""


def _no_grids(card: Card, table: FaceTable) -> str:
    """Why a network is none that finds faces as YuNet does, if so."""
    if len(card.inputs) != 1 or card.inputs[0].shape != (1, 3, "H", "W"):
        return '`inputs` must be one, of the shape [1, 3, "H", "W"]'
    widths = {entry.name: (len(entry.shape), entry.shape[-1]) for entry in card.outputs}
    for name, width in FACE.items():
        for stride in GRIDS:
            if widths.get(f"{name}_{stride}") != (3, width):
                return f'`outputs` must have `{name}_{stride}` of the shape [1, "N", {width}]'
    if card.multiple % GRIDS[-1] or card.size % card.multiple:
        return f"`multiple` must be a multiple of {GRIDS[-1]}, and `size` one of `multiple`"
    if table.smallest * 2 > table.largest or table.largest * 2 > card.size:
        return "`largest` must be twice `smallest` or more, and half of `size` or less"
    return ""


def _no_stages(card: Card, table: FaceTable) -> str:
    """Why networks are none that find faces as MTCNN does, if so."""
    small, large = CROPS
    shapes = [(1, 3, "H", "W"), ("R", 3, small, small), ("O", 3, large, large)]
    if [entry.shape for entry in card.inputs] != shapes:
        return f"`inputs` must be of the shapes {', '.join(map(toml.written, shapes))}"
    if len(table.stages) < len(CROPS):
        return "`stages` must be two scores"
    given = {entry.name: entry.shape for entry in card.outputs}
    for name, shape in STAGES.items():
        if given.get(name) != shape:
            return f"`outputs` must have `{name}` of the shape {toml.written(shape)}"
    if card.multiple != 1:
        return "`multiple` must be 1 or left out"
    if table.smallest * 1.1 > table.largest:
        return "`largest` must be a tenth more than `smallest`, or larger"
    return ""


LEAST_NUMBERS: Final = 2
"""Fewer than these tell nobody from anybody."""


def _no_recognizer(card: Card, table: RecognizeTable) -> str:
    """Why a network is none that recognizes faces, if so."""
    first, *picture = card.inputs[0].shape
    side = card.size
    if len(card.inputs) != 1 or picture != [3, side, side] or first not in (1, "N"):
        return f'`inputs` must be one, of the shape ["N", 3, {side}, {side}], as `size` says'
    if card.multiple != 1:
        return "`multiple` must be 1 or left out: faces are all of one size"
    shape = card.outputs[0].shape
    numbers = shape[-1]
    if len(shape) != 2 or shape[0] != first or not isinstance(numbers, int):
        return f'the first of `outputs` must have the shape ["{first}", 256], or other numbers'
    if numbers < LEAST_NUMBERS:
        return f"the first of `outputs` must have {LEAST_NUMBERS} numbers or more for a face"
    if len(set(table.places)) < len(table.places):
        return "`places` must be five different ones"
    if list(table.thresholds) != sorted(table.thresholds, key=lambda one: (-one[0], one[1])):
        return "`thresholds` must have the highest rate first, and the similarities must rise"
    return ""


def _no_object_detector(card: Card) -> str:
    """Why a network is none that detects things, if so."""
    if wrong := _no_detector_inputs(card):
        return wrong
    if not card.labels or len(set(map(str.casefold, card.labels))) < len(card.labels):
        return "`labels` must be names, each another"
    widths = {entry.name: (len(entry.shape), entry.shape[-1]) for entry in card.outputs}
    for name, width in (("boxes", 4), ("scores", len(card.labels))):
        if widths.get(name) != (3, width):
            return f'`outputs` must have `{name}` of the shape [1, "N", {width}]'
    return ""


def _no_detector_inputs(card: Card) -> str:
    """Why nothing that is detected by can be given such inputs, if so."""
    assert card.detect is not None
    side, shapes = card.size, {entry.name: entry.shape for entry in card.inputs}
    regions, crops = shapes.pop("regions", None), shapes.get("crops", ())
    if (regions is not None) != bool(card.detect.proposals):
        return "`inputs` must have `regions` if `proposals` in [detect] is not 0, and none if it is"
    if regions is not None and not (len(regions) == 2 and regions[1] == 4):
        return '`regions` must have the shape ["R", 4]'
    if regions is not None and list(shapes) == ["crops"]:
        square = crops[2:]
        if crops[:2] == (regions[0], 3) and len(square) == 2 and square[0] == square[1]:
            return "" if isinstance(square[0], int) else "`crops` must have sides of some pixels"
        return '`crops` must have the shape ["R", 3, S, S]'
    if list(shapes) != ["picture"]:
        return "`inputs` must be `picture`, with `regions` or without, or `regions` and `crops`"
    if shapes["picture"] != (1, 3, side, side) or card.multiple != 1:
        return f"`picture` must have the shape [1, 3, {side}, {side}], as `size` says"
    return ""


def _no_mask_network(card: Card) -> str:
    """Why a network is none that tells a thing's pixels, if so."""
    side = card.size
    if card.input_names() not in (("picture",), ("picture", "box", "kind")):
        return "`inputs` must be `picture`, with `box` and `kind` after it or without"
    told = (1, 4), (1, len(card.segment.classes) if card.segment else 0)
    if len(card.inputs) > 1 and tuple(entry.shape for entry in card.inputs[1:]) != told:
        return "`box` must have the shape [1, 4], and `kind` as many numbers as there are `classes`"
    if card.inputs[0].shape != (1, 3, side, side) or card.multiple != 1:
        return f"`picture` must have the shape [1, 3, {side}, {side}], as `size` says"
    if card.inputs[0].unit != PICTURE_UNIT:
        return f'the `unit` of `picture` must be "{PICTURE_UNIT}"'
    if {entry.name: entry.shape for entry in card.outputs}.get("mask") != (1, 1, side, side):
        return f"`outputs` must have `mask` of the shape [1, 1, {side}, {side}]"
    names = [name.casefold() for name in card.segment.classes] if card.segment else []
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        return f"the `classes` of [segment] name '{twice}' more than once"
    return ""


def _no_masks_of_things(card: Card, table: Segment) -> str:
    """Why a detector is none that also tells the pixels of what it finds, if so."""
    shape = {entry.name: entry.shape for entry in card.outputs}.get("masks", ())
    if len(shape) != 4 or shape[0] != 1 or not isinstance(shape[2], int) or shape[2] != shape[3]:
        return '`outputs` must have `masks` of the shape [1, "N", 28, 28], or of other sides'
    if table.classes != card.labels or table.margins != (0.0,) or table.mirror:
        return "the `classes` of [segment] must be `labels`, and `margins` and `mirror` left out"
    return ""


def _is_square(shape: Shape) -> bool:
    return (
        len(shape) == 4
        and shape[0] == 1
        and shape[1] in (1, 3)
        and isinstance(shape[2], int)
        and shape[2] == shape[3]
    )


def _fits(entry: Input) -> bool:
    match entry.name:
        case "light":
            return entry.shape == (1, 1, "H", "W")
        case "hints":
            return entry.shape == (1, 3, "H", "W") and entry.optional
        case "condition":
            return entry.shape == (1, CHANNELS["bins"]) and entry.optional
    square = entry.shape[2:]
    return (
        entry.shape[:2] == (1, 1) and len(square) == 2 and all(isinstance(n, int) for n in square)
    )


def _wrong(path: Path, what: str) -> ModelError:
    return ModelError(f"{shown(path)}: wrong card: {what}.")


def _plain(message: str) -> str:
    """msgspec's words without regular expressions, and with nothing that a terminal obeys."""
    for pattern, words in WORDS.items():
        message = message.replace(f"`str` matching regex {pattern!r}", words)
    return shown(message)
