"""Systems side by side: each photograph, the gray that the networks see, and every answer.

A photograph in color is its own truth, and the answers are measured against it as `opsin
evaluate` does. Of one that never had colors, or has lost them, only the answers' own color can
be told: colorfulness CF and the mean a* and b*, which show a tint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import tone_of
from opsin.color import rgb_to_lab
from opsin.colorization import upsample
from opsin.colorization.pipeline import paint as colored
from opsin.defaults import CELL, ROWS, VIVIDNESS
from opsin.drawing.pixels import as_rgb, fitted
from opsin.drawing.sheet import Cell, Sheet
from opsin.errors import DataError, SaveError
from opsin.evaluate.colorization.candidates import (
    Candidate,
    candidates,
    described,
    gray_photo,
    runs,
)
from opsin.evaluate.colorization.scores import Truth, paint, scores, truth_of
from opsin.evaluate.report import Metric, by_name
from opsin.files import shown
from opsin.models import store
from opsin.photo import Photo
from opsin.sets.pictures import photos
from opsin.sets.sources import Paths, listed

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

TASK: Final = "colorize"
LONGEST: Final = 1600  # pixels; a larger photograph is made smaller before it is shown or measured
METRICS: Final = (
    Metric("psnr", "PSNR dB", ".2f", "higher", "likeness to the true picture"),
    Metric("delta_e", "CIEDE2000", ".2f", "lower", "how far colors are off, to the eye"),
    Metric("colorfulness", "CF", ".1f", "zero", "how colorful the pictures are, 0 is gray"),
    Metric("mean_a", "mean a*", "+.1f", "zero", "from green to red; far from the truth's: a tint"),
    Metric("mean_b", "mean b*", "+.1f", "zero", "from blue to yellow, the same"),
    Metric("milliseconds", "ms", ".0f", "lower", "from the photograph to the network's answer"),
)


@dataclass(frozen=True)
class Outcome:
    """What can be told of one picture; None where there is no truth, or no network."""

    system: str
    colorfulness: float
    mean_ab: tuple[float, float]
    psnr: float | None = None
    delta_e: float | None = None
    milliseconds: float | None = None

    @property
    def mean_a(self) -> float:
        return self.mean_ab[0]

    @property
    def mean_b(self) -> float:
        return self.mean_ab[1]


@dataclass(frozen=True)
class Compared:
    """A photograph, and what is told of itself, of gray and of each answer, in this order."""

    name: str
    tone: str = ""  # "color": its own colors are the truth; "gray" or "toned": there is none
    figures: tuple[Outcome, ...] = ()

    def __getitem__(self, system: str) -> Outcome:
        return by_name(system, self.figures)


@dataclass(frozen=True)
class Comparison:
    """The photographs compared, and the pages written."""

    photographs: tuple[Compared, ...]
    pages: tuple[Path, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def means(self) -> list[Outcome]:
        """Each system's figures over the photographs in color, or all if none is; median time."""
        chosen = [one for one in self.photographs if one.tone == "color"] or self.photographs
        columns = zip(*(one.figures for one in chosen), strict=True)
        return [_mean(column) for column in columns]

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        import msgspec

        return {
            **self.provenance,
            "pages": [str(page) for page in self.pages],
            "means": msgspec.to_builtins(self.means()),
            "photographs": msgspec.to_builtins(self.photographs),
        }


