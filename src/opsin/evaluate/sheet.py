"""Contact sheets: photographs beside their answers, in pages that can be read on a screen.

Each photograph has a row of cells; where several rows fit beside each other, they do. A cell
keeps its picture's aspect within a square and has a caption below. The first page has the name
that was asked for, the next ones have -2, -3 ... before the suffix.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorize.pipeline import paint, predict
from opsin.evaluate.answers import settings
from opsin.evaluate.pictures import Paths, photos, rgb_of
from opsin.photo import Photo

Pixels: TypeAlias = NDArray[np.uint8]

CELL = 360  # pixels, the longer side of a picture
ROWS = 16  # photographs on a page
WIDTH = 1600  # of a page; a single row may be wider
GAP = 8
LINE = 18  # height of a caption's line
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
) -> list[Path]:
    """The pages, written: each photograph, colorized by each model at each vividness.

    `paths` are as for `pictures.read`; true colors are not needed. With `original` the row
    begins with the photograph as it is. `rows` is how many photographs are on a page.
    """
    asked = settings(model, vividness, size)
    with Sheet(output, cell=cell, rows=rows) as pages:
        for name, photo in islice(photos(paths), limit):
            cells = [Cell(rgb_of(photo), name)] if original else []
            for setting in asked:
                answer = predict(
                    photo, model=setting.model, vividness=setting.vividness, size=size
                )
                caption = setting.label if original else f"{setting.label}, {name}"
                cells.append(Cell(rgb_of(paint(photo, answer)), caption))
            pages.add(cells)
    return pages.written


class Sheet:
    """Takes rows of cells and writes a page when one is full, and the last when it is left."""

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
    """One page (H, W, 3) with all rows, as many beside each other as `WIDTH` allows.

    Rows have equally many cells, and no picture is larger than `cell`.
    """
    beside = min(len(rows), max(1, WIDTH // (len(rows[0]) * (cell + GAP))))
    width = GAP + beside * len(rows[0]) * (cell + GAP)
    strips = [_paper(GAP, width)]
    for start in range(0, len(rows), beside):
        strip = _strip([one for row in rows[start : start + beside] for one in row], cell)
        strips.append(_on_paper(strip, len(strip), width))
    return np.concatenate(strips)


def fit(pixels: Pixels, side: int) -> Pixels:
    """`pixels` (H, W, 3) made small enough for a square, without aliasing; never enlarged."""
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    import pyvips

    image = pyvips.Image.new_from_array(pixels)
    width, height = (max(1, round(scale * length)) for length in (image.width, image.height))
    image = image.resize(width / image.width, vscale=height / image.height)
    small: Pixels = image.numpy()
    return small


def written(text: str, width: int) -> Pixels:
    """Lines of text on paper, (H, width, 3), cut off at the width."""
    import pyvips

    lines = []
    for line in text.split("\n"):
        image = pyvips.Image.text(html.escape(line) or " ", font="sans 10", dpi=96)
        ink = image.numpy().reshape(image.height, image.width, 1)[:LINE, :width]
        lines.append(_on_paper(PAPER - np.repeat(ink, 3, axis=2), LINE, width))
    return np.concatenate(lines)


def _strip(cells: Sequence[Cell], side: int) -> Pixels:
    """Cells beside each other, their pictures on one base line."""
    height = max(len(one.pixels) for one in cells)
    text = LINE * max(one.caption.count("\n") + 1 for one in cells)
    strip = _paper(height + text + GAP, GAP + len(cells) * (side + GAP))
    for index, one in enumerate(cells):
        left = GAP + index * (side + GAP)
        high, wide = one.pixels.shape[:2]
        strip[height - high : height, left : left + wide] = one.pixels
        caption = written(one.caption, side)
        strip[height : height + len(caption), left : left + side] = caption
    return strip


def _paper(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), PAPER, np.uint8)


def _on_paper(pixels: Pixels, height: int, width: int) -> Pixels:
    sheet = _paper(height, width)
    sheet[: pixels.shape[0], : pixels.shape[1]] = pixels
    return sheet
