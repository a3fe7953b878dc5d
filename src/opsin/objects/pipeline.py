"""How things are found on a photograph: the one place that knows the order of the steps.

Photo -> the whole, and tiles of it -> network -> boxes and a score for each label -> the best
of those that overlap -> what several networks tell, fused -> things with a name
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.defaults import ACCURATE, LEVELS, MOST_LEVELS, OBJECTS
from opsin.drawing.boxes import framed
from opsin.errors import ModelError, WrongCallError
from opsin.files import shown
from opsin.machine import cores
from opsin.models.card import Card
from opsin.models.engine import MOST_THREADS, Engine, load_engine
from opsin.models.store import members
from opsin.objects.fusion import THRESHOLD, Detector
from opsin.objects.search import table_of
from opsin.photo import Photo, copied, part_of
from opsin.photo import open as open_photo


@dataclass(frozen=True, eq=False)
class Thing:
    """What one thing is, and where it is on its photograph."""

    name: str
    box: Floats
    """(4,): x1, y1, x2, y2 in pixels; (0, 0) is the photograph's upper left corner."""
    score: float
    """How sure the network is, from the threshold to 1. No probability."""
    mask: Floats | None = field(default=None, kw_only=True)
    """(m, m): how much of each cell across the box it is, from 0 to 1, if the network tells."""

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        box = np.round(self.box.astype(float), 1).tolist()
        return {"name": self.name, "box": box, "score": round(self.score, 4)}


@dataclass(frozen=True, eq=False)
class Things:
    """The things on a photograph, the surest first."""

    photo: Photo
    things: tuple[Thing, ...]
    card: Card
    """What they are called by; of several networks the first one's."""

    def __len__(self) -> int:
        return len(self.things)

    def __iter__(self) -> Iterator[Thing]:
        return iter(self.things)

    def __getitem__(self, index: int) -> Thing:
        return self.things[index]

    @property
    def boxes(self) -> Floats:
        """(N, 4), see `opsin.boxes`."""
        return boxes.as_boxes([thing.box for thing in self.things])

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        size = {"width": self.photo.width, "height": self.photo.height}
        return {"objects": [thing.document() for thing in self.things], **size}

    def draw(self) -> Photo:
        """A copy in 8-bit color: a frame around each thing, with its name."""
        drawn = framed(self.photo.pixels, self.boxes, names=[thing.name for thing in self.things])
        return Photo(drawn, metadata=replace(copied(self.photo.metadata), there=None))

    def crop(self, thing: Thing) -> Photo:
        """The part of the photograph in a thing's box; of the metadata only the resolution."""
        left, top = np.floor(thing.box[:2]).astype(int)
        right, bottom = np.ceil(thing.box[2:]).astype(int)
        rows, columns = slice(top, max(top + 1, bottom)), slice(left, max(left + 1, right))
        return part_of(self.photo, rows, columns)


def detect(
    photo: Any,
    *,
    model: str | None = None,
    accurate: bool = False,
    threshold: float | None = None,
    classes: Sequence[str] | None = None,
    levels: int = LEVELS,
    threads: int | None = None,
    device: str = "cpu",
) -> Things:
    """What things are on `photo`, which is a `Photo` or anything that `opsin.open` takes.

    `model` is the name of a detector; None is picodet-s. `accurate` asks both packaged ones, also
    of the mirror image, and fuses what they tell (`opsin.objects.fusion`), in five times the time;
    it takes no `model` beside it.

    `threshold` is the least score, from 0 to 1; None is what the model's card says. `classes` are
    the names that are wanted, of those in the card's labels; None is all. `levels`, from 0 to 5, is
    how often a large photograph is halved to look at it in tiles, for small things; each takes four
    times as long as the one before. `threads` is how many cores it may take. `device` is where the
    network is run, see `opsin.models.engine.DEVICES`.

    >>> len(detect(np.zeros((48, 64), np.uint8)))
    0
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    cores_taken = threads or min(cores(), MOST_THREADS)
    detector = detector_of(model, accurate=accurate, threads=cores_taken, device=device)
    card = detector.card
    threshold = table_of(card).threshold if threshold is None else threshold
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    if not 0 <= levels <= MOST_LEVELS:
        raise ValueError(f"levels must be from 0 to {MOST_LEVELS}, got {levels}")
    wanted = numbers_of(classes, card)
    found = detector.search(photo.pixels, threshold=threshold, levels=levels, labels=wanted)
    placed = boxes.clip(found.boxes, photo.height, photo.width)
    masks = found.masks if len(found.masks) else [None] * len(placed)
    things = tuple(
        Thing(card.labels[kind], box, float(score), mask=mask)
        for box, score, kind, mask in zip(placed, found.scores, found.labels, masks, strict=True)
        if (box[2:] > box[:2]).all()
    )
    return Things(photo, things, card)


def detector_of(
    model: str | None, accurate: bool = False, *, threads: int, device: str
) -> Detector:
    """The loaded detector; arguments as of `detect`."""
    if not accurate:
        engine = engine_of(OBJECTS if model is None else model, threads=threads, device=device)
        return Detector(engine.card, (engine,))
    if model is not None:
        raise WrongCallError(
            f"accurate asks {' and '.join(ACCURATE)} together: name no model beside it."
        )
    engines = tuple(engine_of(name, threads=threads, device=device) for name in ACCURATE)
    card = engines[0].card
    table = msgspec.structs.replace(table_of(card), threshold=THRESHOLD)
    return Detector(msgspec.structs.replace(card, detect=table), engines)


def engine_of(model: str, *, threads: int, device: str) -> Engine:
    """The loaded network of that name, if it is one that detects things; else a `ModelError`."""
    names = members(model)
    if len(names) > 1:
        raise ModelError("things are detected by one model. Name one, without commas.")
    engine = load_engine(names[0], threads=threads, device=device)
    table_of(engine.card)
    return engine


def numbers_of(classes: Sequence[str] | None, card: Card) -> NDArray[np.intp] | None:
    """The numbers of labels, by their names; one that the card lacks is a `WrongCallError`."""
    if classes is None:
        return None
    known = {label.casefold(): number for number, label in enumerate(card.labels)}
    if lacking := [name for name in classes if name.casefold() not in known]:
        raise WrongCallError(
            f"'{shown(lacking[0])}' is none of the labels of '{card.name}': "
            f"{', '.join(card.labels)}."
        )
    return np.array([known[name.casefold()] for name in classes], np.intp)
