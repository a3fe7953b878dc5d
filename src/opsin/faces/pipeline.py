"""How faces are found on a photograph: the one place that knows the order of the steps.

    Photo -> smaller copies of it, in tiles -> network -> boxes, scores and points of each -> the
    best of those that overlap -> if there is no good one, the same of the photograph turned

Many scans lie on their side and no file says so. They are turned by quarters, and the turn at
which most faces are found is told (`turned`); boxes always lie on the photograph as it was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from opsin import boxes
from opsin.boxes import QUARTERS, Floats
from opsin.defaults import CROP_MARGIN, DETECTOR, MIN_FACE
from opsin.drawing.boxes import framed
from opsin.faces.detectors import Detector, detector_of
from opsin.faces.found import POINTS, Found
from opsin.faces.hide import hidden
from opsin.machine import cores
from opsin.models.card import Card
from opsin.models.engine import MOST_THREADS
from opsin.photo import Photo, copied, part_of
from opsin.photo import open as open_photo

LANDMARKS: Final = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
"""The points of a face in their order; right is the person's right."""
LARGE: Final = 0.06
"""Of the photograph's longer side: on narrower faces dots would hide what they show."""
COARSE: Final = 1 / 32
"""Of the photograph's longer side: a turn is chosen by the faces that are at least so wide."""


@dataclass(frozen=True, eq=False)
class Face:
    """Where one face is on its photograph, in pixels: (0, 0) is the upper left corner."""

    box: Floats
    """(4,): x1, y1, x2, y2, from the forehead to the chin."""
    score: float
    """How sure the network is, from the threshold to 1. No probability."""
    landmarks: Floats
    """(5, 2) as x, y, in the order of `LANDMARKS`: the person's right eye, left eye, the tip of
    the nose, the right and the left corner of the mouth. They may lie outside of the photograph.
    A cascade tells none: (0, 2)."""

    def __post_init__(self) -> None:
        if self.box.shape != (4,) or self.landmarks.shape not in ((POINTS, 2), (0, 2)):
            raise ValueError(
                f"a face has a box (4,) and landmarks (5, 2) or none (0, 2), got {self.box.shape} "
                f"and {self.landmarks.shape}"
            )

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON; `landmarks` is None where there are none."""
        places = np.round(self.landmarks.astype(float), 1).tolist()
        return {
            "box": np.round(self.box.astype(float), 1).tolist(),
            "score": round(self.score, 4),
            "landmarks": dict(zip(LANDMARKS, places, strict=True)) if places else None,
        }


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of a photograph, those first of which the network is most sure."""

    photo: Photo
    faces: tuple[Face, ...]
    turned: int
    """Degrees clockwise by which the photograph must be turned for its faces to be upright: 0, 90,
    180 or 270. Boxes and landmarks lie on the photograph as it is, not on the turned one."""
    card: Card

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[Face]:
        return iter(self.faces)

    def __getitem__(self, index: int) -> Face:
        return self.faces[index]

    @property
    def boxes(self) -> Floats:
        """(N, 4), see `opsin.boxes`."""
        return boxes.as_boxes([face.box for face in self.faces])

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {"faces": [face.document() for face in self.faces], "turned": self.turned}

    def draw(self) -> Photo:
        """A copy in 8-bit color: a frame around each face, dots on the landmarks of large ones."""
        least = LARGE * max(self.photo.height, self.photo.width)
        large = (face for face in self.faces if face.box[2] - face.box[0] >= least)
        points = [place for face in large for place in face.landmarks]
        drawn = framed(self.photo.pixels, self.boxes, points)
        return Photo(drawn, metadata=replace(copied(self.photo.metadata), there=None))

    def crop(self, face: Face, margin: float = CROP_MARGIN) -> Photo:
        """A square around a face, upright, with the photograph's pixels.

        `margin` is what it shows on each side of the box, as a share of its longer side, 0 or
        more. What would lie outside of the photograph is cut off, and the crop is no square then.
        Of the metadata only the resolution is kept: the rest tells of the whole photograph.
        """
        if not margin >= 0:
            raise ValueError(f"margin must be 0 or more, got {margin}")
        center = (face.box[:2] + face.box[2:]) / 2
        half = float((face.box[2:] - face.box[:2]).max()) * (0.5 + margin)
        size = np.array([self.photo.width, self.photo.height])
        left, top = np.rint(center - half).clip(0, size - 1).astype(int)
        right, bottom = np.rint(center + half).clip((left + 1, top + 1), size).astype(int)
        part = part_of(self.photo, slice(top, bottom), slice(left, right))
        dpi = part.metadata.dpi
        return Photo(
            turned_by(part.pixels, self.turned),
            None if part.alpha is None else turned_by(part.alpha, self.turned),
            replace(part.metadata, dpi=dpi[::-1] if dpi and self.turned % 180 else dpi),
        )

    def blur(self) -> Photo:
        """A copy of the same size, depth and metadata with the faces made unrecognizable.

        Thumbnails in the metadata go, for they show the faces. Faces that were not found stay as
        they are: look at it before it is published.
        """
        pixels = hidden(self.photo.pixels, self.boxes)
        return replace(self.photo, pixels=pixels, metadata=copied(self.photo.metadata))


