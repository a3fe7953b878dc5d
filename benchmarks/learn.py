"""How good `opsin learn` is with few pictures: a number of each class, drawn three times.

    python benchmarks/learn.py cats-dogs.tar --each 100
    python benchmarks/learn.py flowers.tar --each 60 [--no-gray]
    python benchmarks/learn.py flowers.tar --each 60 --method finetune --seeds 1

The pictures are drawn from the set's `train` and judged on its `test`. Seconds are those of the
whole command's work, with nothing kept from before.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from opsin.recognition.learn import learn
from opsin.sets.sources import chosen, read
from opsin.sets.splits import plain


def draw(data: str, folder: Path, each: int, seed: int) -> None:
    """So many pictures of each class, as files in folders."""
    chance = np.random.default_rng(seed)
    for source, numbers in chosen(data, lambda place, why: None):
        of_class: dict[str, list[int]] = {}
        for number in numbers:
            of_class.setdefault(plain(source.names[number]).split("/")[0], []).append(number)
        for name, members in of_class.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for number in chance.permutation(members)[:each]:
                file = folder / name / Path(source.names[number]).name
                file.write_bytes(read(source.pictures[number]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--base", default="imagenet")
    parser.add_argument("--method", default="fast")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--no-gray", dest="gray", action="store_false")
    given = parser.parse_args()
    rows = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as place:
            os.environ["XDG_CACHE_HOME"] = f"{place}/cache"
            folder = Path(place) / "set"
            draw(f"{given.data}:train", folder, given.each, seed)
            began = time.perf_counter()
            found = learn(
                folder,
                f"{place}/models",
                name="few",
                test=f"{given.data}:test",
                base=given.base,
                gray=given.gray,
                method=given.method,
                epochs=given.epochs,
                on_step=lambda text: print(f"  {text}", flush=True),
            ).lesson
            seconds = time.perf_counter() - began
        rows.append((float(found.right.mean()), found.gray_accuracy() or np.nan, seconds))
        print(
            f"seed {seed}: {rows[-1][0]:.1%}, gray {rows[-1][1]:.1%}, {seconds:.0f} s", flush=True
        )
    middle, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
    print(f"mean {middle[0]:.1%} +- {spread[0]:.1%}; gray {middle[1]:.1%} +- {spread[1]:.1%}")


if __name__ == "__main__":
    main()
