"""How good a colorizer is, on photographs whose colors are known, and beside plain answers.

Each photograph is reduced to its L*; `scores` says how the answers are judged. Every system
stands beside three others that need no network: no color at all ("gray"), one color for all
pixels ("mean color", `prior.MEAN_COLOR`), and the true color made as small as the network's grid
and enlarged as the answers are ("ceiling").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin import __version__
from opsin.colorization import prior, upsample
from opsin.colorization.ensemble import cards
from opsin.colorization.pipeline import network_size
from opsin.defaults import VIVIDNESS
from opsin.drawing.sheet import Cell, Sheet
from opsin.errors import missing_extra
from opsin.evaluate import equal, statistics
from opsin.evaluate.answers import Answers, Setting, answers_of, settings
from opsin.evaluate.frechet import Distances, Features
from opsin.evaluate.judge import Judge
from opsin.evaluate.scores import (
    Row,
    Scores,
    Truth,
    by_name,
    paint,
    scores_of,
    summarize,
    truth_of,
)
from opsin.machine import cores
from opsin.sets.pictures import Paths, listed, read

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

BATCH = 8  # pictures in memory at once, for each thread


@dataclass(frozen=True, eq=False)
class Scored:
    """A picture with all that was answered and how it scored, by system."""

    truth: Truth
    pixels: Mapping[str, Pixels]
    scores: Mapping[str, Scores]


@dataclass(frozen=True)
class Report:
    """A row for each system, over the same pictures in the same order."""

    pictures: tuple[str, ...]
    rows: tuple[Row, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, system: str) -> Row:
        return by_name(system, self.rows)


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
    watch: Callable[[Scored], None] | None = None,
) -> Report:
    """The report on models at one or several settings, over the pictures in `data`.

    `gain` takes the place of the models' own gains and contrast. With `colorfulness`, a share of
    the truth's, each model's a*b* are multiplied so that its pictures have it (`equal`).

    `data` are folders, tar files or pictures, of which the first `limit` are taken. `sheet` is
    where a contact sheet is written, `features` a feature network for the Frechet distance
    (`features.load`; needs the extra `train`), `discriminator` a GAN's, whose opinion is asked
    (`judge`). `watch` is given each picture as it is done.

    >>> report = evaluate("photos.tar", vividness=(0, 0.5, 1))  # doctest: +SKIP
    >>> report["color-bins 0.5"].figures["delta_e"].value  # doctest: +SKIP
    """
    asked = settings(model, vividness, size, gain)
    answers, gains = answers_of(asked), None
    finest = min(cards(asked[0].model), key=lambda card: card.output.stride / (size or card.size))
    distances = Distances(_load_features(features)) if features else None
    judge = Judge(discriminator) if discriminator else None
    with ExitStack() as stack:
        pages = stack.enter_context(Sheet(sheet)) if sheet else None

        def see(scored: Scored) -> None:
            if pages:
                pages.add(cells(scored))
            if distances:
                distances.add(scored.truth.rgb, scored.pixels)
            if judge:
                judge.add(scored.truth.rgb, scored.pixels)
            if watch:
                watch(scored)

        if colorfulness is not None:
            gains = equal.gains_of(read(data, limit=limit), answers, colorfulness)
            answers = equal.scaled(answers, gains)
        report = measure(
            read(data, limit=limit),
            answers,
            size=size or finest.size,
            stride=finest.output.stride,
            watch=see,
        )
    if distances:
        rows = tuple(replace(row, frechet=distances.of(row.system)) for row in report.rows)
        report = replace(report, rows=rows)
    if judge:
        rows = tuple(replace(row, judged=judge.of(row.system)) for row in report.rows)
        report = replace(report, rows=rows)
    more = {"gain": gain, "colorfulness": colorfulness, "gains": gains}
    return replace(report, settings={**_described(data, asked, features), **more})


def measure(
    pictures: Iterable[tuple[str, Pixels]],
    answers: Answers | None = None,
    *,
    size: int = 256,
    stride: int = 4,
    threads: int | None = None,
    watch: Callable[[Scored], None] | None = None,
) -> Report:
    """The report on `answers` and on the baselines over named pictures (H, W, 3) uint8.

    `answers` takes L* (H, W) and gives one or several a*b* (H, W, 2), by name; it is called from
    several threads. `size` and `stride` are those of the network, for the ceiling's grid.
    `watch` is given each picture in order, with its answers.

    >>> plain = np.zeros((16, 16, 3), np.uint8) + np.uint8([200, 60, 60])
    >>> report = measure(
    ...     [("red", plain)],
    ...     lambda light: {f"a* {a}": np.full((*light.shape, 2), (a, 0.0)) for a in (0, 60)},
    ... )
    >>> [round(row.figures["delta_e"].value) for row in report.rows]  # gray, mean, the two, ceiling
    [27, 25, 27, 17, 0]
    """
    threads = threads or cores()

    def one(picture: tuple[str, Pixels]) -> Scored:
        truth = truth_of(picture[1], picture[0])
        found = {**_plain(truth), **(answers(truth.light) if answers else {})}
        found["ceiling"] = ceiling(truth, size=size, stride=stride)
        pixels = {system: paint(truth, ab) for system, ab in found.items()}
        scores = {system: scores_of(truth, ab, pixels[system]) for system, ab in found.items()}
        return Scored(truth, pixels, scores)

    names: list[str] = []
    columns: dict[str, list[Scores]] = {}
    for scored in _in_order(one, pictures, threads):
        names.append(scored.truth.name)
        for system, scores in scored.scores.items():
            columns.setdefault(system, []).append(scores)
        if watch:
            watch(scored)
    rows = tuple(summarize(system, scores) for system, scores in columns.items())
    return Report(tuple(names), rows)


def ceiling(truth: Truth, *, size: int, stride: int) -> Floats:
    """The best a*b* that a network of this size and stride could answer: the truth's, enlarged."""
    height, width = truth.light.shape
    seen = network_size(height, width, size)
    ab_seen, light_seen = shrink(truth.ab, seen), shrink(truth.light, seen)
    over = [(0, -side % stride) for side in seen]  # the last cells may reach over the edge
    cells = np.pad(ab_seen, [*over, (0, 0)], mode="edge")
    rows, columns = cells.shape[0] // stride, cells.shape[1] // stride
    small = cells.reshape(rows, stride, columns, stride, 2).mean(axis=(1, 3))
    plan = upsample.fit(small, light_seen)
    ab: Floats = upsample.apply(plan, truth.light, slice(0, height), (height, width))
    return ab


