"""Gender from the faces of a photograph: they are found, and each is classified.

The labels are "female" and "male", and say what a face seems to show to somebody: see the card of
the model (`opsin models show gender`) for what they must not be used for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from opsin.defaults import DETECTOR, GENDER, MIN_FACE, PIXEL_LIMIT
from opsin.errors import ModelError
from opsin.faces.around import Pixels, square_around
from opsin.faces.detectors import detector_of
from opsin.faces.pipeline import Face, find_faces
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS, Engine, load_engine
from opsin.models.store import members
from opsin.photo import Photo
from opsin.photo import open as open_photo
from opsin.recognition.pipeline import Classes, classify_pixels, labels_of
from opsin.work import Made

LABELS: Final = ("female", "male")
FRAME: Final = 1.97
"""The side of a picture of the set that the networks learned from, of faces in the middle, in
longer sides of the boxes that the detector gives there (median of 250; 1.80 to 2.17 for 80 %)."""


@dataclass(frozen=True, eq=False)
class FaceClasses:
    """A face, and what it was classified as."""

    face: Face
    classes: Classes

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {**self.face.document(), "classes": self.classes.document()}


def gender(
    photo: Any,
    *,
    model: str = GENDER,
    detector: str = DETECTOR,
    threshold: float | None = None,
    min_size: float = MIN_FACE,
    threads: int | None = None,
    device: str = "cpu",
) -> tuple[FaceClasses, ...]:
    """The faces on `photo`, a `Photo` or anything that `opsin.open` takes, with the probabilities
    of "female" and "male" for each; the faces that are surest to be some come first.

    `model` is a name, several with commas an ensemble. `detector`, `threshold` and `min_size` are
    how faces are found, see `opsin.find_faces`.

    >>> import numpy as np
    >>> gender(np.zeros((48, 64), np.uint8))
    ()
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    threads = threads or min(cores(), MOST_THREADS)
    engines = _engines(model, threads=threads, device=device)
    faces = find_faces(
        photo,
        detector=detector,
        threshold=threshold,
        min_size=min_size,
        threads=threads,
        device=device,
    )
    return tuple(
        FaceClasses(face, classify_pixels(square_around(faces, face, FRAME), engines))
        for face in faces
    )


def _engines(model: str, *, threads: int, device: str) -> list[Engine]:
    """The networks of those names; a `ModelError` if their labels are others than `LABELS`."""
    engines = [load_engine(name, threads=threads, device=device) for name in members(model)]
    labels = labels_of([engine.card for engine in engines])
    if sorted(labels) != sorted(LABELS):
        raise ModelError(
            f"model '{engines[0].card.name}' tells no gender: its labels are others. For names of "
            "what is on a photograph: opsin classify."
        )
    return engines


def face_in_the_middle(photo: Any, *, threads: int | None = None) -> Pixels | None:
    """The square that a network for faces is given of the face nearest to a photograph's middle,
    (S, S, 3) uint8; None if there is no face."""
    faces = find_faces(photo, threads=threads)
    middle = np.array([faces.photo.width, faces.photo.height]) / 2
    away = [np.hypot(*((face.box[:2] + face.box[2:]) / 2 - middle)) for face in faces]
    return square_around(faces, faces[int(np.argmin(away))], FRAME) if away else None


@dataclass(frozen=True)
class Gendering:
    """How each photograph of many is done: the words and defaults of `gender`; see `opsin.work`."""

    model: str = GENDER
    threshold: float | None = None
    min_size: float = MIN_FACE
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    def load(self, *, threads: int) -> None:
        detector_of(DETECTOR, threads=threads, device=self.device)
        _engines(self.model, threads=threads, device=self.device)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Makes no file: its part is {"faces": [{"box", "score", "landmarks", "classes"}, ...]}."""
        photo = open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        found = gender(
            photo,
            model=self.model,
            threshold=self.threshold,
            min_size=self.min_size,
            threads=threads,
            device=self.device,
        )
        return Made(notes=photo.metadata.notes, part={"faces": [one.document() for one in found]})
