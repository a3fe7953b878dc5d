"""What the conversions of `opsin.color` cost, and what 8 bits do to lightness.

    python benchmarks/color.py [--megapixels 12]

Times are the least of five runs, by the clock and of the processor (both threads added, which
says more where others use the machine). The pixel functions run on strips in two threads, as the
pipeline does it; the float functions start their own. `NPY_DISABLE_CPU_FEATURES` with the
names of AVX-512's parts shows a laptop with AVX2.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import delta_e_2000
from opsin.color import (
    fit_gamut,
    lab_to_rgb,
    light_of_pixels,
    pixels_of_lab,
    rgb_to_lab,
    rgb_to_light,
)

Floats = NDArray[np.float32]


def least(run: Callable[[], object], clock: Callable[[], float], times: int = 5) -> float:
    best = np.inf
    for _ in range(times):
        start = clock()
        run()
        best = min(best, clock() - start)
    return best


def picture(height: int, width: int) -> Floats:
    """Smooth colors (height, width, 3) in [0, 1] with some grain."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / 300
    waves = np.stack([np.sin(x + y), np.sin(x - 2 * y), np.sin(2 * x)], axis=-1)
    grain = np.random.default_rng(0).normal(0, 0.03, (height, width, 1)).astype(np.float32)
    return np.clip(0.5 + 0.3 * waves + grain, 0, 1)


def in_strips(pixels: NDArray[np.uint8] | NDArray[np.uint16], ab: Floats, rows: int = 128) -> None:
    """Gray or color pixels and a*b* to sRGB pixels, as the pipeline does."""
    out = np.empty((*pixels.shape[:2], 3), pixels.dtype)

    def strip(top: int) -> None:
        part = slice(top, top + rows)
        pixels_of_lab(light_of_pixels(pixels[part]), ab[part], out=out[part])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(strip, range(0, len(pixels), rows)))


def worst_lightness(limit: float) -> float:
    """The largest change of L* after 8 bits, for a*b* up to `limit`."""
    rng = np.random.default_rng(0)
    light = np.concatenate([rng.uniform(0, 100, 500_000), rng.uniform(0, 6, 500_000)])[None]
    pixels = pixels_of_lab(light, rng.uniform(-limit, limit, (*light.shape, 2)))
    return float(np.abs(rgb_to_light(pixels / 255) - light).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12)
    height = round((parser.parse_args().megapixels * 1e6 * 3 / 4) ** 0.5)
    rgb = picture(height, height * 4 // 3)
    lab = rgb_to_lab(rgb)
    ab = np.ascontiguousarray(lab[..., 1:])
    gray = np.uint8(rgb_to_light(rgb)[..., None] * 2.55)
    small = rgb[:128, :128].copy()
    rows: dict[str, Callable[[], object]] = {
        "rgb_to_lab": lambda: rgb_to_lab(rgb),
        "lab_to_rgb": lambda: lab_to_rgb(lab),
        "fit_gamut": lambda: fit_gamut(lab),
        "delta_e_2000 (a quarter)": lambda: delta_e_2000(lab[::4], lab[1::4]),
        "gray 8 bit, a*b* -> sRGB": lambda: in_strips(gray, ab),
        "gray 8 bit, twice the a*b*": lambda: in_strips(gray, ab * 2),
        "gray 16 bit, a*b* -> sRGB": lambda: in_strips(gray.astype(np.uint16) * 257, ab),
        "sRGB 8 bit, a*b* -> sRGB": lambda: in_strips(np.uint8(rgb * 255), ab),
        "rgb_to_lab, 128 x 128": lambda: rgb_to_lab(small),
    }
    print(f"{rgb.shape[0]} x {rgb.shape[1]} pixels, milliseconds by clock and of processor")
    for name, run in rows.items():
        clock, processor = (least(run, of) * 1000 for of in (time.perf_counter, time.process_time))
        print(f"{name:28} {clock:8.2f} {processor:8.2f}")
    for limit in (5, 50, 200):
        print(f"a*b* up to {limit:3}: L* changes by at most {worst_lightness(limit):.3f}")


if __name__ == "__main__":
    main()
