"""The palettes of photographs, and which are likely for which: makes `palettes.npz`.

    python benchmarks/palettes.py PHOTOGRAPHS... -o src/opsin/colorization/palettes.npz
    python benchmarks/palettes.py --judge SET.tar [--limit N] [--sheet OUT.png]

Histograms of a*b*, smoothed, their square roots grouped by k-means: a palette is the mean
histogram of its group. A logistic regression tells from the default network's answer to the gray
picture which group it belongs to. Pictures near an evaluation picture are left out. One tenth is
held back to tell how good it is; then all are used.

With --judge: how far the best of 4 and of 16 answers is from the truth beside the single one, and
how much answers differ, in CIEDE2000.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from touchup import gray_of

import opsin
from opsin.appearance import delta_e_2000
from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS
from opsin.colorization.palette import shares_of
from opsin.colorization.pipeline import run_engines
from opsin.colorization.samples import SIZE, Palettes, features_of, samples
from opsin.drawing.pixels import fitted
from opsin.models.engine import load_engine
from opsin.photo import Photo
from opsin.recognition.features import pixels_of
from opsin.sets.listing import held_out_hashes, list_pictures
from opsin.sets.pictures import read

COUNT = 64  # palettes
SMOOTH = 8.0  # Lab units
PENALTY = 1e-3  # C of the regression, chosen on the tenth that is held back
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", nargs="*", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--judge", type=Path, metavar="SET")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sheet", type=Path, help="also draw the answers, a row a photograph")
    arguments = parser.parse_args()
    if arguments.judge:
        judge(arguments.judge, arguments.limit, arguments.sheet)
        return
    if not arguments.photographs or not arguments.output:
        parser.error("name photographs and -o, or --judge")
    shares, features = look(arguments.photographs)
    order = np.random.default_rng(SEED).permutation(len(shares))
    held, rest = order[: len(order) // 10], order[len(order) // 10 :]
    tell(*fit(shares[rest], features[rest]), shares[held], features[held])
    found, _ = fit(shares, features)
    half = {name: value.astype(np.float16) for name, value in found._asdict().items()}
    np.savez_compressed(arguments.output, **half)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e3:.0f} kB")


def look(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """(N, 313) the histogram of each picture, and (N, D) what the network says of it in gray."""
    listing = list_pictures(paths, least_chroma=5.0, apart_from=held_out_hashes())
    print(f"{len(listing.pictures)} pictures; left out: {listing.left_out}")
    engine = load_engine("default")
    shares, features = [], []
    for picture in listing.pictures:
        gray = np.ascontiguousarray(pixels_of(picture, gray=True)[..., :1])
        shares.append(shares_of(Photo(pixels_of(picture))))
        features.append(features_of(run_engines([engine], Photo(gray), size=SIZE)[0].raw))
    return np.array(shares), np.array(features)


def fit(shares: np.ndarray, features: np.ndarray) -> tuple[Palettes, object]:
    """Palettes and what tells them; and the k-means that made them."""
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression

    groups = KMeans(COUNT, n_init=2, random_state=SEED).fit(roots(shares))
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-4
    scaled = (features - mean) / deviation
    head = LogisticRegression(C=PENALTY, max_iter=500).fit(scaled, groups.labels_)
    centers = [shares[groups.labels_ == one].mean(axis=0) for one in range(COUNT)]
    return Palettes(np.array(centers), mean, deviation, head.coef_, head.intercept_), groups


def roots(shares: np.ndarray) -> np.ndarray:
    """Square roots of smoothed histograms: their distances are Hellinger's."""
    squared = ((BINS[:, None] - BINS[None]) ** 2).sum(axis=-1)
    kernel = np.exp(-squared / (2 * SMOOTH**2))
    smooth = (shares / shares.sum(axis=1, keepdims=True)) @ (kernel / kernel.sum(axis=0)).T
    return np.sqrt(smooth)


def tell(found: Palettes, groups, shares: np.ndarray, features: np.ndarray) -> None:
    """How well palettes are told of pictures that were not learned from."""
    truth = groups.predict(roots(shares))
    likely = np.array([found.likely(one) for one in features])
    rank = (np.argsort(-likely, axis=1) == truth[:, None]).argmax(axis=1)
    nats = -np.log(likely[np.arange(len(truth)), truth]).mean()
    common = np.bincount(groups.labels_, minlength=COUNT) / len(groups.labels_)
    print(f"{nats:.2f} nats, by frequency alone {-np.log(common[truth]).mean():.2f}")
    for most in (1, 4, 8, 16):
        print(f"the right one is among {most}: {(rank < most).mean():.0%}")


def judge(path: Path, limit: int | None, sheet: Path | None) -> None:
    """CIEDE2000 of the single answer, of the best of 4 and 16, and between the first 4."""
    figures, rows = [], []
    for _, rgb in read([path], limit=limit):
        rgb = fitted(rgb, 256)
        truth = rgb_to_lab(rgb.astype(np.float32) / 255)
        gray = Photo(gray_of(truth[..., 0]))
        answers = [
            opsin.colorize(gray, palette=one.palette or None).pixels for one in samples(gray, 16)
        ]
        labs = [rgb_to_lab(one.astype(np.float32) / 255) for one in answers]
        off = [float(delta_e_2000(truth, one).mean()) for one in labs]
        apart = [
            float(delta_e_2000(labs[one], labs[other]).mean())
            for one in range(4)
            for other in range(one)
        ]
        figures.append([off[0], off[1], min(off[:4]), min(off[:8]), min(off), np.mean(apart)])
        rows.append(np.concatenate([rgb, *answers[:5]], axis=1))
    words = ("single", "first palette", "best of 4", "best of 8", "best of 16", "apart")
    means = np.mean(figures, axis=0)
    print(f"{len(figures)} photographs; CIEDE2000")
    for word, value in zip(words, means, strict=True):
        print(f"{word:18} {value:6.2f}  {value - means[0]:+.2f}")
    if sheet:
        width = max(row.shape[1] for row in rows)
        padded = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in rows]
        opsin.open(np.concatenate(padded)).save(sheet)


if __name__ == "__main__":
    main()
