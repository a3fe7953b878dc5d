"""Which way of enlarging a network's small a*b* loses least, and what it costs.

    python benchmarks/upsampling.py FOLDER_OR_TAR... [--sides 64 96] [--sheet sheets/]

The true a*b* of each picture are averaged to `side` pixels on the short side, as a network
answers a quarter of its input, and brought back up by each method along the picture's own
L*. Also with a*b* as a network might give them: blurred, blurred and noisy, or shifted by
half a cell. Printed: mean CIEDE2000, mean chroma error within 3 pixels of strong edges of
L* and elsewhere (leaking), PSNR of sRGB, and seconds for 12 megapixels. The row "opsin" of
true a*b* is the ceiling: what a perfect network of that size would reach with this package.

Needs Pillow and SciPy, both in the group `dev` (SciPy through scikit-image).
"""

from __future__ import annotations

import argparse
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from opsin.appearance import delta_e_2000
from opsin.color import fit_gamut, lab_to_rgb, rgb_to_lab
from opsin.colorization import upsample
from opsin.evaluate.colorization.scores import near_edges

Floats = NDArray[np.float32]
Method = Callable[[Floats, Floats, Floats], Floats]  # ab (2, h, w), L* (4h, 4w), L* (H, W)

SPOILS = ["true", "blurred", "blurred, noisy", "shifted"]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def bilinear(ab: Floats, light: Floats, full: Floats) -> Floats:
    return enlarge(ab, full.shape)


def bicubic(ab: Floats, light: Floats, full: Floats) -> Floats:
    height, width = full.shape
    return np.stack(
        [
            np.asarray(Image.fromarray(p).resize((width, height), Image.Resampling.BICUBIC))
            for p in ab
        ]
    )


def joint_bilateral(ab: Floats, light: Floats, full: Floats, sigma: float = 5) -> Floats:
    """Of the 3 x 3 nearest cells, those alike in L* count most (Kopf et al. 2007)."""
    _, h, w = ab.shape
    height, width = full.shape
    coarse = shrink(light[None], (h, w))[0]
    y, x = (np.arange(height) + 0.5) * h / height - 0.5, (np.arange(width) + 0.5) * w / width - 0.5
    total, weights = np.zeros((2, height, width), np.float32), np.float32(1e-6)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            rows, columns = np.round(y).astype(int) + dy, np.round(x).astype(int) + dx
            near = np.exp(-((y - rows) ** 2))[:, None] * np.exp(-((x - columns) ** 2))
            cells = np.ix_(rows.clip(0, h - 1), columns.clip(0, w - 1))
            alike = np.exp(-np.minimum((full - coarse[cells]) ** 2 / (2 * sigma**2), 15))
            weight = (near * alike).astype(np.float32)
            weights = weights + weight
            total += weight * ab[:, cells[0], cells[1]]
    return total / weights


def guided(ab: Floats, light: Floats, full: Floats, radius: int = 4, eps: float = 16) -> Floats:
    """Fast guided filter (He, Sun 2015), fitted at the size of the network's input."""
    return affine(enlarge(ab, light.shape), light, full, radius, eps)


def guided_twice(ab: Floats, light: Floats, full: Floats) -> Floats:
    """A guided filter from the cells to the network's input, another from there on."""
    coarse = shrink(light[None], ab.shape[1:])[0]
    return affine(affine(ab, coarse, light, 1, 16), light, full, 1, 16)


def grid(ab: Floats, light: Floats, full: Floats, knots: int = 9, sigma: float = 0.7) -> Floats:
    """Bilateral grid (Chen, Paris, Durand 2007): for each cell, a*b* as a function of L*."""
    coarse = shrink(light[None], ab.shape[1:])[0]
    smooth = np.stack(ndimage.gaussian_filter(ab, (0, sigma, sigma), mode="nearest"))
    total = np.zeros((2, *full.shape), np.float32)
    for k in range(knots):
        weight, at = (np.maximum(0, 1 - abs(x / 100 * (knots - 1) - k)) for x in (coarse, full))
        filled = ndimage.gaussian_filter(weight * ab, (0, sigma, sigma), mode="nearest")
        count = ndimage.gaussian_filter(weight, sigma, mode="nearest")
        total += enlarge((filled + 0.05 * smooth) / (count + 0.05), full.shape) * at
    return total


