"""Which pixels each thing is, of those that a detector finds and a mask network knows.

Photo -> things and their boxes -> a mask network on each, or the masks that a network found them
with -> of two nearly alike the surer -> where two claim a pixel, the one of which more is there ->
masks
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from opsin.boxes import Floats
from opsin.defaults import MASKS
from opsin.drawing.boxes import framed
from opsin.drawing.masks import tinted
from opsin.machine import cores
from opsin.masks import Mask, iou, mask_to_rle
from opsin.models.card import Card
from opsin.models.engine import MOST_THREADS
from opsin.objects.masker import finder_of, masker_of, wanted_of
from opsin.objects.matte import Part, in_color, part_of
from opsin.objects.pipeline import Thing, detect
from opsin.photo import Photo, copied
from opsin.photo import open as open_photo

SAME: Final = 0.6
"""Two things whose pixels overlap so much (IoU), or more, are one found twice, whatever it is
called."""
LEFT: Final = 0.1
"""Of a thing's pixels more must be left by others than this share, or it is one found twice."""


@dataclass(frozen=True, eq=False)
class Segment:
    """One thing, and its pixels."""

    thing: Thing
    mask: Mask


@dataclass(frozen=True, eq=False)
class Segments:
    """The things on a photograph with their masks, the surest first. No two share a pixel."""

    photo: Photo
    segments: tuple[Segment, ...]
    cards: tuple[Card, ...]

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __getitem__(self, index: int) -> Segment:
        return self.segments[index]

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON; masks are COCO's runs, see `opsin.masks`."""
        size_hw = self.photo.height, self.photo.width
        objects = [
            {
                **one.thing.document(),
                "area": one.mask.area,
                "mask": mask_to_rle(one.mask, *size_hw),
            }
            for one in self
        ]
        return {"objects": objects, "width": size_hw[1], "height": size_hw[0]}

    def draw(self) -> Photo:
        """A copy in 8-bit color: each thing in a color of its own, framed, with its name."""
        drawn = tinted(self.photo.pixels, [one.mask for one in self])
        boxes = [one.thing.box for one in self]
        drawn = framed(drawn, boxes, names=[one.thing.name for one in self])
        return Photo(drawn, metadata=replace(copied(self.photo.metadata), there=None))

    def picture(self, segment: Segment) -> Photo:
        """A thing's mask as a gray photograph of the same size: 255 where it is, else 0."""
        whole = segment.mask.pasted(self.photo.height, self.photo.width)
        kept = replace(copied(self.photo.metadata), there=None)
        return Photo(whole[..., None] * np.uint8(255), metadata=kept)


def segment(
    photo: Any,
    *,
    model: str = MASKS,
    detector: str | None = None,
    accurate: bool = False,
    threshold: float | None = None,
    classes: Sequence[str] | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Segments:
    """The pixels of each thing on `photo`, which is a `Photo` or anything that `opsin.open` takes.

    `model` is a mask network, whose card says of which things it tells the pixels: those that
    the detectors know, if it is the default one. `detector` finds them, see `opsin.detect`: the
    default one, unless the model finds things itself, as Mask R-CNN does. `accurate` asks two, see
    there. `threshold` is the least score; `classes` are the names that are wanted, None is all
    whose pixels it tells. `threads` is how many cores it may take.

    >>> len(segment(np.zeros((48, 64), np.uint8)))
    0
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    threads = threads or min(cores(), MOST_THREADS)
    masker = masker_of(model, threads=threads, device=device)
    seen = in_color(photo, threads=threads, device=device)
    found = detect(
        seen,
        **finder_of(model, detector, accurate=accurate)._asdict(),
        threshold=threshold,
        classes=wanted_of(classes, masker),
        threads=threads,
        device=device,
    )
    parts = [part_of(seen.pixels, thing, masker) for thing in found]
    masks = shared_out(parts, photo.height, photo.width, masker.threshold)
    own = [np.count_nonzero(part.alpha >= masker.threshold) for part in parts]
    segments = tuple(
        Segment(thing, mask)
        for thing, mask, area in zip(found, masks, own, strict=True)
        if mask.area > LEFT * area  # a network may see none of it, or others claim nearly all
    )
    return Segments(photo, segments, tuple(dict.fromkeys((*masker.cards, found.card))))


def shared_out(parts: Sequence[Part], height: int, width: int, threshold: float) -> list[Mask]:
    """A mask for each part of a picture of that size, the surest first: where its alpha is
    `threshold` or more, and no other's is larger; of equal ones the earlier has the pixel. What is
    found twice has none.

    >>> part = Part(np.full((1, 2), 0.7, np.float32), 0, 0)
    >>> [one.area for one in shared_out([part, part], 1, 2, 0.5)]
    [2, 0]
    """
    own = [Mask(part.alpha >= threshold, part.top, part.left).tight() for part in parts]
    told = once(own)
    most: Floats = np.zeros((height, width), np.float32)
    owner = np.full((height, width), -1, np.int16)
    for number in told:
        alpha, top, left = parts[number]
        place = np.s_[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        larger = alpha > most[place]
        most[place][larger] = alpha[larger]
        owner[place][larger] = number
    masks = []
    for number, (alpha, top, left) in enumerate(parts):
        place = np.s_[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        mine = (owner[place] == number) & (alpha >= threshold)
        masks.append(Mask(mine, top, left).tight())
    return masks


def once(masks: Sequence[Mask]) -> list[int]:
    """Which of masks, the surest first, are not nearly the same as an earlier one of these.

    >>> once([Mask(np.ones((2, 5), np.bool_)), Mask(np.ones((2, 4), np.bool_))])
    [0]
    """
    told: list[int] = []
    areas = [mask.area for mask in masks]
    for number, mask in enumerate(masks):
        area = areas[number]
        alike = [
            masks[one]
            for one in told
            if min(area, areas[one]) >= SAME * max(area, areas[one])  # no other overlaps so much
        ]
        if not (iou([mask], alike) >= SAME).any():
            told.append(number)
    return told
