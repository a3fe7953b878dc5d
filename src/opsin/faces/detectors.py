"""What finds faces, by name: networks and cascades. To the pipeline they are all alike."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from opsin.errors import ModelError
from opsin.faces import hog, mtcnn, viola_jones, yunet
from opsin.faces.found import Found
from opsin.files import read_regular, shown
from opsin.models import cascade
from opsin.models.card import BLOCKS, Card, FaceTable
from opsin.models.engine import load_engine
from opsin.models.store import Model, find, members

Search: TypeAlias = Callable[[Any, float, float], Found]
"""Of pixels (H, W, 1 or 3), the least side of a box and the least score: all faces, the best first,
whichever way the picture lies."""

CASCADE: Final = ".xml"
"""What the file of a cascade ends with."""


@dataclass(frozen=True)
class Detector:
    """What finds faces, and what its scores mean."""

    card: Card
    search: Search
    threshold: float
    """The least score of a face, where nobody says otherwise."""
    good: float
    """With a face of this score no other turn of the photograph is tried."""
    fair: float
    """A turn needs a face of this score to be believed."""
    tells_landmarks: bool = True


def detector_of(name: str, *, threads: int, device: str) -> Detector:
    """The detector of that name, or of a cascade's file at the path `name`, loaded; a `ModelError`
    if the model finds no faces."""
    if isinstance(name, str) and name.endswith(CASCADE):
        return _of_file(Path(name), threads)
    names = members(name)
    if len(names) > 1:
        raise ModelError("faces are found by one detector. Name one, without commas.")
    model = find(names[0])
    table = table_of(model.card)
    if model.card.file.endswith(CASCADE):
        return _of_cascade(model, threads)
    engine = load_engine(names[0], threads=threads, device=device)
    is_hog = engine.card.inputs[0].shape == BLOCKS
    look = mtcnn.search if table.stages else hog.search if is_hog else yunet.search

    def search(pixels: Any, min_size: float, threshold: float) -> Found:
        return look(pixels, engine, table, min_size=min_size, threshold=threshold)

    return Detector(
        engine.card, search, table.threshold, table.good, table.fair, tells_landmarks=not is_hog
    )


def table_of(card: Card) -> FaceTable:
    """What a model's card says of how it finds faces; one of another task is a `ModelError`."""
    if card.faces is None:
        raise ModelError(f"model '{card.name}' finds no faces: its task is '{card.task}'.")
    return card.faces


@functools.lru_cache(maxsize=8)
def _of_cascade(model: Model, threads: int) -> Detector:
    return _made(model.read(), model.card, threads)


def _of_file(path: Path, threads: int) -> Detector:
    """The detector of a user's own cascade, which has no card."""
    try:
        data = read_regular(path, most=cascade.MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{shown(path)}: cannot read this cascade ({reason}).") from error
    return _of_bytes(data, path, threads)


@functools.lru_cache(maxsize=8)
def _of_bytes(data: bytes, path: Path, threads: int) -> Detector:
    made = cascade.parse(data, str(path))
    card = viola_jones.card_of(
        made,
        name="own-cascade",
        sha256=hashlib.sha256(data).hexdigest(),
        license="not stated: a file of the user's",
        training_data="not stated",
    )
    return _made(data, card, threads)


def _made(data: bytes, card: Card, threads: int) -> Detector:
    table = table_of(card)
    search = viola_jones.search_by(data, card, table, threads=threads)
    return Detector(card, search, table.threshold, table.good, table.fair, tells_landmarks=False)
