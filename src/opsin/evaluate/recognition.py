"""How good a classifier is, on pictures that lie in folders named after their classes.

Old photographs are gray, so each picture may be seen in several ways, see `seen`.
"""

from __future__ import annotations

import functools
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.archive.gender import face_in_the_middle
from opsin.defaults import CLASSIFIER
from opsin.drawing.page import check_page
from opsin.errors import DataError
from opsin.evaluate import recognition_page
from opsin.evaluate.bootstrap import Doubles
from opsin.evaluate.report import (
    Means,
    Metric,
    Report,
    Scores,
    provenance,
    ratio,
    report,
    summarize,
)
from opsin.evaluate.roc import area
from opsin.evaluate.seen import SEEN, check
from opsin.files import few, write_atomically
from opsin.models.engine import load_engine
from opsin.models.store import members
from opsin.recognition.pipeline import classify_pixels, labels_of
from opsin.sets.pictures import read_labeled
from opsin.sets.sources import Paths, listed

Floats: TypeAlias = NDArray[Any]
Pixels: TypeAlias = NDArray[np.uint8]

BINS: Final = 15  # of confidence, for the calibration error (Guo et al. 2017)
MOST_RECALLS: Final = 10  # classes whose recall is told one by one

TOP1: Final = Metric("top1", "top-1", ".1%", "higher", "the likeliest name is right")
TOP5: Final = Metric("top5", "top-5", ".1%", "higher", "the right name is among five")
BALANCED: Final = Metric(
    "balanced",
    "balanced",
    ".1%",
    "higher",
    "the mean over classes of the share that is right",
    ratio("weighted", "weight"),
)
AUC: Final = Metric("auc", "AUC", ".3f", "higher", "two classes: area below the ROC curve")
MILLISECONDS: Final = Metric("milliseconds", "ms", ".1f", "lower", "a picture, on one core")
PARAMETERS: Final = Metric("parameters", "parameters", ",.0f", "lower", "numbers training has set")


def _calibration_error(means: Means) -> Doubles:
    """How far confidence is from accuracy, over bins of confidence (Guo et al. 2017, eq. 3)."""
    gaps = [np.abs(means[f"gap {number}"]) for number in range(BINS)]
    total: Doubles = np.sum(gaps, axis=0, dtype=np.float64)
    return total


ECE: Final = Metric(
    "ece",
    "ECE",
    ".1%",
    "lower",
    "how far probabilities are from what comes true",
    _calibration_error,
)


