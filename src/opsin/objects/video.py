"""Things on a video, each with a number that it keeps: a detector looks at every picture, and a
tracker at what it found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.defaults import OBJECTS, PIXEL_LIMIT
from opsin.drawing.boxes import framed
from opsin.formats.video import Picture, Video
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS
from opsin.objects.pipeline import Thing, engine_of, numbers_of
from opsin.objects.search import search, table_of
from opsin.objects.tracking import LEAST, PATIENCE, Tracker


@dataclass(frozen=True, eq=False)
class Tracked(Thing):
    """A thing on one picture of a video."""

    number: int
    """From 1 on: the same for the same thing on all pictures."""

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {"number": self.number, **super().document()}


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video, and the things on it that have a number."""

    picture: Picture
    things: tuple[Tracked, ...]

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        objects = [thing.document() for thing in self.things]
        return {
            "picture": self.picture.number,
            "seconds": round(self.picture.seconds, 3),
            "objects": objects,
        }

    def draw(self) -> NDArray[np.uint8]:
        """(H, W, 3): the picture with a frame around each thing, its name and its number."""
        names = [f"{thing.name} {thing.number}" for thing in self.things]
        placed = boxes.as_boxes([thing.box for thing in self.things])
        return framed(self.picture.pixels, placed, names=names)


def track(
    video: str | Path | Video,
    *,
    model: str = OBJECTS,
    threshold: float | None = None,
    classes: Sequence[str] | None = None,
    patience: float = PATIENCE,
    pixel_limit: int = PIXEL_LIMIT,
    threads: int | None = None,
    device: str = "cpu",
) -> Iterator[Frame]:
    """The things on each picture of a video, one picture after the other as it is read.

    `video` is a file's name, or `camera`, or `camera:1` for a second one. `threshold`, `classes`,
    `threads` and `device` are as of `opsin.detect`; `patience` is for how many seconds a thing that
    is hidden is waited for, so that it has its old number when it comes back. A thing is told from
    the second picture on that it is seen on. Needs the extra `video`.

    Raises `NotAPhotoError` if it is no video that can be read, `PhotoTooLargeError` above
    `pixel_limit` pixels a picture.

    >>> for frame in track("street.mp4"):  # doctest: +SKIP
    ...     print(frame.picture.seconds, [(one.name, one.number) for one in frame.things])
    """
    threads = threads or min(cores(), MOST_THREADS)
    engine = engine_of(model, threads=threads, device=device)
    card = engine.card
    threshold = table_of(card).threshold if threshold is None else threshold
    if not LEAST <= threshold <= 1:
        raise ValueError(f"threshold must be from {LEAST} to 1, got {threshold}")
    if not patience >= 0:
        raise ValueError(f"patience must be 0 or more seconds, got {patience}")
    wanted = numbers_of(classes, card)
    if not isinstance(video, Video):
        video = Video(video, pixel_limit=pixel_limit, threads=threads)
    return _frames(video, engine, threshold, patience, wanted)


def _frames(
    video: Video,
    engine: Any,
    threshold: float,
    patience: float,
    wanted: NDArray[np.intp] | None,
) -> Iterator[Frame]:
    tracker = Tracker(threshold, patience=round(patience * float(video.rate)))
    with video:
        for picture in video:
            found = search(picture.pixels, engine, threshold=LEAST, levels=0, labels=wanted)
            height, width = picture.pixels.shape[:2]
            things = []
            for one in tracker.next(found):
                box: Floats = boxes.clip(one.box[None], height, width)[0]
                if one.number is not None and (box[2:] > box[:2]).all():
                    name = engine.card.labels[one.label]
                    things.append(Tracked(name, box, one.score, one.number))
            yield Frame(picture, tuple(things))
