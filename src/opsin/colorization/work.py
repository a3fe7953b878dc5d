"""Colorizing as work upon one photograph of many; see `opsin.work`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from opsin.defaults import MATCHING, PIXEL_LIMIT, QUALITY, STRENGTH, VIVIDNESS
from opsin.errors import WrongCallError
from opsin.formats.suffixes import KEPT, WRITTEN
from opsin.work import Made

if TYPE_CHECKING:
    from opsin.colorization.pipeline import Colors
    from opsin.colorization.points import Point
    from opsin.photo import Photo

EXTRAS: Final = {"compare": ".jpg", "confidence": ".png"}
"""What can be made beside the picture in color, and the suffix of each."""
ANSWER: Final = "color-"
"""With a number from 2 on, the role of another answer."""

# The confidence that is drawn black and white. Of the default model's on the samples, 98 % lie
# between 0.15 and 0.85: a scale from 0 to 1 would show gray everywhere.
UNSURE, SURE = 0.2, 0.8


@dataclass(frozen=True)
class Colorizing:
    """How each photograph is done: the words and defaults of `opsin.colorize` and `Photo.save`."""

    model: str = "default"
    vividness: float = VIVIDNESS
    size: int | None = None
    points: Sequence[Point] = ()
    palette: Sequence[float] | None = None
    """313 shares, see `opsin.colorization.palette`."""
    strength: float = STRENGTH
    reference: str = ""
    """Swatches, see `opsin.colorization.reference`."""
    matching: float = MATCHING
    words: str = ""
    quality: int = QUALITY
    mark: bool = False
    skip_color: bool = False
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    def load(self, *, threads: int) -> None:
        from opsin.models.engine import load_engine
        from opsin.models.store import members

        for name in members(self.model):
            load_engine(name, threads=threads, device=self.device)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """The picture in color and those beside it; an existing one is compared as it is."""
        from opsin.colorization.pipeline import confidence_of, paint
        from opsin.photo import open as open_photo

        photo = open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        colors = self._colors(photo, self.palette, threads)
        part = {"colors": {"tone": colors.tone, "models": [card.name for card in colors.cards]}}
        if self.skip_color and colors.tone == "color":
            return Made(skipped="in color", part=part)
        files: dict[str, bytes] = {}
        notes: tuple[str, ...] = ()
        if "output" in wanted:
            result = paint(photo, colors, threads=threads)
            format = _format(wanted["output"], photo.metadata.format)
            notes = (*result.notes, *result.losses(format))
        else:
            result = open_photo(there["output"], pixel_limit=self.pixel_limit)
        if "compare" in wanted:
            from opsin.drawing.before_after import side_by_side

            both = side_by_side(photo.pixels, result.pixels)
            drawn = replace(result, pixels=both, alpha=None)
            files["compare"] = drawn.encode("jpeg", quality=self.quality)
        if "confidence" in wanted:
            shade = (confidence_of(photo, colors) - UNSURE) / (SURE - UNSURE)
            drawn = open_photo((shade.clip(0, 1) * 255 + 0.5).astype("uint8"))
            files["confidence"] = drawn.encode("png")
        if "output" in wanted:
            files["output"] = result.encode(format, quality=self.quality, mark=self.mark)
        for role, answer in self._others(photo, wanted, threads).items():
            format = _format(wanted[role], photo.metadata.format)
            files[role] = answer.encode(format, quality=self.quality, mark=self.mark)
        return Made(files, notes, part)

    def _colors(self, photo: Photo, palette: Sequence[float] | None, threads: int) -> Colors:
        from opsin.colorization.pipeline import predict

        try:
            return predict(
                photo,
                model=self.model,
                vividness=self.vividness,
                size=self.size,
                points=self.points,
                palette=palette,
                strength=self.strength,
                reference=self.reference or None,
                matching=self.matching,
                words=self.words,
                threads=threads,
                device=self.device,
            )
        except ValueError as error:  # a point outside of this photograph
            raise WrongCallError(str(error)) from error

    def _others(self, photo: Photo, wanted: Mapping[str, str], threads: int) -> dict[str, Photo]:
        """The other answers that are wanted, by their roles."""
        from opsin.colorization.pipeline import paint
        from opsin.colorization.samples import samples

        numbers = {role: int(role[len(ANSWER) :]) for role in wanted if role.startswith(ANSWER)}
        if not numbers:
            return {}
        most = max(numbers.values())
        found = samples(photo, most, model=self.model, threads=threads, device=self.device)
        return {
            role: paint(photo, self._colors(photo, found[number - 1].palette, threads))
            for role, number in numbers.items()
        }


def _format(suffix: str, own: str | None) -> str:
    """The format of a new picture; without a suffix its photograph's own, where that is kept."""
    if suffix:
        return WRITTEN[suffix.lower()]
    return own if own in KEPT else "png"
