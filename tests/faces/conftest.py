"""Small sets of pictures with faces and without."""

from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.drawing.pixels import resized

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="session")
def sets(tmp_path_factory) -> list[Path]:
    """Portraits of two people at some sizes, and pictures without a face."""
    place = tmp_path_factory.mktemp("sets")
    (place / "faces").mkdir()
    (place / "others").mkdir()
    for name, box in (("astronaut", (100, 0, 350, 250)), ("admiral", (110, 60, 410, 360))):
        photo = opsin.open(SAMPLES / f"{name}.jpg").pixels
        part = photo[box[1] : box[3], box[0] : box[2]]
        for number, side in enumerate((70, 80, 90, 100, 110, 120, 130, 140)):
            light = np.clip(resized(part, side, side) * (0.7 + number / 20), 0, 255)
            opsin.open(light.astype(np.uint8)).save(place / "faces" / f"{name}-{number}.png")
    for name in ("coffee", "cat", "rocket"):
        small = resized(opsin.open(SAMPLES / f"{name}.jpg").pixels, 150, 200)
        opsin.open(np.ascontiguousarray(small)).save(place / "others" / f"{name}.png")
    return [place / "faces", place / "others"]
