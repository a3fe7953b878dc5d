"""What is compared: models and ensembles at one or several amounts of vividness."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import pixels_of_lab
from opsin.colorization import upsample
from opsin.colorization.ensemble import cards
from opsin.colorization.pipeline import Colors, colors_of, run_model
from opsin.evaluate.report import provenance
from opsin.models.card import Card
from opsin.models.engine import load_engine
from opsin.models.store import members
from opsin.photo import Photo

Floats: TypeAlias = NDArray[np.float32]

Systems: TypeAlias = Callable[[Floats], Mapping[str, Floats]]
"""From L* (H, W) to the a*b* (H, W, 2) of one or several systems, by name."""


@dataclass(frozen=True)
class Candidate:
    """A model, or an ensemble with commas, at a setting."""

    model: str
    vividness: float
    size: int | None = None
    name: str = ""
    """What the model is called in tables and captions; `candidates` finds it."""
    gain: float | None = None
    """In place of the model's own gain and contrast."""

    @property
    def label(self) -> str:
        """What its colors are called in tables and captions."""
        return f"{self.name} {self.vividness:g}"


class Run(NamedTuple):
    """What a candidate gave for a photograph."""

    candidate: Candidate
    colors: Colors
    seconds: float
    """That its networks took, from the photograph on; one run serves all vividness values."""


def candidates(
    model: str | Sequence[str],
    vividness: float | Sequence[float],
    size: int | None = None,
    gain: float | None = None,
) -> list[Candidate]:
    """Each model at each vividness; a model's file is called by its name, unless two have it.

    >>> [one.label for one in candidates("runs/mine.toml", (0, 0.5))]
    ['mine 0', 'mine 0.5']
    """
    models = [model] if isinstance(model, str) else model
    amounts = vividness if isinstance(vividness, Sequence) else [vividness]
    short = [",".join(map(_name_of, name.split(","))) for name in models]
    names = short if len(set(short)) == len(set(models)) else models
    return [
        Candidate(one, amount, size, name, gain)
        for one, name in zip(models, names, strict=True)
        for amount in amounts
    ]


def _name_of(model: str) -> str:
    return Path(model).stem if Path(model).suffix in (".toml", ".onnx") else model


def systems_of(chosen: Sequence[Candidate], *, threads: int = 1) -> Systems:
    """The a*b* of candidates for L*: each gets a gray photograph, as from `opsin colorize`."""
    cards_of(chosen)  # an unknown name stops here, not at the first picture

    def systems(light: Floats) -> dict[str, Floats]:
        return {
            run.candidate.label: upsample.upsample(run.colors.ab, run.colors.light, light)
            for run in runs(gray_photo(light), chosen, threads=threads)
        }

    return systems


def runs(photo: Photo, chosen: Sequence[Candidate], *, threads: int | None = None) -> Iterator[Run]:
    """What each candidate gives for `photo`; a model is run once for those in a row."""
    for (model, size), group in groupby(chosen, lambda one: (one.model, one.size)):
        for name in members(model):
            load_engine(name, threads=threads)  # not counted
        began = time.perf_counter()
        outputs = run_model(photo, model=model, size=size, threads=threads)
        seconds = time.perf_counter() - began
        for one in group:
            yield Run(one, colors_of(outputs, one.vividness, one.gain), seconds)


def cards_of(chosen: Sequence[Candidate]) -> list[Card]:
    """The cards of all networks among the candidates; an unknown name is a `ModelError`."""
    return [card for one in chosen for card in cards(one.model)]


def described(chosen: Sequence[Candidate], **options: Any) -> dict[str, Any]:
    """What somebody must know to get the same again."""
    amounts = list(dict.fromkeys(one.vividness for one in chosen))
    return provenance(cards_of(chosen), vividness=amounts, size=chosen[0].size, **options)


def gray_photo(light: Floats) -> Photo:
    """The 8-bit gray photograph with this L*."""
    gray = pixels_of_lab(light, np.zeros((*light.shape, 2), np.float32), np.uint8)
    return Photo(np.ascontiguousarray(gray[..., :1]))
