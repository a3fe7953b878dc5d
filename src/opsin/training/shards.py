"""Pictures to train on: folders and tar shards, listed once, read by position, never unpacked.

A shard is a plain, uncompressed tar of pictures (WebDataset's layout). Listing a set also looks
at each picture once: its size, how colorful it is and its difference hash, by which pictures that
are held out for evaluation, near-duplicates included, are kept out of training. What was found is
cached for each tar or folder, so the next run starts at once.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.errors import DataError

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
NEAR: Final = 8
"""Two pictures whose difference hashes differ in at most this many of 64 bits count as one."""
_CACHE_VERSION = 1

Progress = Callable[[int, int], None]


class Picture(NamedTuple):
    """Where a picture's bytes are: a file, or a stretch of a tar file."""

    path: str
    offset: int
    bytes: int
    name: str


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


def read(picture: Picture) -> bytes:
    """The picture's file, as bytes."""
    with open(picture.path, "rb") as file:
        file.seek(picture.offset)
        return file.read(picture.bytes)


def list_pictures(
    paths: Sequence[Path],
    *,
    least_chroma: float = 0.0,
    apart_from: NDArray[np.uint64] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Listing:
    """Lists folders (recursively) and tars; leaves out unreadable, gray and held-out pictures.

    Held out are those near the shipped hashes of the evaluation pictures, or near `apart_from`.
    """
    sources = [source for path in paths for source in _sources(path)]
    if not sources:
        raise DataError(f"no picture found in {', '.join(map(str, paths))}.")
    held_out = held_out_hashes()
    if apart_from is not None:
        held_out = np.concatenate([held_out, apart_from])
    names: list[str] = []
    pictures: list[Picture] = []
    columns: list[NDArray[np.float64]] = []
    groups: list[int] = []
    # Spawned, not forked: libvips and torch have threads. Its processes start with the first task.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done, (group, found, stamp) in enumerate(sources):
            if group not in names:
                names.append(group)
            pictures += found
            columns.append(_cached_looks(found, stamp, pool))
            groups += [names.index(group)] * len(found)
            if progress:
                progress(done + 1, len(sources))
    table = np.concatenate(columns)
    short, chroma = table[:, 0], table[:, 1]
    hashes = table[:, 2].copy().view(np.uint64)
    readable = short > 0
    colored = chroma >= least_chroma
    apart = ~_near_any(hashes, held_out)
    keep = np.flatnonzero(readable & colored & apart)
    if not len(keep):
        raise DataError(
            f"none of the {len(pictures)} pictures in {', '.join(map(str, paths))} can be used: "
            f"{int((~readable).sum())} unreadable, {int((readable & ~colored).sum())} gray, "
            f"{int((~apart).sum())} held out for evaluation."
        )
    return Listing(
        [pictures[index] for index in keep],
        np.array(groups, np.int32)[keep],
        names,
        short[keep].astype(np.int32),
        chroma[keep].astype(np.float32),
        hashes[keep],
        {
            "unreadable": int((~readable).sum()),
            "too little color": int((readable & ~colored).sum()),
            "held out": int((readable & ~apart).sum()),
        },
    )


def held_out_hashes() -> NDArray[np.uint64]:
    """Difference hashes of the evaluation pictures, shipped with the package, mirrored ones too."""
    text = resources.files("opsin.training").joinpath("held_out.txt").read_text("ascii")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return np.array([int(line, 16) for line in lines if line], dtype=np.uint64)


def difference_hash(gray: NDArray[np.floating]) -> int:
    """64 bits of a picture made 9 wide and 8 high: is each pixel brighter than its left one?"""
    if gray.shape != (8, 9):
        raise ValueError(f"the gray picture must have shape (8, 9), got {gray.shape}.")
    bits = (gray[:, 1:] > gray[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def look(picture: Picture) -> tuple[float, float, int]:
    """Short side in pixels (0: unreadable), mean chroma and difference hash of a picture."""
    import pyvips

    try:
        image = pyvips.Image.new_from_buffer(read(picture), "")
        short = min(image.width, image.height)
        small = pyvips.Image.thumbnail_buffer(
            read(picture), 36, height=32, size="force", export_profile="srgb"
        )
        small = small.colourspace("srgb")
        if small.hasalpha():
            small = small.flatten(background=255)
        rgb = small.numpy().astype(np.float32) / 255
    except (pyvips.Error, OSError, ValueError):
        return 0.0, 0.0, 0
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        return 0.0, 0.0, 0
    chroma = float(np.hypot(*np.moveaxis(rgb_to_lab(rgb)[..., 1:], -1, 0)).mean())
    gray = (rgb @ np.array([0.299, 0.587, 0.114], np.float32)).reshape(8, 4, 9, 4).mean((1, 3))
    return float(short), chroma, difference_hash(gray)


def _sources(path: Path) -> Iterable[tuple[str, list[Picture], str]]:
    """(group, pictures, a stamp that changes with the content) of a tar, or of each folder."""
    if path.is_dir():
        tars = sorted(path.glob("*.tar"))
        for tar in tars:
            yield from _sources(tar)
        if not tars:
            files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            if files:
                pictures = [Picture(str(f), 0, f.stat().st_size, f.name) for f in files]
                newest = max(f.stat().st_mtime_ns for f in files)
                yield path.name, pictures, f"{path.resolve()}:{len(files)}:{newest}"
    elif path.suffix == ".tar":
        try:
            with tarfile.open(path, "r:") as archive:
                pictures = [
                    Picture(str(path), member.offset_data, member.size, member.name)
                    for member in archive
                    if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES
                ]
        except (OSError, tarfile.TarError) as error:
            raise DataError(f"{path}: cannot be read as a plain tar ({error}).") from error
        status = path.stat()
        # SET-000.tar, SET-001.tar ... are one set
        yield (
            path.stem.rstrip("0123456789").rstrip("-_") or path.stem,
            pictures,
            f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}",
        )
    else:
        raise DataError(f"{path}: neither a folder of pictures nor a .tar of them.")


def _cached_looks(
    pictures: list[Picture], stamp: str, pool: ProcessPoolExecutor
) -> NDArray[np.float64]:
    """(N, 3): short side, chroma, and the hash's bits in a float's place."""
    key = hashlib.sha256(f"{_CACHE_VERSION}:{stamp}".encode()).hexdigest()[:32]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "opsin" / "looks"
    file = cache / f"{key}.npy"
    if file.exists():
        looks: NDArray[np.float64] = np.load(file)
        if len(looks) == len(pictures):
            return looks
    looks = np.empty((len(pictures), 3))
    for index, (short, chroma, bits) in enumerate(pool.map(look, pictures, chunksize=32)):
        looks[index, :2] = short, chroma
        looks[index, 2:].view(np.uint64)[0] = bits
    cache.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=cache, suffix=".npy")
    with os.fdopen(handle, "wb") as out:
        np.save(out, looks)
    os.replace(name, file)
    return looks


def _near_any(hashes: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which hashes lie within `NEAR` bits of any other's."""
    found = np.zeros(len(hashes), dtype=bool)
    for other in others:
        found |= np.bitwise_count(hashes ^ other) <= NEAR
    return found
