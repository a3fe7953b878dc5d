"""What finds faces, by name: networks by their cards. To the pipeline they are all alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from opsin.errors import ModelError
from opsin.faces import mtcnn, yunet
from opsin.faces.found import Found
from opsin.models.card import Card, FaceTable
from opsin.models.engine import load_engine
from opsin.models.store import members

Search: TypeAlias = Callable[[Any, float, float], Found]
"""Of pixels (H, W, 1 or 3), the least side of a box and the least score: all faces, the best first,
whichever way the picture lies."""


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


def detector_of(name: str, *, threads: int, device: str) -> Detector:
    """The detector of that name, loaded; a `ModelError` if the model finds no faces."""
    names = members(name)
    if len(names) > 1:
        raise ModelError("faces are found by one detector. Name one, without commas.")
    engine = load_engine(names[0], threads=threads, device=device)
    table = table_of(engine.card)
    look = mtcnn.search if table.stages else yunet.search

    def find(pixels: Any, min_size: float, threshold: float) -> Found:
        return look(pixels, engine, table, min_size=min_size, threshold=threshold)

    return Detector(engine.card, find, table.threshold, table.good, table.fair)


def table_of(card: Card) -> FaceTable:
    """What a model's card says of how it finds faces; one of another task is a `ModelError`."""
    if card.faces is None:
        raise ModelError(f"model '{card.name}' finds no faces: its task is '{card.task}'.")
    return card.faces
