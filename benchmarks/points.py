"""How local a point is: what one colored point changes in a photograph, near and far.

    python benchmarks/points.py samples HISTORIC_FOLDER [--model NAME] [--sheet OUT.png]

Twelve points, one at a time, on two of the samples and on a portrait of the 1920s
(NorwegianBride1920s.jpg; left out if no folder has it). For each: the share of the way to the
color asked for that the 9 x 9 pixels at the point go, that color being the nearest that exists
at the photograph's lightness there; the median change of a*b*, in Lab units,
farther away than half the short side, and the 95th percentile of it there (a stain
that the median hides); and the share of all pixels whose a*b* changes by more
than 10. Vividness 0.5.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import opsin
from opsin.color import light_of_pixels, pixels_of_lab, rgb_to_lab

POINTS = (  # photograph, x, y, color, what it is
    ("coffee.jpg", 128, 240, "#3050a0", "saucer"),
    ("coffee.jpg", 520, 320, "#408040", "table"),
    ("coffee.jpg", 280, 152, "#b03030", "coffee"),
    ("coffee.jpg", 520, 120, "#c0a030", "table"),
    ("coffee.jpg", 32, 32, "#604080", "corner"),
    ("admiral.jpg", 114, 444, "#802020", "coat"),
    ("admiral.jpg", 90, 72, "#203070", "flag"),
    ("admiral.jpg", 438, 180, "#c0b060", "wall"),
    ("admiral.jpg", 258, 264, "#d0a080", "skin"),
    ("NorwegianBride1920s.jpg", 53, 160, "#a04040", "wall"),
    ("NorwegianBride1920s.jpg", 85, 640, "#904020", "hair"),
    ("NorwegianBride1920s.jpg", 301, 544, "#304080", "bodice"),
)
CHANGED = 10.0  # Lab units that an eye sees at once


def measure(photo: opsin.Photo, x: int, y: int, color: str, model: str) -> tuple[list[float], list]:
    """Way at the point, change far away (median, 95th), share changed; and the two pictures."""
    plain = opsin.colorize(photo, model=model)
    touched = opsin.colorize(photo, model=model, points=[(x, y, color)])
    before, after = (
        rgb_to_lab(one.pixels.astype(np.float32) / np.iinfo(one.pixels.dtype).max)[..., 1:]
        for one in (plain, touched)
    )
    near = np.s_[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5]
    asked = possible(photo, near, color)
    start, end = before[near].mean(axis=(0, 1)), after[near].mean(axis=(0, 1))
    toward = asked - start
    way = float((end - start) @ toward / (toward @ toward))
    change = np.linalg.norm(after - before, axis=-1)
    rows, columns = np.indices(change.shape)
    far = np.hypot(rows - y, columns - x) > min(change.shape) / 2
    median, most = np.percentile(change[far], (50, 95))
    return [way, float(median), float(most), float((change > CHANGED).mean())], [plain, touched]


def possible(photo: opsin.Photo, near: tuple, color: str) -> np.ndarray:
    """The color asked for, as far as it exists at the photograph's lightness there, (2,)."""
    ab = rgb_to_lab(np.array(list(bytes.fromhex(color[1:])), np.float32) / 255)[1:]
    light = light_of_pixels(photo.pixels[near])
    wish = np.broadcast_to(ab, (*light.shape, 2)).astype(np.float32)
    pixels = pixels_of_lab(light, wish, np.uint8)
    return rgb_to_lab(pixels.astype(np.float32) / 255)[..., 1:].mean(axis=(0, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--sheet", type=Path, help="also draw before and after, a row a point")
    arguments = parser.parse_args()
    figures, rows = [], []
    print("photograph               what     way   far  95th  changed")
    for name, x, y, color, what in POINTS:
        path = next((one / name for one in arguments.folders if (one / name).exists()), None)
        if path is None:
            print(f"{name:24} {what:7} not there")
            continue
        found, pictures = measure(opsin.open(path), x, y, color, arguments.model)
        figures.append(found)
        rows.append((pictures, x, y))
        print(f"{name:24} {what:7} {found[0]:4.0%} {found[1]:5.1f} {found[2]:5.1f} {found[3]:6.0%}")
    mean = np.mean(figures, axis=0)
    print(f"{'mean':24} {'':7} {mean[0]:4.0%} {mean[1]:5.1f} {mean[2]:5.1f} {mean[3]:6.0%}")
    if arguments.sheet:
        draw(rows, arguments.sheet)


def draw(rows: list, path: Path) -> None:
    """Before and after, three points a row of the sheet."""
    cells = []
    for pictures, x, y in rows:
        pair = []
        for photo in pictures:
            pixels = photo.pixels.copy()
            pixels[max(0, y - 5) : y + 6, max(0, x - 5) : x + 6] = 255
            image = opsin.open(pixels).to_pil()
            image.thumbnail((240, 240))
            cell = np.zeros((240, 240, 3), np.uint8)
            cell[: image.height, : image.width] = np.asarray(image)
            pair.append(cell)
        cells.append(np.concatenate(pair, axis=1))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 3)
    lines = [np.concatenate(cells[at : at + 3], axis=1) for at in range(0, len(cells), 3)]
    opsin.open(np.concatenate(lines)).save(path, overwrite=True)


if __name__ == "__main__":
    main()
