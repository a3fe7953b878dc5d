"""How many of the things on pictures have a proposal, by how many proposals there are.

    python benchmarks/proposals.py fruit.tar:test coco.tar:test

A thing has one if a proposal's overlap with its box is at least 0.5. Beside the makers of
`opsin.objects.proposals` stand the windows that Fast R-CNN may look at instead. "best" is the mean
overlap of each thing with its best proposal (mean average best overlap without classes, Uijlings et
al. 2013, section 5); "seconds" are those of a processor's time for a picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from opsin import boxes
from opsin.boxes import Floats
from opsin.objects.networks.fast_rcnn import windows_on
from opsin.objects.proposals import MOST, SIDE, propose
from opsin.sets.coco import read_coco
from opsin.sets.pictures import read
from opsin.sets.splits import plain

COUNTS: Final = (50, 100, 200, 500, 1000, MOST)
OVERLAP: Final = 0.5


def windows(pixels: Any) -> Floats:
    """Those of Fast R-CNN, in an order drawn by lot, for none is likelier."""
    longer = max(pixels.shape[:2])
    every = windows_on(longer).numpy()
    order = np.random.default_rng(0).permutation(len(every))
    return boxes.clip(every[order], *pixels.shape[:2])


def makers(side: int) -> dict[str, Callable[[Any], Floats]]:
    return {
        "selective-search": lambda pixels: propose(pixels, side=side),
        "opencv": lambda pixels: propose(pixels, maker="opencv", side=side),
        "windows": windows,
    }


def measure(data: str, side: int, limit: int | None) -> None:
    coco = read_coco(data)
    names = {plain(one.file_name): one.id for one in coco.instances.images}
    made = makers(side)
    best: dict[str, list[Floats]] = {name: [] for name in made}
    seconds, counts = dict.fromkeys(made, 0.0), dict.fromkeys(made, 0)
    pictures = 0
    for name, rgb in read(coco.pictures, only=names.__contains__, limit=limit):
        every = [one for one in coco.instances.annotations if one.image_id == names[name]]
        true = boxes.as_boxes([one.bbox for one in every if not one.iscrowd])
        true[:, 2:] += true[:, :2]
        pictures += 1
        for maker, propose_on in made.items():
            began = time.process_time()
            found = propose_on(rgb)
            seconds[maker] += time.process_time() - began
            counts[maker] += len(found)
            overlaps = np.pad(boxes.iou(true, found), ((0, 0), (0, max(0, MOST - len(found)))))
            best[maker].append(np.maximum.accumulate(overlaps[:, :MOST], axis=1))
    things = sum(map(len, best["windows"]))
    print(f"\n{data}: {things} things on {pictures} pictures, searched at {side} pixels\n")
    print(f"| maker | {' | '.join(map(str, COUNTS))} | best | proposals | seconds |")
    print(f"|---|{'---|' * (len(COUNTS) + 3)}")
    for maker, parts in best.items():
        rows = np.concatenate(parts)
        recall = [f"{100 * (rows[:, count - 1] >= OVERLAP).mean():.1f} %" for count in COUNTS]
        told = f"{rows[:, -1].mean():.3f} | {counts[maker] / pictures:.0f}"
        print(f"| `{maker}` | {' | '.join(recall)} | {told} | {seconds[maker] / pictures:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="sets with an instances.json, or splits of them")
    parser.add_argument("--side", type=int, default=SIDE, help="longer side of what is searched")
    parser.add_argument("--limit", type=int, help="so many pictures of each")
    options = parser.parse_args()
    for data in options.data:
        measure(data, options.side, options.limit)


if __name__ == "__main__":
    main()
