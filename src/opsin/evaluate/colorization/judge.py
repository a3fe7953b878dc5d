"""What a GAN's discriminator thinks of each system's pictures: would it take them for true?

`opsin export` writes the discriminator of a conditional GAN (A6) beside its generator, as
NAME-discriminator.onnx: L* and a*b* of a square in, one logit out. It was trained against its own
generator, so it knows that one's faults best; of other systems it is one more opinion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.errors import ModelError
from opsin.files import read_regular, shown
from opsin.models.engine import first_line, session_of
from opsin.models.store import MOST_BYTES

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

SIZES = (8, 1024)  # the side of the square that a discriminator may see


class Judge:
    """Asks a discriminator about pictures; each is seen by its middle square, made small."""

    def __init__(self, path: str | Path) -> None:
        self._session = _load(Path(path))
        self.size = int(self._session.get_inputs()[0].shape[-1])
        self._taken: dict[str, list[bool]] = {}

    def add(self, truth: Pixels, pixels: Mapping[str, Pixels]) -> None:
        """Notes the opinion on the true picture and on each system's, (H, W, 3)."""
        for system, picture in {"": truth, **pixels}.items():
            self._taken.setdefault(system, []).append(self.logit(picture) > 0)

    def of(self, system: str) -> float:
        """The share of the system's pictures that are taken for true; "" are the true ones."""
        return float(np.mean(self._taken[system]))

    def logit(self, pixels: Pixels) -> float:
        """Above 0 if the colors of the picture (H, W, 3) look true."""
        lab = rgb_to_lab(_middle(pixels, self.size).astype(np.float32) / 255)
        planes = np.ascontiguousarray(lab.transpose(2, 0, 1))[None]
        try:
            (logit,) = self._session.run(None, {"light": planes[:, :1], "ab": planes[:, 1:]})
            opinion = float(np.ravel(logit)[0])
        except Exception as error:  # the runtime's errors have no common parent but this
            raise ModelError(f"the discriminator failed: {first_line(error)}") from error
        if not np.isfinite(opinion):
            raise ModelError("the discriminator gave no finite answer.")
        return opinion


def _middle(pixels: Pixels, size: int) -> Pixels:
    from opsin.formats.vips import vips

    image = vips().Image.new_from_array(np.ascontiguousarray(pixels))
    square: Pixels = image.thumbnail_image(size, height=size, crop="centre").numpy()
    return square


def _load(path: Path) -> Any:
    try:
        data = read_regular(path, most=MOST_BYTES)
    except (OSError, ValueError) as error:
        raise ModelError(f"{shown(path)}: cannot be read as a discriminator ({error}).") from error
    session = session_of(data, path)
    shapes = {entry.name: list(entry.shape) for entry in session.get_inputs()}
    size = shapes.get("light", [0])[-1]
    wanted = {"light": [1, 1, size, size], "ab": [1, 2, size, size]}
    if shapes != wanted or not isinstance(size, int) or not SIZES[0] <= size <= SIZES[1]:
        raise ModelError(
            f"{shown(path)}: not a discriminator, its inputs are {shown(str(shapes)[:200])}. Give "
            "the NAME-discriminator.onnx that opsin export wrote beside a conditional GAN."
        )
    return session
