"""The pictures to learn from: which there are, of what, and what is to be said of them first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError
from opsin.files import few, shown
from opsin.machine import cores
from opsin.sets import sources
from opsin.sets.listing import look_at_all
from opsin.sets.sources import Paths, Picture
from opsin.sets.splits import first_folder, plain, split_of
from opsin.sets.walk import is_picture

Labels: TypeAlias = NDArray[np.int64]

LEAST: Final = 3  # pictures of a class: two to learn from, and one to see what was learned
NEAR: Final = 3  # of 64 bits of the difference hash: the same photograph, made anew
PLAIN: Final = 8  # bits of one kind: an empty picture is like every other
SMALL: Final = 48  # pixels of the short side
UNEVEN: Final = 10  # times as many pictures in one class as in another
HELD_BACK: Final = 0.2


@dataclass(frozen=True, eq=False)
class Survey:
    """Readable pictures with their classes, and doubts about them in words."""

    pictures: list[Picture]
    names: list[str]
    """As they are called in their folder or tar, "cat/7.jpg"."""
    labels: Labels
    """(N,), numbers of `classes`."""
    classes: tuple[str, ...]
    hashes: NDArray[np.uint64]
    doubts: list[str] = field(default_factory=list)

    def take(self, chosen: NDArray[np.intp]) -> Survey:
        return Survey(
            [self.pictures[number] for number in chosen],
            [self.names[number] for number in chosen],
            self.labels[chosen],
            self.classes,
            self.hashes[chosen],
        )


def survey(data: Paths, classes: Sequence[str] = ()) -> Survey:
    """The pictures in `data`, of the classes that lie there or of those that are given.

    One class, a class without three pictures, or a folder without any is a `DataError`. What can
    be lived with is told in `doubts`.
    """
    paths = [Path(path) for path in sources.listed(data)]
    skipped: list[str] = []
    for path in paths:
        if strays := _strays(path):
            skipped.append(f"no pictures: {len(strays)}{few(strays)}")
        if links := _links(path):
            skipped.append(f"links to folders, put the folders there: {len(links)}{few(links)}")
    chosen = list(sources.chosen(paths, lambda place, why: skipped.append(f"{place}: {why}")))
    if not any(numbers for _, numbers in chosen):
        raise DataError(
            f"{_told(paths)}: no picture in it{few(skipped)}. Name a folder with a folder of "
            "pictures for each class."
        )
    listing = look_at_all(chosen, classes=True, workers=cores())
    called = [plain(source.names[number]) for source, numbers in chosen for number in numbers]
    names = tuple(classes) or tuple(sorted(set(listing.class_names)))
    if len(names) < 2:
        names = names or tuple(sorted({first_folder(name) for name in called} - {""}))[:1]
        raise DataError(
            f"{_told(paths)}: {'one class' if names else 'no classes'}{few(names)}. Put the "
            "pictures of each class into a folder of its own, two folders or more."
        )
    numbers = {name: number for number, name in enumerate(names)}
    known = [*listing.class_names, None]
    labels = np.array([numbers.get(known[label] or "", -1) for label in listing.labels], np.int64)
    if stray := [called[n] for n in np.flatnonzero(labels < 0)]:
        if classes:
            raise DataError(
                f"{_told(paths)}: {len(stray)} pictures{few(stray)} are of no class of the model: "
                f"{few(names).strip()}."
            )
        skipped.append(f"in no folder of a class: {len(stray)}{few(stray)}")
    unreadable = [called[n] for n in np.flatnonzero(listing.short_side == 0)]
    if unreadable:
        skipped.append(f"cannot be read: {len(unreadable)}{few(unreadable)}")
    keep = np.flatnonzero((labels >= 0) & (listing.short_side > 0))
    found = Survey(
        [listing.pictures[n] for n in keep],
        [called[n] for n in keep],
        labels[keep],
        names,
        listing.hashes[keep],
    )
    found.doubts.extend(f"passed over, {one}" for one in skipped)
    if not classes:
        _check_counts(found, paths)
        found.doubts.extend(_alike(names))
        tiny = [called[n] for n in keep if listing.short_side[n] < SMALL]
        if tiny:
            found.doubts.append(f"smaller than {SMALL} pixels: {len(tiny)}{few(tiny)}")
    return found


def held_back(found: Survey, *, seed: int) -> tuple[Survey, Survey]:
    """Those to learn from, and a fifth of each class to see what was learned.

    A picture that is there twice, or nearly, is learned from: held back, it would be known already.
    """
    alone = np.array([len(twins) == 0 for twins in near(found.hashes, found.hashes)])
    chance, test = np.random.default_rng(seed), []
    for label in range(len(found.classes)):
        all_of_it = np.flatnonzero(found.labels == label)
        free = chance.permutation(all_of_it[alone[all_of_it]])
        test += free[: min(max(1, round(HELD_BACK * len(all_of_it))), len(all_of_it) - 2)].tolist()
    test_ = np.sort(np.array(test, np.intp))
    rest = np.setdiff1d(np.arange(len(found.labels)), test_)
    return found.take(rest), found.take(test_)


def doubts_about(learned: Survey, test: Survey) -> list[str]:
    """Pictures that are there twice: in two classes, or in both parts."""
    told = []
    pairs = [
        (one, other)
        for one, twins in enumerate(near(learned.hashes, learned.hashes))
        for other in twins
        if one < other
    ]
    across = [pair for pair in pairs if learned.labels[pair[0]] != learned.labels[pair[1]]]
    if across:
        told.append(
            f"nearly the same picture in two classes, of which one is wrong: {len(across)}"
            f"{few(_names(learned, across))}"
        )
    if within := len(pairs) - len(across):
        inside = [pair for pair in pairs if pair not in across]
        told.append(f"there twice, or nearly: {within}{few(_names(learned, inside))}")
    both = [one for one, twins in enumerate(near(test.hashes, learned.hashes, own=False)) if twins]
    if both:
        names = [test.names[number] for number in both]
        told.append(
            f"to test on, but nearly the same as one that was learned from, so that the figures "
            f"are too good: {len(both)}{few(names)}"
        )
    return told


def near(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], *, own: bool = True
) -> list[list[int]]:
    """For each hash, which of the others are nearly the same; not itself, if they are its own."""
    found: list[list[int]] = []
    for number, one in enumerate(hashes):
        if not PLAIN <= int(one).bit_count() <= 64 - PLAIN:
            found.append([])
            continue
        twins = np.flatnonzero(np.bitwise_count(others ^ one) <= NEAR)
        found.append([int(twin) for twin in twins if not (own and twin == number)])
    return found


def _names(found: Survey, pairs: Sequence[tuple[int, int]]) -> list[str]:
    return [f"{found.names[a]} and {found.names[b]}" for a, b in pairs]


def _check_counts(found: Survey, paths: Sequence[Path]) -> None:
    counts = np.bincount(found.labels, minlength=len(found.classes))
    for name, count in zip(found.classes, counts, strict=True):
        if count < LEAST:
            pictures = "picture" if count == 1 else "pictures"
            raise DataError(
                f"{_told(paths)}: the class '{shown(name)}' has {count} {pictures} that can be "
                f"read, and {LEAST} are the least. Add some, or take its folder away."
            )
    if counts.max() > UNEVEN * counts.min():
        most, least = (found.classes[int(n)] for n in (counts.argmax(), counts.argmin()))
        found.doubts.append(
            f"'{most}' has {counts.max()} pictures and '{least}' {counts.min()}: what is rare will "
            "seldom be named."
        )


def _alike(names: Sequence[str]) -> list[str]:
    """Classes that are one to a person: their names differ in case or in blanks around them."""
    told: dict[str, list[str]] = {}
    for name in names:
        told.setdefault(name.strip().casefold(), []).append(f"'{name}'")
    groups = [" and ".join(same) for same in told.values() if len(same) > 1]
    return [f"classes that may be one, but for case or blanks: {few(groups).strip()}"] * bool(
        groups
    )


def _links(path: Path) -> list[str]:
    """Links to folders among the classes: a set is what lies in its own folder."""
    place, split = split_of(path)
    if split is not None or not place.is_dir():
        return []
    return sorted(one.name for one in place.iterdir() if one.is_symlink() and one.is_dir())


def _strays(path: Path) -> list[str]:
    """Files in a folder of classes that are no pictures. A class without any picture is a
    `DataError`: it is a mistake, not a class that does not exist."""
    place, split = split_of(path)
    if split is not None or not place.is_dir():
        return []
    strays: list[str] = []
    inside = (one for one in place.iterdir() if one.is_dir() and not one.is_symlink())
    for folder in sorted(one for one in inside if one.name[0] != "."):
        names = [file.name for file in folder.rglob("*") if file.is_file()]
        others = [name for name in names if not is_picture(name) and name[0] != "."]
        if len(others) == len(names):
            raise DataError(
                f"{shown(folder)}: no picture in it{few(others)}. Add some, or take it away."
            )
        strays += others
    return strays


def _told(paths: Sequence[Path]) -> str:
    return ", ".join(map(shown, paths))
