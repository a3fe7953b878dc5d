"""The mean squared error of models, in the ways in which papers mean it.

    python benchmarks/squared_error.py cifar10.tar:test --model gan.toml --model u-net.toml

Image Colorization with GANs is quoted with an MSE of 0.00622 on CIFAR-10 and no word on what was
squared. Here: sRGB in 0..1; L*a*b* as the network has it (L*/50 - 1, a* and b*/110), over all
three channels (L* is always right) and over the two that were answered; and the larger-channel
accuracy beside it. The pictures are seen at their own size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.colorization.prior import MEAN_COLOR
from opsin.evaluate.bootstrap import bootstrap
from opsin.evaluate.colorization.candidates import candidates, systems_of
from opsin.sets.pictures import read

COLUMNS = ("sRGB 0..1", "Lab/(50, 110, 110)", "ab/110", "larger channel")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--size", type=int)
    parser.add_argument("--vividness", type=float, default=0.5)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    systems = systems_of(candidates(arguments.model, arguments.vividness, arguments.size))
    rows: dict[str, list[list[float]]] = {}
    for _, pixels in read(arguments.data, limit=arguments.limit):
        rgb = pixels.astype(np.float32) / 255
        lab = rgb_to_lab(rgb)
        light, truth = np.ascontiguousarray(lab[..., 0]), lab[..., 1:]
        plain = {"gray": np.zeros(2), "mean color": np.array(MEAN_COLOR)}
        found = {name: np.broadcast_to(ab, truth.shape) for name, ab in plain.items()}
        for name, ab in {**found, **systems(light)}.items():
            painted = lab_to_rgb(np.concatenate([lab[..., :1], ab], axis=2))
            error = float((((ab - truth) / 110) ** 2).mean())
            larger = float((ab.argmax(axis=2) == truth.argmax(axis=2)).mean())
            scores = [float(((painted - rgb) ** 2).mean()), error * 2 / 3, error, larger]
            rows.setdefault(name, []).append(scores)
    print(f"{len(next(iter(rows.values())))} pictures; mean and 95 % bootstrap interval")
    print(f"| system | {' | '.join(COLUMNS)} |")
    print("|---" * (1 + len(COLUMNS)) + "|")
    for name, scores in rows.items():
        figures = bootstrap(np.array(scores))
        cells = [f"{one.value:.5f} [{one.low:.5f}, {one.high:.5f}]" for one in figures[:3]]
        larger = figures[3]
        cells.append(f"{larger.value:.2%} [{larger.low:.2%}, {larger.high:.2%}]")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
