"""What the models say: their a*b* for a given L*, at one or several settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import pixels_of_lab
from opsin.colorization import upsample
from opsin.colorization.ensemble import cards, members
from opsin.colorization.pipeline import Answer, answer_of, ask
from opsin.models.engine import load_engine
from opsin.photo import Photo

Floats: TypeAlias = NDArray[np.float32]

Answers: TypeAlias = Callable[[Floats], Mapping[str, Floats]]
"""From L* (H, W) to one or several a*b* (H, W, 2), by name."""


@dataclass(frozen=True)
class Setting:
    """A model, or an ensemble with commas, as it is asked."""

    model: str
    vividness: float
    size: int | None = None
    name: str = ""
    """What the model is called in tables and captions; `settings` finds it."""
    gain: float | None = None
    """In place of the model's own gain and contrast."""

    @property
    def label(self) -> str:
        """What the answer is called in tables and captions."""
        return f"{self.name} {self.vividness:g}"


class Answered(NamedTuple):
    """What a setting gave for a photograph."""

    setting: Setting
    answer: Answer
    seconds: float
    """That its networks took, from the photograph on; one run serves all vividness values."""


def settings(
    model: str | Sequence[str],
    vividness: float | Sequence[float],
    size: int | None = None,
    gain: float | None = None,
) -> list[Setting]:
    """Each model at each vividness; a model's file is called by its name, unless two have it.

    >>> [setting.label for setting in settings("runs/mine.toml", (0, 0.5))]
    ['mine 0', 'mine 0.5']
    """
    models = [model] if isinstance(model, str) else model
    amounts = vividness if isinstance(vividness, Sequence) else [vividness]
    short = [",".join(map(_name_of, name.split(","))) for name in models]
    names = short if len(set(short)) == len(set(models)) else models
    return [
        Setting(asked, amount, size, name, gain)
        for asked, name in zip(models, names, strict=True)
        for amount in amounts
    ]


def _name_of(model: str) -> str:
    return Path(model).stem if Path(model).suffix in (".toml", ".onnx") else model


def answers_of(asked: Sequence[Setting], *, threads: int = 1) -> Answers:
    """The answers of models to L*: each gets a gray photograph, as from `opsin colorize`."""
    for setting in asked:
        cards(setting.model)  # an unknown name stops here, not at the first picture

    def answers(light: Floats) -> dict[str, Floats]:
        return {
            one.setting.label: upsample.upsample(one.answer.ab, one.answer.light, light)
            for one in answered(gray_photo(light), asked, threads=threads)
        }

    return answers


def answered(
    photo: Photo, asked: Sequence[Setting], *, threads: int | None = None
) -> Iterator[Answered]:
    """What each setting gives for `photo`; a model is run once for those in a row."""
    for (model, size), group in groupby(asked, lambda setting: (setting.model, setting.size)):
        for name in members(model):
            load_engine(name, threads=threads)  # not counted
        began = time.perf_counter()
        said = ask(photo, model=model, size=size, threads=threads)
        seconds = time.perf_counter() - began
        for setting in group:
            yield Answered(setting, answer_of(said, setting.vividness, setting.gain), seconds)


def gray_photo(light: Floats) -> Photo:
    """The 8-bit gray photograph with this L*."""
    gray = pixels_of_lab(light, np.zeros((*light.shape, 2), np.float32), np.uint8)
    return Photo(np.ascontiguousarray(gray[..., :1]))
