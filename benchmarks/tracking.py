"""How well things on videos keep their numbers, and how many pictures a second are followed.

    python benchmarks/tracking.py COCO.tar:test [--limit 20] [--label person]

There are no labeled videos at hand, so films are made: a window of 640 x 480 pixels moves over a
photograph of COCO, enlarged, for four seconds of 25 pictures, so that people come into it and
leave it at known places; with a gray pillar that passes before them it is measured once more.
`found` is the share of boxes that are told with an overlap of 0.5, of all that are at least half
in the window; `IDF1` counts those told under the one number that fits a person best over the whole
film (Ristani et al. 2016, section 3); `changes` are how often a person goes on under another
number. The last lines are pictures a second: looked at and followed; and drawn and written, too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy.optimize import linear_sum_assignment

import opsin
from opsin import boxes
from opsin.drawing.pixels import resized
from opsin.formats.video import Video, Writing
from opsin.sets.coco import read_coco
from opsin.sets.pictures import read

HEIGHT, WIDTH = 480, 640
SECONDS, RATE = 4, 25
ENLARGED = 1.6  # the photograph's shorter side, in windows
PILLAR = 40  # pixels wide
GRAY = 90
HALF = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set")
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--label", default="person")
    arguments = parser.parse_args()
    found = read_coco(arguments.set)
    kinds = {one.id for one in found.instances.categories if one.name == arguments.label}
    images = {one.file_name: one.id for one in found.instances.images}
    films = []
    for name, rgb in read([found.pictures]):
        placed = [
            one.bbox
            for one in found.instances.annotations
            if one.image_id == images[name] and one.category_id in kinds and not one.iscrowd
        ]
        if placed:
            films.append((rgb, placed))
        if len(films) == arguments.limit:
            break
    for pillar in (False, True):
        rows = np.array([measured(*film, arguments.label, pillar) for film in films])
        truths, told, hits, identified, changes = rows[:, :5].sum(axis=0)
        print(
            f"{'behind a pillar' if pillar else 'seen freely':16} {len(films)} films, "
            f"found {hits / truths:.1%}, IDF1 {2 * identified / (truths + told):.3f}, "
            f"{changes / len(films):.2f} changes a film"
        )
    speeds(films[0][0])


def film(rgb: np.ndarray, placed: list, path: Path, pillar: bool) -> list[np.ndarray]:
    """Writes a film; gives the boxes of all things on each picture, NaN where one is not."""
    height, width = rgb.shape[:2]
    scale = ENLARGED * max(HEIGHT / height, WIDTH / width)
    large = resized(rgb, round(height * scale), round(width * scale))
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in placed]) * scale
    room = np.array([large.shape[1] - WIDTH, large.shape[0] - HEIGHT])
    truth = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for step in range(SECONDS * RATE):
            along = step / (SECONDS * RATE - 1)
            way = np.array([0.5 - 0.5 * np.cos(2 * np.pi * along), along])
            left, top = np.rint(way * room).astype(int)
            page = large[top : top + HEIGHT, left : left + WIDTH].copy()
            seen = corners - np.array([left, top] * 2)
            inside = boxes.clip(seen, HEIGHT, WIDTH)
            seen[boxes.area(inside) < HALF * boxes.area(seen)] = np.nan
            if pillar:
                start = int(along * (WIDTH + PILLAR)) - PILLAR
                page[:, max(0, start) : max(0, start + PILLAR)] = GRAY
            truth.append(np.where(np.isnan(seen), np.nan, inside))
            frame = av.VideoFrame.from_ndarray(page, format="rgb24")
            frame.pts, frame.time_base = step, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return truth


def measured(rgb: np.ndarray, placed: list, label: str, pillar: bool) -> tuple[int, ...]:
    """How many boxes there are, are told, fit, fit by number; and changes of numbers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        truth = film(rgb, placed, path, pillar)
        frames = list(opsin.track(path, classes=[label]))
    there = told = hits = changes = 0
    together: Counter[tuple[int, int]] = Counter()
    before: dict[int, int] = {}
    for frame, places in zip(frames, truth, strict=True):
        known = np.flatnonzero(~np.isnan(places[:, 0]))
        there, told = there + len(known), told + len(frame.things)
        shared = boxes.iou(places[known], [thing.box for thing in frame.things])
        shared[shared < HALF] = 0
        for row, column in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[row, column] > 0:
                one, number = int(known[row]), frame.things[column].number
                hits += 1
                together[one, number] += 1
                changes += before.get(one, number) != number
                before[one] = number
    ones, numbers = (sorted({pair[index] for pair in together}) for index in (0, 1))
    counts = np.array([[together[one, number] for number in numbers] for one in ones])
    identified = int(counts[linear_sum_assignment(-counts)].sum()) if together else 0
    return there, told, hits, identified, changes


def speeds(rgb: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        film(rgb, [(0, 0, 1, 1)], path, False)
        list(opsin.track(path))  # the network is loaded
        began = time.perf_counter()
        count = len(list(opsin.track(path)))
        print(f"followed: {count / (time.perf_counter() - began):.1f} pictures a second")
        began = time.perf_counter()
        video = Video(path, pixel_limit=10**7, threads=2)
        with Writing(Path(folder, "drawn.mp4"), video) as writing:
            for frame in opsin.track(video):
                writing.write(frame.picture, frame.draw())
        print(f"drawn and written: {count / (time.perf_counter() - began):.1f} pictures a second")


if __name__ == "__main__":
    main()
