"""How good detectors of things are, on pictures with boxes around all things (COCO).

Average precision is that of COCO's own evaluation, by the package faster-coco-eval: over ten
overlaps from 0.5 to 0.95, and over the classes. Beside it stands what a user meets: of the things
that there are, how many are told at the card's threshold, and of those told, how many are there.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.defaults import OBJECTS
from opsin.errors import DataError, WrongCallError, needs_extra
from opsin.evaluate.report import Metric, Report, Scores, in_order, provenance, ratio, summarize
from opsin.evaluate.seen import SEEN, check
from opsin.files import few, shown
from opsin.machine import cores
from opsin.models.card import Card
from opsin.objects.fusion import Detector
from opsin.objects.pipeline import detector_of
from opsin.objects.search import Found, table_of
from opsin.sets import splits
from opsin.sets.coco import Annotation, Category, Image, Instances, read_coco
from opsin.sets.pictures import read
from opsin.sets.sources import Paths, listed

Pixels: TypeAlias = NDArray[np.uint8]

LEAST: Final = 0.01  # score; average precision looks at them in order, far below the threshold
TOGETHER: Final = "--accurate"  # a row that no model can be named like
OVERLAP: Final = 0.5  # of a box with the true one, for a thing to count as found

RECALL: Final = Metric(
    "found", "found", ".1%", "higher", "things told at the threshold", ratio("hits", "things")
)
PRECISION: Final = Metric(
    "right", "right", ".1%", "higher", "told things that are there", ratio("hits", "told")
)
AP: Final = Metric("ap", "AP", ".3f", "higher", "average precision, overlaps 0.5 to 0.95")
AP50: Final = Metric("ap50", "AP50", ".3f", "higher", "average precision at an overlap of 0.5")
AR: Final = Metric("ar", "AR100", ".3f", "higher", "average recall of 100 told on a picture")
MILLISECONDS: Final = Metric("milliseconds", "ms", ".1f", "lower", "a picture, on one core")


def evaluate(
    data: Paths,
    *,
    model: str | Sequence[str] = OBJECTS,
    accurate: bool = False,
    seen: Sequence[str] = ("color",),
    limit: int | None = None,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    """The report on detectors over the set `data`, see `opsin.sets.coco`.

    `model` are names, `seen` ways of `opsin.evaluate.seen.SEEN`. A row is a model, or a model and a
    way. With `accurate` there is also one of what `opsin.detect(..., accurate=True)` tells. `limit`
    is how many pictures are taken. Pictures that are named and not there are told.
    """
    check(seen)
    paths = listed(data)
    if len(paths) != 1:
        raise WrongCallError("things are measured on one set.")
    coco = read_coco(paths[0])
    models = [model] if isinstance(model, str) else list(model)
    detectors = {name: detector_of(name, threads=1, device="cpu") for name in models}
    if accurate:
        detectors[TOGETHER] = detector_of(None, accurate=True, threads=1, device="cpu")
    rows = {
        (name, way): f"{name}, {way}" if len(seen) > 1 else name
        for name in detectors
        for way in seen
    }
    wanted = {splits.plain(one.file_name) for one in coco.instances.images}
    found: dict[str, dict[str, tuple[Found, float]]] = {row: {} for row in rows.values()}

    def work(picture: tuple[str, Pixels]) -> tuple[str, dict[str, tuple[Found, float]]]:
        name, rgb = picture
        views = {way: SEEN[way](rgb, name) for way in seen}
        return name, {row: _timed(views[way], detectors[one]) for (one, way), row in rows.items()}

    pictures = read(coco.pictures, limit=limit, on_skip=on_skip, only=wanted.__contains__)
    for name, ones in in_order(work, pictures, cores()):
        for row, one in ones.items():
            found[row][name] = one
        if on_picture:
            on_picture(name)
    names = set(next(iter(found.values())))
    truth = coco.of(names)
    made = _measured(found, truth, {row: detectors[one].card for (one, _), row in rows.items()})
    warnings = [] if limit else lacking(wanted - names, coco.pictures, truth)
    cards = [engine.card for one in detectors.values() for engine in one.engines]
    about = provenance(cards, data=[str(paths[0])], seen=list(seen))
    return replace(made, provenance=about, warnings=(*made.warnings, *warnings))


def lacking(names: set[str], pictures: Any, truth: Instances) -> list[str]:
    """What is said of pictures that the set names and that were not read; of a split, nothing."""
    if not names or splits.split_of(pictures)[1] is not None:
        return []
    return [
        f"{shown(str(pictures))}: {len(names)} of its {len(names) + len(truth.images)} pictures "
        f"were not read{few(sorted(names))}."
    ]


def _timed(rgb: Pixels, detector: Detector) -> tuple[Found, float]:
    began = time.perf_counter()
    found = detector.search(rgb, threshold=LEAST, levels=1)
    placed = boxes.clip(found.boxes, *rgb.shape[:2])
    return found._replace(boxes=placed), 1000 * (time.perf_counter() - began)


def _measured(
    found: Mapping[str, Mapping[str, tuple[Found, float]]],
    truth: Instances,
    cards: Mapping[str, Card],
) -> Report:
    images = sorted(truth.images, key=lambda one: one.file_name)
    names = tuple(splits.plain(one.file_name) for one in images)
    made = Report(names, (RECALL, PRECISION), ())
    done, warnings = [], []
    figures: dict[Metric, dict[str, float]] = {}
    for row, ones in found.items():
        card = cards[row]
        kinds = numbered(truth.categories, card.labels)
        unknown = sorted({one.name for one in truth.categories} - {one.name for one in kinds})
        if unknown:
            warnings.append(f"'{card.name}' has no label for {len(unknown)} classes{few(unknown)}.")
        if not kinds:
            raise DataError(f"'{card.name}' has a label for none of the classes of the set.")
        least = table_of(card).threshold
        things = {one.id: [a for a in truth.annotations if a.image_id == one.id] for one in images}
        scores = [
            scored(ones[name][0], things[image.id], kinds, least)
            for name, image in zip(names, images, strict=True)
        ]
        done.append(summarize(row, scores, made.metrics))
        told = {image: ones[name][0] for name, image in zip(names, images, strict=True)}
        for metric, value in average_precision(told, truth, kinds).items():
            figures.setdefault(metric, {})[row] = value
        times = [milliseconds for _, milliseconds in ones.values()]
        figures.setdefault(MILLISECONDS, {})[row] = float(np.mean(times))
    made = replace(made, rows=tuple(done), warnings=tuple(dict.fromkeys(warnings)))
    for metric, values in figures.items():
        made = made.with_figure(metric, values)
    return made


def numbered(categories: Sequence[Category], labels: Sequence[str]) -> dict[Category, int]:
    """The categories that a model has a label for, and its number."""
    known = {label.casefold(): number for number, label in enumerate(labels)}
    return {one: known[one.name.casefold()] for one in categories if one.name.casefold() in known}


def average_precision(
    told: Mapping[Image, Found], truth: Instances, kinds: Mapping[Category, int]
) -> dict[Metric, float]:
    """COCO's figures; nan where the set has nothing to find."""
    category = {number: one.id for one, number in kinds.items()}
    results = [
        {"image_id": image.id, "category_id": category[kind], "bbox": box, "score": score}
        for image, found in told.items()
        for box, score, kind in zip(
            _corner_and_sides(found.boxes),
            found.scores.tolist(),
            found.labels.tolist(),
            strict=True,
        )
        if kind in category
    ]
    return coco_figures(results, truth, "bbox")


