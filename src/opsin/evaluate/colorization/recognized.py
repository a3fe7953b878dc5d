"""Does a classifier know what is on the colored picture, as it does on the true one?

Zhang et al. 2016 (section 3.2) ask a network that has learned from color photographs to name what
it sees on colorized ones: a judge that no colorizer was trained for. Here it needs no labels. What
it calls the true picture is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.models.engine import load_engine
from opsin.models.store import members
from opsin.recognition.pipeline import classify_pixels

Pixels: TypeAlias = NDArray[np.uint8]


class Recognized:
    """Asks a classifier, by its name, about pictures; gray ones are looked at once, as they are."""

    def __init__(self, classifier: str) -> None:
        self._engines = [load_engine(name) for name in members(classifier)]
        self._found: dict[str, list[bool]] = {}

    def add(self, truth: Pixels, pixels: Mapping[str, Pixels]) -> None:
        """Notes whether each system's picture (H, W, 3) has the name that the true one has."""
        name = self.name(truth)
        for system, picture in pixels.items():
            self._found.setdefault(system, []).append(self.name(picture) == name)

    def of(self, system: str) -> float:
        """The share of the system's pictures that have the right name."""
        return float(np.mean(self._found[system]))

    def name(self, pixels: Pixels) -> str:
        return classify_pixels(pixels, self._engines, second_look=False).name
