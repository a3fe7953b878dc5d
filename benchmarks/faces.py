"""How many of a set's portraits have a face found in their middle, and how long it takes.

    python benchmarks/faces.py lfw.tar --limit 1000
    python benchmarks/faces.py lfw.tar --limit 1000 --wide 20     # faces made 20 pixels wide

Each picture must have a face in its middle, as those of LFW have. Found is a face whose box holds
the picture's middle. `--wide` makes each picture so small that this face is of that width. The
time is the median of finding all faces on a picture of 640 x 480 that is filled with the set's.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import opsin
from opsin.drawing.pixels import resized
from opsin.sets.pictures import read

RUNS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", help="a folder or a tar of portraits")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--wide", type=float, help="pixels of the face in the middle")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    found, more, count, first = 0, 0, 0, []
    for _, rgb in read(options.set, limit=options.limit):
        count += 1
        first += [rgb] * (len(first) < 12)
        middle, others = look(rgb, options.threads)
        if middle is not None and options.wide:
            small = round(rgb.shape[0] * options.wide / middle)
            middle, others = look(resized(rgb, small, small), options.threads, min_size=10)
        found += middle is not None
        more += others
    print(f"{found} of {count} found in the middle, {found / count:.2%}; {more} other faces")
    sheet = np.concatenate([np.concatenate(first[i : i + 4], axis=1) for i in (0, 4, 8)])
    sheet = resized(sheet, 480, 640)
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        faces = len(opsin.find_faces(sheet, threads=options.threads))
        times.append(1000 * (time.perf_counter() - began))
    print(f"{statistics.median(times):.1f} ms for 640 x 480 ({faces} faces), best {min(times):.1f}")


def look(rgb: np.ndarray, threads: int, **options: float) -> tuple[float | None, int]:
    """How wide the face in the middle is, None if there is none, and how many others there are."""
    faces = opsin.find_faces(rgb, threads=threads, **options)
    y, x = rgb.shape[0] / 2, rgb.shape[1] / 2
    wide = [float(x2 - x1) for x1, y1, x2, y2 in faces.boxes if x1 < x < x2 and y1 < y < y2]
    return (wide[0] if wide else None), len(faces) - len(wide[:1])


if __name__ == "__main__":
    main()
