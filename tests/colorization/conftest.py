"""Photographs to train on: squares cut out of real ones."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar of 20 squares of 160 pixels cut out of real photographs."""
    return write_squares(tmp_path_factory.mktemp("data") / "cut-000.tar", 20)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in folders named after their classes: person, cup, cat."""
    classes = ("person", "cup", "cat")
    return write_squares(tmp_path_factory.mktemp("scenes") / "scenes.tar", 24, classes=classes)


def write_squares(path: Path, count: int, *, classes: tuple[str, ...] = ()) -> Path:
    from skimage import data

    photos = (data.astronaut(), data.coffee(), data.chelsea())
    rng = np.random.default_rng(5)
    with tarfile.open(path, "w") as tar:
        for index in range(count):
            photo = photos[index % 3]
            y, x = (int(rng.integers(0, side - 160)) for side in photo.shape[:2])
            content = io.BytesIO()
            Image.fromarray(photo[y : y + 160, x : x + 160]).save(content, "JPEG", quality=95)
            folder = f"{classes[index % 3]}/" if classes else ""
            member = tarfile.TarInfo(f"{folder}{index}.jpg")
            member.size = len(content.getvalue())
            tar.addfile(member, io.BytesIO(content.getvalue()))
    return path
