"""The looks by which places of a reference are found again: makes `looks.npz`, and measures them.

    python benchmarks/reference.py PHOTOGRAPHS... -o src/opsin/colorization/looks.npz
    python benchmarks/reference.py --judge SET.tar [--limit N] [--sheet OUT.png]

Looks are the strongest common directions (principal components) of what the colorizer's inner
layers make of the places of many photographs, each feature scaled to a deviation of 1. Pictures
near an evaluation picture are left out.

With --judge: two photographs of one scene are made of each picture, as of a series: the left
three quarters in color are the reference; the right three quarters, a little nearer, mirrored and
as another film sees them, are colorized. CIEDE2000 against the true colors without the reference,
with its palette, with its matching places, and with both; at best, with the true colors on that
film's lightness. Then the same with the reference of the next picture, which shows something else.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import opsin
from opsin.appearance import delta_e_2000
from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.colorization.reference import WIDTH
from opsin.colorization.things import NETWORK, features_of
from opsin.drawing.pixels import fitted
from opsin.models.store import find
from opsin.photo import Photo
from opsin.recognition.features import pixels_of
from opsin.sets.listing import held_out_hashes, list_pictures
from opsin.sets.pictures import read
from opsin.training.augment import film_gray

MOST = 900  # pictures that looks are made of, and
CELLS = 40  # places of each
SIDE = 320
SEED = 0
STRENGTH = 0.5  # of the palette
WAYS = {
    "none": (False, False),
    "palette": (True, False),
    "places": (False, True),
    "both": (True, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="*", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--judge", type=Path, metavar="SET")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sheet", type=Path, help="also draw them, a row a photograph")
    arguments = parser.parse_args()
    if arguments.judge:
        judge(arguments.judge, arguments.limit, arguments.sheet)
        return
    if not arguments.photographs or not arguments.output:
        parser.error("name photographs and -o, or --judge")
    weight, bias = looks(places(arguments.photographs))
    half = {"weight": weight.astype(np.float16), "bias": bias.astype(np.float16)}
    np.savez_compressed(arguments.output, network=find(NETWORK).card.sha256, **half)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e3:.0f} kB")


def places(paths: list[Path]) -> np.ndarray:
    """(N, D): features of some cells of some photographs."""
    listing = list_pictures(paths, least_chroma=5.0, apart_from=held_out_hashes())
    chance = np.random.default_rng(SEED)
    chosen = chance.permutation(len(listing.pictures))[:MOST]
    print(f"{len(chosen)} of {len(listing.pictures)} pictures; left out: {listing.left_out}")
    found = []
    for number in chosen:
        features, _ = features_of(Photo(pixels_of(listing.pictures[number])), threads=1)
        flat = features.reshape(-1, features.shape[-1])
        found.append(flat[chance.permutation(len(flat))[:CELLS]])
    return np.concatenate(found)


def looks(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(WIDTH, D) and (WIDTH,): what makes looks of features."""
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = (features - mean) / deviation
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    weight = vectors[:, ::-1][:, :WIDTH].T / deviation
    print(f"{values[::-1][:WIDTH].sum() / values.sum():.0%} of what differs is kept")
    return weight, -weight @ mean


def judge(path: Path, limit: int | None, sheet: Path | None) -> None:
    """What a reference of the same scene is worth, and one of another."""
    chance = np.random.default_rng(SEED)
    pairs = [series(rgb, chance) for _, rgb in read([path], limit=limit)]
    references = [one for one, _, _ in pairs]
    rows, figures = [], {"the same scene": [], "another": []}
    for number, (reference, truth, gray) in enumerate(pairs):
        row = [reference, np.repeat(gray[..., None], 3, axis=2)]
        for word, other in (("the same scene", number), ("another", (number + 1) % len(pairs))):
            found = [answer(gray, references[other], *way) for way in WAYS.values()]
            figures[word].append(
                [off(truth, one) for one in found] + [off(truth, best(truth, gray))]
            )
            row += found if word == "the same scene" else [references[other], found[-1]]
        rows.append(np.concatenate([cell(one) for one in row], axis=1))
    print(f"{len(pairs)} photographs, CIEDE2000: {', '.join(WAYS)}, at best")
    for word, values in figures.items():
        print(f"{word:15}", *(f"{value:6.2f}" for value in np.mean(values, axis=0)))
    if sheet:
        opsin.open(np.concatenate(rows)).save(sheet)


def series(rgb: np.ndarray, chance: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A reference, another photograph of the same scene, and that one as it is on film."""
    height, width = rgb.shape[:2]
    reference = fitted(np.ascontiguousarray(rgb[:, : round(0.75 * width)]), SIDE)
    part = rgb[round(0.1 * height) : round(0.95 * height), round(0.25 * width) :][:, ::-1]
    truth = fitted(np.ascontiguousarray(part), SIDE)
    gray = film_gray(truth.astype(np.float32) / 255, chance)
    return reference, truth, (gray.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def answer(gray: np.ndarray, reference: np.ndarray, palette: bool, matching: bool) -> np.ndarray:
    """The photograph in color, with what is taken of the reference."""
    given = {"palette": reference, "strength": STRENGTH} if palette else {}
    if matching:
        given["reference"] = reference
    try:
        return opsin.colorize(gray, **given).pixels
    except ValueError:  # a reference in black and white
        return opsin.colorize(gray).pixels


def best(truth: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """The true colors on the film's lightness."""
    lab = rgb_to_lab(truth.astype(np.float32) / 255)
    lab[..., 0] = rgb_to_lab(np.repeat(gray[..., None], 3, axis=2).astype(np.float32) / 255)[..., 0]
    return (lab_to_rgb(lab).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def off(truth: np.ndarray, found: np.ndarray) -> float:
    """Mean CIEDE2000."""
    one, other = (rgb_to_lab(rgb.astype(np.float32) / 255) for rgb in (truth, found))
    return float(delta_e_2000(one, other).mean())


def cell(rgb: np.ndarray) -> np.ndarray:
    """A picture of a sheet: 160 x 160, gray around it."""
    small = fitted(rgb, 156)
    framed = np.full((160, 160, 3), 128, np.uint8)
    framed[: small.shape[0], : small.shape[1]] = small
    return framed


if __name__ == "__main__":
    main()
