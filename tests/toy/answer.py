"""How it answers: one photograph, or one of many in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import as_rgb
from opsin.models.engine import load_engine
from opsin.photo import open as open_photo
from opsin.work import Made

Float = NDArray[np.float32]


def light_of(rgb: Float) -> Float:
    """How bright pixels (..., 3) in [0, 1] are."""
    return np.ascontiguousarray(rgb.mean(axis=-1), np.float32)


def classify(rgb: NDArray[np.uint8], model: str) -> dict[str, float]:
    """The probability of each class, the likeliest first."""
    engine = load_engine(model)
    logits = engine.run({"light": light_of(rgb / np.float32(255))[None, None]})["logits"][0]
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    names = engine.card.labels
    return {names[at]: float(shares[at]) for at in np.argsort(-shares)}


@dataclass(frozen=True)
class Classifying:
    model: str

    def load(self, *, threads: int) -> None:
        load_engine(self.model, threads=threads)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        found = classify(as_rgb(open_photo(source).pixels), self.model)
        classes = [{"name": name, "probability": share} for name, share in found.items()]
        return Made(part={"classes": classes})
