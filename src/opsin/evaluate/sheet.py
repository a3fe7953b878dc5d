"""Contact sheets of photographs and their colors, for looking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from opsin.colorization.pipeline import paint
from opsin.defaults import VIVIDNESS
from opsin.drawing.pixels import as_rgb
from opsin.drawing.sheet import CELL, ROWS, Cell, Sheet
from opsin.errors import DataError, SaveError
from opsin.evaluate.answers import answered, settings
from opsin.files import shown
from opsin.sets.pictures import Paths, listed, photos


def sheet(
    paths: Paths,
    output: str | Path,
    *,
    model: str | Sequence[str] = "default",
    vividness: float | Sequence[float] = VIVIDNESS,
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
            cells = [Cell(as_rgb(photo.pixels), name)] if original else []
            for setting, answer, _ in answered(photo, asked):
                caption = setting.label if original else f"{setting.label}, {name}"
                cells.append(Cell(as_rgb(paint(photo, answer).pixels), caption))
            pages.add(cells)
    if not pages.pages:
        raise DataError("none of the photographs can be read: there is nothing to show.")
    return pages.pages


def spare(paths: Paths, output: str | Path) -> None:
    """No photograph is overwritten by a picture about it."""
    if Path(output).resolve() in (Path(path).resolve() for path in listed(paths)):
        raise SaveError(
            f"{shown(output)} is one of the photographs; it would be overwritten. "
            f"Choose another name."
        )
