"""Are trees green and skies blue? The share of foliage and of sky with the right hue's sign.

    python benchmarks/hues.py scenes.tar:test --model global-local.toml --model default

By the truth's colors: foliage is what is green (a* < -5 and b* > 5), sky what is blue (b* < -5,
a* within 10 of 0) in the upper half of a picture. Right is an answer of the same signs: foliage
a* < 0 < b*, sky b* < 0. Beside it how strong the answer is, as its mean chroma there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.color import rgb_to_lab
from opsin.colorization.prior import MEAN_COLOR
from opsin.evaluate.bootstrap import bootstrap
from opsin.evaluate.colorization.candidates import candidates, systems_of
from opsin.sets.pictures import read

LEAST = 0.03  # of a picture's pixels: what has less foliage or sky does not count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--size", type=int)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    systems = systems_of(candidates(arguments.model, 0.5, arguments.size))
    rows: dict[tuple[str, str], list[list[float]]] = {}
    for _, pixels in read(arguments.data, limit=arguments.limit):
        lab = rgb_to_lab(pixels.astype(np.float32) / 255)
        mean = np.broadcast_to(np.array(MEAN_COLOR, np.float32), (*lab.shape[:2], 2))
        given = systems(np.ascontiguousarray(lab[..., 0]))
        for what, where in regions(lab):
            if where.mean() < LEAST:
                continue
            for name, ab in {"truth": lab[..., 1:], "mean color": mean, **given}.items():
                right = right_sign(what, ab[where])
                chroma = float(np.hypot(*ab[where].T).mean())
                rows.setdefault((what, name), []).append([right, chroma])
    print("| what | system | pictures | right sign | mean chroma there |")
    print("|---|---|---|---|---|")
    for (what, name), scores in rows.items():
        right, chroma = bootstrap(np.array(scores))
        print(
            f"| {what} | {name} | {len(scores)} "
            f"| {right.value:.1%} [{right.low:.1%}, {right.high:.1%}] | {chroma.value:.1f} |"
        )


def regions(lab: NDArray[np.float32]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Where the truth has foliage, and where sky."""
    a, b = lab[..., 1], lab[..., 2]
    upper = np.arange(len(lab))[:, None] < len(lab) / 2
    yield "foliage", (a < -5) & (b > 5)
    yield "sky", (b < -5) & (np.abs(a) < 10) & upper


def right_sign(what: str, ab: NDArray[np.float32]) -> float:
    """The share of colors (N, 2) with the signs of foliage or of sky."""
    a, b = ab.T
    return float(((a < 0) & (b > 0)).mean() if what == "foliage" else (b < 0).mean())


if __name__ == "__main__":
    main()
