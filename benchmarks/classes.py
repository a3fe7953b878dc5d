"""How often a network that classifies while it colorizes (A5) is right, and what it mixes up.

    python benchmarks/classes.py RUN scenes.tar:test

RUN is the folder of a training run; the classes are the pictures' folders.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from opsin.color import rgb_to_lab
from opsin.colorization.data import Data
from opsin.colorization.networks.global_local import GlobalLocal
from opsin.colorization.objectives.regression import squashed
from opsin.colorization.task import TASK
from opsin.evaluate.bootstrap import bootstrap
from opsin.sets.listing import list_pictures
from opsin.training.crops import labels_of
from opsin.training.finished import read_run
from opsin.training.recipe import section
from opsin.training.validation import square


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", nargs="+", type=Path)
    arguments = parser.parse_args()
    done = read_run(arguments.run)
    system = TASK.system(done.recipe.network)
    network = system.build().eval()
    if not isinstance(network, GlobalLocal) or network.whole is None:
        raise SystemExit(f"{arguments.run}: its network does not classify; train A5.")
    network.load_state_dict(done.weights)
    classes = system.class_names()
    size = section(done.recipe.data, Data, "data").validation_size
    listing = list_pictures(arguments.data, classes=True)
    counts = np.zeros((len(classes), len(classes)), int)
    for picture, label in zip(listing.pictures, labels_of(listing, classes), strict=True):
        rgb = square(picture, size)
        if rgb is None or label < 0:
            continue
        light = torch.from_numpy(np.ascontiguousarray(rgb_to_lab(rgb)[None, None, ..., 0]))
        with torch.no_grad():
            said = network.classify(squashed(light, network.global_size)).argmax()
        counts[label, int(said)] += 1
    right = np.repeat([1.0, 0.0], [counts.trace(), counts.sum() - counts.trace()])
    figure = bootstrap(right[:, None])[0]
    print(
        f"{len(right)} pictures, right {figure.value:.1%} [{figure.low:.1%}, {figure.high:.1%}]\n"
    )
    print(f"| is, taken for | {' | '.join(classes)} |\n{'|---' * (1 + len(classes))}|")
    for name, row in zip(classes, counts, strict=True):
        print(f"| {name} | {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    main()
