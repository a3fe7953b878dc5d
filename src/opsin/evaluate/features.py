"""Feature networks for the Frechet distance.

A feature network is an ONNX file that takes one picture, float32 (1, 3, H, W), sRGB in 0..255, and
gives its features, (1, D); normalization is its own. A picture is squashed to H and W where they
are numbers, and given as it is where they are free. Inception-v3 exported so gives the usual FID;
`benchmarks/features.py` writes EfficientNet-lite0, which is another scale and much smaller.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.pixels import resized
from opsin.errors import DataError
from opsin.evaluate.frechet import Features, Pixels
from opsin.files import read_regular, shown
from opsin.models.engine import first_line, session_of
from opsin.models.store import MOST_BYTES


def load(path: str | Path) -> Features:
    """The function from a picture to its features; see the head of this file."""
    path = Path(path)
    try:
        session = session_of(read_regular(path, most=MOST_BYTES), path)
        (given,) = session.get_inputs()
        _, channels, *sides = given.shape
        if channels != 3 or len(sides) != 2 or given.type != "tensor(float)":
            raise ValueError(f"it takes {given.type} {given.shape}")
    except Exception as error:  # the runtime's errors have no common parent but this
        raise DataError(
            f"{shown(path)}: not a feature network. Give an ONNX file that takes sRGB, float32 "
            f"(1, 3, H, W) in 0..255, and gives (1, D) ({first_line(error)})."
        ) from error

    def features(pixels: Pixels) -> NDArray[np.float32]:
        wanted = [
            side if isinstance(side, int) else own
            for side, own in zip(sides, pixels.shape, strict=False)
        ]
        planes = resized(pixels, *wanted).transpose(2, 0, 1)[None].astype(np.float32)
        try:
            found: NDArray[np.float32] = session.run(None, {given.name: planes})[0][0]
        except Exception as error:  # as above
            raise DataError(f"{shown(path)}: gives no features of a picture.") from error
        if found.ndim != 1 or not np.isfinite(found).all():
            raise DataError(f"{shown(path)}: gives no finite features of a picture.")
        return found

    return features
