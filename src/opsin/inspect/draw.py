"""What happens inside a network while it looks at a photograph, drawn on one page.

Its graph is run with inner tensors as further outputs. By default these are its stages: the last
layer at each scale, first on the way down and then on the way up. Of each stage the channels
that vary most over the picture are drawn, each from its own least (black) to its own most
(white). Figures and drawings leave out the padding. Needs the package `onnx`, of the extra
`train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.color import pixels_of_lab
from opsin.colorization.bins import BINS, GRID, GRID_RADIUS
from opsin.colorization.ensemble import table_of
from opsin.colorization.pipeline import NetworkOutput, colors_of, paint
from opsin.drawing.pixels import as_rgb, fitted, resized
from opsin.drawing.sheet import GAP, PAPER, Cell, layout, lettering, save, stacked
from opsin.errors import ModelError
from opsin.evaluate.colorization.candidates import gray_photo
from opsin.evaluate.colorization.compare import spare
from opsin.inspect.layers import Layer, chosen, layers_of, look, place, way
from opsin.models.card import Card
from opsin.models.store import members
from opsin.photo import Photo
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

CHANNELS = 12
BESIDE = 12  # channels in a row of the page
TILE = 96  # pixels, the longer side of a channel
PICTURE = 304  # pixels, the longer side of the pictures at the top
COLORS = 12  # the likeliest ones
COLOR_LIGHT = 65.0  # L* at which they are shown
DEAD = 1e-4  # of the layer's deviation: a channel that varies less says nothing of the picture


@dataclass(frozen=True, eq=False)
class Stage:
    """A layer, and what it gave for the photograph."""

    layer: Layer
    values: Floats  # (C, h, w)

    @property
    def mean(self) -> float:
        return float(self.values.mean(dtype=np.float64))

    @property
    def std(self) -> float:
        return float(self.values.std(dtype=np.float64))

    @property
    def dead(self) -> float:
        """The share of channels that are the same all over the picture."""
        return float((self._deviations() <= DEAD * self.std).mean())

    def strongest(self, count: int) -> list[int]:
        """The channels that vary most over the picture, most first."""
        order = np.argsort(-self._deviations(), kind="stable")
        return [int(index) for index in order[:count]]

    def _deviations(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.values.std(axis=(1, 2), dtype=np.float64)
        return found


class Share(NamedTuple):
    """A bin of colors and its probability, as the mean over the picture."""

    ab: tuple[float, float]
    share: float


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was seen, given and thought on the way."""

    card: Card
    light: Floats  # (H, W) L*, what the network saw
    colorized: Photo
    entropy: Floats | None  # (h, w) in [0, 1]; None: the network does not say
    colors: tuple[Share, ...]  # likeliest first; empty if the network answers with a*b*
    layers: tuple[Layer, ...]
    stages: tuple[Stage, ...]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    def document(self, channels: int = CHANNELS) -> dict[str, Any]:
        """Plain values for JSON, with the `channels` strongest of each stage."""
        return {
            "model": self.card.name,
            "seen": list(self.light.shape),
            "parameters": self.parameters,
            "entropy": None if self.entropy is None else float(self.entropy.mean()),
            "colors": [{"ab": list(one.ab), "share": one.share} for one in self.colors[:COLORS]],
            "layers": [
                {
                    **stage.layer.document(),
                    "where": place(self.layers, stage.layer),
                    "mean": stage.mean,
                    "deviation": stage.std,
                    "dead": stage.dead,
                    "strongest": stage.strongest(channels),
                }
                for stage in self.stages
            ],
        }


def inspect(
    photo: Any,
    output: str | Path | None = None,
    *,
    model: str = "default",
    layers: int | Sequence[str] | None = None,
    channels: int = CHANNELS,
    size: int | None = None,
) -> Inspection:
    """What the network of `model` does with a photograph; drawn to `output` if that is given.

    An ensemble is several networks: look into each by itself.

    `photo` is anything that `opsin.open` takes. `layers` are names of layers, or of modules (then
    their last layer), or how many to take, evenly spread; by default the stages. `channels` is
    how many of each are drawn. `size` is the short side of the picture that the network sees.

    >>> found = inspect("photo.jpg", "inspect.png")  # doctest: +SKIP
    >>> found.stages[0].layer.name, found.stages[0].values.shape  # doctest: +SKIP
    """
    if len(members(model)) > 1:
        raise ModelError(f"'{model}' is an ensemble: look into one network at a time.")
    if output is not None and isinstance(photo, str | Path):
        spare(photo, output)
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    listed = layers_of(photo, model=model, size=size)
    wanted = chosen(listed, layers)
    given, values = look(photo, wanted, model=model, size=size)
    colors = colors_of([given])
    found = Inspection(
        card=given.card,
        light=given.light,
        colorized=paint(photo, colors),
        entropy=colors.entropy,
        colors=_colors(given),
        layers=listed,
        stages=tuple(Stage(*pair) for pair in zip(wanted, values, strict=True)),
    )
    if output is not None:
        save(draw(found, channels=channels), output)
    return found


