"""The pictures that a classifier names wrongly, on one sheet: the truth, and what it said.

    python benchmarks/mistakes.py digits.tar:test --model ./first-cnn.toml -o mistakes.png

Pictures lie in folders that are named after their classes, as `opsin evaluate classify` has them.
"""

from __future__ import annotations

import argparse
from pathlib import PurePosixPath

import opsin
from opsin.drawing.sheet import Cell, Sheet
from opsin.inspect.tiles import TILE, picture
from opsin.sets.pictures import read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--model", default="imagenet")
    parser.add_argument("-o", dest="out", required=True)
    given = parser.parse_args()
    count = wrong = 0
    with Sheet(given.out, cell=TILE, rows=96) as sheet:
        for name, pixels in read(given.data):
            count += 1
            truth = PurePosixPath(name).parent.name
            said, share = opsin.classify(pixels, model=given.model).top(1)[0]
            if said != truth:
                wrong += 1
                caption = f"is {truth}\nsaid {said}, {share:.0%}"
                sheet.add([Cell(picture(pixels / 255, TILE), caption)])
    print(f"{wrong} of {count} are named wrongly.")


if __name__ == "__main__":
    main()