def find_faces(
    photo: Any,
    *,
    detector: str = DETECTOR,
    threshold: float | None = None,
    min_size: float = MIN_FACE,
    threads: int | None = None,
    device: str = "cpu",
) -> Faces:
    """Where faces are on `photo`, which is a `Photo` or anything that `opsin.open` takes.

    `detector` is the name of a model whose task is faces, see `opsin models list`, or the path of
    a cascade of yours, an XML file as OpenCV has it. `threshold` is
    the least score of a face, from 0 to 1; None is what the model's card says.
    `min_size` is the least width and height of its box in pixels, 5 or more: a larger one is
    quicker. There is no limit to how many there are. Faces may lean by some 30 degrees; a
    photograph that lies on its side or its head is turned, see `Faces.turned`. `threads` is how
    many cores it may take. `device` is where the network is run, see
    `opsin.models.engine.DEVICES`.

    >>> len(find_faces(np.zeros((48, 64), np.uint8)))
    0
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    threads = threads or min(cores(), MOST_THREADS)
    finds = detector_of(detector, threads=threads, device=device)
    threshold = finds.threshold if threshold is None else threshold
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    if not min_size >= LEAST:
        raise ValueError(f"min_size must be {LEAST} pixels or more, got {min_size}")
    found, turned = _best_turn(photo, finds, threshold, min_size)
    placed = found._replace(boxes=boxes.clip(found.boxes, photo.height, photo.width))
    faces = tuple(
        Face(box, float(score), points) for box, score, points in zip(*placed, strict=True)
    )
    return Faces(photo, faces, turned, finds.card)


LEAST: Final = 5
"""Pixels: nothing smaller is a face to anybody."""


def turned_by(pixels: Any, degrees: int) -> Any:
    """A view of pixels (H, W, ...), turned clockwise by 0, 90, 180 or 270 degrees.

    >>> turned_by(np.array([[1, 2]]), 90).tolist()
    [[1], [2]]
    """
    return np.rot90(pixels, -degrees // 90)


def _best_turn(
    photo: Photo, detector: Detector, threshold: float, min_size: float
) -> tuple[Found, int]:
    """What is found at the turn with the best sum of scores, on the photograph as it is.

    The other turns are chosen among by their larger faces, which takes a fraction of the time.
    """
    upright = detector.search(photo.pixels, min_size, threshold)
    if upright.scores.max(initial=0) >= detector.good:
        return upright, 0
    coarse = max(min_size, max(photo.height, photo.width) * COARSE)
    looks = {
        degrees: detector.search(turned_by(photo.pixels, degrees), coarse, threshold)
        for degrees in QUARTERS[1:]
    }
    sums = {
        degrees: float(found.scores.sum())
        for degrees, found in looks.items()
        if found.scores.max(initial=0) >= detector.fair
    }
    if not sums:
        return upright, 0
    degrees = max(sums, key=lambda one: sums[one])
    seen = turned_by(photo.pixels, degrees)
    found = detector.search(seen, min_size, threshold)
    if found.scores.sum() <= upright.scores.sum():
        return upright, 0
    return found.turned(-degrees % 360, *seen.shape[:2]), degrees