def draw(found: Inspection, *, channels: int = CHANNELS) -> Pixels:
    """The page (H, W, 3): what was seen and answered, the likeliest colors, the stages."""
    parts = [layout([_top(found)], cell=PICTURE)]
    if found.colors:
        heading = f"the likeliest of {len(BINS)} colors, as the mean over the picture"
        parts += _block(heading, [_swatch(one) for one in found.colors[:COLORS]])
    for stage in found.stages:
        tiles = [Cell(_tile(stage.values[i]), str(i)) for i in stage.strongest(channels)]
        parts += _block(title(found, stage), tiles)
    return stacked(parts)


def title(found: Inspection, stage: Stage) -> str:
    """What a stage is, in two lines: for a student, and for who looks for it in the graph.

    The first says where it lies, how many channels there are, and how much of the picture one
    number of them stands for; the second has its name in the graph and figures.
    """
    channels, rows, columns = stage.values.shape
    multiple = found.card.multiple
    padded = [-(-side // multiple) * multiple for side in found.light.shape]
    down, across = (side / count for side, count in zip(padded, stage.layer.shape[2:], strict=True))
    whole = down == across and down.is_integer()  # not of the thumbnail
    seen = f", each number for {down:.0f} x {across:.0f} pixels" if whole else ""
    figures = f"mean {stage.mean:.3g}   deviation {stage.std:.3g}   dead {stage.dead:.0%}"
    where = [place(found.layers, stage.layer), way(found.layers, stage.layer)]
    return (
        f"{', '.join(filter(None, where))}: {channels} channels of {rows} x {columns}{seen}\n"
        f"{stage.layer.name}   {figures}"
    )


def _top(found: Inspection) -> list[Cell]:
    height, width = found.light.shape
    seen = gray_photo(found.light).pixels[..., 0] / 255
    colorized = fitted(as_rgb(found.colorized.pixels), PICTURE)
    cells = [
        Cell(_gray(seen, PICTURE), f"L*, as {found.card.name} sees it\n{width} x {height}"),
        Cell(colorized, f"its answer\n{found.parameters:,} parameters"),
    ]
    if found.entropy is not None:
        mean = found.entropy.mean()
        caption = f"entropy: white where it is unsure\nmean {mean:.2f} of 1"
        cells.append(Cell(_gray(found.entropy, PICTURE), caption))
    if found.colors:
        caption = "all colors: the likelier, the stronger\na* to the right, b* up"
        cells.append(Cell(_plane(found.colors), caption))
    return cells


def _block(heading: str, cells: Sequence[Cell]) -> list[Pixels]:
    """Cells in rows of the page, below their title."""
    rows = [cells[start : start + BESIDE] for start in range(0, len(cells), BESIDE)]
    text = np.pad(
        lettering(heading, BESIDE * TILE), ((GAP, 0), (GAP, 0), (0, 0)), constant_values=PAPER
    )
    return [text, *(layout([row], cell=TILE) for row in rows)]


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


def _tile(values: Floats) -> Pixels:
    """A channel (h, w), from its least to its most; a few outliers are cut off."""
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        low, high = values.min(), values.max()
    if high <= low:
        return _gray(np.full(values.shape, 0.5), TILE)
    return _gray((values - low) / (high - low), TILE)


def _gray(values: NDArray[Any], side: int) -> Pixels:
    """Values (h, w) in [0, 1] as a picture (H, W, 3) whose longer side is `side`."""
    level = (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    height, width = (max(1, round(side * count / max(level.shape))) for count in level.shape)
    kernel = "nearest" if side > max(level.shape) else "lanczos3"  # a cell is shown as one
    return as_rgb(resized(level[..., None], height, width, kernel=kernel))


def _colors(output: NetworkOutput) -> tuple[Share, ...]:
    """The bins, likeliest first."""
    if table_of(output.card).answer != "bins":
        return ()
    likely = np.exp(output.raw - output.raw.max(axis=0))
    shares = (likely / likely.sum(axis=0)).mean(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-shares, kind="stable")
    return tuple(Share((float(BINS[i, 0]), float(BINS[i, 1])), float(shares[i])) for i in order)
