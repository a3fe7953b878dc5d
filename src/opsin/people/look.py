"""What is seen on one photograph: its faces, and the numbers by which they are told apart."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from opsin.boxes import Floats
from opsin.defaults import DETECTOR, MIN_FACE, PIXEL_LIMIT, RECOGNIZER
from opsin.errors import ModelError
from opsin.faces import detectors, pipeline, recognize
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS
from opsin.models.store import find
from opsin.photo import Photo
from opsin.photo import open as open_photo

BLOCK: Final = 1 << 20  # bytes that are read at once


@dataclass(frozen=True)
class FileFacts:
    """By what a file is known again: where it lies, or what it holds."""

    path: Path
    """Absolute, with links resolved."""
    size: int
    modified: int
    """In nanoseconds."""
    digest: bytes
    """SHA-256 of all that it holds."""


@dataclass(frozen=True, eq=False)
class Look:
    """The faces of one photograph and their embeddings, a row each."""

    width: int
    """Of the upright photograph, in pixels."""
    height: int
    turned: int
    faces: tuple[pipeline.Face, ...]
    """From left to right."""
    vectors: Floats
    """(N, D) of length 1."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Looking:
    """How photographs are looked at: the words and defaults of `opsin.find_faces`."""

    model: str = RECOGNIZER
    detector: str = DETECTOR
    threshold: float | None = None
    min_size: float = MIN_FACE
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    def load(self, *, threads: int) -> None:
        found_by = detectors.detector_of(self.detector, threads=threads, device=self.device)
        if not found_by.tells_landmarks:
            raise ModelError(recognize.NO_LANDMARKS)
        recognize.engine_of(self.model, threads=threads, device=self.device)

    @cached_property
    def how(self) -> str:
        """In a word: a photograph that was looked at in another way is looked at again."""
        card = find(self.detector).card
        least = "" if self.threshold is None else f"{self.threshold:g}"
        return f"{card.name} {card.sha256[:12]} {least} {self.min_size:g}"

    @cached_property
    def made_by(self) -> str:
        """The model, as `opsin.faces.recognize.Embeddings.model` names it."""
        card = find(self.model).card
        recognize.table_of(card)
        return f"{card.name} {card.sha256[:12]}"

    @cached_property
    def rates(self) -> tuple[tuple[float, float], ...]:
        """The card's false-accept rates and their similarities; at least two."""
        card = find(self.model).card
        rates = recognize.table_of(card).thresholds
        if len(rates) < 2:
            raise ModelError(
                f"model '{card.name}' cannot name faces: its card tells fewer than two "
                "`thresholds` in [recognize]. Measure them by opsin evaluate faces."
            )
        return rates

    def look(self, source: Any, *, threads: int | None = None) -> Look:
        """All faces of `source`, which is anything that `opsin.open` takes."""
        threads = threads or min(cores(), MOST_THREADS)
        photo = (
            source
            if isinstance(source, Photo)
            else open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        )
        found = pipeline.find_faces(
            photo,
            detector=self.detector,
            threshold=self.threshold,
            min_size=self.min_size,
            threads=threads,
            device=self.device,
        )
        faces = tuple(sorted(found, key=lambda face: float(face.box[0] + face.box[2])))
        embedded = recognize.embed(
            photo, faces, model=self.model, threads=threads, device=self.device
        )
        return Look(
            photo.width,
            photo.height,
            found.turned,
            faces,
            embedded.vectors,
            photo.metadata.notes,
        )


def facts_of(path: str | os.PathLike[str]) -> FileFacts:
    """What tells a file from others; an `OSError` if it cannot be read."""
    place = resolved(path)
    digest = hashlib.sha256()
    with open(place, "rb") as file:
        before = os.fstat(file.fileno())
        while block := file.read(BLOCK):
            digest.update(block)
    return FileFacts(place, before.st_size, before.st_mtime_ns, digest.digest())


def resolved(path: str | os.PathLike[str]) -> Path:
    """A path by which one file has one name: absolute, links resolved."""
    return Path(os.path.realpath(path))


def as_vectors(blobs: list[bytes]) -> Floats:
    """(N, D) float32 of length 1: embeddings as the file stores them."""
    if not blobs:
        return np.zeros((0, 0), np.float32)
    rows = np.frombuffer(b"".join(blobs), "<f2").reshape(len(blobs), -1).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def as_blob(vector: Floats) -> bytes:
    """An embedding (D,) in half precision: 512 bytes of the default model."""
    return vector.astype("<f2").tobytes()
