"""What a cascade does with a picture: which windows it takes for a face, in code to be read.

Viola and Jones 2001: sums over rectangles from the integral image (section 2.1), the window's
contrast evened out by its variance from a second one of squares (section 5), and stages, each of
which lets few windows on to the next (section 4). The windows are those of OpenCV 4
(`detectMultiScale` with `minNeighbors=0`), one by one: pictures are made smaller by the same fixed
point, windows lie 2 pixels apart (1 where the picture is made half as large or less), the next one
is skipped where the first stage says no, and windows without contrast (a standard deviation of 10
or less) are no faces.

NumPy does that for many windows at once: the first stage for all of them, by shifted views of the
integral image; then, of what is left at all sizes together, stage by stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.faces.integral import integral
from opsin.faces.stages import Prepared, Questions

Gray: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.intp]
Values: TypeAlias = NDArray[np.float32]
Sums: TypeAlias = NDArray[np.int32]

CONTRAST: Final = 10.0  # the standard deviation that a window must have more than
RIM: Final = 1  # pixels of a window's border that do not count for its contrast
COARSE: Final = 2.0  # from this scale on windows lie a pixel apart
BLOCK: Final = 1 << 15  # numbers that are taken together: they fit a core's cache


class Windows(NamedTuple):
    """Windows of all sizes, a row each, on the integral images of all sizes."""

    place: Places
    """(N,): where the upper left corner of each is among the integral images' numbers."""
    spread: Values
    """(N,): what a feature's sum is multiplied by to even out contrast: 1 / (area * deviation)."""
    boxes: Places
    """(N, 4): the same windows on the picture, in whole pixels."""

    def only(self, rows: Any) -> Self:
        return type(self)(self.place[rows], self.spread[rows], self.boxes[rows])


@dataclass(frozen=True)
class Looks:
    """Where windows lie on a picture of one size: in rows and columns, `stride` pixels apart."""

    rows: int
    columns: int
    stride: int

    @classmethod
    def on(cls, small: Gray, cascade: Prepared, *, stride: int) -> Self:
        rows, columns = (
            len(range(0, max(0, side - window + 1), stride))
            for side, window in zip(small.shape, (cascade.height, cascade.width), strict=True)
        )
        return cls(rows, columns, stride)

    def shifted(self, sums: Sums, y: int, x: int) -> Sums:
        """(rows, columns): of each window the number at that place from its corner."""
        return sums[y :: self.stride, x :: self.stride][: self.rows, : self.columns]

    def values(self, sums: Sums, stage: Questions) -> NDArray[np.int32]:
        """(K, rows, columns): the sums of the stage's features, before contrast is evened out."""
        total = np.zeros((len(stage.thresholds), self.rows, self.columns), np.int32)
        for some in stage.corners:
            for y, x, weights in zip(some.y, some.x, some.weights, strict=True):
                for at in range(len(weights)):
                    seen = self.shifted(sums, y[at], x[at])
                    total[some.questions[at]] += weights[at] * seen
        return total


def windows(
    gray: Gray, cascade: Prepared, *, step: float, min_size: float, threads: int = 1
) -> Places:
    """(N, 4): the boxes of all windows of (H, W) that pass every stage, in whole pixels.

    `step` is by how much each size of window is larger than the one before, above 1. Windows whose
    width or height is below `min_size` are left out.
    """
    looks = list(scales(gray.shape[0], gray.shape[1], cascade, step=step, min_size=min_size))
    if not looks:
        return np.zeros((0, 4), np.intp)
    sizes = [tuple(round(side / scale) for side in gray.shape) for scale in looks]
    starts = np.cumsum([0, *(height + 1 for height, _ in sizes)])
    sums = np.zeros((starts[-1], sizes[0][1] + 1), np.int32)

    def first(number: int) -> Windows:
        return _first(gray, sums, int(starts[number]), cascade, looks[number])

    def rest(some: Windows) -> Places:
        for stage in cascade.stages[1:]:
            some = some.only(passes(sums, some, stage))
        return some.boxes

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(first, range(len(looks))))
        every = Windows(*(np.concatenate(column) for column in zip(*found, strict=True)))
        parts = [every.only(slice(one, None, threads)) for one in range(threads)]
        return np.concatenate(list(pool.map(rest, parts)))


def scales(
    height: int, width: int, cascade: Prepared, *, step: float, min_size: float
) -> Iterator[float]:
    """By how much the windows are larger than the cascade's own, the smallest first.

    >>> face = Prepared(24, 24, ())
    >>> [round(one, 2) for one in scales(60, 80, face, step=1.5, min_size=30)]
    [1.5, 2.25]
    """
    scale = 1.0
    while True:
        wide, high = (round(side * scale) for side in (cascade.width, cascade.height))
        if wide > width or high > height:
            return
        if min(wide, high) >= min_size:
            yield float(np.float32(scale))  # OpenCV keeps it in single precision
        scale *= step


