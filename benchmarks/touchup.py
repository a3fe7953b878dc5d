"""What hints are worth: true colors at random points, and a photograph's own palette.

    python benchmarks/touchup.py SET.tar... [--limit N] [--vividness 0]

PSNR against the true picture with 0, 1, 2, 5, 10, 20, 50 and 100 points, as Zhang et al. 2017
(arXiv 1705.02999, section 4.1) count: at random places, each with the mean true color of the 9 x 9
pixels around it. Beside it, in CIEDE2000, how far the color at a point is from what was asked for
(the nearest that exists at the photograph's lightness there). Then the picture itself as its
reference, at three strengths. Pictures are made 256 pixels long.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import opsin
from opsin.appearance import delta_e_2000
from opsin.color import fit_gamut, lab_to_rgb, rgb_to_lab
from opsin.drawing.pixels import fitted
from opsin.photo import Photo
from opsin.sets.pictures import read

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)
STRENGTHS = (0.25, 0.5, 1.0)
SIDE = 256
AROUND = 4  # pixels on each side of a point whose mean color is given


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--vividness", type=float, default=0.0)
    arguments = parser.parse_args()
    decibels, at_points, own = [], [], []
    for number, (_, rgb) in enumerate(read(arguments.sets, limit=arguments.limit)):
        rgb = fitted(rgb, SIDE)
        truth = rgb_to_lab(rgb.astype(np.float32) / 255)
        gray = Photo(gray_of(truth[..., 0]))
        places = np.random.default_rng(number).permutation(truth[..., 0].size)[: COUNTS[-1]]
        points = [point(truth, *divmod(int(place), truth.shape[1])) for place in places]
        row = []
        for count in COUNTS:
            given = points[:count]
            found = opsin.colorize(gray, points=given, vividness=arguments.vividness).pixels
            row.append(psnr(rgb, found))
            if count == 10:
                at_points += [off(found, truth, *one) for one in given]
        decibels.append(row)
        own.append(
            [
                psnr(
                    rgb,
                    opsin.colorize(
                        gray, palette=rgb, strength=strength, vividness=arguments.vividness
                    ).pixels,
                )
                - row[0]
                for strength in STRENGTHS
            ]
        )
    means = np.mean(decibels, axis=0)
    print(f"{len(decibels)} photographs, vividness {arguments.vividness:g}")
    for count, value in zip(COUNTS, means, strict=True):
        print(f"{count:4} points  {value:6.2f} dB  {value - means[0]:+.2f}")
    print(f"at 10 points: CIEDE2000 {np.median(at_points):.2f} in the median")
    for strength, value in zip(STRENGTHS, np.mean(own, axis=0), strict=True):
        print(f"its own palette, strength {strength:g}: {value:+.2f} dB")


def gray_of(light: np.ndarray) -> np.ndarray:
    """(H, W, 1): the gray pixels that are as light."""
    gray = lab_to_rgb(np.stack([light, *[np.zeros_like(light)] * 2], axis=-1))[..., :1]
    return (gray * 255 + 0.5).clip(0, 255).astype(np.uint8)


def point(truth: np.ndarray, y: int, x: int) -> tuple[int, int, str]:
    """A point with the mean true color around it, as light as it is there."""
    near = truth[max(0, y - AROUND) : y + AROUND + 1, max(0, x - AROUND) : x + AROUND + 1]
    rgb = lab_to_rgb(fit_gamut(near.mean(axis=(0, 1)).astype(np.float32)))
    return x, y, "#" + bytes(int(part) for part in (rgb * 255 + 0.5).clip(0, 255)).hex()


def off(found: np.ndarray, truth: np.ndarray, x: int, y: int, color: str) -> float:
    """How far the color at a point is from what was asked for, in CIEDE2000."""
    here = rgb_to_lab(found[y, x].astype(np.float32) / 255)
    asked = rgb_to_lab(np.array(list(bytes.fromhex(color[1:])), np.float32) / 255)
    wish = fit_gamut(np.array([truth[y, x, 0], *asked[1:]], np.float32))
    return float(delta_e_2000(here[None], wish[None])[0])


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    squared = (one.astype(np.float64) - other) ** 2
    return float(10 * np.log10(255**2 / max(1e-9, squared.mean())))


if __name__ == "__main__":
    main()
