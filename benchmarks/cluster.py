"""What a cluster costs and what it loses: `opsin colorize --cluster local` and the plain command.

    python benchmarks/cluster.py speed      # 1,000 photographs by both, in turns
    python benchmarks/cluster.py kills      # a worker killed at ten random moments of such a run
    python benchmarks/cluster.py overhead   # a million entries and no work

The photographs are made of those in samples/, small. The kernel tells how often each picture's name
was made (inotify), so `kills` runs on Linux only. `docs/experiments.md` has the figures.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsin.archive.cluster import State, run
from opsin.archive.portion import Order
from opsin.colorization.work import Colorizing
from opsin.work import Made

SAMPLES = Path(__file__).parents[1] / "samples"
FOLDERS = 10
IN_CREATE, IN_MOVED_TO, IN_MODIFY = 0x100, 0x80, 0x2


@dataclass(frozen=True)
class Nothing:
    """Work of zero."""

    def load(self, *, threads: int) -> None: ...

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        return Made()


def make(folder: Path, count: int, side: int) -> None:
    """So many different gray photographs of a long side of `side` pixels, in ten folders."""
    from PIL import Image

    samples = [Image.open(path).convert("L") for path in sorted(SAMPLES.glob("*.jpg"))]
    chance = random.Random(0)
    for number in range(count):
        sample = samples[number % len(samples)]
        cut = chance.randrange(20)
        width, height = sample.size
        picture = sample.crop((cut, chance.randrange(20), width, height - cut))
        picture.thumbnail((side, side))
        target = folder / f"{number % FOLDERS}" / f"{number:05d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target, quality=90)


def speed(folder: Path, count: int, side: int) -> None:
    """Both commands as a user starts them, in turns, each into a new folder.

    Beside the time, the processors' own: on a machine that others use, too, it says more.
    """
    make(folder / "in", count, side)
    cluster = ["--cluster", "local", "--workers", "2"]
    spent = {"plain": [0.0, 0.0], "cluster": [0.0, 0.0]}
    for turn, way in enumerate(("plain", "cluster", "cluster", "plain")):
        words = ["colorize", str(folder / "in"), "-o", str(folder / f"{turn}")]
        began, before = time.perf_counter(), of_children()
        more = cluster if way == "cluster" else []
        subprocess.run([sys.executable, "-m", "opsin", *words, *more], check=True)
        taken, used = time.perf_counter() - began, of_children() - before
        spent[way] = [spent[way][0] + taken, spent[way][1] + used]
        print(
            f"{way}: {count / taken:.2f} a second, {1000 * used / count:.0f} ms of processor each"
        )
    for what, (plain, other) in zip(
        ("time", "processor time"), zip(*spent.values(), strict=True), strict=True
    ):
        print(f"by {what}, the cluster's speed is {plain / other:.1%} of the plain command's")
    assert pictures(folder / "0") == pictures(folder / "1")


def of_children() -> float:
    """Seconds of processor time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kills(folder: Path, count: int, side: int, times: int = 10) -> None:
    """The same with workers killed; what was lost, written twice and half, against a plain run."""
    make(folder / "in", count, side)
    began = time.perf_counter()
    words = ["colorize", str(folder / "in"), "-o", str(folder / "plain")]
    subprocess.run([sys.executable, "-m", "opsin", *words], check=True)
    taken = time.perf_counter() - began
    for number in range(FOLDERS):
        (folder / "out" / str(number)).mkdir(parents=True)
    ended = threading.Event()
    killed: list[float] = []
    order = Order(Colorizing(), str(folder / "in"), str(folder / "out"))
    with created(folder / "out") as names:
        killer = threading.Thread(target=kill, args=(times, taken, ended, killed))
        killer.start()
        state = run(order, "local", workers=2)
        ended.set()
        killer.join()
    wanted, made = pictures(folder / "plain"), pictures(folder / "out")
    tally = Counter(line["input"] for line in order.manifest().lines())
    print(f"killed {len(killed)} times, after {', '.join(f'{at:.1f}' for at in killed)} s")
    print(f"told: {dict(state.counts)} in {state.seconds:.0f} s; lines twice: {repeated(tally)}")
    print(f"lost: {len(wanted.keys() - made.keys())}")
    print(f"written twice: {repeated(names)}")
    half = sum(made[name] != wanted.get(name) for name in made)
    print(f"half, or otherwise not the plain run's: {half}")
    left = list((folder / "out").rglob("*.part"))
    print(f"unfinished files left: {len(left)}")


