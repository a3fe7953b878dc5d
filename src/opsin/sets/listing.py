"""Pictures to train on: sets, listed once.

Listing a set looks at each picture once: its size, how colorful it is and its difference hash, by
which pictures that are held out for evaluation, near-duplicates included, are kept out of
training. What was found is cached for each tar or folder, so the next run starts at once,
whichever of its splits it asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.errors import DataError, PhotoError, SaveError
from opsin.files import cache_folder, few, plain_text, write_atomically
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.interrupt import uninterrupted
from opsin.sets import sources, splits
from opsin.sets.sources import Picture, Source, read

NEAR: Final = 8
"""Two pictures whose difference hashes differ in at most this many of 64 bits count as one."""
LEAST_HASHED: Final = 32
"""Pixels of the short side: smaller pictures, as of digits, are too alike for their hashes to tell
near-duplicates, and none of the evaluation pictures is so small."""
_AT_ONCE: Final = 32
"""Pictures that another process is given at once. So few are looked at here: that takes a fraction
of what starting a process does."""
_CACHE_VERSION = 2

Progress = Callable[[int, int], None]


class Listing(NamedTuple):
    """The pictures of a training set and what one look at each has shown; arrays of length N."""

    pictures: list[Picture]
    groups: NDArray[np.int32]
    """Which of `group_names` a picture belongs to: a folder, or the tars named alike."""
    group_names: list[str]
    short_side: NDArray[np.int32]
    chroma: NDArray[np.float32]
    """Mean Lab chroma of the picture made small."""
    hashes: NDArray[np.uint64]
    """Difference hash."""
    left_out: dict[str, int]
    """Why pictures were left out, and how many."""
    labels: NDArray[np.int32] = np.empty(0, np.int32)
    """Which of `class_names` each picture shows, -1 where that is not known."""
    class_names: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Names of the pictures and folders that cannot be read."""

    def take(self, chosen: NDArray[np.integer]) -> Listing:
        """Only these pictures, by number."""
        return self._replace(
            pictures=[self.pictures[index] for index in chosen],
            groups=self.groups[chosen],
            short_side=self.short_side[chosen],
            chroma=self.chroma[chosen],
            hashes=self.hashes[chosen],
            labels=self.labels[chosen] if len(self.labels) else self.labels,
        )