def shrink(values: Floats, size_hw: tuple[int, int]) -> Floats:
    """`values` (H, W) or (H, W, C) averaged over the areas of a grid of another size."""
    rows = _areas(values.shape[0], size_hw[0])
    columns = _areas(values.shape[1], size_hw[1])
    planes = np.moveaxis(values.reshape(*values.shape[:2], -1), -1, 0)
    small = np.moveaxis(rows @ planes @ columns.T, 0, -1).reshape(*size_hw, *values.shape[2:])
    return np.ascontiguousarray(small, np.float32)


def cells(scored: Scored) -> list[Cell]:
    """A row of a contact sheet: the truth, gray, and the answers with their figures."""
    row = [Cell(scored.truth.rgb, f"{scored.truth.name}\nCF {scored.truth.colorfulness:.0f}")]
    for system, pixels in scored.pixels.items():
        if system not in ("mean color", "ceiling"):
            one = scored.scores[system]
            figures = f"PSNR {one.psnr:.1f}  dE {one.delta_e:.1f}  CF {one.colorfulness:.0f}"
            row.append(Cell(pixels, f"{system}\n{figures}"))
    return row


def _plain(truth: Truth) -> dict[str, Floats]:
    gray = np.zeros(truth.ab.shape, np.float32)
    return {"gray": gray, "mean color": gray + np.array(prior.MEAN_COLOR, np.float32)}


def _areas(long: int, short: int) -> Floats:
    """The matrix (short, long) that averages `long` samples over `short` equal intervals."""
    edges = np.arange(short + 1) * (long / short)
    left = np.maximum(edges[:-1, None], np.arange(long))
    right = np.minimum(edges[1:, None], np.arange(1, long + 1))
    shares: Floats = (np.maximum(right - left, 0) * (short / long)).astype(np.float32)
    return shares


def _in_order(
    work: Callable[[tuple[str, Pixels]], Scored],
    pictures: Iterable[tuple[str, Pixels]],
    threads: int,
) -> Iterator[Scored]:
    """`work` done on each picture by a few threads, never with more than a batch in memory."""
    source = iter(pictures)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(source, BATCH * threads)):
            yield from pool.map(work, batch)


def _load_features(path: str | Path) -> Features:
    try:
        from opsin.evaluate import features
    except ImportError as error:
        raise missing_extra("a feature network", "train") from error
    return features.load(path)


def _described(
    data: Paths, asked: Sequence[Setting], features: str | Path | None
) -> dict[str, Any]:
    """What somebody must know to get the same figures again."""
    models = dict.fromkeys(card for one in asked for card in cards(one.model))
    return {
        "opsin": __version__,
        "data": [str(path) for path in listed(data)],
        "models": [
            {"name": card.name, "version": card.version, "sha256": card.sha256} for card in models
        ],
        "vividness": list(dict.fromkeys(one.vividness for one in asked)),
        "size": asked[0].size,
        "features": str(features) if features else None,
        "interval": f"{statistics.LEVEL:.0%}, percentile bootstrap over pictures, "
        f"{statistics.RESAMPLES} resamples, seed {statistics.SEED}",
    }
