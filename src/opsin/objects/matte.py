"""How much of each pixel is a thing: alpha, from a mask network and the photograph's own edges.

Each thing is looked at by itself, in a crop around the box that a detector has found, so that a
small one is seen as large as it can be, and nothing is marked where nothing was detected; or the
network that finds things tells a mask with each. The answer, some ten or hundred pixels wide, is
drawn to the photograph's edges by a guided filter and enlarged; those for all things are laid over
one another.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import tone_of
from opsin.colorization.pipeline import colorize
from opsin.drawing.pixels import as_rgb, fitted, resized
from opsin.models.engine import Engine
from opsin.objects.crops import around, within
from opsin.objects.guided import lines
from opsin.objects.masker import Masker, table_of
from opsin.objects.pipeline import Thing
from opsin.photo import Photo

Floats: TypeAlias = NDArray[np.float32]

BOX: Final = "box"  # inputs of a network that is told which thing of a crop is meant,
KIND: Final = "kind"  # and what it is
TONE: Final = 512  # pixels of the longer side at which a photograph is judged gray
FINE: Final = 512  # pixels of the longer side at which edges are followed
RADIUS: Final = 1 / 128  # of a filter's window, as a share of that side
PENALTY: Final = 1e-3  # variance of the guide, from 0 to 1
BEYOND: Final = 0.12  # of a box's sides: the alpha fades from the box to as far beyond it
CELL: Final = 4  # places that a cell of a told mask becomes, before edges are followed
SURE: Final = 0.1  # of a box at least is surely of the thing
FAINT: Final = 0.1  # an answer is raised from no less than this
STEEP: Final = 2.0  # what the network is unsure of becomes surer, for it would be a ghost
NEARLY: Final = 0.06  # what is so near to nothing or to all becomes it


class Part(NamedTuple):
    """The alpha of one thing: a crop and where it lies."""

    alpha: Floats
    """(h, w), from 0 to 1."""
    top: int
    left: int

    def lay(self, whole: Floats) -> None:
        """Lays it over the alpha of a whole photograph (H, W): of two, the larger one is kept."""
        height, width = self.alpha.shape
        place = whole[self.top : self.top + height, self.left : self.left + width]
        np.maximum(place, self.alpha, out=place)


def in_color(photo: Photo, *, threads: int, device: str) -> Photo:
    """What the networks are shown of a photograph: of one without colors the default colorizer's,
    with which they find more, for they learned from photographs in color."""
    if not photo.is_gray and tone_of(as_rgb(fitted(photo.there.pixels, TONE))) == "color":
        return photo
    return colorize(photo, threads=threads, device=device)


def part_of(pixels: NDArray[Any], thing: Thing, masker: Masker) -> Part:
    """The alpha of a thing on pixels (H, W, 1 or 3) of 8 or 16 bits: from its mask, if its detector
    has told one, else from what the networks say of it."""
    rows, columns = around(thing.box, pixels.shape, BEYOND)
    if thing.mask is None:
        share, reach = _looked_at(pixels, thing, masker, rows, columns), RADIUS
    else:
        cells = len(thing.mask)
        share, reach = _laid(thing.mask, thing.box, rows, columns, CELL * cells), 1 / cells
    alpha = _followed(pixels[rows, columns], np.clip((share - 0.5) * STEEP + 0.5, 0, 1), reach)
    alpha *= _fading(thing.box, rows, columns)
    return Part(alpha, rows.start, columns.start)


def _looked_at(
    pixels: NDArray[Any], thing: Thing, masker: Masker, rows: slice, columns: slice
) -> Floats:
    """(S, S): the networks' share of each place of a part of the picture, the mean of looks at the
    thing with more and less around it. There is a thing in the box: where they are sure of no pixel
    in it, the surest become so."""
    engines = masker.of(thing.name)
    side = max(engine.card.size for engine in engines)
    share = np.zeros((side, side), np.float32)
    for engine in engines:
        for margin in (margins := table_of(engine.card).margins):
            place = around(thing.box, pixels.shape, margin)
            seen = place[1].start, place[0].start, place[1].stop, place[0].stop
            answer = _answer(pixels[place], within(thing.box, *place), thing.name, engine)
            weight = np.float32(1 / len(margins) / len(engines))
            share += weight * _laid(answer, seen, rows, columns, side)
    x1, y1, x2, y2 = thing.box
    down, across = (
        (np.arange(side) + 0.5) / side * (one.stop - one.start) + one.start
        for one in (rows, columns)
    )
    inside = share[(down >= y1) & (down < y2)][:, (across >= x1) & (across < x2)]
    sure = float(np.quantile(inside[::2, ::2], 1 - SURE)) if inside.size else 1.0
    return share / np.float32(max(sure, FAINT)) if sure < 1 else share


def _followed(seen: NDArray[Any], share: Floats, reach: float) -> Floats:
    """(h, w): a share (s, t) of what is seen (h, w, 1 or 3), drawn to its edges. These are looked
    for as far as `reach`, a share of the longer side."""
    height, width = seen.shape[:2]
    scale = min(1, FINE / max(height, width))
    fine_hw = max(1, round(height * scale)), max(1, round(width * scale))
    small = _gray(as_rgb(resized(seen, *fine_hw, kernel="linear")))
    plane = resized(np.ascontiguousarray(share[..., None]), *fine_hw, kernel="linear")[..., 0]
    found = lines(small, plane, radius=max(1, round(max(fine_hw) * reach)), penalty=PENALTY)
    large = resized(np.stack(found, axis=2), height, width, kernel="linear")
    alpha = large[..., 0] * (small if fine_hw == (height, width) else _gray(as_rgb(seen)))
    alpha += large[..., 1]
    return np.asarray(np.clip((alpha - NEARLY) / (1 - 2 * NEARLY), 0, 1), np.float32)


def _laid(mask: Floats, box: Any, rows: slice, columns: slice, side: int) -> Floats:
    """(side, side): a mask (m, m) across a box, as it lies in a part of the picture; between the
    centers of its cells it goes in straight lines, and beyond the box it is 0."""
    cells = len(mask)
    weights = []
    for first, last, place in ((box[1], box[3], rows), (box[0], box[2], columns)):
        at = place.start + (np.arange(side) + 0.5) * (place.stop - place.start) / side
        at = (at - first) / max(1e-6, last - first) * cells  # in cells of the mask
        near = np.clip(at - 0.5, 0, cells - 1)[:, None] - np.arange(cells)
        is_inside = (at >= 0) & (at <= cells)
        weights.append(np.maximum(1 - np.abs(near), 0, dtype=np.float32) * is_inside[:, None])
    down, across = weights
    return np.asarray(down @ mask @ across.T, np.float32)


def _answer(seen: NDArray[Any], box: Floats, name: str, engine: Engine) -> Floats:
    """(S, S): the network's share of each place of what it is shown, squashed to a square, of the
    thing of a name in a box (4,) of that, in shares of its sides."""
    side = engine.card.size
    picture = as_rgb(resized(seen, side, side, kernel="linear")).astype(np.float32) / 255
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    share = _asked(engine, planes, box, name)
    if table_of(engine.card).mirror:
        planes = np.ascontiguousarray(planes[..., ::-1], np.float32)
        mirrored = np.array([1 - box[2], box[1], 1 - box[0], box[3]], np.float32)
        share = np.float32(0.5) * (share + _asked(engine, planes, mirrored, name)[:, ::-1])
    return share


def _asked(engine: Engine, planes: Floats, box: Floats, name: str) -> Floats:
    """(S, S): a network that is shown planes (1, 3, S, S) and, if it wants to know, told a box in
    them and what is in it."""
    inputs = {"picture": planes}
    names = engine.card.input_names()
    if BOX in names:
        inputs[BOX] = box[None]
    if KIND in names:
        known = [one.casefold() == name.casefold() for one in table_of(engine.card).classes]
        inputs[KIND] = np.array([known], np.float32)
    answer: Floats = engine.run(inputs)["mask"][0, 0]
    return answer


def _fading(box: Any, rows: slice, columns: slice) -> Floats:
    """(h, w) of a crop: 1 in the box and 0 from some way beyond it on."""
    x1, y1, x2, y2 = np.asarray(box, np.float32)
    across = _beyond(np.arange(columns.start, columns.stop) + 0.5, x1, x2)
    down = _beyond(np.arange(rows.start, rows.stop) + 0.5, y1, y2)
    return np.asarray(across * down[:, None], np.float32)


def _beyond(places: NDArray[Any], first: float, last: float) -> Floats:
    away = np.maximum(first - places, places - last) / max(1.0, (last - first) * BEYOND)
    return np.asarray(np.clip(1 - away, 0, 1), np.float32)


def _gray(rgb: NDArray[np.uint8]) -> Floats:
    """(h, w) from 0 to 1: the mean of the three channels."""
    total = rgb[..., 0].astype(np.float32)  # a mean over so short an axis takes five times as long
    total += rgb[..., 1]
    total += rgb[..., 2]
    total *= np.float32(1 / 765)
    return total