def evaluate(
    data: Paths,
    *,
    model: str | Sequence[str] = CLASSIFIER,
    seen: Sequence[str] = ("color",),
    second_look: bool | None = None,
    faces: bool = False,
    page: str | Path | None = None,
    limit: int | None = None,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    """The report on classifiers over the pictures in `data`: folders, tar files or their splits.

    A picture's class is the first folder of its name in its set, as for `opsin learn`. Those of no
    class of the models are left out and told; a `DataError` if no other is there. `model` are
    names, `seen` ways of `SEEN`. A row is a model, or a model and a way.
    `second_look` is as for `opsin.classify`. With `faces`, the face nearest to the middle of each
    picture is classified; where none is found, the answer is wrong. `page` is an HTML
    file to write, with what was confused and how sure to be.
    """
    check(seen)
    if page is not None:
        check_page(Path(page), maker=recognition_page.MAKER)
    models = [model] if isinstance(model, str) else list(model)
    engines = {name: [load_engine(one, threads=1) for one in members(name)] for name in models}
    labels = {name: labels_of([one.card for one in found]) for name, found in engines.items()}
    rows = {
        (name, way): f"{name}, {way}" if len(seen) > 1 else name for name in models for way in seen
    }

    def work(picture: tuple[str, str, Pixels]) -> tuple[str, Mapping[str, Scores], str]:
        name, label, rgb = picture
        scores = {}
        for (model, way), row in rows.items():
            truth = number_of(label, labels[model])
            assert truth is not None
            pixels = SEEN[way](rgb, name)
            began = time.perf_counter()
            face = face_in_the_middle(pixels, threads=1) if faces else pixels
            if face is None:
                found = _wrong(truth, len(labels[model]))
            else:
                found = classify_pixels(
                    face, engines[model], second_look=second_look, threads=1
                ).probabilities
            taken = time.perf_counter() - began
            scores[row] = {**scores_of(found, truth), "milliseconds": 1000 * taken}
        return name, scores, name

    strays: list[str] = []

    def known() -> Iterator[tuple[str, str, Pixels]]:
        for name, label, rgb in read_labeled(data, on_skip=on_skip):
            if label is None or any(number_of(label, one) is None for one in labels.values()):
                strays.append(name)
            else:
                yield name, label, rgb

    pictures = islice(known(), limit)
    first = next(pictures, None)
    if first is None:
        raise DataError(_stray_words(strays, labels[models[0]]))
    found = report(work, chain([first], pictures), [TOP1], on_item=on_picture)
    cards = [one.card for several in engines.values() for one in several]
    about = provenance(cards, data=[str(path) for path in listed(data)], seen=list(seen))
    warnings = (_stray_words(strays, labels[models[0]]),) if strays else ()
    found = replace(_summarized(found, labels[models[0]]), provenance=about, warnings=warnings)
    sizes = {name: [one.card.parameters for one in several] for name, several in engines.items()}
    if all(number for several in sizes.values() for number in several):
        found = found.with_figure(
            PARAMETERS, {row: sum(filter(None, sizes[name])) for (name, _), row in rows.items()}
        )
    if page is not None:
        write_atomically(Path(page), recognition_page.page(found, labels[models[0]]).encode())
    return found


def number_of(name: str, labels: Sequence[str]) -> int | None:
    """Which label a class is, as folders can be called: a slash is none there."""
    return _numbers(tuple(labels)).get(_plain(name))


def _stray_words(strays: Sequence[str], labels: Sequence[str]) -> str:
    return (
        f"{len(strays)} pictures lie in no folder that is called as a label of the model"
        f"{few(labels)}, and were left out{few(strays)}. Give the folder that holds the folders of "
        "the classes."
    )


def _wrong(truth: int, count: int) -> Floats:
    """(n,): what counts as an answer where there is none."""
    found = np.ones(count)
    found[truth] = 0
    return found / (count - 1)


def scores_of(probabilities: Floats, truth: int) -> dict[str, float]:
    """What one answer scored; the calibration error is made of the gaps."""
    order = np.argsort(-probabilities, kind="stable")
    confidence, right = float(probabilities[order[0]]), float(order[0] == truth)
    gaps = dict.fromkeys((f"gap {number}" for number in range(BINS)), 0.0)
    gaps[f"gap {min(BINS - 1, int(confidence * BINS))}"] = confidence - right
    return {
        "top1": right,
        "top5": float(truth in order[:5]),
        "truth": truth,
        "called": int(order[0]),
        "confidence": confidence,
        "p": float(probabilities[1]),
        **gaps,
    }


def _summarized(found: Report, labels: Sequence[str]) -> Report:
    """The report with all figures, of which some need to know how many pictures a class has."""
    counts = Counter(int(one["truth"]) for one in found.rows[0].scores)
    metrics = [TOP1, *([TOP5] if len(labels) > 5 else []), BALANCED]
    told = sorted(counts) if len(labels) <= MOST_RECALLS else []
    for number in told:
        meaning = f"of those that are {labels[number]}, the share that is found"
        of = ratio(f"right {number}", f"is {number}")
        metrics.append(
            Metric(f"recall {labels[number]}", labels[number], ".1%", "higher", meaning, of)
        )
    metrics += [ECE, MILLISECONDS]
    rows = []
    for row in found.rows:
        scores = []
        for one in row.scores:
            truth, right = int(one["truth"]), one["top1"]
            more = {"weight": 1 / counts[truth], "weighted": right / counts[truth]}
            for number in told:
                more |= {f"is {number}": float(truth == number)}
                more |= {f"right {number}": right * (truth == number)}
            scores.append({**one, **more})
        rows.append(summarize(row.system, scores, metrics))
    found = replace(found, metrics=tuple(metrics), rows=tuple(rows))
    if len(labels) != 2:
        return found
    areas = {}
    for row in rows:
        truths = np.array([one["truth"] == 1 for one in row.scores])
        areas[row.system] = area(np.array([one["p"] for one in row.scores]), truths)
    return found.with_figure(AUC, areas)


@functools.cache
def _numbers(labels: tuple[str, ...]) -> dict[str, int]:
    return {_plain(label): number for number, label in enumerate(labels)}


def _plain(name: str) -> str:
    """Names as folders may have them: a slash is none there, and a blank often an underscore."""
    return re.sub(r"[\s_/\\]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()