def list_pictures(
    paths: Sequence[Path],
    *,
    least_chroma: float = 0.0,
    apart_from: NDArray[np.uint64] | None = None,
    classes: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Listing:
    """Lists sets and single pictures; leaves out unreadable, gray and held-out pictures.

    A path may end in a split, as in `faces.tar:train`. Held out are those near the shipped hashes
    of the evaluation pictures, or near `apart_from`. Labels are known where a splits.json tells
    the classes; with `classes`, also where pictures lie in two or more first folders of their
    set, each of which is then a class. Classes of the same name in several sets are one.
    """
    unreadable: list[str] = []
    found = list(sources.chosen(paths, lambda place, _: unreadable.append(str(place))))
    if not any(chosen for _, chosen in found):
        raise DataError(f"no picture found in {', '.join(map(str, paths))}.")
    every = look_at_all(found, classes=classes, workers=workers, progress=progress)
    held_out = held_out_hashes()
    if apart_from is not None:
        held_out = np.concatenate([held_out, apart_from])
    readable = every.short_side > 0
    unreadable += [every.pictures[index].name for index in np.flatnonzero(~readable)]
    colored = every.chroma >= least_chroma
    apart = ~_near_any(every.hashes, held_out) | (every.short_side < LEAST_HASHED)
    keep = np.flatnonzero(readable & colored & apart)
    gray = int((readable & ~colored).sum())
    if not len(keep):
        raise DataError(
            f"none of the {len(apart)} pictures in {', '.join(map(str, paths))} can be used: "
            f"{len(unreadable)} unreadable{few(unreadable)}, {gray} gray, "
            f"{int((~apart).sum())} held out for evaluation."
        )
    left_out = {
        "unreadable": len(unreadable),
        "too little color": gray,
        "held out": int((readable & ~apart).sum()),
    }
    return every.take(keep)._replace(left_out=left_out, unreadable=tuple(unreadable))


def held_out_hashes() -> NDArray[np.uint64]:
    """Difference hashes of the evaluation pictures, shipped with the package, mirrored ones too."""
    text = resources.files("opsin.sets").joinpath("held_out.txt").read_text("ascii")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return np.array([int(line, 16) for line in lines if line], dtype=np.uint64)


def difference_hash(gray: NDArray[np.floating]) -> int:
    """64 bits of a picture made 9 wide and 8 high: is each pixel brighter than its left one?"""
    if gray.shape != (8, 9):
        raise ValueError(f"the gray picture must have shape (8, 9), got {gray.shape}.")
    bits = (gray[:, 1:] > gray[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


class Look(NamedTuple):
    """What one look at a picture has shown."""

    short_side: int
    """In pixels; 0 if the picture cannot be read."""
    chroma: float
    """Mean Lab chroma of the picture made small."""
    hash: int
    """Difference hash."""


def look(picture: Picture) -> Look:
    """Reads a picture once, and measures it."""
    try:
        data = read(picture)
        header = small.header(data)
        pixels = small.thumbnail(data, 36, 32, size="force").numpy()
    except (vips().Error, PhotoError, OSError, ValueError):
        return Look(0, 0.0, 0)
    rgb = pixels.astype(np.float32) / 255
    chroma = float(np.hypot(*np.moveaxis(rgb_to_lab(rgb)[..., 1:], -1, 0)).mean())
    gray = (rgb @ np.array([0.299, 0.587, 0.114], np.float32)).reshape(8, 4, 9, 4).mean((1, 3))
    return Look(min(header.width, header.height), chroma, difference_hash(gray))


def look_at_all(
    found: Sequence[tuple[Source, list[int]]],
    *,
    classes: bool,
    workers: int,
    progress: Progress | None = None,
) -> Listing:
    """The chosen pictures of each source, none of them left out: the short side is 0 of those that
    cannot be read."""
    group_names = list(dict.fromkeys(source.group for source, _ in found))
    class_names: list[str] = []
    pictures: list[Picture] = []
    groups: list[int] = []
    looks: list[Look] = []
    labels: list[NDArray[np.int32]] = []
    # Spawned, not forked: libvips and torch have threads. Its processes start with the first task.
    with uninterrupted():  # Python's process that counts its locks starts here
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        for done, (source, chosen) in enumerate(found):
            wanted = [source.pictures[index] for index in chosen]
            pictures += wanted
            groups += [group_names.index(source.group)] * len(chosen)
            looks += _cached_looks(source.path, wanted, pool)
            labels.append(_labels(source, class_names, classes)[chosen])
            if progress:
                progress(done + 1, len(found))
    finally:
        pool.shutdown(cancel_futures=True)
    return Listing(
        pictures,
        np.array(groups, np.int32),
        group_names,
        np.array([one.short_side for one in looks], np.int32),
        np.array([one.chroma for one in looks], np.float32),
        np.array([one.hash for one in looks], np.uint64),
        {},
        np.concatenate(labels),
        tuple(class_names),
    )


def _labels(source: Source, class_names: list[str], by_folder: bool) -> NDArray[np.int32]:
    """A label for each picture; adds what is not yet among `class_names`."""
    known = source.splits and source.splits.classes
    if known is None and by_folder:
        known = splits.folders_as_classes(source.names)
    known = known or {}
    class_names += [name for name in dict.fromkeys(known.values()) if name not in class_names]
    numbers = {name: number for number, name in enumerate(class_names)}
    shown = (splits.class_of(name, known) for name in source.names)
    return np.array([-1 if name is None else numbers[name] for name in shown], np.int32)


def _cached_looks(path: Path, pictures: Sequence[Picture], pool: ProcessPoolExecutor) -> list[Look]:
    """A look at each picture; what an earlier call has seen of the set at `path` is not done again.

    Looks are kept by picture: by its name, its place, its size and when its file was changed.
    """
    about = plain_text(f"{_CACHE_VERSION}:{path.resolve()}")
    name = hashlib.sha256(about.encode()).hexdigest()[:32]
    file = cache_folder("looks") / f"{name}.json"
    known = _read_looks(file)
    keys = [
        plain_text(f"{one.path}:{one.name}:{one.offset}:{one.bytes}:{one.changed}")
        for one in pictures
    ]
    new = [index for index, key in enumerate(keys) if key not in known]
    if new:
        try:
            seen = _looks([pictures[index] for index in new], pool)
            for index, one in zip(new, seen, strict=True):
                known[keys[index]] = one
        finally:  # so that a stop loses no look
            with suppress(SaveError):  # where none can be kept, they are done again
                write_atomically(file, msgspec.json.encode(known))
    return [known[key] for key in keys]


def _looks(pictures: Sequence[Picture], pool: ProcessPoolExecutor) -> Iterator[Look]:
    if len(pictures) <= _AT_ONCE:
        return map(look, pictures)
    with uninterrupted():  # the processes that start here are not stopped by Ctrl-C
        return pool.map(look, pictures, chunksize=_AT_ONCE)


def _read_looks(file: Path) -> dict[str, Look]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Look])
    except (OSError, msgspec.DecodeError, RecursionError):
        return {}


def _near_any(hashes: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which hashes lie within `NEAR` bits of any other's."""
    found = np.zeros(len(hashes), dtype=bool)
    for other in others:
        found |= np.bitwise_count(hashes ^ other) <= NEAR
    return found