def kill(times: int, seconds: float, ended: threading.Event, killed: list[float]) -> None:
    """Kills one of the worker processes at random moments of the next seconds."""
    import psutil

    began = time.monotonic()
    chance = random.Random()
    for moment in sorted(chance.uniform(3, 3 + seconds) for _ in range(times)):
        if ended.wait(max(0.0, began + moment - time.monotonic())):
            return
        while not ended.is_set():
            workers = [
                process
                for process in psutil.Process().children()
                if "spawn_main" in " ".join(process.cmdline())
            ]
            if workers:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(workers).pid, signal.SIGKILL)
                    killed.append(time.monotonic() - began)
                    break
            ended.wait(0.1)


def overhead(folder: Path, count: int) -> None:
    """So many names of a few small files, and a run in which nothing is done with them."""
    make(folder / "seed", 50, 64)
    seeds = sorted((folder / "seed").rglob("*.jpg"))
    began = time.perf_counter()
    for number in range(count):
        place = folder / "in" / f"{number // 10_000:03d}"
        if number % 10_000 == 0:
            place.mkdir(parents=True)
        os.link(seeds[number % len(seeds)], place / f"photograph-{number:07d}.jpg")
    print(f"{count:,} names made in {time.perf_counter() - began:.0f} s", flush=True)
    order = Order(Nothing(), str(folder / "in"), str(folder / "out"), picture=None)
    state = State()
    run(order, "local", workers=2, state=state)
    print(f"{dict(state.counts)} in {state.seconds:.0f} s, of {state.total:,}")
    print(f"overhead of one: {1000 * state.seconds / count:.3f} ms")
    print(f"client and scheduler, most memory: {most():.0f} MB")
    again = State()
    run(order, "local", workers=2, state=again)
    print(f"again: {dict(again.counts)} in {again.seconds:.0f} s, {most():.0f} MB")


def most() -> float:
    """The most memory that this process, in which the scheduler runs too, has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pictures(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*-color.jpg")
    }


def repeated(tally: Counter[str]) -> int:
    return sum(times > 1 for times in tally.values())


@contextmanager
def created(folder: Path) -> Iterator[Counter[str]]:
    """How often each name in the folder's folders was made or its file written to, as it happens.

    A picture is written under another name elsewhere and then linked: one event.
    """
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init()
    events: Counter[str] = Counter()
    places = {}
    for place in folder.iterdir():
        mask = IN_CREATE | IN_MOVED_TO | IN_MODIFY
        places[library.inotify_add_watch(descriptor, os.fsencode(place), mask)] = place

    def read() -> None:
        while True:
            data = os.read(descriptor, 1 << 16)
            while data:
                watch, _, _, length = struct.unpack_from("iIII", data)
                name = os.fsdecode(data[16 : 16 + length].rstrip(b"\0"))
                if name == "end":
                    return
                events[f"{places[watch].name}/{name}"] += 1
                data = data[16 + length :]

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield events
    finally:
        end = next(iter(places.values())) / "end"
        end.touch()
        reader.join()
        end.unlink()
        os.close(descriptor)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["speed", "kills", "overhead"])
    parser.add_argument("--count", type=int)
    parser.add_argument("--side", type=int, default=640, help="long side in pixels")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if given.what == "overhead":
            overhead(Path(place), given.count or 1_000_000)
        else:
            what = speed if given.what == "speed" else kills
            what(Path(place), given.count or 1000, given.side)
