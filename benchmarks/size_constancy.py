"""Does a photograph get the same colors whatever its size?

Each photograph is fed with a short side of 256, 1024 and 4000 pixels; the answers are brought
to 256 pixels and compared by CIEDE2000. The goal: a median of 3 at most, better 2. Photographs
smaller than a size are enlarged to it, which is the easy direction; use large ones.

    python benchmarks/size_constancy.py PHOTO... [--model NAME] [--json]
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations

import numpy as np
import pyvips

import opsin
from opsin.appearance import delta_e_2000
from opsin.color import rgb_to_lab

SIZES = (256, 1024, 4000)


def differences(path: str, *, model: str = "default") -> dict[str, float]:
    """Median CIEDE2000 between the answers at each two sizes."""
    gray = pyvips.Image.new_from_file(path).colourspace("b-w")
    gray = gray.extract_band(0).cast("uchar")
    answers = {}
    for size in SIZES:
        fed = _at(gray, size).numpy()
        colored = opsin.colorize(fed, model=model).pixels
        small = _at(pyvips.Image.new_from_array(colored), SIZES[0]).numpy()
        answers[size] = rgb_to_lab(small.astype(np.float32) / 255)
    return {
        f"{one}-{other}": float(np.median(delta_e_2000(answers[one], answers[other])))
        for one, other in combinations(SIZES, 2)
    }


def _at(image: pyvips.Image, size: int) -> pyvips.Image:
    scale = size / min(image.width, image.height)
    wide, high = round(image.width * scale), round(image.height * scale)
    return image.resize(wide / image.width, vscale=high / image.height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--model", default="default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = {path: differences(path, model=options.model) for path in options.photos}
    pairs = next(iter(rows.values()))
    medians = {pair: float(np.median([row[pair] for row in rows.values()])) for pair in pairs}
    if options.json:
        print(json.dumps(medians))
    else:
        for pair, value in medians.items():
            print(f"{pair}: median CIEDE2000 {value:.2f}")


if __name__ == "__main__":
    main()
