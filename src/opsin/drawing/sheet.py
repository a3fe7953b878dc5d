"""Contact sheets: pictures with captions, in pages that can be read on a screen.

Each photograph has a row of cells; rows stand beside and below each other such that the page is
nearly square. A cell keeps its picture's aspect and has a caption below. The first page has the
name that was asked for, the next ones have -2, -3 ... before the suffix.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.defaults import CELL, QUALITY, ROWS
from opsin.drawing.pixels import fitted
from opsin.files import shown, write_atomically
from opsin.formats.encode import encode, format_of
from opsin.formats.metadata import Metadata
from opsin.formats.vips import vips

Pixels: TypeAlias = NDArray[np.uint8]

GAP: Final = 8
LINE: Final = 18  # pixels, the height of a caption's line
PAPER: Final = 255


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture (H, W, 3) and the lines below it."""

    pixels: Pixels
    caption: str = ""


class Sheet:
    """Takes rows of cells and writes each page when it is full, and the last at the end."""

    def __init__(self, path: str | Path, *, cell: int = CELL, rows: int = ROWS) -> None:
        self.pages: list[Path] = []
        self._path = Path(path)
        format_of(self._path)  # a name that says no format stops before the first picture
        self._cell = cell
        self._rows = rows
        self._waiting: list[list[Cell]] = []

    def add(self, cells: Sequence[Cell]) -> None:
        self._waiting.append([Cell(fitted(one.pixels, self._cell), one.caption) for one in cells])
        if len(self._waiting) == self._rows:
            self._write()

    def __enter__(self) -> Sheet:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if self._waiting and error is None:
            self._write()

    def _write(self) -> None:
        number = f"-{len(self.pages) + 1}" if self.pages else ""
        path = self._path.with_stem(self._path.stem + number)
        self.pages.append(save(layout(self._waiting, cell=self._cell), path))
        self._waiting.clear()


def save(page: Pixels, path: str | Path) -> Path:
    """The path, once the drawn page (H, W, 3) is whole and on the disk."""
    path = Path(path)
    format = format_of(path)
    data = encode(page, None, Metadata(), format, quality=QUALITY, where=shown(path))
    return write_atomically(path, data)


def layout(rows: Sequence[Sequence[Cell]], *, cell: int = CELL) -> Pixels:
    """One page (H, W, 3) with all rows, as many beside each other as make it nearly square.

    Rows have equally many cells, and no picture is larger than `cell`.
    """
    beside = min(range(1, len(rows) + 1), key=lambda count: _longer_side(rows, count, cell))
    margin = _paper(GAP, _width(len(rows[0]) * beside, cell))
    return stacked([margin, *(_draw(strip, cell) for strip in _strips(rows, beside))])


def stacked(parts: Sequence[Pixels]) -> Pixels:
    """Drawings (H, W, 3) below each other, on paper as wide as the widest."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([_on_paper(part, len(part), width) for part in parts])


def lettering(text: str, width: int) -> Pixels:
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
        caption = lettering(one.caption, cell)
        top = height + GAP // 2
        drawn[top : top + len(caption), left : left + cell] = caption
    return drawn


def _paper(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), PAPER, np.uint8)


def _on_paper(pixels: Pixels, height: int, width: int) -> Pixels:
    sheet = _paper(height, width)
    sheet[: pixels.shape[0], : pixels.shape[1]] = pixels
    return sheet
