"""How fast opsin is on this machine, and how much memory it takes.

Each figure is a dictionary of plain numbers: seconds if not said otherwise, the median of a few
runs. What a user waits for (cold start, a folder, peak memory) is measured in fresh processes
of the command line itself. Pictures are made here, unless the caller gives a photograph.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.color import light_of_pixels, pixels_of_lab
from opsin.colorization import upsample
from opsin.colorization.pipeline import STRIP_PIXELS, Colors, colorize, paint, predict
from opsin.errors import OpsinError
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS, load_engine
from opsin.models.store import members
from opsin.models.trial import made_inputs
from opsin.photo import Photo
from opsin.photo import open as open_photo

TWELVE_MEGAPIXELS = (3000, 4000)
ONE_MEGAPIXEL = (864, 1152)
SMALL = (480, 640)


def made_photo(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """A picture as rich as a photograph, (height, width): clouds, edges, grain."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for octave in range(3, 8):
        cells = rng.normal(size=(2**octave + 1, 2**octave + 1)).astype(np.float32)
        total += _stretched(cells, height, width) / 2 ** (octave - 3)
    rows, columns = np.ogrid[:height, :width]
    for _ in range(20):
        top, left = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.02, 0.2) * min(height, width)
        total[(rows - top) ** 2 + (columns - left) ** 2 < radius**2] += rng.normal()
    total += rng.normal(scale=0.2, size=total.shape).astype(np.float32)
    return np.clip(128 + 45 * total, 0, 255).astype(np.uint8)


def network_speed(model: str = "default", *, side: int = 256, runs: int = 20) -> dict[str, float]:
    """One run of the network on side x side pixels; of an ensemble, of all its networks."""
    pairs = []
    for engine in map(load_engine, members(model)):
        multiple = engine.card.multiple
        full = -(-side // multiple) * multiple
        light = made_photo(full, full).astype(np.float32)[None, None] / 2.55
        pairs.append((engine, {**made_inputs(engine.card, full, full), "light": light}))

    def run() -> None:
        for engine, feeds in pairs:
            engine.run(feeds)

    run()
    return {"network": _median(run, runs)}


def photo_speed(
    jpeg: bytes | None = None, *, model: str = "default", runs: int = 3
) -> dict[str, float]:
    """JPEG to JPEG in memory, warm, the parts of it, and how often its coding alone it takes.

    `over_coding` is the whole divided by decoding the photograph and encoding the colored one.
    """
    if jpeg is None:
        jpeg = open_photo(made_photo(*TWELVE_MEGAPIXELS)).encode("jpeg")
    photo = open_photo(jpeg)
    colors = predict(photo, model=model)
    result = paint(photo, colors)
    whole = _median(lambda: colorize(open_photo(jpeg), model=model).encode("jpeg"), runs)
    decode = _median(lambda: open_photo(jpeg), runs)
    encode = _median(lambda: result.encode("jpeg"), runs)
    return {
        "megapixels": photo.height * photo.width / 1e6,
        "total": whole,
        "decode": decode,
        "network": _median(lambda: predict(photo, model=model), runs),
        **_paint_parts(photo, colors, runs),
        "encode": encode,
        "over_coding": whole / (decode + encode),
    }


def folder_speed(
    folder: Path, *, count: int = 100, model: str = "default", workers: int | None = None
) -> dict[str, float]:
    """A folder of one-megapixel photographs through the command line, in `folder`.

    `coding_per_second` is how many of them are decoded and encoded in color, and no more, in one
    process by as many threads as there are cores.
    """
    source = folder / "photos"
    source.mkdir(parents=True, exist_ok=True)
    photos = [open_photo(made_photo(*ONE_MEGAPIXEL, seed=seed)).encode("jpeg") for seed in range(4)]
    for number in range(count):
        (source / f"{number:04}.jpg").write_bytes(photos[number % len(photos)])
    options = ["--model", model, *(["--workers", str(workers)] if workers else [])]
    seconds, peak = _command("colorize", str(source), "-o", str(folder / "out"), *options)
    coded = [colorize(open_photo(photo), model=model) for photo in photos]
    alone = _median(lambda: _code(photos, coded, count), 3)
    return {
        "photos": count,
        "total": seconds,
        "per_second": count / seconds,
        "coding_per_second": count / alone,
        "peak_mb": peak,
    }


def _code(photos: list[bytes], coded: list[Photo], count: int) -> None:
    """Decodes photographs and encodes pictures, in turn, `count` of each."""

    def one(number: int) -> None:
        open_photo(photos[number % len(photos)])
        coded[number % len(coded)].encode("jpeg")

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(one, range(count)))


