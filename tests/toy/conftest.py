"""Real photographs that were exposed too little, well, and too much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXPOSED = {"dark": (0.0, 0.25), "middle": (0.35, 0.65), "bright": (0.75, 1.0)}


@pytest.fixture(scope="session")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten of each in folders named after their classes."""
    from skimage import data

    folder, photo = tmp_path_factory.mktemp("shades"), data.astronaut() / 255
    for name, (low, high) in EXPOSED.items():
        (folder / name).mkdir()
        for number in range(10):
            part = photo[40 * number : 40 * number + 48, 200:264]
            pixels = ((low + (high - low) * part) * 255).round().astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder
