"""How good a colorizer is, on photographs whose colors are known, and beside plain answers.

Each photograph is reduced to its L*; `scores` says how the answers are judged. Every system
stands beside three others that need no network: no color at all ("gray"), one color for all
pixels ("mean color", `prior.MEAN_COLOR`), and the true color made as small as the network's grid
and enlarged as the answers are ("ceiling").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization import prior
from opsin.colorization.ensemble import cards
from opsin.defaults import VIVIDNESS
from opsin.drawing.sheet import Cell, Sheet
from opsin.errors import DataError
from opsin.evaluate.colorization import equal
from opsin.evaluate.colorization.candidates import (
    Candidate,
    Systems,
    candidates,
    described,
    systems_of,
)
from opsin.evaluate.colorization.ceiling import ceiling
from opsin.evaluate.colorization.judge import Judge
from opsin.evaluate.colorization.recognized import Recognized
from opsin.evaluate.colorization.scores import METRICS, Truth, paint, scores, too_small, truth_of
from opsin.evaluate.frechet import Distances
from opsin.evaluate.report import Metric, Report, Scores, report
from opsin.sets.pictures import read
from opsin.sets.sources import Paths, listed

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

GRAY: Final = 1.0  # colorfulness that no eye sees
GRAY_WARNING: Final = "the pictures are gray, so the figures say nothing of colors."
# of all pictures together, if what they need is given
FRECHET: Final = Metric("frechet", "Frechet", ".2f", "lower", "likeness of all, in features")
JUDGED: Final = Metric("judged", "judged", ".0%", "higher", "taken for true by a discriminator")
RECOGNIZED: Final = Metric(
    "recognized", "recognized", ".1%", "higher", "a classifier calls it what it calls the true one"
)


@dataclass(frozen=True, eq=False)
class Scored:
    """A picture with all that was answered and how it scored, by system."""

    truth: Truth
    pixels: Mapping[str, Pixels]
    scores: Mapping[str, Scores]


def evaluate(
    data: Paths,
    *,
    model: str | Sequence[str] = "default",
    vividness: float | Sequence[float] = VIVIDNESS,
    size: int | None = None,
    gain: float | None = None,
    colorfulness: float | None = None,
    limit: int | None = None,
    sheet: str | Path | None = None,
    features: str | Path | None = None,
    discriminator: str | Path | None = None,
    classifier: str | None = None,
    on_picture: Callable[[Scored], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    """The report on models at one or several settings, over the pictures in `data`.

    `gain` takes the place of the models' own gains and contrast. With `colorfulness`, a share of
    the truth's, each model's a*b* are multiplied so that its pictures have it (`equal`).

    `data` are folders, tar files or pictures, of which the first `limit` are taken. `sheet` is
    where a contact sheet is written, `features` a feature network for the Frechet distance
    (`features.load`; needs the extra `train`), `discriminator` a GAN's, whose opinion is asked
    (`judge`), `classifier` a classifier's name, which is asked whether it finds the same on the
    colored picture as on the true one (`recognized`). `on_picture` is given each picture as it is
    done, `on_skip` is told of one that cannot be read and is passed over; without it, that is an
    error.

    >>> report = evaluate("photos.tar", vividness=(0, 0.5, 1))  # doctest: +SKIP
    >>> report["color-bins 0.5"].figures["delta_e"].value  # doctest: +SKIP
    """
    chosen = candidates(model, vividness, size, gain)
    systems, gains = systems_of(chosen), None
    overall = _overall(features, discriminator, classifier)
    pages = Sheet(sheet) if sheet else None
    if colorfulness is not None:
        quietly = on_skip and (lambda _: None)  # it is told below
        readable = _measurable(read(data, limit=limit, on_skip=quietly), quietly)
        gains = equal.gains_of(readable, systems, colorfulness)
        systems = equal.scaled(systems, gains)

    def see(scored: Scored) -> None:
        if pages:
            pages.add(cells(scored))
        for collector in overall.values():
            collector.add(scored.truth.rgb, scored.pixels)
        if on_picture:
            on_picture(scored)

    pictures = _measurable(read(data, limit=limit, on_skip=on_skip), on_skip)
    with pages or nullcontext():
        found = measure(pictures, systems, **_finest(chosen[0]), on_picture=see)
    for metric, collector in overall.items():
        values = {row.system: collector.of(row.system) for row in found.rows}
        found = found.with_figure(metric, values)
    options = described(
        chosen,
        data=[str(path) for path in listed(data)],
        features=str(features) if features else None,
        classifier=classifier,
        gain=gain,
        colorfulness=colorfulness,
        gains=gains,
    )
    return replace(found, provenance=options, notes=_notes(gains, colorfulness))


def measure(
    pictures: Iterable[tuple[str, Pixels]],
    systems: Systems | None = None,
    *,
    size: int = 256,
    stride: int = 4,
    threads: int | None = None,
    on_picture: Callable[[Scored], None] | None = None,
) -> Report:
    """The report on `systems` and on the baselines over named pictures (H, W, 3) uint8.

    `systems` takes L* (H, W) and gives one or several a*b* (H, W, 2), by name; it is called from
    several threads. `size` and `stride` are those of the network, for the ceiling's grid.
    `on_picture` is given each picture in order, with its answers.

    >>> plain = np.zeros((16, 16, 3), np.uint8) + np.uint8([200, 60, 60])
    >>> report = measure(
    ...     [("red", plain)],
    ...     lambda light: {f"a* {a}": np.full((*light.shape, 2), (a, 0.0)) for a in (0, 60)},
    ... )
    >>> [round(row.figures["delta_e"].value) for row in report.rows]  # gray, mean, the two, ceiling
    [27, 25, 27, 17, 0]
    """

    def one(picture: tuple[str, Pixels]) -> tuple[str, Mapping[str, Scores], Scored]:
        truth = truth_of(picture[1], picture[0])
        found = {**_plain(truth), **(systems(truth.light) if systems else {})}
        found["ceiling"] = ceiling(truth, size=size, stride=stride)
        pixels = {system: paint(truth, ab) for system, ab in found.items()}
        marks = {system: scores(truth, ab, pixels[system]) for system, ab in found.items()}
        return truth.name, marks, Scored(truth, pixels, marks)

    found = report(one, pictures, METRICS, threads=threads, on_item=on_picture)
    if all(one["colorfulness_true"] < GRAY for one in found.rows[0].scores):
        found = replace(found, warnings=(GRAY_WARNING,))
    return found


def cells(scored: Scored) -> list[Cell]:
    """A row of a contact sheet: the truth, gray, and the answers with their figures."""
    row = [Cell(scored.truth.rgb, f"{scored.truth.name}\nCF {scored.truth.colorfulness:.0f}")]
    for system, pixels in scored.pixels.items():
        if system not in ("mean color", "ceiling"):
            one = scored.scores[system]
            figures = (
                f"PSNR {one['psnr']:.1f}  dE {one['delta_e']:.1f}  CF {one['colorfulness']:.0f}"
            )
            row.append(Cell(pixels, f"{system}\n{figures}"))
    return row


def _measurable(
    pictures: Iterable[tuple[str, Pixels]], on_skip: Callable[[str], None] | None
) -> Iterator[tuple[str, Pixels]]:
    """Those that are large enough; another is told, or an error if nobody is there to be told."""
    for name, rgb in pictures:
        why = too_small(rgb, name)
        if why and on_skip is None:
            raise DataError(why)
        if why and on_skip:
            on_skip(why)
        else:
            yield name, rgb


def _plain(truth: Truth) -> dict[str, Floats]:
    gray = np.zeros(truth.ab.shape, np.float32)
    return {"gray": gray, "mean color": gray + np.array(prior.MEAN_COLOR, np.float32)}


def _finest(candidate: Candidate) -> dict[str, int]:
    """Size and stride of the network whose grid is the finest."""
    sizes = [(candidate.size or card.size, card) for card in cards(candidate.model)]
    size, card = max(sizes, key=lambda one: one[0] / one[1].outputs[0].stride)
    return {"size": size, "stride": card.outputs[0].stride}


def _notes(gains: Mapping[str, float] | None, colorfulness: float | None) -> tuple[str, ...]:
    if gains is None:
        return ()
    listed = ", ".join(f"{system} {gain:.2f}" for system, gain in gains.items())
    return (f"a*b* multiplied to have {colorfulness:.0%} of the true colorfulness: {listed}",)


def _overall(
    features: str | Path | None, discriminator: str | Path | None, classifier: str | None
) -> dict[Metric, Distances | Judge | Recognized]:
    """What is told of all pictures together, by its metric."""
    found: dict[Metric, Distances | Judge | Recognized] = {}
    if features:
        from opsin.evaluate.features import load

        found[FRECHET] = Distances(load(features))
    if discriminator:
        found[JUDGED] = Judge(discriminator)
    if classifier is not None:
        found[RECOGNIZED] = Recognized(classifier)
    return found
