"""How well `opsin colorize --words` finds things on old photographs.

    python benchmarks/things_old.py PHOTOGRAPHS

On 48 photographs of 1838 to 1930 that were always gray, boxes of one thing were drawn by hand
(`things_old.csv`, in tenths of the sides). A wish for a thing should fill the boxes that hold
nothing else, and must leave alone those that hold none of it. Nothing is learned from these
photographs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from things_sets import THINGS, bits, boxes

from opsin import open as open_photo
from opsin.colorization.sight import SURE, UNSURE, Sight
from opsin.colorization.words import SEEN, wishes_of

ASKED = [one for one in SEEN if one in THINGS]
FILLED = 0.5  # of a box: what counts as found


def found(sight: Sight, thing: str, shape: tuple[int, int]) -> np.ndarray:
    """(H, W): where a thing is said to be."""
    regions, _ = sight.regions(wishes_of(f"red {thing}"))
    if not regions:
        return np.zeros(shape, bool)
    share, (down, across) = regions[0].share
    rows, columns = (
        ((np.arange(side) + 0.5) * cells / side).astype(int)
        for side, cells in zip(shape, (down, across), strict=True)
    )
    return np.asarray(share > (SURE + UNSURE) / 2)[np.ix_(rows, columns)]


def judged(labels: np.ndarray, here: np.ndarray, names: str) -> Iterator[tuple[str, bool]]:
    """Of each label of a photograph whether it must, or must not, be found, and whether it was."""
    wanted = bits(names)
    for value in np.unique(labels[labels > 0]):
        filled = bool(here[labels == value].mean() > FILLED)
        if value & ~wanted == 0:
            yield "there", filled
        elif value & wanted == 0:
            yield "elsewhere", filled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    folder = parser.parse_args().photographs
    counts: Counter[tuple[str, str, bool]] = Counter()
    for one in boxes(folder, Path(__file__).with_suffix(".csv")):
        sight = Sight(open_photo(one.picture), threads=1)
        for thing in ASKED:
            here = found(sight, thing, one.labels.shape)
            for kind, filled in judged(one.labels, here, " ".join(SEEN[thing])):
                counts[thing, kind, filled] += 1
    for thing in ASKED:
        sums = []
        for kind in ("there", "elsewhere"):
            filled, empty = (counts[thing, kind, one] for one in (True, False))
            sums.append(f"{kind} {filled} of {filled + empty}")
        print(f"{thing:10} {', '.join(sums)}")


if __name__ == "__main__":
    main()
