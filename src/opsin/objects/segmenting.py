"""Telling the pixels of things as work upon one photograph of many; see `opsin.work`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opsin.defaults import MASKS, PIXEL_LIMIT, QUALITY
from opsin.formats.suffixes import WRITTEN
from opsin.work import Made

PICTURES: Final = {"draw": "segments", "masks": "mask-1"}
"""What can be made, by role, and what the names of its pictures end with; a second thing's mask is
NAME-mask-2."""


@dataclass(frozen=True)
class Segmenting:
    """How each photograph is done: the words and defaults of `opsin.segment`."""

    model: str = MASKS
    detector: str | None = None
    accurate: bool = False
    threshold: float | None = None
    classes: tuple[str, ...] | None = None
    quality: int = QUALITY
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    def load(self, *, threads: int) -> None:
        from opsin.objects.masker import finder_of, masker_of, wanted_of
        from opsin.objects.pipeline import detector_of, numbers_of

        masker = masker_of(self.model, threads=threads, device=self.device)
        finder = finder_of(self.model, self.detector, accurate=self.accurate)
        detector = detector_of(*finder, threads=threads, device=self.device)
        numbers_of(wanted_of(self.classes, masker), detector.card)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Its part is that of `Segments.document`; masks are "masks", "masks 2", "masks 3" ..."""
        from opsin.objects.segment import segment
        from opsin.photo import open as open_photo

        photo = open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        found = segment(
            photo,
            model=self.model,
            detector=self.detector,
            accurate=self.accurate,
            threshold=self.threshold,
            classes=self.classes,
            threads=threads,
            device=self.device,
        )
        files: dict[str, bytes] = {}
        if "draw" in wanted:
            files["draw"] = found.draw().encode(WRITTEN[wanted["draw"]], quality=self.quality)
        if "masks" in wanted:
            made = [found.picture(one).encode("png") for one in found]
            # the first last: where it exists, all others do
            files |= {f"masks {number}": data for number, data in enumerate(made[1:], 2)}
            files |= dict(zip(["masks"], made, strict=False))
        return Made(files, photo.metadata.notes, found.document())
