"""What tells the things of `opsin colorize --words`: makes `things.npz`, and measures it.

    python benchmarks/things.py --boxes PHOTOGRAPHS --coco COCO128 --clothing CCP \
        --facades FACADES --streets STREETS -o src/opsin/colorization/things.npz
    python benchmarks/things.py --coco COCO128 --clothing CCP --facades FACADES --measure HEAD.npz
    python benchmarks/things.py --show SET.tar -o sheet.png

PHOTOGRAPHS is a folder with the pictures of the mixed set, the others are those of `things_sets`.
The label of a cell is a set of things, and what is learned is that one of them is there. It is
learned in two steps: from all sets; then, from where that stands, from some of them again, half of
the looks made old, with more boxes drawn by hand (`things_more.csv`). The mean of the weights
before and after is kept, which is good at both (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models", arXiv 2109.01903). `--first HEAD.npz` has the first step's, if it is at hand.

Pictures near an evaluation picture are never learned from; those of COCO that are one are what it
is measured on, with the clothes and the facades that are held back.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from things_sets import MORE, THINGS, Labelled, boxes, clothing, coco, facades, streets

from opsin.color import light_of_pixels
from opsin.colorization.things import NETWORK, Head, features_of
from opsin.colorization.touchup import Touchup
from opsin.drawing.pixels import resized
from opsin.models.store import find
from opsin.photo import Photo
from opsin.sets.listing import NEAR, difference_hash, held_out_hashes
from opsin.sets.pictures import read
from opsin.training.augment import film_gray, wear

CELLS = 40  # of one label that a look gives
PURE = 0.75  # of a cell that must have one label
HIDDEN, DROPPED = 160, 0.3
BATCH, DECAY = 1024, 1e-2
CLOTHES = slice(1, 240, 4)  # those that are learned from again
SEED = 0
SHOWN = "turquoise sky, red skin, green leaves, yellow hair, purple wood"


class Step(NamedTuple):
    """A step of learning."""

    side: int
    """Pixels of a picture's short side, at most."""
    sizes: tuple[int, ...]
    """Pixels of the short side of what the network sees, one of them by chance."""
    old: bool
    """Whether every other look is made old."""
    drawn: int
    """How often a box drawn by hand counts."""
    steps: int
    rate: float


FIRST = Step(side=512, sizes=(224, 288), old=False, drawn=1, steps=2000, rate=3e-3)
AGAIN = Step(side=300, sizes=(224, 224, 256), old=True, drawn=3, steps=300, rate=1e-3)


def pixels_of(one: Labelled, side: int = FIRST.side) -> np.ndarray:
    """Its pixels, at most so many on the short side."""
    with Image.open(one.picture) as picture:
        picture.draft("RGB", (side, side))  # a JPEG is decoded smaller, at least so large
        rgb = np.array(picture.convert("RGB"))
    scale = side / min(rgb.shape[:2])
    if scale < 1:
        rgb = resized(rgb, *(round(length * scale) for length in rgb.shape[:2]))
    return rgb


def near_evaluation(rgb: np.ndarray) -> bool:
    """Whether it is, or looks like, a picture that is held out for evaluation."""
    gray = light_of_pixels(resized(rgb, 8, 9))
    own = np.uint64(difference_hash(gray))
    return bool((np.bitwise_count(held_out_hashes() ^ own) <= NEAR).any())


def as_seen(rgb: np.ndarray, rng: np.random.Generator | None) -> Photo:
    """Its lightness as a gray photograph, of another contrast if it is to be learned from."""
    light = light_of_pixels(rgb) / 100
    if rng is not None:
        light = light ** np.exp(rng.normal(0, 0.25))
    return Photo((light[..., None] * 255 + 0.5).clip(0, 255).astype(np.uint8))


def made_old(rgb: np.ndarray, rng: np.random.Generator) -> Photo:
    """The same as an old photograph: another film and wear, some in fog, some with a white sky."""
    gray = film_gray(rgb.astype(np.float32) / 255, rng)
    chance = rng.random()
    if chance < 0.3:
        gray = gray * np.float32(rng.uniform(1.1, 1.7))
    elif chance < 0.55:  # thinner farther down, where things are nearer
        ramp = np.linspace(1, rng.uniform(0, 1), len(gray), dtype=np.float32)[:, None]
        fog = np.float32(rng.uniform(0.3, 0.9)) * ramp
        gray = gray + fog * (np.float32(rng.uniform(0.5, 1)) - gray)
    worn = wear(gray.clip(0, 1), rng)
    return Photo((worn[..., None] * 255 + 0.5).clip(0, 255).astype(np.uint8))