def shrunk(gray: Gray, height: int, width: int) -> Gray:
    """(H, W) at another size, between the four nearest pixels, in OpenCV's fixed point
    (INTER_LINEAR_EXACT): shares in 256ths, rounded once at the end.

    >>> shrunk(np.array([[0, 100], [200, 100]], np.uint8), 1, 1).tolist()
    [[100]]
    """
    above, below, low = _between(gray.shape[0], height)
    left, right, far = _between(gray.shape[1], width)
    rows = gray[above] * (256 - low)[:, None] + gray[below] * low[:, None]
    both = rows.take(left, axis=1).astype(np.uint32) * (256 - far)
    both += rows.take(right, axis=1).astype(np.uint32) * far
    return ((both + 32768) >> 16).astype(np.uint8)


def _between(length: int, count: int) -> tuple[Places, Places, NDArray[np.uint16]]:
    """The two pixels of `length` that each of `count` lies between, and the second one's share."""
    at = (np.arange(count) + 0.5) / (count / length) - 0.5
    first = np.floor(at)
    share = np.where((first >= 0) & (first < length - 1), np.rint((at - first) * 256), 0)
    here = first.clip(0, length - 1).astype(np.intp)
    return here, np.minimum(here + 1, length - 1), share.astype(np.uint16)


def contrast(small: Gray, sums: Sums, looks: Looks, cascade: Prepared) -> Values:
    """(rows, columns): 1 / (area * deviation) of each window without its rim; 0 for those without
    contrast. `sums` is the integral image of `small`, in rows that may be longer."""
    squares = integral(np.square(small, dtype=np.uint32)[..., None])[..., 0].view(np.int32)
    width, height = cascade.width - 2 * RIM, cascade.height - 2 * RIM

    def inside(one: Sums) -> NDArray[np.float64]:  # differences are right where sums run over
        total = looks.shifted(one, RIM + height, RIM + width) + looks.shifted(one, RIM, RIM)
        total -= looks.shifted(one, RIM + height, RIM)
        total -= looks.shifted(one, RIM, RIM + width)
        return total.astype(np.float64)

    area, total = width * height, inside(sums)
    deviation = np.sqrt(np.maximum(area * inside(squares) - total * total, 0))  # the area times it
    with np.errstate(divide="ignore"):
        found = (1 / deviation).astype(np.float32)
    return np.where(deviation > CONTRAST * area, found, np.float32(0))


def visited(refused: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which windows of each row (R, C) are looked at, if the one after a refused one is skipped.

    >>> visited(np.array([[True, True, True, False, True]])).tolist()
    [[True, False, True, False, True]]
    """
    columns = np.arange(refused.shape[1])
    after = np.pad(refused, ((0, 0), (1, 0)))[:, :-1]  # whether the one before was refused
    first = np.maximum.accumulate(np.where(after, 0, columns), axis=1)
    found: NDArray[np.bool_] = (columns - first) % 2 == 0
    return found


def passes(sums: Sums, some: Windows, stage: Questions) -> NDArray[np.bool_]:
    """(N,): which windows the stage lets on."""
    found = np.zeros(len(some.place), bool)
    many = max(1, BLOCK // len(stage.thresholds))
    for start in range(0, len(found), many):
        rows = slice(start, start + many)
        values = _values(sums, some.place[rows], stage).astype(np.float32)
        found[rows] = stage.passed(values * some.spread[rows])
    return found


def _values(sums: Sums, place: Places, stage: Questions) -> NDArray[np.int32]:
    """(K, N): the sums of the stage's features, before contrast is evened out."""
    flat, wide = sums.ravel(), sums.shape[1]
    total = np.zeros((len(stage.thresholds), len(place)), np.int32)
    for some in stage.corners:
        part = np.zeros((len(some.questions), len(place)), np.int32)
        for y, x, weights in zip(some.y, some.x, some.weights, strict=True):
            taken = flat.take((y * wide + x)[:, None] + place)
            taken *= weights[:, None]
            part += taken
        total[some.questions] = part
    return total


def _first(gray: Gray, sums: Sums, start: int, cascade: Prepared, scale: float) -> Windows:
    """What the first stage lets on of the windows of one size; their integral image is written to
    the rows of `sums` from `start` on."""
    small = shrunk(gray, *(round(side / scale) for side in gray.shape))
    mine = sums[start : start + len(small) + 1]
    mine[:, : small.shape[1] + 1] = integral(small[..., None])[..., 0].view(np.int32)
    looks = Looks.on(small, cascade, stride=1 if scale >= COARSE else 2)
    spread = contrast(small, mine, looks, cascade)
    stage = cascade.stages[0]
    values = looks.values(mine, stage).astype(np.float32) * spread
    passed = stage.passed(values.reshape(len(values), -1)).reshape(spread.shape)
    flat = spread == 0
    y, x = np.nonzero(passed & ~flat & visited(~passed & ~flat))
    corner = np.stack([x, y], axis=1) * looks.stride
    first = np.rint(corner * scale).astype(np.intp)
    sides = np.array([round(cascade.width * scale), round(cascade.height * scale)])
    last = np.minimum(first + sides, gray.shape[::-1])
    place = (corner[:, 1] + start) * sums.shape[1] + corner[:, 0]
    return Windows(place, spread[y, x], np.concatenate([first, last], axis=1))
