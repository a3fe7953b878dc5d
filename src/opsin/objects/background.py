"""People in front of another background: the one place that knows the order of the steps.

Photo -> people and their boxes -> a mask network on each -> alpha at full size -> the colors that
are theirs where a pixel shows both -> together with what is behind them now
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import light_of_pixels, pixels_of_lab
from opsin.defaults import MASKS
from opsin.drawing.pixels import resized
from opsin.errors import NothingFoundError, WrongCallError
from opsin.files import shown
from opsin.formats.encode import to_8_bits
from opsin.machine import cores
from opsin.models.card import Card
from opsin.models.engine import MOST_THREADS
from opsin.objects.foreground import mixed, spread
from opsin.objects.masker import finder_of, kept_of, masker_of, nobody_of
from opsin.objects.matte import in_color, part_of
from opsin.objects.pipeline import Thing, Things, detect
from opsin.photo import Photo, made_by_opsin
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[Any]

PORTRAIT: Final = 0.5  # of the photograph's height: who is as tall is whom it shows
BLUR: Final = (1.0, 200.0)
"""What a background may be blurred by, in pixels of a photograph of 1,000 pixels."""
BLURRED: Final = 512  # pixels of the longer side of the picture on which it is blurred, or fewer:
WINDOW: Final = 8  # so many that a window reaches this far on it
SOME: Final = 0.25  # a pixel of which more are people has no part in the blur
PASSES: Final = 3  # means of windows, one upon the other: nearly a Gaussian
STRIP: Final = 256  # rows at a time


@dataclass(frozen=True, eq=False)
class Cutout:
    """The people on a photograph, and how much of each pixel they are."""

    photo: Photo
    alpha: Floats
    """(H, W), from 0, what is behind them, to 1."""
    people: tuple[Thing, ...]
    """Whom, or what, was cut out, the surest first."""
    cards: tuple[Card, ...]

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return {
            "people": [one.document() for one in self.people],
            "share": round(float(self.alpha.mean()), 4),
        }

    def replaced(self, by: Photo | tuple[int, int, int]) -> Photo:
        """Before another photograph, cut to fill this one's size, or before a color (0 to 255).

        It is also behind what is transparent of this photograph, and has white behind what is
        transparent of itself, so nothing of the copy is transparent.
        """
        photo = self.photo
        if isinstance(by, Photo):
            behind = _filling(_on_white(by), photo.height, photo.width)
        else:
            behind = np.empty((photo.height, photo.width, 3), np.uint8)
            behind[...] = by
        behind = _as_type(behind, photo.pixels.dtype)
        if photo.alpha is None:
            made = self._made(self._before(behind), None)
        else:
            made = self._made(_over(self._before(behind.copy()), photo.alpha, behind), None)
        if not (isinstance(by, Photo) and _is_transparent(by)):
            return made
        notes = (*made.notes, "what is behind is transparent in part, and was put on white")
        return replace(made, metadata=replace(made.metadata, notes=notes))

    def blurred(self, by: float) -> Photo:
        """Before their own background, blurred; they are no part of the blur. `by` is the standard
        deviation in pixels of a photograph whose longer side is 1,000."""
        pixels = self.photo.pixels
        longer = max(pixels.shape[:2])
        scale = min(1, BLURRED / longer, 1000 * WINDOW / by / longer)
        size_hw = [max(1, round(length * scale)) for length in pixels.shape[:2]]
        seen = resized(pixels, *size_hw, kernel="linear").astype(np.float32)
        some = resized(self.alpha[..., None], *size_hw, kernel="linear")
        weight: Floats = np.maximum(1 - some / np.float32(SOME), 0, dtype=np.float32)
        if (own := self.photo.alpha) is not None:  # what nobody sees is no part of it either
            weight *= resized(own[..., None], *size_hw, kernel="linear") / np.iinfo(own.dtype).max
        radius = max(1, round(by / 1000 * max(size_hw)))  # its windows' deviation is near that
        for _ in range(PASSES):
            seen = spread(seen, weight, radius)
            weight = spread(weight, np.ones_like(weight), radius)
        behind = resized(seen, *pixels.shape[:2], kernel="linear")
        return self._made(self._before(_rounded(behind, pixels.dtype)), self.photo.alpha)

    def transparent(self) -> Photo:
        """Before nothing. Where nothing of them is, the pixels are black as well."""
        photo = self.photo
        most = np.iinfo(photo.pixels.dtype).max
        clear = _rounded(self.alpha * most, photo.pixels.dtype)
        if photo.alpha is not None:
            clear = _rounded(self.alpha * photo.alpha, photo.pixels.dtype)
        pixels = photo.pixels.copy()
        edge = mixed(pixels, self.alpha)
        pixels[edge.where] = _rounded(edge.front, pixels.dtype)
        pixels[self.alpha == 0] = 0
        return self._made(pixels, clear)

    def colored(self) -> Photo:
        """In color, and all else in shades of gray of the same lightness."""
        pixels = self.photo.pixels.copy()
        for top in range(0, len(pixels), STRIP):
            rows = pixels[top : top + STRIP]
            light = light_of_pixels(rows)
            gray = pixels_of_lab(light, np.zeros((*light.shape, 2), np.float32), rows.dtype)
            share = self.alpha[top : top + STRIP, :, None]
            rows[...] = _rounded(share * rows + (1 - share) * gray, rows.dtype)
        return self._made(pixels, self.photo.alpha)

    def _before(self, behind: Pixels) -> Pixels:
        """They, before pixels (H, W, C) of the photograph's size and type; these are written to."""
        pixels = self.photo.pixels
        if behind.shape[2] < pixels.shape[2]:
            behind = np.repeat(behind, 3, axis=2)
        edge = mixed(pixels, self.alpha)
        share = edge.alpha[:, None]
        drawn = share * edge.front + (1 - share) * behind[edge.where]
        behind[edge.where] = _rounded(drawn, pixels.dtype)
        # of a gray photograph it is one value for three
        np.copyto(behind, pixels, where=(self.alpha >= 1)[..., None])
        return behind

    def _made(self, pixels: Pixels, alpha: NDArray[Any] | None) -> Photo:
        model = " + ".join(f"{card.name} {card.version}" for card in self.cards)
        photo = Photo(self.photo.pixels, alpha, self.photo.metadata)
        return made_by_opsin(photo, pixels, model=model, version=_version())


