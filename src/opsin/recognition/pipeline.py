"""How a photograph gets its names: the one place that knows the order of the steps.

    Photo -> a square of it (the middle, or all squashed), as large as the network sees -> sRGB
    0..1, or its gray for networks that see no color -> network -> softmax at the card's
    temperature -> names, likeliest first

Networks learned from color photographs. So a gray one is looked at twice, as it is and in the
colors that the default colorizer gives it, if the card says that the mean of both is better.

Several models with commas are an ensemble: the mean of their probabilities, over the same labels.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import tone_of
from opsin.defaults import CLASSIFIER, TOP
from opsin.drawing.pixels import as_rgb, resized
from opsin.errors import ModelError
from opsin.machine import cores
from opsin.models.card import Card, Classify
from opsin.models.engine import MOST_THREADS, Engine, load_engine
from opsin.models.store import members
from opsin.models.view import View
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[Any]

SECOND_SIZE = 160  # of what the colorizer sees: less than its own, which takes half the time
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of encoded sRGB (BT.601), as JPEG has it


@dataclass(frozen=True, eq=False)
class Classes:
    """What a photograph shows: a probability for each label of the models."""

    probabilities: Floats
    """(n,), in the order of `labels`; their sum is 1."""
    labels: tuple[str, ...]
    cards: tuple[Card, ...]

    @property
    def name(self) -> str:
        """The likeliest."""
        return self.labels[int(self.probabilities.argmax())]

    def top(self, count: int = TOP) -> list[tuple[str, float]]:
        """The likeliest names with their probabilities, in order; `count` is 1 or more."""
        if count < 1:
            raise ValueError(f"count must be 1 or more, got {count}.")
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.labels[at], float(self.probabilities[at])) for at in order]

    def document(self, count: int = TOP) -> list[dict[str, Any]]:
        """The same as plain values for JSON."""
        return [{"name": name, "probability": round(share, 6)} for name, share in self.top(count)]


def classify(
    photo: Any,
    *,
    model: str = CLASSIFIER,
    second_look: bool | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Classes:
    """The names of what is on `photo`, which is a `Photo` or anything that `opsin.open` takes.

    `model` is a name; several with commas are an ensemble. With `second_look`, a photograph
    without colors of its own is also looked at in those of the default colorizer, and the mean is
    told; None is what the model's card says. `threads` is how many cores it may take. `device` is
    where the network is run, see `opsin.models.engine.DEVICES`.

    >>> import numpy as np
    >>> scan = np.linspace(0, 255, 64 * 48, dtype=np.uint8).reshape(48, 64)
    >>> [round(share, 1) for name, share in classify(scan).top(1000)][-1]
    0.0
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    threads = threads or min(cores(), MOST_THREADS)
    engines = [load_engine(name, threads=threads, device=device) for name in members(model)]
    rgb = as_rgb(photo.there.pixels)
    return classify_pixels(rgb, engines, second_look=second_look, threads=threads)


def classify_pixels(
    rgb: Pixels,
    engines: Sequence[Engine],
    *,
    second_look: bool | None = None,
    threads: int | None = None,
) -> Classes:
    """The same of sRGB pixels (H, W, 3) uint8, by networks that are loaded."""
    cards = tuple(engine.card for engine in engines)
    labels = labels_of(cards)
    colored = functools.cache(functools.partial(_colored, rgb, threads))
    found = []
    for engine in engines:
        table = table_of(engine.card)
        shares = [probabilities(engine, rgb)]
        if table.second_look if second_look is None else second_look:
            again = colored(round(engine.card.size / table.crop))
            shares += [] if again is None else [probabilities(engine, again)]
        found.append(_mean(shares))
    return Classes(_mean(found), labels, cards)


def probabilities(engine: Engine, rgb: NDArray[np.uint8]) -> Floats:
    """(n,) of one network, each that of a label of its card."""
    table, picture = table_of(engine.card), picture_of(rgb, engine.card)
    views = [picture, np.ascontiguousarray(picture[..., ::-1])] if table.mirror else [picture]
    output = engine.card.outputs[0].name
    logits = [engine.run({"picture": view})[output][0] for view in views]
    return _mean([softmax(one / table.temperature) for one in logits])


def picture_of(rgb: Pixels, card: Card) -> Floats:
    """(1, C, S, S) in 0..1: what the network is given of sRGB pixels (H, W, 3) uint8."""
    channels, side = (int(axis) for axis in card.inputs[0].shape[1:3])
    return planes_of(rgb, side, channels, table_of(card))[None]


def planes_of(rgb: Pixels, side: int, channels: int, table: Classify) -> Floats:
    """(C, S, S) in 0..1: the square of sRGB pixels (H, W, 3) uint8 that a table asks for."""
    square = resized(_square(rgb, table), side, side) / np.float32(255)
    planes = (square @ LUMA)[None] if channels == 1 else square.transpose(2, 0, 1)
    return np.ascontiguousarray(planes, np.float32)


def seen_part(height: int, width: int, table: Classify) -> tuple[slice, slice]:
    """Which rows and columns of a picture a network sees.

    >>> seen_part(4, 6, Classify(crop=0.5))
    (slice(1, 3, None), slice(2, 4, None))
    """
    if table.view == "whole":
        return slice(0, height), slice(0, width)
    side = max(1, round(min(height, width) * table.crop))
    top, left = (height - side) // 2, (width - side) // 2
    return slice(top, top + side), slice(left, left + side)


def softmax(logits: Floats) -> Floats:
    """Numbers (..., n) as shares that sum to 1.

    >>> softmax(np.zeros(4, np.float32)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def table_of(card: Card) -> Classify:
    """What a model's card says of how it classifies; one of another task is a `ModelError`."""
    if card.classify is None:
        raise ModelError(f"model '{card.name}' does not classify: its task is '{card.task}'.")
    return card.classify


def labels_of(cards: Sequence[Card]) -> tuple[str, ...]:
    """The labels that the models share; a `ModelError` if they are not the same."""
    for card in cards:
        table_of(card)
        if card.labels != cards[0].labels:
            names = f"'{cards[0].name}' and '{card.name}'"
            raise ModelError(f"models {names} have other labels; an ensemble needs the same.")
    return cards[0].labels


def _colored(rgb: Pixels, threads: int | None, side: int) -> Pixels | None:
    """A small copy of a gray or toned picture in color, its short side `side`; None if it has
    colors of its own."""
    height, width = rgb.shape[:2]
    view = View.of(height, width, min(side, height, width))
    small = resized(rgb, *view.seen)
    if tone_of(small) == "color":
        return None
    from opsin.colorization.pipeline import colorize  # which photographs in color do without

    return as_rgb(colorize(small, size=SECOND_SIZE, threads=threads).pixels)


def _mean(shares: Sequence[Floats]) -> Floats:
    found: Floats = np.mean(shares, axis=0, dtype=np.float32)
    return found


def _square(pixels: Pixels, table: Classify) -> Pixels:
    """What a network sees of pixels (H, W, C), not yet of its size."""
    height, width = pixels.shape[:2]
    rows, columns = seen_part(height, width, table)
    return pixels[rows, columns]
