"""How many faces get the right name, how many strangers get one, and how long naming takes.

    python benchmarks/people.py lfw.tar
    python benchmarks/people.py lfw.tar --seen worn
    python benchmarks/people.py --faces 100000      # the time alone
    python benchmarks/people.py lfw.tar --folder 500 --before coco.tar    # as a user does

Of the set's people with many pictures (splits.json, `identify`), 1, 3, 10 or all pictures of the
`train` split teach, and those of the `test` split are asked for; strangers are people with one
picture. Three ways to compare a face with a person are told: the nearest of their faces, their
mean, and half and half, which is what `opsin people` does. Time is that of search and assignment
for one face, without finding and embedding it, as a ratio to one plain product of matrices, too.

`--folder` times `opsin people name` as a command on so many photographs of 640 x 480: pictures of
`--before`, enlarged, each with two pictures of `test` on it, whose people were introduced by one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from opsin.defaults import RECOGNIZER
from opsin.drawing.pixels import resized
from opsin.evaluate.faces.identify import gallery_of as split_of
from opsin.evaluate.faces.identify import person
from opsin.evaluate.faces.look import look, plain
from opsin.evaluate.seen import SEEN
from opsin.faces.recognize import engine_of
from opsin.models.store import find
from opsin.people.gallery import Gallery, gallery_of
from opsin.people.naming import guesses, limits_of
from opsin.photo import Photo
from opsin.sets.pictures import read

RUNS = 30
MOST = (1, 3, 10, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", nargs="?", type=Path, help="lfw.tar")
    parser.add_argument("--faces", type=int, default=100_000, help="known, for the time")
    parser.add_argument("--seen", choices=list(SEEN), default="color", help="how pictures look")
    parser.add_argument("--folder", type=int, help="photographs to find and name people on")
    parser.add_argument("--before", help="a set of pictures that they stand before")
    options = parser.parse_args()
    if options.folder:
        whole_way(options.set, options.before, options.folder)
        return
    if options.set:
        names(options.set, options.seen)
    seconds(options.faces)


def names(path: Path, way: str) -> None:
    split = split_of(path, None)
    wanted = {*split.train, *split.test, *split.strangers}
    engine = engine_of(RECOGNIZER, threads=1)
    [seen] = look(path, wanted, {RECOGNIZER: engine}, [way]).values()
    asked = [name for name in split.test if seen[name].vector is not None]
    print(f"{len(split.test) - len(asked)} of {len(split.test)} show no face")
    test = np.array([seen[name].vector for name in asked])
    truth = np.array([person(name) for name in asked])
    strangers = [seen[name].vector for name in split.strangers]
    strangers = np.array([vector for vector in strangers if vector is not None])
    rates = find(RECOGNIZER).card.recognize.thresholds
    print("pictures, way: right names, wrong names, right and wrong suggestions; strangers'")
    for most in MOST:
        gallery = taught(split.train, seen, most)
        people = np.array(gallery.names)
        limits = limits_of(rates, len(people))
        for compared, score in WAYS.items():
            right = told(score(gallery, test), limits, people, truth)
            wrong = told(score(gallery, strangers), limits, people, np.array([""] * len(strangers)))
            print(f"{most:5} {compared:8} {right}   {wrong}")


def taught(train: tuple[str, ...], seen: dict, most: int) -> Gallery:
    rows: dict[str, list] = {}
    order = np.random.default_rng(0).permutation(len(train))
    for name in (train[index] for index in order):
        found = rows.setdefault(person(name), [])
        if len(found) < most and seen[name].vector is not None:
            found.append(seen[name].vector)
    persons = np.repeat(np.arange(len(rows)), [len(found) for found in rows.values()])
    return gallery_of(list(rows), persons, np.concatenate([np.array(one) for one in rows.values()]))


def nearest(gallery: Gallery, vectors: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(vectors @ gallery.vectors.T, gallery.starts, axis=1)


WAYS = {
    "nearest": nearest,
    "mean": lambda gallery, vectors: vectors @ gallery.means.T,
    "half": Gallery.scores,
}


def told(scores: np.ndarray, limits, people: np.ndarray, truth: np.ndarray) -> str:
    counts = np.zeros(4)
    for row, true in zip(scores, truth, strict=True):
        [found] = guesses(row[None], np.ones((1, len(row)), bool), limits)
        if found.person is not None:
            counts[2 * (not found.is_sure) + (people[found.person] != true)] += 1
    return " ".join(f"{share:6.2%}" for share in counts / len(scores))


def whole_way(path: Path, before: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split = split_of(path, None)
        first = {person(one): one for one in reversed(split.train)}
        pixels = dict(read(path, only=lambda one: plain(one) in {*first.values(), *split.test}))
        known = {plain(one): rgb for one, rgb in pixels.items()}
        for who, one in first.items():
            Photo(known[one]).save(folder / "known" / f"{who}.png")
        behind = [rgb for _, rgb in read(before, limit=200)]
        rng = np.random.default_rng(0)
        for number in range(count):
            sheet = np.ascontiguousarray(resized(behind[number % len(behind)], 480, 640))
            for left in (20, 340):
                side, top = int(rng.integers(160, 281)), int(rng.integers(0, 200))
                rgb = known[split.test[int(rng.integers(len(split.test)))]]
                sheet[top : top + side, left : left + side] = resized(rgb, side, side)
            Photo(sheet).save(folder / "photos" / f"{number:04}.jpg")
        kept = ["--people", str(folder / "people.sqlite")]
        command("people", "add", "--folder", str(folder / "known"), "--largest", *kept)
        for what in ("at first", "again"):
            taken, busy, told = command("people", "name", str(folder / "photos"), "--json", *kept)
            faces = [face["state"] for one in told["files"] for face in one["faces"]]
            print(
                f"{count} photographs, {what}: {taken:.1f} s, {count / taken:.1f} a second; "
                f"{busy:.1f} s of a core, {count / busy:.1f} a second of it; "
                f"{len(faces)} faces, {faces.count('named')} of them named"
            )


def command(*words: str) -> tuple[float, float, dict]:
    """Seconds of `opsin WORDS`, of which a core's, and what it tells with --json."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "opsin", *words], capture_output=True, text=True)
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr)
    after = os.times()
    busy = after.children_user - before.children_user
    busy += after.children_system - before.children_system
    return taken, busy, json.loads(done.stdout) if "--json" in words else {}


def seconds(count: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = max(1, count // 20)
    gallery = gallery_of([str(one) for one in range(people)], np.arange(count) // 20, vectors)
    limits = limits_of(find(RECOGNIZER).card.recognize.thresholds, people)
    allowed = np.ones((1, len(gallery.starts)), bool)
    times, plain = [], []
    for run in range(RUNS):
        face = vectors[run][None]
        began = time.perf_counter()
        guesses(gallery.scores(face), allowed, limits)
        between = time.perf_counter()
        face @ vectors.T
        times.append(1000 * (between - began))
        plain.append(1000 * (time.perf_counter() - between))
    ratio = statistics.median(times) / statistics.median(plain)
    print(
        f"{count:,} faces: {statistics.median(times):.1f} ms a face, best {min(times):.1f}; "
        f"{ratio:.2f} times one product"
    )


if __name__ == "__main__":
    main()
