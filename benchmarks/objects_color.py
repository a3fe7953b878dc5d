"""Do things that are colorized by themselves get better colors than in the whole photograph?

    python benchmarks/objects_color.py coco.tar:test [--margin 0.5] [--half] [--sheet FILE.png]

Each photograph in color with people on it is made gray and colorized whole. Then each person, and
each thing, is looked at again in a crop around its box, and its colors are blended into those of
the whole: people by their masks (`opsin.segment`), things by their boxes (`opsin.detect`), and
people by the masks that the set has, which is the best that could come of it. CIEDE2000 is told
inside the true boxes of people, inside those of small ones alone, outside, and of all, each at
equal colorfulness there: every system's a*b* times the gain at which the places are as colorful as
`SHARE` of the truth. A difference is to the whole photograph's colors, with the interval over
pictures.

With `--half` the whole is also seen at half the size: a person is then to the network as in a
photograph that is twice as wide.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import opsin
from opsin.appearance import delta_e_2000, tone_of
from opsin.color import pixels_of_lab, rgb_to_lab
from opsin.colorization import upsample
from opsin.colorization.pipeline import predict
from opsin.drawing.sheet import Cell, Sheet
from opsin.evaluate.bootstrap import bootstrap
from opsin.evaluate.colorization.candidates import gray_photo
from opsin.evaluate.colorization.equal import GAINS, curve, gain_for
from opsin.models.store import find
from opsin.photo import part_of
from opsin.sets.coco import Annotation, Image, mask_of, read_coco
from opsin.sets.pictures import read
from opsin.sets.splits import plain

SHARE: Final = 0.8  # of the truth's colorfulness, about what the default setting has
SMALL: Final = 0.03  # of a picture: the box of a small person
SOFT: Final = 0.02  # of a box's longer side: the width of a mask's edge
CELL, MOST_ROWS = 300, 8  # of the sheet: pixels, and rows on a page
LEAST: Final = 200  # pixels: a place with fewer is not measured
MOST: Final = 4096  # pixels of a place that are measured, evenly spread

Floats = NDArray[np.float32]


class Picture(NamedTuple):
    """A photograph, its systems' answers, and the places where they are measured."""

    lab: Floats
    answers: dict[str, Floats]  # a*b*, by system
    places: dict[str, NDArray[np.bool_]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--margin", type=float, default=0.5)
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    found = list(pictures(options.data, options.margin, half=options.half, limit=options.limit))
    print("| where | pictures | system | CIEDE2000 | nearer to the truth by |")
    print("|---|---|---|---|---|")
    for place in found[0].places:
        table(place, [one for one in found if one.places[place].sum() >= LEAST])
    if options.sheet:
        with Sheet(options.sheet, cell=CELL, rows=MOST_ROWS) as sheet:
            for one in found:
                if one.places["in small people"].sum() >= LEAST:
                    sheet.add(cells(one))


def pictures(data: Path, margin: float, *, half: bool, limit: int | None) -> Iterator[Picture]:
    """Those of a set in color, with people on them."""
    coco = read_coco(data)
    images = {plain(image.file_name): image for image in coco.instances.images}
    [person] = (kind.id for kind in coco.instances.categories if kind.name == "person")
    people: dict[int, list[Annotation]] = {}
    for one in coco.instances.annotations:
        if one.category_id == person and not one.iscrowd:
            people.setdefault(one.image_id, []).append(one)
    for name, pixels in read([coco.pictures], limit=limit):
        image = images[plain(name)]
        if image.id in people and tone_of(pixels) == "color":
            yield picture(pixels, image, people[image.id], margin, half=half)


def picture(
    pixels: NDArray[np.uint8],
    image: Image,
    people: Sequence[Annotation],
    margin: float,
    *,
    half: bool,
) -> Picture:
    lab = rgb_to_lab(pixels.astype(np.float32) / 255)
    light = np.ascontiguousarray(lab[..., 0])
    photo = gray_photo(light)
    shape = light.shape
    masks = [(one.mask.pasted(*shape), one.mask.box) for one in opsin.segment(photo)]
    boxes = [(framed(thing.box, shape), thing.box) for thing in opsin.detect(photo)]
    told = [(mask_of(one, image), one) for one in people]
    true = [(mask.pasted(*shape), mask.box) for mask, _ in told if mask is not None and mask.area]
    crops = cache(lambda *place: colors(part_of(photo, slice(*place[:2]), slice(*place[2:]))))
    answers = {}
    for size, said in ((None, ""), (find("default").card.size // 2, ", half")):
        if size is None or half:
            whole = answers[f"whole{said}"] = colors(photo, size)
            for name, parts in (("people", masks), ("things", boxes), ("true masks", true)):
                answers[f"{name}{said}"] = blended(photo, whole, parts, margin, crops)
    inside, small = np.zeros(shape, bool), np.zeros(shape, bool)
    for x, y, width, height in (one.bbox for one in people):
        place = framed((x, y, x + width, y + height), shape)
        inside |= place
        if place.mean() < SMALL:
            small |= place
    places = {"in people": inside, "in small people": small, "outside": ~inside}
    return Picture(lab, answers, {**places, "everywhere": np.ones(shape, bool)})


def colors(photo: Any, size: int | None = None) -> Floats:
    """The a*b* (H, W, 2) of a gray photograph."""
    found = predict(photo, size=size)
    light = rgb_to_lab(np.repeat(photo.pixels, 3, axis=2).astype(np.float32) / 255)[..., 0]
    return upsample.upsample(found.ab, found.light, np.ascontiguousarray(light))


def blended(
    photo: Any,
    whole: Floats,
    parts: Sequence[tuple[NDArray[np.bool_], Any]],
    margin: float,
    crops: Callable[..., Floats],
) -> Floats:
    """The colors of the whole with those of crops around each part's box, where its mask is; the
    smallest last."""
    ab = whole.copy()
    for mask, box in sorted(parts, key=lambda part: -area(part[1])):
        x1, y1, x2, y2 = (float(side) for side in box)
        around = margin * max(x2 - x1, y2 - y1)
        rows = slice(max(0, int(y1 - around)), min(photo.height, int(np.ceil(y2 + around))))
        columns = slice(max(0, int(x1 - around)), min(photo.width, int(np.ceil(x2 + around))))
        if rows.stop - rows.start < 8 or columns.stop - columns.start < 8:
            continue
        soft = gaussian_filter(mask.astype(np.float32), SOFT * max(x2 - x1, y2 - y1))
        share = soft[rows, columns, None]
        given = crops(rows.start, rows.stop, columns.start, columns.stop)
        ab[rows, columns] += share * (given - ab[rows, columns])
    return ab


def framed(box: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a box is on a picture of that shape."""
    x1, y1, x2, y2 = (round(float(side)) for side in box)
    mask = np.zeros(shape, bool)
    mask[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = True
    return mask


def area(box: Any) -> float:
    x1, y1, x2, y2 = (float(side) for side in box)
    return (x2 - x1) * (y2 - y1)


def table(place: str, found: Sequence[Picture]) -> None:
    """Prints the rows of one place."""
    scores = {}
    for system in found[0].answers:
        taken = [at_place(one, one.answers[system], place) for one in found]
        true = [at_place(one, one.lab[..., 1:], place) for one in found]
        at_one = int(np.argmin(np.abs(GAINS - 1)))
        goal = SHARE * float(np.mean([curve(*one)[at_one] for one in true]))
        gain = np.float32(gain_for([curve(*one) for one in taken], goal, system))
        scores[system] = np.array(
            [
                off(light, ab * gain, truth)
                for (light, ab), (_, truth) in zip(taken, true, strict=True)
            ]
        )
    for system, values in scores.items():
        whole = scores["whole, half" if system.endswith(", half") else "whole"]
        [gained] = bootstrap((whole - values)[:, None])
        change = f"{gained.value:+.2f} [{gained.low:+.2f}, {gained.high:+.2f}]"
        print(f"| {place} | {len(found)} | {system} | {values.mean():.2f} | {change} |", flush=True)


def at_place(one: Picture, ab: Floats, place: str) -> tuple[Floats, Floats]:
    """L* (1, N) and a*b* (1, N, 2) of a place's pixels."""
    where = np.flatnonzero(one.places[place])
    where = where[:: 1 + len(where) // MOST]
    light, colors = one.lab.reshape(-1, 3)[where, 0], ab.reshape(-1, 2)[where]
    return np.ascontiguousarray(light[None]), np.ascontiguousarray(colors[None])


def off(light: Floats, ab: Floats, truth: Floats) -> float:
    """The mean CIEDE2000 of what is painted."""
    painted = rgb_to_lab(pixels_of_lab(light, ab, np.uint8).astype(np.float32) / 255)
    return float(delta_e_2000(np.dstack([light, truth]), painted).mean())


def cells(one: Picture) -> list[Cell]:
    """A row of the sheet: the truth, and what each system makes of it."""
    light = np.ascontiguousarray(one.lab[..., 0])
    named = {"truth": one.lab[..., 1:], **one.answers}
    return [
        Cell(pixels_of_lab(light, np.ascontiguousarray(ab), np.uint8), name)
        for name, ab in named.items()
    ]


if __name__ == "__main__":
    main()
