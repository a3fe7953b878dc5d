"""Systems side by side: each photograph, the gray that the networks see, and every answer.

A photograph in color is its own truth, and the answers are measured against it as `opsin
evaluate` does. Of one that never had colors, or has lost them, only the answers' own color can
be told: colorfulness CF and the mean a* and b*, which show a tint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin import __version__
from opsin.appearance import color_kind
from opsin.color import rgb_to_lab
from opsin.colorization import upsample
from opsin.colorization.ensemble import cards
from opsin.defaults import VIVIDNESS
from opsin.drawing.pixels import as_rgb, fitted
from opsin.drawing.sheet import CELL, ROWS, Cell, Sheet
from opsin.errors import DataError
from opsin.evaluate.answers import Setting, answered, gray_photo, settings
from opsin.evaluate.scores import Truth, by_name, paint, scores_of, truth_of
from opsin.evaluate.sheet import spare
from opsin.models import store
from opsin.photo import Photo
from opsin.sets.pictures import Paths, photos

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

LONGEST = 1600  # pixels; a larger photograph is made smaller before it is measured


@dataclass(frozen=True)
class Figures:
    """What can be told of one picture; None where there is no truth, or no network."""

    system: str
    colorfulness: float
    mean_ab: tuple[float, float]
    psnr: float | None = None
    delta_e: float | None = None
    milliseconds: float | None = None


@dataclass(frozen=True)
class Compared:
    """A photograph, the figures of itself, of gray and of each answer, in this order."""

    name: str
    kind: str  # "color": its own colors are the truth; "gray" or "toned": there is none
    figures: tuple[Figures, ...]

    def __getitem__(self, system: str) -> Figures:
        return by_name(system, self.figures)


@dataclass(frozen=True)
class Comparison:
    """The photographs compared, and the pages written."""

    photographs: tuple[Compared, ...]
    pages: tuple[Path, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def means(self) -> list[Figures]:
        """Each system's figures over the photographs in color, or all if none is; median time."""
        chosen = [one for one in self.photographs if one.kind == "color"] or self.photographs
        columns = zip(*(one.figures for one in chosen), strict=True)
        return [_mean(column) for column in columns]


def compare(
    paths: Paths,
    output: str | Path | None = None,
    *,
    models: str | Sequence[str] = "all",
    vividness: float | Sequence[float] = VIVIDNESS,
    size: int | None = None,
    cell: int = CELL,
    rows: int = ROWS,
    limit: int | None = None,
    watch: Callable[[Compared], None] | None = None,
    passed: Callable[[str], None] | None = None,
) -> Comparison:
    """Each photograph in `paths` (see `pictures.read`) beside what each model makes of it.

    `models` are "all" or names; a name with commas is an ensemble. `output` is where the sheet
    is written: its second page gets -2 and so on, and no `output` means no sheet. `cell` is the
    longer side of its pictures, `rows` how many photographs are on a page. `watch` is given each
    photograph's figures as they are there. `passed` is told of a photograph that cannot be read
    and is passed over; without it, that is an error. A system is named after its model,
    followed by the vividness if there are several.

    >>> found = compare("photos", "compare.png")  # doctest: +SKIP
    >>> found.photographs[0]["default"].delta_e  # doctest: +SKIP
    """
    if output is not None:
        spare(paths, output)
    asked = settings(named(models), vividness, size)
    described = _described(asked)
    compared: list[Compared] = []
    with ExitStack() as stack:
        sheet = stack.enter_context(Sheet(output, cell=cell, rows=rows)) if output else None
        for name, photo in islice(photos(paths, passed=passed), limit):
            truth, kind = _seen(name, photo)
            if not compared:  # a network's first run is slower
                list(answered(gray_photo(truth.light), asked))
            found = list(_pictures(truth, kind, asked))
            compared.append(Compared(name, kind, tuple(figures for figures, _ in found)))
            if sheet:
                sheet.add([Cell(pixels, caption(figures, name)) for figures, pixels in found])
            if watch:
                watch(compared[-1])
    if not compared:
        raise DataError("none of the photographs can be read: there is nothing to compare.")
    return Comparison(tuple(compared), tuple(sheet.pages) if sheet else (), described)


