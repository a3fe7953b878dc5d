"""What a classifier's last layer sees of pictures, computed once and kept.

Features are kept by picture (file, place in it, size, time of change), by network and by how it was
looked at, in one SQLite file of the user's cache. A picture that has changed is looked at again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.errors import ModelError
from opsin.files import cache_folder, plain_text
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.machine import cores
from opsin.models.card import Card
from opsin.models.engine import Engine
from opsin.recognition.pipeline import LUMA, planes_of, table_of
from opsin.sets.sources import Picture, read

Floats: TypeAlias = NDArray[np.float32]

OUTPUT: Final = "features"
AT_ONCE: Final = 64  # pictures between two writes


def features_of(
    pictures: Sequence[Picture],
    engine: Engine,
    *,
    gray: bool = False,
    on_picture: Callable[[], None] = lambda: None,
) -> list[Floats | None]:
    """(D,) of each picture, as it is or made gray; None of one that cannot be read."""
    check_base(engine.card)
    keys = [_key(picture, engine.card, gray) for picture in pictures]
    with _kept() as kept:
        known = kept.read(keys)
        missing = [number for number, key in enumerate(keys) if key not in known]
        with ThreadPoolExecutor(cores()) as pool:
            for start in range(0, len(missing), AT_ONCE):
                part = missing[start : start + AT_ONCE]
                found = pool.map(lambda number: _look(pictures[number], engine, gray), part)
                new = {}
                for number, one in zip(part, found, strict=True):
                    if one is not None:
                        new[keys[number]] = one
                    on_picture()
                kept.write(new)
                known |= new
    for _ in range(len(pictures) - len(missing)):
        on_picture()
    return [known.get(key) for key in keys]


def check_base(card: Card) -> None:
    """Refuses a model whose features cannot be had, by a `ModelError`."""
    table_of(card)
    if OUTPUT not in card.output_names():
        raise ModelError(
            f"model '{card.name}' gives no '{OUTPUT}' to learn from. Take imagenet, or one that "
            "opsin models get has made."
        )


def pixels_of(picture: Picture, *, gray: bool = False) -> NDArray[np.uint8] | None:
    """sRGB pixels (H, W, 3), or the same in gray; None where it cannot be read."""
    try:
        rgb: NDArray[np.uint8] = small.whole(read(picture)).numpy()
    except (vips().Error, OSError, ValueError):
        return None
    if gray:
        rgb = np.repeat((rgb @ LUMA + 0.5).astype(np.uint8)[..., None], 3, axis=2)
    return rgb


def _look(picture: Picture, engine: Engine, gray: bool) -> Floats | None:
    rgb = pixels_of(picture, gray=gray)
    if rgb is None:
        return None
    channels, side = (int(axis) for axis in engine.card.inputs[0].shape[1:3])
    planes = planes_of(rgb, side, channels, table_of(engine.card))
    found: Floats = engine.run({"picture": planes[None]})[OUTPUT][0]
    return found


def _key(picture: Picture, card: Card, gray: bool) -> str:
    table = table_of(card)
    how = f"{table.view} {table.crop} {'gray' if gray else 'color'}"
    return plain_text("\n".join([card.sha256, how, *map(str, picture)]))


class _Kept:
    """A table of features by their keys."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, value BLOB)")

    def read(self, keys: Sequence[str]) -> dict[str, Floats]:
        found = {}
        for key in keys:
            row = self._database.execute("SELECT value FROM features WHERE key = ?", (key,))
            if one := row.fetchone():
                found[key] = np.frombuffer(one[0], np.float16).astype(np.float32)
        return found

    def write(self, new: dict[str, Floats]) -> None:
        rows = [(key, value.astype(np.float16).tobytes()) for key, value in new.items()]
        with suppress(sqlite3.Error), self._database:  # a full or forbidden disk keeps none
            self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)


@contextmanager
def _kept() -> Iterator[_Kept]:
    """The kept features; where there is no place for them, or they are damaged, none are kept."""
    path = cache_folder("features") / "features.sqlite"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = _opened(path)
    except (OSError, sqlite3.Error):
        database = _opened(Path(":memory:"))
    with closing(database):
        yield _Kept(database)


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30)
    try:
        _Kept(database)
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages are damaged")
    except sqlite3.DatabaseError:
        database.close()
        path.unlink(missing_ok=True)
        database = sqlite3.connect(path, timeout=30)
        _Kept(database)
    return database