def compare(
    paths: Paths,
    output: str | Path | None = None,
    *,
    models: str | Sequence[str] = "all",
    vividness: float | Sequence[float] = VIVIDNESS,
    size: int | None = None,
    plain: bool = False,
    original: bool = True,
    cell: int = CELL,
    rows: int = ROWS,
    limit: int | None = None,
    on_photo: Callable[[Compared], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Comparison:
    """Each photograph in `paths` (see `pictures.read`) beside what each model makes of it.

    `models` are "all" or names; a name with commas is an ensemble. `output` is where the sheet
    is written: its second page gets -2 and so on, and no `output` means no sheet. A `plain` one is
    for looking: no gray, and nothing is measured. Without `original` a row has not the photograph
    itself. `cell` is the longer side of its pictures, `rows` how many photographs are on a page.
    `on_photo` is given each photograph's figures as they are there. `on_skip` is told of a
    photograph that cannot be read and is passed over; without it, that is an error. A system is
    named after its model, followed by the vividness if there are several.

    >>> found = compare("photos", "compare.png")  # doctest: +SKIP
    >>> found.photographs[0]["default"].delta_e  # doctest: +SKIP
    """
    if output is not None:
        spare(paths, output)
    chosen = candidates(named(models), vividness, size)
    provenance = described(chosen)
    compared: list[Compared] = []
    sheet = Sheet(output, cell=cell, rows=rows) if output else None
    row_of = _plain if plain else _measured
    if not plain:  # a network's first run is slower
        list(runs(gray_photo(np.full((256, 256), 50, np.float32)), chosen))
    with sheet or nullcontext():
        for name, photo in islice(photos(paths, on_skip=on_skip), limit):
            try:
                found, cells = row_of(name, photo, chosen)
            except DataError as error:  # too small to be measured
                if on_skip is None:
                    raise
                on_skip(str(error))
                continue
            compared.append(found)
            if sheet:
                sheet.add(_row(cells, name, original=original))
            if on_photo:
                on_photo(found)
    if not compared:
        raise DataError("none of the photographs can be measured; --plain shows them.")
    return Comparison(tuple(compared), tuple(sheet.pages) if sheet else (), provenance)


def spare(paths: Paths, output: str | Path) -> None:
    """No photograph is overwritten by a picture about it."""
    target = Path(output).resolve()
    places = [Path(path).resolve() for path in listed(paths)]
    if target in places or (target.exists() and any(place in places for place in target.parents)):
        raise SaveError(
            f"{shown(output)} is one of the photographs; it would be overwritten. "
            f"Choose another name."
        )


def named(models: str | Sequence[str]) -> list[str]:
    """The names meant, each once; "all" stands for all colorizers that there are."""
    given = [models] if isinstance(models, str) else models
    every = [name for name in store.names() if store.find(name).card.task == TASK]
    return list(dict.fromkeys(name for one in given for name in (every if one == "all" else [one])))


def caption(outcome: Outcome) -> str:
    """The lines below a picture."""
    a, b = outcome.mean_ab
    color = f"CF {outcome.colorfulness:.0f}  mean a* {a:+.0f} b* {b:+.0f}"
    if outcome.system == "photograph":
        return color if outcome.colorfulness else ""
    lines = ["gray, as networks see it" if outcome.system == "gray" else outcome.system]
    if outcome.psnr is not None:
        lines.append(f"PSNR {outcome.psnr:.1f} dB  CIEDE2000 {outcome.delta_e:.1f}")
    if outcome.milliseconds is not None:
        lines.append(f"{color}  {outcome.milliseconds:.0f} ms")
    return "\n".join(lines)


def _row(cells: Sequence[Cell], name: str, *, original: bool) -> list[Cell]:
    """A row of the sheet, whose first picture tells the photograph's name."""
    first, *others = cells if original else cells[1:]
    return [replace(first, caption=f"{name}\n{first.caption}".rstrip()), *others]


def _plain(name: str, photo: Photo, chosen: Sequence[Candidate]) -> tuple[Compared, list[Cell]]:
    """The photograph, and its colors by each candidate as `opsin colorize` gives them."""
    cells = [
        Cell(as_rgb(colored(photo, run.colors).pixels), run.candidate.label)
        for run in runs(photo, chosen)
    ]
    return Compared(name), [Cell(as_rgb(photo.pixels)), *cells]


def _measured(name: str, photo: Photo, chosen: Sequence[Candidate]) -> tuple[Compared, list[Cell]]:
    """The photograph, its gray and each answer, made smaller if need be, with their figures."""
    rgb = np.ascontiguousarray(fitted(as_rgb(photo.pixels), LONGEST))
    truth, tone = truth_of(rgb, name), "gray" if photo.is_gray else tone_of(rgb)
    found = list(_outcomes(truth, tone, chosen))
    cells = [Cell(pixels, caption(one)) for one, pixels in found]
    return Compared(name, tone, tuple(one for one, _ in found)), cells


def _outcomes(
    truth: Truth, tone: str, chosen: Sequence[Candidate]
) -> Iterator[tuple[Outcome, Pixels]]:
    own = Outcome("photograph", truth.colorfulness if tone != "gray" else 0, _mean_ab(truth.lab))
    yield own, truth.rgb
    yield _outcome("gray", truth, tone, np.zeros(truth.ab.shape, np.float32), None)
    several = len({one.vividness for one in chosen}) > 1
    for run in runs(gray_photo(truth.light), chosen):
        ab = upsample.upsample(run.colors.ab, run.colors.light, truth.light)
        system = run.candidate.label if several else run.candidate.name
        yield _outcome(system, truth, tone, ab, 1000 * run.seconds)


def _outcome(
    system: str, truth: Truth, tone: str, ab: Floats, milliseconds: float | None
) -> tuple[Outcome, Pixels]:
    pixels = paint(truth, ab)
    found = scores(truth, ab, pixels)
    known = tone == "color"  # what is no truth of the photograph is not used
    outcome = Outcome(
        system,
        found["colorfulness"],
        _mean_ab(rgb_to_lab(pixels.astype(np.float32) / 255)),
        psnr=found["psnr"] if known else None,
        delta_e=found["delta_e"] if known else None,
        milliseconds=milliseconds,
    )
    return outcome, pixels


def _mean_ab(lab: Floats) -> tuple[float, float]:
    a, b = lab[..., 1:].mean(axis=(0, 1), dtype=np.float64)
    return float(a), float(b)


def _mean(column: Sequence[Outcome]) -> Outcome:
    """One system's figures over all photographs."""

    def over(values: Sequence[float | None], average: Callable[..., Any]) -> float | None:
        known = [value for value in values if value is not None]
        return float(average(known)) if known else None

    a, b = np.mean([one.mean_ab for one in column], axis=0)
    return Outcome(
        column[0].system,
        float(np.mean([one.colorfulness for one in column])),
        (float(a), float(b)),
        psnr=over([one.psnr for one in column], np.mean),
        delta_e=over([one.delta_e for one in column], np.mean),
        milliseconds=over([one.milliseconds for one in column], np.median),
    )