def cells_of(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width): the label of most of each cell, 0 where they are mixed."""
    rows = (np.arange(height * 4) + 0.5) * len(labels) / (height * 4)
    columns = (np.arange(width * 4) + 0.5) * labels.shape[1] / (width * 4)
    fine = labels[np.ix_(rows.astype(int), columns.astype(int))]
    fine = fine.reshape(height, 4, width, 4).swapaxes(1, 2).reshape(height, width, 16)
    middle = np.sort(fine, axis=-1)[..., 8]
    return np.where((fine == middle[..., None]).mean(axis=-1) >= PURE, middle, 0)


def look(one: Labelled, rgb: np.ndarray, rng: np.random.Generator, sizes, *, old: bool):
    """Features (n, D) and sets (n,) of some cells of it."""
    labels = one.labels
    if rng.random() < 0.5:
        rgb, labels = np.ascontiguousarray(rgb[:, ::-1]), labels[:, ::-1]
    photo = made_old(rgb, rng) if old else as_seen(rgb, rng)
    found, view = features_of(photo, threads=1, size=int(rng.choice(sizes)))
    height, width = found.shape[:2]
    rows, columns = (
        int(side / cells * n)
        for side, cells, n in zip(labels.shape, view.cells, (height, width), strict=True)
    )
    whole = np.zeros((rows, columns), np.int32)  # a cell at the edge may stand for less
    whole[: len(labels), : labels.shape[1]] = labels[:rows, :columns]
    cells = cells_of(whole, height, width).ravel()
    chosen = [
        rng.permutation(np.flatnonzero(cells == value))[:CELLS]
        for value in np.unique(cells[cells > 0])
    ]
    where = np.concatenate(chosen) if chosen else np.zeros(0, int)
    return found.reshape(height * width, -1)[where].astype(np.float16), cells[where]


def held_back(one: Labelled, rgb: np.ndarray) -> bool:
    """Whether it is never learned from."""
    return one.held or near_evaluation(rgb)


def gather(sources: Iterable[Labelled], step: Step):
    """Features, sets and the names of where they are from, of all cells that are learned from."""
    rng = np.random.default_rng(SEED)
    found: list[tuple[np.ndarray, ...]] = []
    counts: Counter[str] = Counter()
    for one in sources:
        rgb = pixels_of(one, step.side)
        if held_back(one, rgb):
            continue
        old = step.old and len(found) % 2 == 1
        features, sets = look(one, rgb, rng, step.sizes, old=old)
        found.append((features, sets, np.full(len(sets), one.name)))
        counts[one.name] += 1
        if len(found) % 50 == 0:
            print(dict(counts), flush=True)
    print("learned from:", dict(counts))
    return joined(found)


def joined(parts: Iterable[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """Arrays that belong together, each with its fellows of the other parts."""
    return tuple(np.concatenate(fellows) for fellows in zip(*parts, strict=True))


def again(folders: dict[str, Path]) -> Iterator[Iterable[Labelled]]:
    """What is learned from again, and the boxes that only then are learned from, each twice: as it
    is and made old."""
    yield (one for one in boxes(folders["boxes"], MORE) for _ in range(2))
    yield coco(folders["coco"])
    yield boxes(folders["boxes"])
    yield islice(clothing(folders["clothing"]), CLOTHES.start, CLOTHES.stop, CLOTHES.step)


def fit(
    features: np.ndarray, sets: np.ndarray, names: np.ndarray, how: Step, start: Head | None = None
) -> Head:
    """The network with one hidden layer that gives most to the sets that are there, from `start`
    on."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(SEED)
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = features.std(axis=0, dtype=np.float64).astype(np.float32) + 1e-3
    values = torch.from_numpy(features)
    member = torch.from_numpy((sets[:, None] >> np.arange(len(THINGS))) & 1).bool()
    # a set that is seldom is drawn more often than it is there, but not as often as all others
    _, kind, count = np.unique(sets, return_inverse=True, return_counts=True)
    often = np.where(names == "boxes", how.drawn, 1)
    weight = torch.from_numpy(often / np.sqrt(count)[kind])
    center, scale = torch.from_numpy(mean), torch.from_numpy(deviation)
    net = nn.Sequential(
        nn.Dropout(DROPPED), nn.Linear(len(mean), HIDDEN), nn.ReLU(), nn.Dropout(DROPPED),
        nn.Linear(HIDDEN, len(THINGS)),
    )  # fmt: skip
    inner, outer = net[1], net[4]
    if start is not None:
        layers = start.first * deviation, start.first_bias + start.first @ mean, *start[4:]
        with torch.no_grad():
            for weights, known in zip(net.parameters(), layers, strict=True):
                weights.copy_(torch.from_numpy(known))
    optimizer = torch.optim.AdamW(net.parameters(), lr=how.rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.rate, total_steps=how.steps)
    for step in range(how.steps):
        if step % 64 == 0:
            drawn = torch.multinomial(weight, 64 * BATCH, replacement=True).split(BATCH)
        batch = drawn[step % 64]
        logits = net((values[batch].float() - center) / scale)
        logs = F.log_softmax(logits, dim=1).masked_fill(~member[batch], -1e4)
        loss = -logs.logsumexp(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: {loss.item():.3f}", flush=True)
    with torch.no_grad():  # the scaling goes into the first layer
        scaled = inner.weight / scale
        bias = inner.bias - scaled @ center
    return Head(
        tuple(THINGS),
        find(NETWORK).card.sha256,
        *(one.detach().numpy() for one in (scaled, bias, outer.weight, outer.bias)),
    )


def halfway(one: Head, other: Head) -> Head:
    """The head whose weights are the mean of those of two."""
    return one._replace(
        **{name: (getattr(one, name) + getattr(other, name)) / 2 for name in Head._fields[2:]}
    )


def measure(head: Head, sources: Iterator[Labelled]) -> None:
    """IoU of each thing by set of labels, over cells of the pictures held back that have one label
    of one thing."""
    both: dict[str, np.ndarray] = {}
    pictures: Counter[str] = Counter()
    for one in sources:
        rgb = pixels_of(one)
        if not held_back(one, rgb):
            continue
        pictures[one.name] += 1
        found, _ = features_of(as_seen(rgb, None), threads=1)
        height, width = found.shape[:2]
        cells = cells_of(one.labels, height, width)
        told = np.int32(1) << head.shares(found).argmax(axis=-1)
        table = both.setdefault(one.name, np.zeros((2, len(THINGS)), np.int32))
        for index in range(len(THINGS)):
            bit = np.int32(1 << index)
            truth, said = cells == bit, told == bit
            never = said & (cells != 0) & (cells & bit == 0)
            table[0, index] += (truth & said).sum()
            table[1, index] += (truth | never).sum()
    for name, (shared, either) in both.items():
        print(f"{name}, {pictures[name]} pictures:")
        for index, thing in enumerate(THINGS):
            if either[index] and shared[index]:
                print(f"  {thing:10} IoU {shared[index] / either[index]:.2f} of {either[index]}")


def show(path: Path, output: Path, step: int) -> None:
    """Sheets of every `step`th picture, gray and with things in colors that nobody mistakes."""
    from opsin.drawing.pixels import as_rgb
    from opsin.drawing.sheet import Cell, Sheet

    with Sheet(output, cell=240, rows=20) as sheet:
        for number, (_, rgb) in enumerate(read([path])):
            if number % step:
                continue
            gray = as_seen(rgb, None)
            work = Touchup(gray)
            work.change(words=SHOWN, vividness=0)
            picture = work.picture()
            lines = [note.split(":")[0] for note in picture.notes if " found" in note]
            caption = "none: " + " ".join(line.split()[-1] for line in lines)
            sheet.add([Cell(as_rgb(gray.pixels), str(number)), Cell(picture.pixels, caption)])
    print(*sheet.pages, sep="\n")


READERS = {
    "coco": coco,
    "clothing": clothing,
    "facades": facades,
    "streets": streets,
    "boxes": boxes,
}


def every(folders: dict[str, Path]) -> Iterator[Labelled]:
    """All pictures with labels in the folders that were given."""
    for name, folder in folders.items():
        yield from READERS[name](folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in READERS:
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--first", type=Path, metavar="HEAD", help="learned in the first step")
    parser.add_argument("--measure", type=Path, metavar="HEAD", help="learn nothing")
    parser.add_argument("--show", type=Path, metavar="SET", help="draw what is found there")
    parser.add_argument("--step", type=int, default=5, help="of the set, every so manieth picture")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    folders = {name: folder for name in READERS if (folder := getattr(arguments, name))}
    if arguments.measure:
        measure(Head.read(arguments.measure), every(folders))
        return
    if arguments.output is None:
        parser.error("-o: where to write to")
    if arguments.show:
        show(arguments.show, arguments.output, arguments.step)
        return
    if arguments.first:
        first = Head.read(arguments.first)
    else:
        first = fit(*gather(every(folders), FIRST), FIRST)
    second = fit(*joined(gather(part, AGAIN) for part in again(folders)), AGAIN, first)
    head = halfway(first, second)
    head.save(arguments.output)
    measure(head, every(folders))
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