def named(models: str | Sequence[str]) -> list[str]:
    """The names meant, each once; "all" stands for all models that there are."""
    given = [models] if isinstance(models, str) else models
    return list(
        dict.fromkeys(name for one in given for name in (store.names() if one == "all" else [one]))
    )


def caption(figures: Figures, name: str) -> str:
    """The lines below a picture."""
    a, b = figures.mean_ab
    color = f"CF {figures.colorfulness:.0f}  mean a* {a:+.0f} b* {b:+.0f}"
    if figures.system == "photograph":
        return f"{name}\n{color}" if figures.colorfulness else name
    lines = ["gray, as networks see it" if figures.system == "gray" else figures.system]
    if figures.psnr is not None:
        lines.append(f"PSNR {figures.psnr:.1f} dB  CIEDE2000 {figures.delta_e:.1f}")
    if figures.milliseconds is not None:
        lines.append(f"{color}  {figures.milliseconds:.0f} ms")
    return "\n".join(lines)


def _seen(name: str, photo: Photo) -> tuple[Truth, str]:
    """The photograph, not too large, and its kind; what is no truth of it is not used."""
    rgb = np.ascontiguousarray(fitted(as_rgb(photo.pixels), LONGEST))
    return truth_of(rgb, name), "gray" if photo.is_gray else color_kind(rgb)


def _pictures(
    truth: Truth, kind: str, asked: Sequence[Setting]
) -> Iterator[tuple[Figures, Pixels]]:
    """Of a row of the sheet the figures and the pictures (H, W, 3)."""
    photo = gray_photo(truth.light)
    own = Figures("photograph", truth.colorfulness if kind != "gray" else 0, _mean_ab(truth.lab))
    yield own, truth.rgb
    plain = np.zeros(truth.ab.shape, np.float32)
    yield _measured("gray", truth, kind, plain, None)
    several = len({setting.vividness for setting in asked}) > 1
    for setting, answer, seconds in answered(photo, asked):
        ab = upsample.upsample(answer.ab, answer.light, truth.light)
        system = setting.label if several else setting.name
        yield _measured(system, truth, kind, ab, seconds)


def _measured(
    system: str, truth: Truth, kind: str, ab: Floats, seconds: float | None
) -> tuple[Figures, Pixels]:
    pixels = paint(truth, ab)
    scores = scores_of(truth, ab, pixels)
    known = kind == "color"
    figures = Figures(
        system,
        scores.colorfulness,
        _mean_ab(rgb_to_lab(pixels.astype(np.float32) / 255)),
        psnr=scores.psnr if known else None,
        delta_e=scores.delta_e if known else None,
        milliseconds=None if seconds is None else 1000 * seconds,
    )
    return figures, pixels


def _mean_ab(lab: Floats) -> tuple[float, float]:
    a, b = lab[..., 1:].mean(axis=(0, 1), dtype=np.float64)
    return float(a), float(b)


def _mean(column: Sequence[Figures]) -> Figures:
    """One system's figures over all photographs."""

    def over(values: Sequence[float | None], average: Callable[..., Any]) -> float | None:
        known = [value for value in values if value is not None]
        return float(average(known)) if known else None

    a, b = np.mean([one.mean_ab for one in column], axis=0)
    return Figures(
        column[0].system,
        float(np.mean([one.colorfulness for one in column])),
        (float(a), float(b)),
        psnr=over([one.psnr for one in column], np.mean),
        delta_e=over([one.delta_e for one in column], np.mean),
        milliseconds=over([one.milliseconds for one in column], np.median),
    )


def _described(asked: Sequence[Setting]) -> dict[str, Any]:
    """What somebody must know to get the same sheet again; unknown models stop here."""
    models = dict.fromkeys(card for one in asked for card in cards(one.model))
    return {
        "opsin": __version__,
        "models": [
            {"name": card.name, "version": card.version, "sha256": card.sha256} for card in models
        ],
        "vividness": list(dict.fromkeys(one.vividness for one in asked)),
        "size": asked[0].size,
    }