def grid_consistent(ab: Floats, light: Floats, full: Floats) -> Floats:
    """The grid to the network's input, made to average to the cells again, then bilinear."""
    middle = grid(ab, light, light)
    for _ in range(2):
        middle = middle + bicubic(ab - shrink(middle, ab.shape[1:]), light, light)
    return enlarge(middle, full.shape)


def opsin(ab: Floats, light: Floats, full: Floats) -> Floats:
    return np.moveaxis(upsample.upsample(np.moveaxis(ab, 0, -1), light, full), -1, 0)


def opsin_from_cells(ab: Floats, light: Floats, full: Floats) -> Floats:
    """As `opsin`, but given L* at the size of a*b* only."""
    return opsin(ab, shrink(light[None], ab.shape[1:])[0], full)


METHODS: dict[str, Method] = {
    "bilinear": bilinear,
    "bicubic": bicubic,
    "joint bilateral 3x3": joint_bilateral,
    "guided": guided,
    "guided twice": guided_twice,
    "bilateral grid": grid,
    "grid, consistent": grid_consistent,
    "opsin, L* of cells": opsin_from_cells,
    "opsin": opsin,
}


def affine(ab: Floats, light: Floats, full: Floats, radius: int, eps: float) -> Floats:
    def mean(planes: Floats) -> Floats:
        return ndimage.uniform_filter(planes, (0, 2 * radius + 1, 2 * radius + 1), mode="nearest")

    one = light[None]
    slope = (mean(one * ab) - mean(one) * mean(ab)) / (mean(one * one) - mean(one) ** 2 + eps)
    planes = mean(np.concatenate([slope, mean(ab) - slope * mean(one)]))
    planes = enlarge(planes, full.shape)
    return planes[:2] * full + planes[2:]


def enlarge(planes: Floats, shape: tuple[int, ...]) -> Floats:
    """Bilinear, pixel areas aligned."""
    for axis, count in ((2, shape[1]), (1, shape[0])):
        n = planes.shape[axis]
        at = np.clip((np.arange(count) + 0.5) * n / count - 0.5, 0, n - 1)
        low = np.minimum(at.astype(int), max(n - 2, 0))
        weight = (at - low).astype(np.float32)
        weight = weight if axis == 2 else weight[:, None]
        first, second = planes.take(low, axis), planes.take(np.minimum(low + 1, n - 1), axis)
        planes = first + weight * (second - first)
    return planes


def shrink(planes: Floats, shape: tuple[int, ...]) -> Floats:
    """Averages over areas."""
    height, width = shape
    box = Image.Resampling.BOX
    return np.stack(
        [
            np.asarray(Image.fromarray(np.ascontiguousarray(p)).resize((width, height), box))
            for p in planes
        ]
    )


def spoil(ab: Floats, how: str) -> Floats:
    """Small a*b* as a network might give them."""
    noise = np.random.default_rng(0).normal(0, 8, ab.shape).astype(np.float32)
    if how == "blurred":
        return ndimage.gaussian_filter(ab, (0, 1, 1), mode="nearest")
    if how == "blurred, noisy":
        return ndimage.gaussian_filter(ab + noise, (0, 1, 1), mode="nearest")
    if how == "shifted":
        return ndimage.shift(ab, (0, 0.5, 0.5), order=1, mode="nearest")
    return ab


def pictures(sources: list[Path], limit: int | None, longest: int) -> Iterator[tuple[str, Floats]]:
    """Names and L*a*b* (3, H, W), at most `longest` pixels on the long side."""
    for name, data in islice(files(sources), limit):
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        rgb = np.asarray(image, np.float32) / 255
        yield name, np.ascontiguousarray(np.moveaxis(rgb_to_lab(rgb), -1, 0))


def files(sources: list[Path]) -> Iterator[tuple[str, bytes]]:
    for source in sources:
        if source.is_dir():
            for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES):
                yield path.name, path.read_bytes()
        else:
            with tarfile.open(source) as tar:
                for member in tar:
                    if Path(member.name).suffix.lower() in SUFFIXES and (
                        file := tar.extractfile(member)
                    ):
                        yield member.name, file.read()


