"""Whose face is it: numbers of a face that are alike for one person and differ between two.

    Photo, landmarks -> the face turned, moved and scaled as the card says -> network -> numbers of
    length 1

Their dot product is how alike two faces are, from -1 to 1; a card's `thresholds` say how many
pairs of strangers are as alike. Numbers of two models have nothing to do with each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from opsin.boxes import Floats
from opsin.defaults import RECOGNIZER
from opsin.errors import ModelError
from opsin.faces.align import aligned
from opsin.faces.pipeline import Face
from opsin.machine import cores
from opsin.models.card import Card, RecognizeTable
from opsin.models.engine import MOST_THREADS, Engine, load_engine
from opsin.models.store import members
from opsin.photo import Photo
from opsin.photo import open as open_photo

NO_LANDMARKS: Final = (
    "a face without landmarks cannot be told from others: its detector says where it is, not where "
    "the eyes are. Find faces by yunet or mtcnn."
)
LEAST_LENGTH: Final = 1e-6  # an answer without length points nowhere


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The numbers of some faces, a row each, and whose they are."""

    vectors: Floats
    """(N, D) float32, each row of length 1; 256 numbers of the default model."""
    card: Card

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def model(self) -> str:
        """Which network made them, as "face-reid 98775d0a4a29": its name, and of its SHA-256 the
        first 12 digits. Only those of one model can be compared."""
        return f"{self.card.name} {self.card.sha256[:12]}"


def embed(
    photo: Any,
    faces: Iterable[Face],
    *,
    model: str = RECOGNIZER,
    threads: int | None = None,
    device: str = "cpu",
) -> Embeddings:
    """The numbers of faces of `photo`, which is a `Photo` or anything that `opsin.open` takes.

    `faces` are what `opsin.find_faces` found on it, all or some. A face may lean or lie on its
    side. `threads` is how many cores it may take, `device` where the network is run, see
    `opsin.models.engine.DEVICES`. A model that recognizes no faces is a `ModelError`.

    >>> embed(np.zeros((48, 64), np.uint8), []).vectors.shape
    (0, 256)
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    engine = engine_of(model, threads=threads or min(cores(), MOST_THREADS), device=device)
    return embed_pixels(photo.pixels, [face.landmarks for face in faces], engine)


def embed_pixels(pixels: Any, landmarks: Iterable[Floats], engine: Engine) -> Embeddings:
    """The same of pixels (H, W, 1 or 3) of 8 or 16 bits and each face's landmarks (5, 2).

    Faces without landmarks, as a cascade finds them, are a `ModelError`.
    """
    rows = [_row(pixels, one, engine) for one in landmarks]
    numbers = engine.card.outputs[0].shape[-1]
    return Embeddings(np.array(rows, np.float32).reshape(len(rows), int(numbers)), engine.card)


def similarity(embeddings: Embeddings, others: Embeddings) -> Floats:
    """(N, M) float32: how alike each two faces are, from -1 to 1, 1 being the same picture.

    Those of different models are a `ModelError`.
    """
    if embeddings.model != others.model:
        raise ModelError(
            f"faces were embedded by '{embeddings.model}' and by '{others.model}', which cannot "
            "be compared. Embed them all by one model."
        )
    return np.asarray((embeddings.vectors @ others.vectors.T).clip(-1, 1), np.float32)


def engine_of(model: str, *, threads: int, device: str = "cpu") -> Engine:
    """The loaded network of that name, if it is one that recognizes faces; else a `ModelError`."""
    names = members(model)
    if len(names) > 1:
        raise ModelError("faces are recognized by one model. Name one, without commas.")
    engine = load_engine(names[0], threads=threads, device=device)
    table_of(engine.card)
    return engine


def table_of(card: Card) -> RecognizeTable:
    """What a model's card says of how it recognizes; one of another task is a `ModelError`."""
    if card.recognize is None:
        raise ModelError(f"model '{card.name}' recognizes no faces: its task is '{card.task}'.")
    return card.recognize


def _row(pixels: Any, landmarks: Floats, engine: Engine) -> Floats:
    """(D,) of one face. Several in one run would be no quicker on a CPU."""
    card, table = engine.card, table_of(engine.card)
    if not len(landmarks):
        raise ModelError(NO_LANDMARKS)
    face = aligned(pixels, landmarks, table.places, card.size)
    planes = (face[..., ::-1] if table.channels == "bgr" else face).transpose(2, 0, 1)
    answer = engine.run({card.inputs[0].name: np.ascontiguousarray(planes)[None]})
    numbers = answer[card.outputs[0].name][0]
    return np.asarray(numbers / max(LEAST_LENGTH, float(np.linalg.norm(numbers))), np.float32)
