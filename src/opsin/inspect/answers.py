"""What a network answers, as the page shows it: the colors of a photograph, or names for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import pixels_of_lab
from opsin.colorization.bins import BINS, GRID, GRID_RADIUS
from opsin.colorization.ensemble import table_of
from opsin.colorization.pipeline import NetworkOutput, colors_of, paint
from opsin.drawing.pixels import as_rgb, fitted
from opsin.drawing.sheet import PAPER, Cell, lettering, stacked
from opsin.evaluate.colorization.candidates import gray_photo
from opsin.inspect.tiles import PICTURE, TILE, Pixels, block, picture
from opsin.models.card import Card
from opsin.photo import Photo
from opsin.recognition.pipeline import Classes, picture_of

Floats: TypeAlias = NDArray[np.float32]

COLORS = 12  # the likeliest ones
COLOR_LIGHT = 65.0  # L* at which they are shown
NAMES = 10  # the likeliest ones
BAR = 6  # pixels, the height of a probability's bar, and of the gap below it
INK = (70, 110, 170)  # its color


class Share(NamedTuple):
    """A bin of colors and its probability, as the mean over the picture."""

    ab: tuple[float, float]
    share: float


@dataclass(frozen=True, eq=False)
class Coloring:
    """A colorizer's answer."""

    card: Card
    light: Floats  # (H, W) L*, what the network saw
    colorized: Photo
    entropy: Floats | None  # (h, w) in [0, 1]; None: the network does not say
    colors: tuple[Share, ...]  # likeliest first; empty if the network answers with a*b*

    @property
    def seen_hw(self) -> tuple[int, int]:
        height, width = self.light.shape
        return height, width

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "entropy": None if self.entropy is None else float(self.entropy.mean()),
            "colors": [{"ab": list(one.ab), "share": one.share} for one in self.colors[:COLORS]],
        }

    def cells(self, parameters: int) -> list[Cell]:
        """The pictures at the top of the page."""
        height, width = self.seen_hw
        seen = gray_photo(self.light).pixels[..., 0] / 255
        colorized = fitted(as_rgb(self.colorized.pixels), PICTURE)
        cells = [
            Cell(picture(seen, PICTURE), f"L*, as {self.card.name} sees it\n{width} x {height}"),
            Cell(colorized, f"its answer\n{parameters:,} parameters"),
        ]
        if self.entropy is not None:
            mean = self.entropy.mean()
            caption = f"entropy: white where it is unsure\nmean {mean:.2f} of 1"
            cells.append(Cell(picture(self.entropy, PICTURE), caption))
        if self.colors:
            caption = "all colors: the likelier, the stronger\na* to the right, b* up"
            cells.append(Cell(_plane(self.colors), caption))
        return cells

    def blocks(self) -> list[Pixels]:
        """What stands below those pictures."""
        if not self.colors:
            return []
        heading = f"the likeliest of {len(BINS)} colors, as the mean over the picture"
        return block(heading, [_swatch(one) for one in self.colors[:COLORS]])


@dataclass(frozen=True, eq=False)
class Naming:
    """A classifier's answer to one look at the photograph."""

    card: Card
    picture: Floats  # (C, S, S) in 0..1, what the network saw; C is 1, gray, or 3, sRGB
    classes: Classes

    @property
    def seen_hw(self) -> tuple[int, int]:
        _, height, width = self.picture.shape
        return height, width

    def document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"classes": self.classes.document()}

    def cells(self, parameters: int) -> list[Cell]:
        """The pictures at the top of the page."""
        height, width = self.seen_hw
        planes = self.picture.transpose(1, 2, 0)
        seen = picture(planes[..., 0] if planes.shape[2] == 1 else planes, PICTURE)
        bars = stacked([_bar(*one) for one in self.classes.top(NAMES)])
        return [
            Cell(seen, f"as {self.card.name} sees it\n{width} x {height}"),
            Cell(bars, f"its answer\n{parameters:,} parameters"),
        ]

    def blocks(self) -> list[Pixels]:
        """What stands below those pictures."""
        return []


def coloring(output: NetworkOutput, photo: Photo) -> Coloring:
    """The answer in what a colorizer gave for `photo`."""
    colors = colors_of([output])
    return Coloring(
        output.card, output.light, paint(photo, colors), colors.entropy, _colors(output)
    )


def naming(probabilities: Floats, photo: Photo, card: Card) -> Naming:
    """The answer in what a classifier gave for `photo`."""
    [seen] = picture_of(as_rgb(photo.there.pixels), card)
    return Naming(card, seen, Classes(probabilities, card.labels, (card,)))


def _bar(name: str, share: float) -> Pixels:
    """A name and its probability, above a bar that is as long as it is likely."""
    bar = np.full((2 * BAR, PICTURE, 3), PAPER, np.uint8)
    bar[:BAR, : round(share * PICTURE)] = INK
    return stacked([lettering(f"{share:.1%}  {name}", PICTURE), bar])


def _swatch(one: Share) -> Cell:
    a, b = one.ab
    pixels = np.tile(_painted(np.array([one.ab], np.float32)), (TILE // 2, TILE, 1))
    return Cell(pixels, f"{one.share:.1%}\na* {a:.0f} b* {b:.0f}")


def _plane(colors: Sequence[Share]) -> Pixels:
    """The a*b* plane with each bin in its own color, paler the less likely it is."""
    ab = np.array([one.ab for one in colors], np.float32)
    strength = np.sqrt([one.share / colors[0].share for one in colors])[:, None]
    cells = np.full((2 * GRID_RADIUS + 1, 2 * GRID_RADIUS + 1, 3), PAPER, np.uint8)
    rows, columns = (
        np.rint(axis / GRID).astype(int) + GRID_RADIUS for axis in (-ab[:, 1], ab[:, 0])
    )
    # the least likely are still to be seen, as the edge of what there is
    cells[rows, columns] = PAPER - (PAPER - _painted(ab)[0]) * (0.06 + 0.94 * strength)
    scale = PICTURE // len(cells)
    return cells.repeat(scale, axis=0).repeat(scale, axis=1)


def _painted(ab: Floats) -> Pixels:
    """Colors (n, 2) at one lightness, as pixels (1, n, 3)."""
    light = np.full((1, len(ab)), COLOR_LIGHT, np.float32)
    return pixels_of_lab(light, ab[None], np.uint8).astype(np.uint8)


def _colors(output: NetworkOutput) -> tuple[Share, ...]:
    """The bins, likeliest first."""
    if table_of(output.card).answer != "bins":
        return ()
    likely = np.exp(output.raw - output.raw.max(axis=0))
    shares = (likely / likely.sum(axis=0)).mean(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-shares, kind="stable")
    return tuple(Share((float(BINS[i, 0]), float(BINS[i, 1])), float(shares[i])) for i in order)
