"""People of a video in front of another background, one picture after the other.

Whom a picture shows is taken from the tracker, so that nobody is lost for a picture in which the
detector does not see them. Where a pixel is as it was on the picture before, its alpha goes on with
what it was there: edges that tremble are seen sooner than edges that are a little late.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.defaults import FILM_MASKS, OBJECTS, PIXEL_LIMIT
from opsin.drawing.pixels import resized
from opsin.formats.video import Picture, Video
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS
from opsin.objects.background import Cutout
from opsin.objects.masker import finder_of, kept_of, masker_of
from opsin.objects.matte import part_of
from opsin.objects.pipeline import detector_of
from opsin.objects.video import track
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]

STEADY: Final = 0.7
"""What the picture before counts at most, where nothing has changed."""
CHANGE: Final = 6.0  # of 255: a pixel that has changed by so much counts by a third of that
SMALL: Final = 256  # pixels of the longer side of the pictures that are compared


class Films:
    """Each picture of a video with the alpha of its people.

    >>> for picture, cutout in Films("party.mp4"):  # doctest: +SKIP
    ...     cutout.blurred(20)
    """

    def __init__(
        self,
        video: str | Path | Video,
        *,
        model: str = FILM_MASKS,
        detector: str | None = None,
        threshold: float | None = None,
        classes: tuple[str, ...] | None = None,
        pixel_limit: int = PIXEL_LIMIT,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        """`model`, `detector` and the others are as of `opsin.background`, `video` as of
        `opsin.track`, which raise the same errors."""
        threads = threads or min(cores(), MOST_THREADS)
        self._masker = masker_of(model, threads=threads, device=device)
        finder = finder_of(model, detector)
        self._cards = tuple(
            dict.fromkeys(
                (*self._masker.cards, detector_of(*finder, threads=threads, device=device).card)
            )
        )
        self._frames = track(
            video,
            model=finder.model or OBJECTS,
            threshold=finder.person if threshold is None else threshold,
            classes=kept_of(classes, self._masker),
            pixel_limit=pixel_limit,
            threads=threads,
            device=device,
        )
        self._before: tuple[NDArray[Any], Floats] | None = None

    def __iter__(self) -> Iterator[tuple[Picture, Cutout]]:
        for frame in self._frames:
            pixels = frame.picture.pixels
            alpha = np.zeros(pixels.shape[:2], np.float32)
            for thing in frame.things:
                part_of(pixels, thing, self._masker).lay(alpha)
            alpha = self._steadied(pixels, alpha)
            yield frame.picture, Cutout(open_photo(pixels), alpha, frame.things, self._cards)

    def _steadied(self, pixels: NDArray[np.uint8], alpha: Floats) -> Floats:
        """The alpha of a picture, as far as it may, as it was on the one before."""
        scale = min(1, SMALL / max(alpha.shape))
        size_hw = [max(1, round(side * scale)) for side in alpha.shape]
        small = resized(pixels, *size_hw, kernel="linear").astype(np.float32)
        if self._before is not None:
            seen, known = self._before
            change = np.abs(small - seen).max(axis=2, keepdims=True)
            share = np.asarray(STEADY * np.exp(-change / np.float32(CHANGE)), np.float32)
            share = resized(share, *alpha.shape, kernel="linear")[..., 0]
            alpha = np.asarray(alpha + share * (known - alpha), np.float32)
        self._before = small, alpha
        return alpha
