"""Giving people another background as work upon one photograph of many; see `opsin.work`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from opsin.defaults import MASKS, PIXEL_LIMIT, QUALITY
from opsin.formats.encode import TRANSPARENT
from opsin.formats.suffixes import KEPT, WRITTEN
from opsin.work import Made

if TYPE_CHECKING:
    from opsin.objects.background import Cutout
    from opsin.photo import Photo

PICTURES: Final = {
    "replace": "new-background",
    "blur": "blurred-background",
    "transparent": "cutout",
    "keep_color": "spot-color",
}
"""What can be asked for, and what the name of its picture ends with."""

CLEAR: Final = tuple(one for one in KEPT if one in TRANSPARENT)
"""The formats that a photograph keeps when its background is gone."""

GRAY: Final = "gray"
"""Why no picture was made; the other reason is that `Replacing.nobody` is "on it"."""


@dataclass(frozen=True)
class Replacing:
    """How each photograph is done: the words and defaults of `opsin.background`."""

    replace: str | None = None
    """A picture's file, or a color."""
    blur: float | None = None
    transparent: bool = False
    keep_color: bool = False
    model: str = MASKS
    detector: str | None = None
    accurate: bool = False
    threshold: float | None = None
    classes: tuple[str, ...] | None = None
    quality: int = QUALITY
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    @property
    def nobody(self) -> str:
        """Whom it does not find where it makes no picture, as "nobody" or "no dog"."""
        from opsin.objects.masker import nobody_of

        return nobody_of(self.model, self.classes)

    def load(self, *, threads: int) -> None:
        from opsin.objects.masker import finder_of, kept_of, masker_of
        from opsin.objects.pipeline import detector_of, numbers_of

        masker = masker_of(self.model, threads=threads, device=self.device)
        finder = finder_of(self.model, self.detector, accurate=self.accurate)
        detector = detector_of(*finder, threads=threads, device=self.device)
        numbers_of(kept_of(self.classes, masker), detector.card)
        if self.replace is not None:
            behind_of(self.replace, self.pixel_limit)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Its part is that of `Cutout.document`; without people there is no picture."""
        from opsin.objects.background import cut_out
        from opsin.photo import open as open_photo

        photo = open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        if self.keep_color and photo.is_gray:
            return Made(skipped=GRAY)
        found = cut_out(
            photo,
            model=self.model,
            detector=self.detector,
            accurate=self.accurate,
            threshold=self.threshold,
            classes=self.classes,
            threads=threads,
            device=self.device,
        )
        if not found.people:
            return Made(skipped=f"{self.nobody} on it", part=found.document())
        result = self.made(found)
        format, notes = self._format(wanted["output"], photo.metadata.format)
        notes = (*result.notes, *notes, *result.losses(format))
        data = result.encode(format, quality=self.quality)
        return Made({"output": data}, notes, found.document())

    def made(self, found: Cutout) -> Photo:
        """What is asked for, of people who were cut out."""
        if self.replace is not None:
            return found.replaced(behind_of(self.replace, self.pixel_limit))
        if self.blur is not None:
            return found.blurred(self.blur)
        return found.transparent() if self.transparent else found.colored()

    def _format(self, suffix: str, own: str | None) -> tuple[str, tuple[str, ...]]:
        """The format of the picture, and a word where it cannot be the photograph's own."""
        if suffix:
            format = WRITTEN[suffix.lower()]
        else:
            format = own if own in (CLEAR if self.transparent else KEPT) else "png"
        if self.transparent and own in KEPT and own not in TRANSPARENT:
            return format, (f"{format.upper()}, for {own.upper()} has no transparency",)
        return format, ()


@lru_cache(maxsize=1)
def behind_of(replace: str, pixel_limit: int) -> Any:
    """The picture or the color that comes behind; kept, for it is the same for all photographs."""
    from opsin.objects.background import color_of
    from opsin.photo import open as open_photo

    return color_of(replace) or open_photo(replace, pixel_limit=pixel_limit)
