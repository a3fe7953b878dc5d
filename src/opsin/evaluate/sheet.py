"""Contact sheets: photographs beside their answers, in pages that can be read on a screen.

Each photograph has a row of cells; rows stand beside and below each other such that the page is
nearly square. A cell keeps its picture's aspect and has a caption below. The first page has the
name that was asked for, the next ones have -2, -3 ... before the suffix.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization.pipeline import paint
from opsin.errors import DataError, SaveError
from opsin.evaluate.answers import answered, settings
from opsin.files import shown
from opsin.formats.vips import vips
from opsin.photo import Photo
from opsin.sets.pictures import Paths, listed, photos, rgb_of

Pixels: TypeAlias = NDArray[np.uint8]

CELL = 360  # pixels, the longer side of a picture
ROWS = 16  # photographs on a page
GAP = 8
LINE = 18  # pixels, the height of a caption's line
PAPER = 255


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture (H, W, 3) and the lines below it."""

    pixels: Pixels
    caption: str = ""


def sheet(
    paths: Paths,
    output: str | Path,
    *,
    model: str | Sequence[str] = "default",
    vividness: float | Sequence[float] = 0.5,
    size: int | None = None,
    original: bool = True,
    cell: int = CELL,
    rows: int = ROWS,
    limit: int | None = None,
    passed: Callable[[str], None] | None = None,
) -> list[Path]:
    """The pages, written: each photograph, colorized by each model at each vividness.

    `paths` are as for `pictures.read`; true colors are not needed. With `original` the row
    begins with the photograph as it is. `rows` is how many photographs are on a page. `passed`
    is told of a photograph that cannot be read and is passed over; without it, that is an error.
    """
    spare(paths, output)
    asked = settings(model, vividness, size)
    with Sheet(output, cell=cell, rows=rows) as pages:
        for name, photo in islice(photos(paths, passed=passed), limit):
            cells = [Cell(rgb_of(photo), name)] if original else []
            for setting, answer, _ in answered(photo, asked):
                caption = setting.label if original else f"{setting.label}, {name}"
                cells.append(Cell(rgb_of(paint(photo, answer)), caption))
            pages.add(cells)
    if not pages.written:
        raise DataError("none of the photographs can be read: there is nothing to show.")
    return pages.written


def spare(paths: Paths, output: str | Path) -> None:
    """No photograph is overwritten by a picture about it."""
    if Path(output).resolve() in (Path(path).resolve() for path in listed(paths)):
        raise SaveError(
            f"{shown(output)} is one of the photographs; it would be overwritten. "
            f"Choose another name."
        )


class Sheet:
    """Takes rows of cells and writes each page when it is full, and the last at the end."""

    def __init__(self, path: str | Path, *, cell: int = CELL, rows: int = ROWS) -> None:
        self.written: list[Path] = []
        self._path = Path(path)
        self._cell = cell
        self._rows = rows
        self._waiting: list[list[Cell]] = []

    def add(self, cells: Sequence[Cell]) -> None:
        self._waiting.append([Cell(fit(one.pixels, self._cell), one.caption) for one in cells])
        if len(self._waiting) == self._rows:
            self._write()

    def __enter__(self) -> Sheet:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._waiting and kind is None:
            self._write()

    def _write(self) -> None:
        number = f"-{len(self.written) + 1}" if self.written else ""
        path = self._path.with_stem(self._path.stem + number)
        self.written.append(Photo(page(self._waiting, cell=self._cell)).save(path))
        self._waiting.clear()


def page(rows: Sequence[Sequence[Cell]], *, cell: int = CELL) -> Pixels:
    """One page (H, W, 3) with all rows, as many beside each other as make it nearly square.

    Rows have equally many cells, and no picture is larger than `cell`.
    """
    beside = min(range(1, len(rows) + 1), key=lambda count: _longer_side(rows, count, cell))
    width = _width(len(rows[0]) * beside, cell)
    strips = [_paper(GAP, width)]
    for strip in _strips(rows, beside):
        drawn = _draw(strip, cell)
        strips.append(_on_paper(drawn, len(drawn), width))
    return np.concatenate(strips)


def fit(pixels: Pixels, side: int) -> Pixels:
    """`pixels` (H, W, 3) made small enough for a square, without aliasing; never enlarged."""
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    image = vips().Image.new_from_array(pixels)
    width, height = (max(1, round(scale * length)) for length in (image.width, image.height))
    image = image.resize(width / image.width, vscale=height / image.height)
    small: Pixels = image.numpy()
    return small


def written(text: str, width: int) -> Pixels:
    """Lines of text on paper, (H, width, 3), cut off at the width."""
    lines = []
    for line in text.split("\n"):
        ink = _ink(line)[:LINE, :width, None]
        lines.append(_on_paper(PAPER - np.repeat(ink, 3, axis=2), LINE, width))
    return np.concatenate(lines)


def _ink(line: str) -> Pixels:
    """A line of text as (H, W), 255 where it is black."""
    try:
        image = vips().Image.text(html.escape(line), font="sans 10", dpi=96)
    except vips().Error:  # nothing to draw, or no font on this machine: no caption
        return np.zeros((1, 1), np.uint8)
    ink: Pixels = image.numpy().reshape(image.height, image.width)
    return ink


def _strips(rows: Sequence[Sequence[Cell]], beside: int) -> list[list[Cell]]:
    """The cells of each strip of the page: `beside` rows after each other."""
    starts = range(0, len(rows), beside)
    return [[one for row in rows[start : start + beside] for one in row] for start in starts]


def _longer_side(rows: Sequence[Sequence[Cell]], beside: int, cell: int) -> int:
    heights = [sum(_heights(strip)) for strip in _strips(rows, beside)]
    return max(sum(heights), _width(len(rows[0]) * beside, cell))


def _heights(strip: Sequence[Cell]) -> tuple[int, int]:
    """Of the pictures, and of the text below with its gaps."""
    lines = max(one.caption.count("\n") + 1 for one in strip)
    return max(len(one.pixels) for one in strip), GAP // 2 + lines * LINE + GAP


def _width(cells: int, cell: int) -> int:
    return GAP + cells * (cell + GAP)


def _draw(strip: Sequence[Cell], cell: int) -> Pixels:
    """Cells beside each other, their pictures on one base line."""
    height, below = _heights(strip)
    drawn = _paper(height + below, _width(len(strip), cell))
    for index, one in enumerate(strip):
        left = _width(index, cell)
        high, wide = one.pixels.shape[:2]
        drawn[height - high : height, left : left + wide] = one.pixels
        caption = written(one.caption, cell)
        top = height + GAP // 2
        drawn[top : top + len(caption), left : left + cell] = caption
    return drawn


def _paper(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), PAPER, np.uint8)


def _on_paper(pixels: Pixels, height: int, width: int) -> Pixels:
    sheet = _paper(height, width)
    sheet[: pixels.shape[0], : pixels.shape[1]] = pixels
    return sheet
