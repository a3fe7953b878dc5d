"""Photographs of two people, and people files, also with faces that nobody has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.drawing.pixels import resized
from opsin.faces.pipeline import Face
from opsin.people.file import People
from opsin.people.look import FileFacts, Look
from opsin.people.photographs import Seen, keep

SAMPLES = Path(__file__).parents[2] / "samples"
ADMIRAL, ASTRONAUT = SAMPLES / "admiral.jpg", SAMPLES / "astronaut.jpg"


@pytest.fixture
def people(tmp_path: Path):
    with People.open(tmp_path / "people.sqlite") as found:
        yield found


@pytest.fixture(scope="session")
def pair():
    """Pixels of the admiral on the left and the astronaut on the right, 256 wide each."""
    parts = [resized(opsin.open(one).pixels, 256, 256) for one in (ADMIRAL, ASTRONAUT)]
    return np.concatenate(parts, axis=1)


@pytest.fixture
def both(tmp_path: Path, pair) -> Path:
    return opsin.open(pair).save(tmp_path / "both.png")


@pytest.fixture
def portraits() -> tuple[Path, Path]:
    """The admiral and the astronaut."""
    return ADMIRAL, ASTRONAUT


@pytest.fixture
def store():
    """Puts a photograph that does not exist into a people file; see `stored`."""
    return stored


@pytest.fixture
def vectors():
    """Makes embeddings of nobody; see `random_vectors`."""
    return random_vectors


def random_vectors(count: int, seed: int = 0) -> np.ndarray:
    """(N, 256) of length 1, hardly alike."""
    found = np.random.default_rng(seed).normal(size=(count, 256)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def stored(people: People, name: str, vectors: np.ndarray, *, size: int = 1000) -> Path:
    """A photograph that does not exist, with a row of faces that have these embeddings."""
    path = people.path.parent / name
    faces = tuple(
        Face(
            np.array([60 * row, 10, 60 * row + 50, 70], np.float32),
            0.9,
            np.full((5, 2), 30, np.float32),
        )
        for row in range(len(vectors))
    )
    looking = people.looking
    keep(
        people._database,
        FileFacts(path, 1, 1, name.encode().ljust(32)),
        Look(60 * len(vectors), size, 0, faces, vectors),
        Seen(looking.how, looking.made_by, 0.27),
    )
    return path
