"""How many of a set's portraits have a face found in their middle, and how long it takes.

    python benchmarks/faces.py lfw.tar --limit 1000
    python benchmarks/faces.py lfw.tar --limit 1000 --wide 20     # faces made 20 pixels wide

Each picture must have a face in its middle, as those of LFW have. Found is a face whose box holds
the picture's middle. `--wide` makes each picture so small that this face is of that width. The
time is the median of finding all faces on a picture of 640 x 480: one face on gray, and one that
is filled with twelve of the set's; the detectors take turns, as other programs slow them down.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import PurePosixPath
from typing import Any

import numpy as np

import opsin
from opsin.drawing.pixels import resized
from opsin.sets.pictures import read
from opsin.sets.sources import chosen

RUNS = 30
DETECTORS = ("yunet", "mtcnn", "viola-jones")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", help="a folder or a tar of portraits")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--wide", type=float, help="pixels of the face in the middle")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--detector", default="yunet", help="what finds them")
    parser.add_argument("--without", help="a set whose people are left out, as faces.tar:train")
    parser.add_argument("--every", type=int, default=1, help="only each so many-th picture")
    options = parser.parse_args()
    known = {person(name) for name, _ in read(options.without)} if options.without else set()
    sources = chosen(options.set, lambda place, why: None)
    names = sorted(source.names[number] for source, numbers in sources for number in numbers)
    wanted = set([name for name in names if person(name) not in known][:: options.every])
    found, more, count, first = 0, 0, 0, []
    for _, rgb in read(options.set, limit=options.limit, only=wanted.__contains__):
        count += 1
        first += [rgb] * (len(first) < 12)
        middle, others = look(rgb, options.threads, detector=options.detector)
        if middle is not None and options.wide:
            small = round(rgb.shape[0] * options.wide / middle)
            middle, others = look(resized(rgb, small, small), options.threads, min_size=10)
        found += middle is not None
        more += others
    print(f"{found} of {count} found in the middle, {found / count:.2%}; {more} other faces")
    sheet = np.concatenate([np.concatenate(first[i : i + 4], axis=1) for i in (0, 4, 8)])
    one = np.full((480, 640, 3), 110, np.uint8)
    one[120:360, 200:440] = resized(first[0], 240, 240)
    if options.detector not in DETECTORS:
        return
    for what, picture in (("one face", one), ("a sheet", resized(sheet, 480, 640))):
        tell_times(what, picture, options.threads)


def tell_times(what: str, picture: np.ndarray, threads: int) -> None:
    """How long each detector takes, and how many times the first one's time that is."""
    times: dict[str, list[float]] = {name: [] for name in DETECTORS}
    faces = {}
    for _ in range(RUNS):
        for name, taken in times.items():
            began = time.perf_counter()
            faces[name] = len(opsin.find_faces(picture, detector=name, threads=threads))
            taken.append(1000 * (time.perf_counter() - began))
    first = statistics.median(times[DETECTORS[0]])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(
            f"640 x 480, {what}, {name}: {median:.1f} ms, best {min(taken):.1f} "
            f"({median / first:.1f} times {DETECTORS[0]}), {faces[name]} faces"
        )


def person(name: str) -> str:
    """Whom a picture of LFW shows: Ada_Lovelace_0001.jpg is of Ada_Lovelace."""
    return PurePosixPath(name).stem.rpartition("_")[0]


def look(rgb: np.ndarray, threads: int, **options: Any) -> tuple[float | None, int]:
    """How wide the face in the middle is, None if there is none, and how many others there are."""
    faces = opsin.find_faces(rgb, threads=threads, **options)
    y, x = rgb.shape[0] / 2, rgb.shape[1] / 2
    wide = [float(x2 - x1) for x1, y1, x2, y2 in faces.boxes if x1 < x < x2 and y1 < y < y2]
    return (wide[0] if wide else None), len(faces) - len(wide[:1])


if __name__ == "__main__":
    main()
