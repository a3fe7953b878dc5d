"""Packs pictures into one plain tar, which `--data` takes: from folders, tars and CIFAR's arrays.

Names keep their folders, of which the first is a picture's class. The same pictures give the same
bytes: members are sorted by their names and carry no time and no owner. A splits.json comes last,
if splits or classes are known or asked for.
"""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError, PhotoError, SaveError
from opsin.files import few, whole_file
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.machine import cores
from opsin.sets import splits
from opsin.sets.cifar import holds_arrays, read_arrays
from opsin.sets.listing import Progress
from opsin.sets.sources import Paths, Picture, Source, listed, read, sources

QUALITY: Final = 90
_ANY_LENGTH: Final = 10_000_000  # the largest side that libvips knows


@dataclass(frozen=True)
class Packed:
    """What a tar now holds."""

    path: Path
    pictures: int
    unreadable: tuple[str, ...]
    """Names of the pictures and folders that were passed over."""
    missing: tuple[str, ...]
    """Names in a splits.json of which there is no picture."""
    splits: Mapping[str, int]
    """Pictures in each split."""
    classes: Mapping[str, int]
    """Pictures in each first folder."""


class _Item(NamedTuple):
    """A picture to pack, under the name it has in its set."""

    name: str
    content: Picture | NDArray[np.uint8]
    splits: tuple[str, ...]


class _Set(NamedTuple):
    """The pictures of one set, the classes that it tells, and the pictures that it only names."""

    name: str
    items: list[_Item]
    classes: dict[str, str]
    missing: list[str]


class _Made(NamedTuple):
    """A picture as it will be stored; no bytes if it cannot be read."""

    data: bytes
    suffix: str