def coco_figures(
    results: list[dict[str, Any]], truth: Instances, of: Literal["bbox", "segm"]
) -> dict[Metric, float]:
    """COCO's figures of what was told, in the form of its results, by boxes or by masks; nan where
    the set has nothing to find."""
    with needs_extra("measuring detectors", "coco"):
        from faster_coco_eval import COCO, COCOeval_faster

    if not results or not truth.annotations:
        return dict.fromkeys((AP, AP50, AR), 0.0 if truth.annotations else float("nan"))
    with contextlib.redirect_stdout(io.StringIO()):
        true = COCO(_with_areas(truth))
        measured = COCOeval_faster(true, true.loadRes(results), of)
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    ap, ap50, ar = (float(measured.stats[index]) for index in (0, 1, 8))
    if ap < 0:  # so COCO says that there are crowds alone
        ap = ap50 = ar = float("nan")
    return {AP: ap, AP50: ap50, AR: ar}


def _with_areas(truth: Instances) -> dict[str, Any]:
    """Plain values, each annotation with an area and an outline: those of its box if nothing else
    is said."""
    plain: dict[str, Any] = msgspec.to_builtins(truth)
    for one in plain["annotations"]:
        x, y, width, height = one["bbox"] = list(one["bbox"])
        if one["area"] is None:
            one["area"] = width * height
        if not one["segmentation"]:
            right, bottom = x + width, y + height
            one["segmentation"] = [[x, y, right, y, right, bottom, x, bottom]]
    return plain


def scored(
    found: Found, things: Sequence[Annotation], kinds: Mapping[Category, int], least: float
) -> Scores:
    """How many things there are, are told, and are both. Crowds count for nothing."""
    number = {one.id: kind for one, kind in kinds.items()}
    found = found.only(found.scores >= least)
    known = np.array([number.get(one.category_id, -1) for one in things], np.intp)
    crowd = np.array([bool(one.iscrowd) for one in things], bool)
    true = np.array([one.bbox for one in things], np.float32).reshape(-1, 4)
    true[:, 2:] += true[:, :2]
    alike = boxes.iou(found.boxes, true) * (found.labels[:, None] == known)
    free = ~crowd
    hits = ignored = 0
    for row in alike:
        best = int(np.argmax(row * free)) if free.any() else -1
        if best >= 0 and row[best] * free[best] >= OVERLAP:
            free[best] = False
            hits += 1
        elif (row[crowd] > 0).any():
            ignored += 1
    return {
        "hits": float(hits),
        "things": float((~crowd).sum()),
        "told": float(len(found.scores) - ignored),
    }


def _corner_and_sides(found: Floats) -> list[list[float]]:
    plain: list[list[float]] = np.hstack([found[:, :2], found[:, 2:] - found[:, :2]]).tolist()
    return plain