def answer_speed(
    folder: Path, *, verb: str, answer: Callable[..., Any], count: int, runs: int, **named: str
) -> dict[str, float]:
    """One of the verbs that write no picture: on a photograph of 640 x 480 that is open, warm; the
    same as a file, cold; and on a folder of such files. They are in color, as gray ones may be
    looked at twice. `named` are arguments of it in Python, and options on the command line."""
    light = made_photo(*SMALL)
    photos = [
        Photo(np.stack([np.roll(light, 16 * (number + channel), 1) for channel in range(3)], -1))
        for number in range(4)
    ]
    source = folder / verb.replace(" ", "-")
    source.mkdir()
    for number in range(count):
        photos[number % len(photos)].save(source / f"{number:04}.jpg")
    answer(photos[0], **named)
    words = [*verb.split(), *(word for key, name in named.items() for word in (f"--{key}", name))]
    cold = _median(lambda: _command(*words, str(source / "0000.jpg")), runs)
    seconds, peak = _command(*words, str(source))
    return {
        "warm": _median(lambda: answer(photos[1], **named), 5 * runs),
        "cold": cold,
        "photos": count,
        "per_second": count / seconds,
        "peak_mb": peak,
    }


def cold_speed(folder: Path, *, model: str = "default", runs: int = 5) -> dict[str, float]:
    """`import opsin`, `opsin --help` and `opsin colorize` of one megapixel, in fresh processes."""
    path = open_photo(made_photo(*ONE_MEGAPIXEL)).save(folder / "one.jpg")
    colorizing = ["colorize", str(path), "--overwrite", "--model", model]
    nothing = _median(lambda: _python("-c", "pass"), runs)
    return {
        "python": nothing,
        "import": _median(lambda: _python("-c", "import opsin"), runs) - nothing,
        "help": _median(lambda: _command("--help"), runs),
        "colorize": _median(lambda: _command(*colorizing), runs),
    }


def peak_memory(folder: Path, *, model: str = "default") -> dict[str, float]:
    """What `opsin colorize` takes at most for one of twelve megapixels, in MB."""
    path = open_photo(made_photo(*TWELVE_MEGAPIXELS)).save(folder / "twelve.jpg")
    seconds, peak = _command("colorize", str(path), "--overwrite", "--model", model)
    return {"peak_mb": peak, "total": seconds}


def _paint_parts(photo: Photo, colors: Colors, runs: int) -> dict[str, float]:
    """The stages of `paint`, each on all strips as `paint` does it."""
    size_hw = (photo.height, photo.width)
    step = max(1, STRIP_PIXELS // photo.width)
    strips = [slice(top, min(top + step, photo.height)) for top in range(0, photo.height, step)]
    plan = upsample.fit(colors.ab, colors.light)
    out = np.empty((*size_hw, 3), photo.pixels.dtype)
    lights = [light_of_pixels(photo.pixels[rows]) for rows in strips]
    enlarged = [
        upsample.apply(plan, light, rows, size_hw)
        for light, rows in zip(lights, strips, strict=True)
    ]

    def light(index: int) -> None:
        light_of_pixels(photo.pixels[strips[index]])

    def enlarge(index: int) -> None:
        upsample.apply(plan, lights[index], strips[index], size_hw)

    def pixels(index: int) -> None:
        pixels_of_lab(lights[index], enlarged[index], out.dtype, out=out[strips[index]])

    with ThreadPoolExecutor(min(cores(), MOST_THREADS)) as pool:

        def all_strips(work: Callable[[int], None]) -> Callable[[], Any]:
            return lambda: list(pool.map(work, range(len(strips))))

        return {
            "fit": _median(lambda: upsample.fit(colors.ab, colors.light), runs),
            "to_light": _median(all_strips(light), runs),
            "upsampling": _median(all_strips(enlarge), runs),
            "to_pixels": _median(all_strips(pixels), runs),
        }


def _stretched(cells: NDArray[np.float32], height: int, width: int) -> Any:
    rows = np.linspace(0, len(cells) - 1.001, height, dtype=np.float32)
    columns = np.linspace(0, len(cells) - 1.001, width, dtype=np.float32)
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[:, None], (columns - left)[None]
    wide = cells[:, left] * (1 - right) + cells[:, left + 1] * right
    return wide[top] * (1 - down) + wide[top + 1] * down


def _median(work: Callable[[], Any], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _command(*arguments: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of `opsin ARGUMENTS` in a fresh process."""
    seconds, said = _python("-c", _CHILD, *arguments)
    return seconds, float(said.rsplit(maxsplit=1)[-1])


# A process is charged for the memory of the one that started it, until its own first page: only
# VmHWM is free of that. It is printed last.
_CHILD = """
import sys
from opsin.cli import main
code = main(sys.argv[1:])
if sys.platform == "linux":
    lines = open("/proc/self/status").read().splitlines()
    peak = next(float(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))
elif sys.platform == "win32":
    peak = float("nan")
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(peak)
sys.exit(code)
"""


def _python(*arguments: str) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OpsinError(f"opsin {' '.join(arguments[2:])}: failed ({reason}).")
    return seconds, done.stdout