def pack(
    paths: Paths,
    out: str | Path,
    *,
    size: int | None = None,
    quality: int = QUALITY,
    split: Mapping[str, float] | None = None,
    seed: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Packed:
    """Writes the pictures of folders, tars, CIFAR's .tar.gz or an .npz into the tar `out`.

    A path may name a split, `faces.tar:train`. With `size`, a picture whose short side is longer
    is made smaller and becomes a JPEG of `quality`; all others are stored as they are, arrays as
    PNG. `split` gives the share of each split, drawn anew with `seed` within each first folder;
    without it, pictures stay in the split of their set. Of several sets, pictures that lie in no
    folder get their set's name as one. Unreadable pictures are passed over and named.

    >>> pack("photos/", "photos.tar", size=256, split={"train": 0.9, "val": 0.1})
    ... # doctest: +SKIP
    """
    out, paths = Path(out), listed(paths)
    if out.suffix != ".tar":
        raise SaveError(f"{out}: the name must end in .tar.")
    if out.exists() and not overwrite:
        raise SaveError(f"{out}: exists already. Choose another name, or say --overwrite.")
    shares = check_shares(split) if split is not None else {}
    unreadable: list[str] = []
    sets = _gather(paths, out, unreadable)
    items = _items(sets)
    classes = {folder: name for one in sets for folder, name in one.classes.items()}
    if not items:
        raise DataError(f"no picture found in {', '.join(map(str, paths))}.")
    with whole_file(out) as file, tarfile.open(fileobj=file, mode="w") as archive:
        make = partial(_make, size=size, quality=quality)
        stored = _store(archive, items, make, unreadable, progress)
        if not stored:
            raise DataError(f"none of the {len(items)} pictures can be read{few(unreadable)}.")
        members = _drawn(stored, shares, seed) if shares else _members(stored)
        if members or classes:
            _add(archive, splits.FILE, _document(members, classes))
    return Packed(
        out,
        len(stored),
        tuple(unreadable),
        tuple(name for one in sets for name in one.missing),
        {one: len(names) for one, names in members.items()},
        Counter(filter(None, map(splits.first_folder, stored))),
    )


def check_shares(split: Mapping[str, float]) -> dict[str, float]:
    """The shares of the splits, or a `ValueError` if they cannot be that.

    >>> check_shares({"train": 0.9, "val": 0.1})
    {'train': 0.9, 'val': 0.1}
    """
    if not all(splits.WORD.fullmatch(name) for name in split):
        raise ValueError(f"names of splits must be plain words, got {', '.join(split)}.")
    if not all(share > 0 for share in split.values()) or abs(sum(split.values()) - 1) > 1e-6:
        raise ValueError(f"shares of splits must be positive and add up to 1, got {dict(split)}.")
    return dict(split)


def _gather(paths: Sequence[str | Path], out: Path, unreadable: list[str]) -> list[_Set]:
    sets = []
    for path, split in map(splits.split_of, paths):
        if holds_arrays(path):
            sets.append(_of_arrays(path, split))
            continue
        for source in sources(path, lambda place, _: unreadable.append(str(place))):
            if source.path.resolve() != out.resolve():  # an earlier one, in a folder of tars
                sets.append(_of_source(source, split))
    return sets


def _items(sets: Sequence[_Set]) -> list[_Item]:
    """All pictures, sorted by name."""
    items = [
        item._replace(name=f"{one.name}/{item.name}")
        if len(sets) > 1 and not splits.first_folder(item.name)
        else item
        for one in sets
        for item in one.items
    ]
    return sorted(items, key=lambda item: item.name)


def _of_source(source: Source, split: str | None) -> _Set:
    told = source.splits or splits.Splits({}, None)
    of: dict[str, list[str]] = {}
    for one, names in told.names.items():
        for name in names if split in (None, one) else ():
            of.setdefault(splits.plain(name), []).append(one)
    items = []
    for index in source.chosen(split):
        parts = [part for part in source.names[index].split("/") if part not in ("", ".", "..")]
        within = tuple(of.get(splits.plain(source.names[index]), ()))
        items.append(_Item("/".join(parts), source.pictures[index], within))
    missing = sorted(of.keys() - set(map(splits.plain, source.names)))
    return _Set(source.group, items, told.classes or {}, missing)


def _of_arrays(path: Path, split: str | None) -> _Set:
    found = read_arrays(path)
    if split is not None and split not in found.splits:
        raise DataError(f"{path}: no split '{split}'. Available: {', '.join(found.splits)}.")
    folders = [name.replace("/", "-").strip(". ") or "-" for name in found.classes]
    items = [
        _Item(f"{folders[label]}/{one}-{number:05d}.png", picture, (one,))
        for one, (pictures, labels) in found.splits.items()
        if split in (None, one)
        for number, (picture, label) in enumerate(zip(pictures, labels, strict=True))
    ]
    return _Set(path.stem, items, dict(zip(folders, found.classes, strict=True)), [])


def _make(item: _Item, *, size: int | None, quality: int) -> _Made:
    """The file to store for a picture. Runs in several threads."""
    pyvips = vips()
    nothing = _Made(b"", PurePosixPath(item.name).suffix)
    try:
        if not isinstance(item.content, Picture):
            image = pyvips.Image.new_from_array(np.ascontiguousarray(item.content))
            if size and min(image.width, image.height) > size:
                width, height = _box(image, size)
                image = image.thumbnail_image(width, height=height)
            return _Made(image.pngsave_buffer(compression=9, keep="none"), ".png")
        data = read(item.content)
        image = small.header(data, access="sequential", fail_on="truncated")
        if not size or min(image.width, image.height) <= size:
            image.avg()  # decodes all of it
            return nothing._replace(data=data)
        width, height = _box(image, size)
        image = small.thumbnail(data, width, height, fail_on="truncated")
        return _Made(image.jpegsave_buffer(Q=quality, keep="none"), ".jpg")
    except (pyvips.Error, PhotoError, OSError, ValueError):
        return nothing


def _box(image: Any, size: int) -> tuple[int, int]:
    """The width and height to fit into, so that the short side, once upright, is `size`."""
    lies = image.get_typeof("orientation") != 0 and image.get("orientation") >= 5
    wide = (image.height if lies else image.width) > (image.width if lies else image.height)
    return (_ANY_LENGTH, size) if wide else (size, _ANY_LENGTH)


def _in_order(
    make: Callable[[_Item], _Made], items: Sequence[_Item]
) -> Iterator[tuple[_Item, _Made]]:
    """Every item with its file, made by several threads, a few at a time to spare memory."""
    with ThreadPoolExecutor(cores()) as pool:
        few = 8 * cores()
        for start in range(0, len(items), few):
            some = items[start : start + few]
            yield from zip(some, pool.map(make, some), strict=True)


def _store(
    archive: tarfile.TarFile,
    items: Sequence[_Item],
    make: Callable[[_Item], _Made],
    unreadable: list[str],
    progress: Progress | None,
) -> dict[str, _Item]:
    """What was put into the tar, by the names it got there; adds to what could not be read."""
    stored: dict[str, _Item] = {}
    taken: set[str] = set()
    for done, (item, made) in enumerate(_in_order(make, items), start=1):
        if made.data:
            name = _free(str(PurePosixPath(item.name).with_suffix(made.suffix)), taken)
            _add(archive, name, made.data)
            stored[name] = item
        else:
            unreadable.append(item.name)
        if progress:
            progress(done, len(items))
    return stored


def _free(name: str, taken: set[str]) -> str:
    """The name, or with -2, -3 ... if there is one already, on any file system."""
    path, number = PurePosixPath(name), 1
    while splits.plain(name).lower() in taken:
        number += 1
        name = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
    taken.add(splits.plain(name).lower())
    return name


def _members(stored: Mapping[str, _Item]) -> dict[str, list[str]]:
    """The splits that the pictures had in their sets."""
    members: dict[str, list[str]] = {}
    for name, item in stored.items():
        for one in item.splits:
            members.setdefault(one, []).append(name)
    order = {one: place for place, one in enumerate(("train", "val", "test"))}
    return dict(sorted(members.items(), key=lambda pair: (order.get(pair[0], 3), pair[0])))


def _drawn(names: Iterable[str], shares: Mapping[str, float], seed: int) -> dict[str, list[str]]:
    """Splits drawn at random in each first folder; counts are right to within one picture."""
    rng = np.random.default_rng(seed)
    shuffled = sorted((splits.first_folder(name), rng.random(), name) for name in names)
    members: dict[str, list[str]] = {one: [] for one in shares}
    for done, (_, _, name) in enumerate(shuffled, start=1):
        most_behind = max(shares, key=lambda one: shares[one] * done - len(members[one]))
        members[most_behind].append(name)
    return {one: sorted(listed) for one, listed in members.items()}


def _document(members: Mapping[str, list[str]], classes: Mapping[str, str]) -> bytes:
    """A splits.json."""
    whole: dict[str, Any] = dict(members)
    if classes:
        plain = all(folder == name for folder, name in classes.items())
        whole = {"classes": list(classes) if plain else dict(classes), "splits": whole}
    return json.dumps(whole, indent=1).encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # its time and owner are 0
    member.size = len(data)
    archive.addfile(member, BytesIO(data))