def measure(ab: Floats, lab: Floats) -> tuple[float, ...]:
    """CIEDE2000, chroma error near edges and elsewhere, PSNR."""
    true = np.moveaxis(lab, 0, -1)
    made = fit_gamut(np.concatenate([true[..., :1], np.moveaxis(ab, 0, -1)], axis=-1))
    leak, edges = np.hypot(*(ab - lab[1:])), near_edges(lab[0])
    near, far = (float(leak[part].mean()) if part.any() else np.nan for part in (edges, ~edges))
    error = float(((lab_to_rgb(made) - lab_to_rgb(true)) ** 2).mean())
    return float(delta_e_2000(made, true).mean()), near, far, -10 * np.log10(error)


def seconds(method: Method) -> float:
    """For 12 megapixels: the least of three runs, on strips in two threads for opsin's own."""
    rng = np.random.default_rng(0)
    ab = rng.normal(0, 10, (2, 64, 86)).astype(np.float32)
    light = rng.uniform(0, 100, (256, 344)).astype(np.float32)
    full = enlarge(light[None], (3000, 4000))[0]

    def run() -> None:
        if method is not opsin:
            method(ab, light, full)
            return
        plan = upsample.fit(np.moveaxis(ab, 0, -1), light)

        def strip(top: int) -> None:
            upsample.apply(plan, full[top : top + 100], slice(top, top + 100), full.shape)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(strip, range(0, 3000, 100)))

    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def sheet(lab: Floats, small: Floats, light: Floats, path: Path) -> None:
    """The middle of the picture by each method, the true colors first."""
    tiles = {"true": lab[1:]} | {name: m(small, light, lab[0]) for name, m in METHODS.items()}
    _, height, width = lab.shape
    top, left = max(0, height // 2 - 200), max(0, width // 2 - 200)
    part = np.s_[:, top : top + 400, left : left + 400]
    page = Image.new("RGB", (2000, 800))
    for k, (name, ab) in enumerate(tiles.items()):
        made = fit_gamut(np.moveaxis(np.concatenate([lab[:1], ab])[part], 0, -1))
        tile = Image.fromarray((lab_to_rgb(made) * 255 + 0.5).astype(np.uint8))
        ImageDraw.Draw(tile).text((5, 5), name, fill=(255, 255, 0))
        page.paste(tile, (k % 5 * 400, k // 5 * 400))
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path, metavar="FOLDER_OR_TAR")
    parser.add_argument("--sides", nargs="+", type=int, default=[64, 96])
    parser.add_argument("--limit", type=int, help="pictures at most")
    parser.add_argument("--longest", type=int, default=1600, help="larger pictures are shrunk")
    parser.add_argument("--sheet", type=Path, help="folder for result sheets")
    options = parser.parse_args()
    rows: dict[tuple[int, str, str], list[tuple[float, ...]]] = {}
    for name, lab in pictures(options.sources, options.limit, options.longest):
        for side in options.sides:
            ratio = side / min(lab.shape[1:])
            h, w = (round(n * ratio) for n in lab.shape[1:])
            true, light = shrink(lab[1:], (h, w)), shrink(lab[:1], (4 * h, 4 * w))[0]
            for how in SPOILS:
                small = spoil(true, how)
                for label, method in METHODS.items():
                    scores = measure(method(small, light, lab[0]), lab)
                    rows.setdefault((side, how, label), []).append(scores)
                if options.sheet and how != "blurred, noisy":
                    sheet(lab, small, light, options.sheet / f"{Path(name).stem}-{side}-{how}.png")
    times = {label: seconds(method) for label, method in METHODS.items()}
    print("side  a*b*           method               dE2000   near    far   PSNR  s/12MP")
    for (side, how, label), scores in sorted(rows.items(), key=lambda row: SPOILS.index(row[0][1])):
        error, near, far, psnr = np.nanmean(scores, axis=0)
        figures = f"{error:6.3f} {near:6.2f} {far:6.2f} {psnr:6.2f} {times[label]:7.2f}"
        print(f"{side:4}  {how:14} {label:20} {figures}")


if __name__ == "__main__":
    main()
