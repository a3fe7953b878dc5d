"""Detecting things as work upon one photograph of many; see `opsin.work`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opsin.defaults import LEVELS, PIXEL_LIMIT, QUALITY
from opsin.formats.suffixes import WRITTEN
from opsin.work import Made

PICTURES: Final = {"draw": "objects", "crop": "object-1"}
"""What can be made, by role, and what the names of its pictures end with; a second thing's crop is
NAME-object-2."""


@dataclass(frozen=True)
class Detecting:
    """How each photograph is done: the words and defaults of `opsin.detect`."""

    model: str | None = None
    accurate: bool = False
    threshold: float | None = None
    classes: tuple[str, ...] | None = None
    levels: int = LEVELS
    quality: int = QUALITY
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    def load(self, *, threads: int) -> None:
        from opsin.objects.pipeline import detector_of, numbers_of

        detector = detector_of(
            self.model, accurate=self.accurate, threads=threads, device=self.device
        )
        numbers_of(self.classes, detector.card)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Its part is that of `Things.document`; the crops are "crop", "crop 2", "crop 3" ..."""
        from opsin.objects.pipeline import detect
        from opsin.photo import open as open_photo

        photo = open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        found = detect(
            photo,
            model=self.model,
            accurate=self.accurate,
            threshold=self.threshold,
            classes=self.classes,
            levels=self.levels,
            threads=threads,
            device=self.device,
        )
        files: dict[str, bytes] = {}
        if "draw" in wanted:
            files["draw"] = found.draw().encode(WRITTEN[wanted["draw"]], quality=self.quality)
        if "crop" in wanted:
            format = WRITTEN[wanted["crop"].lower()]
            made = [found.crop(thing).encode(format, quality=self.quality) for thing in found]
            # the first last: where it exists, all others do
            files |= {f"crop {number}": data for number, data in enumerate(made[1:], 2)}
            files |= dict(zip(["crop"], made, strict=False))
        return Made(files, photo.metadata.notes, found.document())