def background(
    photo: Any,
    *,
    replace: Any = None,
    blur: float | None = None,
    transparent: bool = False,
    keep_color: bool = False,
    model: str = MASKS,
    detector: str | None = None,
    accurate: bool = False,
    threshold: float | None = None,
    classes: Sequence[str] | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Photo:
    """`photo` with its people as they are and another background, of the same size and depth.

    Exactly one is asked for: `replace`, a photograph (anything that `opsin.open` takes, cut to
    fill) or a color ("#rrggbb", a name as "white", or three numbers of 0..255), which are also
    behind what is transparent of `photo`; `blur`, from 1 to 200, in pixels of a photograph of 1,000
    pixels; `transparent`, nothing; `keep_color`, the same in gray. For `model`, `detector` and
    others see `cut_out`, which is half of this.

    >>> background(np.zeros((48, 64), np.uint8), blur=10)
    Traceback (most recent call last):
    opsin.errors.NothingFoundError: nobody was found on the photograph.
    """
    asked = [replace is not None, blur is not None, transparent, keep_color]
    if sum(asked) != 1:
        raise ValueError("ask for one of replace, blur, transparent and keep_color.")
    if blur is not None and not BLUR[0] <= blur <= BLUR[1]:
        raise ValueError(f"blur must be from {BLUR[0]:g} to {BLUR[1]:g}, got {blur}")
    behind = None if replace is None else photo_or_color(replace)
    found = cut_out(
        photo,
        model=model,
        detector=detector,
        accurate=accurate,
        threshold=threshold,
        classes=classes,
        threads=threads,
        device=device,
    )
    if not found.people:
        raise NothingFoundError(f"{nobody_of(model, classes)} was found on the photograph.")
    if behind is not None:
        return found.replaced(behind)
    if blur is not None:
        return found.blurred(blur)
    return found.transparent() if transparent else found.colored()


def cut_out(
    photo: Any,
    *,
    model: str = MASKS,
    detector: str | None = None,
    accurate: bool = False,
    threshold: float | None = None,
    classes: Sequence[str] | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Cutout:
    """The people on `photo`, which is a `Photo` or anything that `opsin.open` takes.

    `model` is a mask network; `detector` finds what it is shown, see `opsin.detect`: the default
    one, unless the model finds things itself, as Mask R-CNN does. `accurate` asks two detectors
    instead: more people are found, in more time. `threshold` is the least score of a person; None
    is 0.3, or 0.2 of two detectors. `classes` are what is kept, of those things whose pixels the
    model tells; None is people, or all of a model that does not know them. `threads` is how many
    cores it may take.

    >>> cut_out(np.zeros((48, 64), np.uint8)).people
    ()
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    threads = threads or min(cores(), MOST_THREADS)
    masker = masker_of(model, threads=threads, device=device)
    finder = finder_of(model, detector, accurate=accurate)
    seen = in_color(photo, threads=threads, device=device)
    found = _people(
        seen,
        **finder._asdict(),
        threshold=finder.person if threshold is None else threshold,
        classes=kept_of(classes, masker),
        threads=threads,
        device=device,
    )
    alpha = np.zeros((photo.height, photo.width), np.float32)
    for thing in found:
        part_of(seen.pixels, thing, masker).lay(alpha)
    return Cutout(photo, alpha, found.things, tuple(dict.fromkeys((*masker.cards, found.card))))


def _people(photo: Photo, **how: Any) -> Things:
    """As `detect`; of a portrait, which is not looked at in tiles, those alone who are large."""
    found = detect(photo, levels=0, **how)
    height = max((float(one.box[3] - one.box[1]) for one in found), default=0)
    return found if height >= PORTRAIT * photo.height else detect(photo, **how)


def photo_or_color(value: Any) -> Photo | tuple[int, int, int]:
    """What a background is replaced by: a color if it is called one, else the photograph."""
    if isinstance(value, Photo):
        return value
    if isinstance(value, str) and (color := color_of(value)):
        return color
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) != 3 or not all(0 <= part <= 255 for part in value):
            raise ValueError(f"a color must be three numbers from 0 to 255, got {value!r}.")
        return int(value[0]), int(value[1]), int(value[2])
    return open_photo(value)


def color_of(text: str) -> tuple[int, int, int] | None:
    """The red, green and blue of "#rrggbb" or of a color's name in CSS; None of other words.

    >>> color_of("white"), color_of("beach.jpg")
    ((255, 255, 255), None)
    """
    from PIL import ImageColor

    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except ValueError:
        if text.startswith("#"):
            raise WrongCallError(f"'{shown(text)}' is no color. Write it as #rrggbb.") from None
        return None
    return red, green, blue


def _filling(pixels: Pixels, height: int, width: int) -> Pixels:
    """The middle of a picture, as large as fits, made that size."""
    scale = max(height / pixels.shape[0], width / pixels.shape[1])
    down = min(pixels.shape[0], max(1, round(height / scale)))
    across = min(pixels.shape[1], max(1, round(width / scale)))
    top, left = (pixels.shape[0] - down) // 2, (pixels.shape[1] - across) // 2
    return resized(pixels[top : top + down, left : left + across], height, width).copy()


def _is_transparent(photo: Photo) -> bool:
    """Whether something lies behind any of its pixels."""
    return photo.alpha is not None and bool((photo.alpha < np.iinfo(photo.alpha.dtype).max).any())


def _on_white(photo: Photo) -> Pixels:
    """(H, W, C): its pixels, with white behind them where they are transparent."""
    if photo.alpha is None or not _is_transparent(photo):
        return photo.pixels
    most = np.iinfo(photo.pixels.dtype).max
    return _over(photo.pixels.copy(), photo.alpha, np.full_like(photo.pixels, most))


def _over(pixels: Pixels, alpha: NDArray[Any], behind: Pixels) -> Pixels:
    """Pixels (H, W, C), which are written to, as far as `alpha` (H, W) shows them, and for the rest
    what is behind them; all of one type."""
    most = np.float32(np.iinfo(pixels.dtype).max)
    for top in range(0, len(pixels), STRIP):
        rows = slice(top, top + STRIP)
        share = alpha[rows, :, None].astype(np.float32) / most
        pixels[rows] = _rounded(share * pixels[rows] + (1 - share) * behind[rows], pixels.dtype)
    return pixels


def _as_type(pixels: Pixels, dtype: Any) -> Pixels:
    """Pixels of 8 or 16 bits as those of the other."""
    if pixels.dtype == dtype:
        return pixels
    return to_8_bits(pixels) if dtype == np.uint8 else pixels.astype(np.uint16) * np.uint16(257)


def _rounded(values: Floats, dtype: Any) -> Pixels:
    most = np.iinfo(dtype).max
    return (np.clip(values, 0, most) + 0.5).astype(dtype)


@cache
def _version() -> str:
    return version("opsin")
