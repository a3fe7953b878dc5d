"""How good mask networks are, on pictures with the outlines of all things (COCO).

Two questions. Is each thing found, with its pixels? That is COCO's average precision of masks, by
the package faster-coco-eval. And are the things together cut out well, as another background needs
it? That is the boundary F-measure of DAVIS and the overlap (IoU), of all told things together with
all true ones; on pictures with a thing to find and no crowd, whose outline is not known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin import masks
from opsin.defaults import MASKS
from opsin.errors import DataError, WrongCallError
from opsin.evaluate.boundary import boundary_f
from opsin.evaluate.detect import coco_figures, lacking, numbered
from opsin.evaluate.report import Metric, Report, Scores, in_order, provenance, ratio, summarize
from opsin.evaluate.seen import SEEN, check
from opsin.files import shown
from opsin.machine import cores
from opsin.masks import Mask
from opsin.objects.masker import (
    HUMAN,
    Finder,
    Masker,
    finder_of,
    kept_of,
    masker_of,
    wanted_of,
)
from opsin.objects.matte import in_color, part_of
from opsin.objects.pipeline import Thing, detect, detector_of
from opsin.objects.search import table_of as scores_of
from opsin.objects.segment import shared_out
from opsin.photo import Photo
from opsin.sets import splits
from opsin.sets.coco import FILE, Annotation, CocoSet, Image, Instances, mask_of, read_coco
from opsin.sets.pictures import read
from opsin.sets.sources import Paths, listed

Pixels: TypeAlias = NDArray[np.uint8]

LEAST: Final = 0.1  # score; average precision looks at them in order, far below the threshold
LARGE: Final = 0.1  # of the picture: a portrait is one of which one thing is so much, or more

BOUNDARY: Final = Metric(
    "boundary", "boundary F", ".3f", "higher", "outline of all together", ratio("f", "cut")
)
PORTRAITS: Final = Metric(
    "portraits",
    "F portraits",
    ".3f",
    "higher",
    f"the same where one covers {LARGE:.0%} of the picture or more",
    ratio("f large", "cut large"),
)
IOU: Final = Metric("iou", "IoU", ".3f", "higher", "pixels of all together", ratio("iou", "cut"))
MILLISECONDS: Final = Metric(
    "milliseconds", "ms", ".1f", "lower", "a picture by opsin segment, on one core"
)


class Told(NamedTuple):
    """What was told of one picture."""

    things: tuple[Thing, ...]
    masks: list[Mask]
    """Of each thing."""
    together: Mask
    """Of those whose score is enough for `opsin.background`."""
    milliseconds: float
    """What `opsin.segment` takes for it, which tells nothing below its threshold."""


def evaluate(
    data: Paths,
    *,
    model: str | Sequence[str] = MASKS,
    detector: str | None = None,
    accurate: bool = False,
    classes: Sequence[str] | None = None,
    seen: Sequence[str] = ("color",),
    limit: int | None = None,
    on_picture: Callable[[Any], None] | None = None,
    on_skip: Callable[[str], None] | None = None,
) -> Report:
    """The report on mask networks over the set `data`, see `opsin.sets.coco`.

    `model` are names, `detector` that of what finds the things; None, and `accurate`, are as for
    `opsin.segment`, `classes` are what is measured: None is people, or, of a set without them, all
    that a model tells. `seen` are ways of `opsin.evaluate.seen.SEEN`. A row is a model, or a model
    and a way. `limit` is how many pictures are taken. Pictures that are named and not there are
    told.
    """
    check(seen)
    paths = listed(data)
    if len(paths) != 1:
        raise WrongCallError("masks are measured on one set.")
    coco = read_coco(paths[0])
    models = [model] if isinstance(model, str) else list(model)
    maskers = {name: masker_of(name, threads=1, device="cpu") for name in models}
    measured = kept_of if _has_people(coco.instances) else wanted_of
    kinds = {name: measured(classes, masker) for name, masker in maskers.items()}
    finders = {name: finder_of(name, detector, accurate=accurate) for name in maskers}
    detectors = {name: detector_of(*one, threads=1, device="cpu") for name, one in finders.items()}
    least = {name: scores_of(one.card).threshold for name, one in detectors.items()}
    for name, masker in maskers.items():
        _check_outlined(coco, masker, kinds[name])
    more = " --accurate" if accurate else ""
    rows = {
        (name, way): f"{name}{more}, {way}" if len(seen) > 1 else f"{name}{more}"
        for name in models
        for way in seen
    }
    wanted = {splits.plain(one.file_name) for one in coco.instances.images}
    found: dict[str, dict[str, Told]] = {row: {} for row in rows.values()}

    def work(picture: tuple[str, Pixels]) -> tuple[str, dict[str, Told]]:
        name, rgb = picture
        views = {way: SEEN[way](rgb, name) for way in seen}
        return name, {
            row: _told(views[way], maskers[one], finders[one], kinds[one], least[one])
            for (one, way), row in rows.items()
        }

    pictures = read(coco.pictures, limit=limit, on_skip=on_skip, only=wanted.__contains__)
    for name, ones in in_order(work, pictures, cores()):
        for row, one in ones.items():
            found[row][name] = one
        if on_picture:
            on_picture(name)
    names = set(next(iter(found.values())))
    truth = coco.of(names)
    about_rows = {row: (maskers[one].name, kinds[one]) for (one, _), row in rows.items()}
    made = _measured(found, truth, about_rows, coco.file)
    warnings = [] if limit else lacking(wanted - names, coco.pictures, truth)
    cards = [card for one in maskers.values() for card in one.cards]
    cards += [one.card for one in detectors.values()]
    about = provenance(list(dict.fromkeys(cards)), data=[str(paths[0])], seen=list(seen))
    return replace(made, provenance=about, warnings=(*made.warnings, *warnings))


def _has_people(truth: Instances) -> bool:
    people = {one.id for one in truth.categories if one.name.casefold() == HUMAN}
    return any(one.category_id in people for one in truth.annotations)


def _check_outlined(coco: CocoSet, masker: Masker, classes: Sequence[str]) -> None:
    """Refuses a set that tells nothing but boxes of what is measured, by a `DataError`."""
    known = {one.id for one in numbered(coco.instances.categories, classes)}
    things = [one for one in coco.instances.annotations if one.category_id in known]
    single = [one for one in things if not one.iscrowd]
    if single and not any(one.segmentation for one in single):
        raise DataError(
            f"{shown(coco.file)}: none of the things that '{masker.name}' masks has an outline. "
            "Masks are measured by outlines: `opsin segment --coco` makes first ones to correct. "
            "Boxes are measured by `opsin evaluate detect`."
        )


def _told(
    rgb: Pixels, masker: Masker, finder: Finder, classes: Sequence[str], threshold: float
) -> Told:
    """What is told of a picture; the time is that of all whose score is the threshold or more."""
    began = time.perf_counter()
    height, width = rgb.shape[:2]
    rgb = in_color(Photo(rgb), threads=1, device="cpu").pixels
    how = {**finder._asdict(), "threshold": LEAST, "classes": classes}
    things = detect(rgb, **how, threads=1).things
    count = sum(thing.score >= threshold for thing in things)  # they come first
    parts = [part_of(rgb, thing, masker) for thing in things[:count]]
    shared_out(parts, height, width, masker.threshold)
    seconds = time.perf_counter() - began
    parts += [part_of(rgb, thing, masker) for thing in things[count:]]
    each = shared_out(parts, height, width, masker.threshold)
    sure = [
        Mask(part.alpha >= masker.threshold, part.top, part.left)
        for part, thing in zip(parts, things, strict=True)
        if thing.score >= finder.person
    ]
    return Told(things, each, masks.union(sure), 1000 * seconds)


def _measured(
    found: Mapping[str, Mapping[str, Told]],
    truth: Instances,
    about: Mapping[str, tuple[str, Sequence[str]]],
    file: Path,
) -> Report:
    images = sorted(truth.images, key=lambda one: one.file_name)
    names = tuple(splits.plain(one.file_name) for one in images)
    made = Report(names, (BOUNDARY, PORTRAITS, IOU), ())
    done, warnings = [], []
    figures: dict[Metric, dict[str, float]] = {}
    for row, ones in found.items():
        model, labels = about[row]
        kinds = numbered(truth.categories, labels)
        if not kinds:
            raise DataError(f"'{model}' masks none of the classes of the set.")
        known = {one.id for one in kinds}
        things = [one for one in truth.annotations if one.category_id in known]
        outlined = _outlined(truth, things)
        if left := len(truth.images) - len(outlined.images):
            warnings.append(
                f"{shown(file)}: on {left} of its pictures are things of which only the box is "
                "known. These pictures count for nothing."
            )
        ids = {one.id for one in outlined.images}
        pairs = [(ones[name], image) for name, image in zip(names, images, strict=True)]
        scores = [
            scored(one, image, [a for a in things if a.image_id == image.id], file)
            for one, image in pairs
        ]
        done.append(summarize(row, scores, made.metrics))
        category = {one.name.casefold(): one.id for one in kinds}
        results = [
            {
                "image_id": image.id,
                "category_id": category[thing.name.casefold()],
                "segmentation": masks.mask_to_rle(mask, image.height, image.width),
                "score": thing.score,
            }
            for one, image in pairs
            if image.id in ids
            for thing, mask in zip(one.things, one.masks, strict=True)
            if thing.name.casefold() in category and mask.area
        ]
        for metric, value in coco_figures(results, outlined, "segm").items():
            figures.setdefault(metric, {})[row] = value
        times = [one.milliseconds for one in ones.values()]
        figures.setdefault(MILLISECONDS, {})[row] = float(np.mean(times))
    made = replace(made, rows=tuple(done), warnings=tuple(dict.fromkeys(warnings)))
    for metric, values in figures.items():
        made = made.with_figure(metric, values)
    return made


def _outlined(truth: Instances, things: Sequence[Annotation]) -> Instances:
    """The pictures with these things alone, without those on which an outline is not known."""
    boxed = {one.image_id for one in things if not one.segmentation and not one.iscrowd}
    images = [one for one in truth.images if one.id not in boxed]
    kept = [one for one in things if one.image_id not in boxed]
    return Instances(images, kept, truth.categories)


def scored(
    told: Told, image: Image, things: Sequence[Annotation], file: Path = Path(FILE)
) -> Scores:
    """How well the told things of a picture are cut out together. Pictures with nothing to find or
    with a crowd, or things of which only the box is known, count for nothing. `file` is where the
    things are told."""
    true = [mask_of(one, image, file) for one in things]
    outlined = [one for one in true if one is not None]
    if not true or len(outlined) < len(true) or any(one.iscrowd for one in things):
        return dict.fromkeys(("f", "iou", "cut", "f large", "cut large"), 0.0)
    together = masks.union(outlined)
    found = told.together.pasted(image.height, image.width)
    f = boundary_f(found, together.pasted(image.height, image.width))
    largest = max(one.area for one in outlined) / (image.height * image.width)
    is_large = float(largest >= LARGE)
    [[overlap]] = masks.iou([told.together], [together])
    return {
        "f": f,
        "iou": float(overlap),
        "cut": 1.0,
        "f large": f * is_large,
        "cut large": is_large,
    }
