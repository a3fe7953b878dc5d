"""What tells the things of `opsin colorize --words`: makes `things.npz`, and measures it.

    python benchmarks/things.py --boxes PHOTOGRAPHS --coco COCO128 --clothing CCP \
        --facades FACADES --streets STREETS -o src/opsin/colorization/things.npz
    python benchmarks/things.py --show SET.tar -o sheet.png

Each is a checkout of a public repository of photographs with pixel labels, which
docs/training-data.md names. They know different things: what COCO calls a person may be skin, hair
or a coat. So the label of a cell is a set of things, and what is learned is that one of them is
there. Pictures near an evaluation picture are never learned from; those of COCO that are one are
what it is measured on, with the clothes and the facades that are held back.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from opsin.color import light_of_pixels
from opsin.colorization.things import NETWORK, Head, features_of
from opsin.colorization.touchup import Touchup
from opsin.drawing.pixels import resized
from opsin.models.store import find
from opsin.photo import Photo
from opsin.sets.listing import NEAR, difference_hash, held_out_hashes
from opsin.sets.pictures import read

PERSON = "skin hair dress coat shirt trousers skirt hat shoes"
THINGS = (
    "other sky leaves grass flowers water wood wall building ground floor snow mountain "
    f"{PERSON} animal vehicle furniture"
).split()
SIZES = (224, 288)
CELLS = 40  # of one label that a look gives
PURE = 0.75  # of a cell that must have one label
HIDDEN, DROPPED = 160, 0.3
STEPS, BATCH, RATE, DECAY = 2000, 1024, 3e-3, 1e-2
SEED = 0
SHOWN = "turquoise sky, red skin, green leaves, yellow hair, purple wood"
BOXES = Path(__file__).with_suffix(".csv")
SIDES = ("left", "top", "right", "bottom")

EVERYTHING = "any"
COCO = {
    "": EVERYTHING,
    "1": PERSON,
    "2-9": "vehicle",
    "16-25": "animal",
    "15 62 63 65": "furniture wood",
    "64": "leaves flowers other",
    "67 156 188 189": "wood furniture",
    "10-14 27-61 70-90 92 93 100 109 122 130 133 138 141 166 168 176 180 195 196": "other",
    "95": "building wood",
    "107": "wood furniture other",
    "112": "wood building other",
    "118 177": "wood",
    "119": "flowers",
    "125 144 147 149 154 191 194": "ground",
    "128 151 197": "building",
    "145": "grass ground",
    "148 155 178": "water",
    "159": "snow",
    "161": "floor wood ground building",
    "171 175": "wall building",
    "181": "other building wall",
    "184": "leaves",
    "185": "wood other",
    "186 199": "wall",
    "187": "sky",
    "190": "floor",
    "192": "mountain",
    "193": "grass",
    "198": "mountain ground",
    "200": "floor other",
}
"""Of COCO's panoptic numbers; what is not labelled may be anything."""
CLOTHING = {
    "0": " ".join(name for name in THINGS if name not in PERSON.split()),
    "2 33": "other",
    "4 10 11 13 24 46": "coat",
    "5 22 26 38 49 48 51 54 55": "shirt",
    "6 14 37": "dress",
    "7 12 16 21 28 32 36 39 43 58": "shoes",
    "19": "hair",
    "20": "hat",
    "25 27 31 40": "trousers",
    "41": "skin",
    "42": "skirt",
    "45 53": "trousers skin",
}
FACADES = {
    (128, 0, 0): "building",
    (128, 0, 128): "vehicle",
    (128, 128, 0): "wood building other",
    (128, 128, 128): "ground",
    (128, 64, 0): "ground",
    (0, 128, 128): "sky",
    (0, 128, 0): "leaves grass",
    (0, 0, 128): "other building",
}
STREETS = {
    "0": "sky",
    "1": "building wall",
    "3 4": "ground",
    "5": "leaves grass",
    "6": "other",
    "7": "wood wall other",
    "8": "vehicle",
    "9": PERSON,
}


class Labelled(NamedTuple):
    """A picture whose pixels have labels."""

    name: str
    picture: Path
    labels: np.ndarray
    """(H, W): sets of things, a bit each; 0 where nothing is known."""
    held: bool
    """Never learned from."""


def bits(names: str) -> int:
    """A set of things as a number."""
    every = THINGS if names == EVERYTHING else names.split()
    return sum(1 << THINGS.index(name) for name in every)


def numbered(table: dict[str, str]) -> np.ndarray:
    """(256,): the set of things for each number that a set of labels has."""
    sets = np.zeros(256, np.int32)
    for keys, names in table.items():
        for key in keys.split():
            first, _, last = key.partition("-")
            sets[int(first) : int(last or first) + 1] = bits(names)
    return sets


def coco(folder: Path) -> Iterator[Labelled]:
    sets = numbered(COCO)
    for mask in sorted(folder.glob("semantic_segmentation/masks/*/*.png")):
        picture = folder / "images" / mask.parent.name / f"{mask.stem}.jpg"
        yield Labelled("coco", picture, sets[np.array(Image.open(mask))], held=False)


def clothing(folder: Path) -> Iterator[Labelled]:
    from scipy.io import loadmat

    sets = numbered(CLOTHING)
    paths = sorted(folder.glob("annotations/pixel-level/*.mat"))[::2]
    for number, path in enumerate(paths):
        labels = sets[loadmat(path)["groundtruth"]]
        yield Labelled("clothing", folder / f"photos/{path.stem}.jpg", labels, number % 10 == 0)


def facades(folder: Path) -> Iterator[Labelled]:
    for number, path in enumerate(sorted(folder.glob("labels/*.png"))[::4]):
        colors = np.array(Image.open(path).convert("RGB"))
        labels = np.zeros(colors.shape[:2], np.int32)
        for color, names in FACADES.items():
            labels[(colors == color).all(axis=-1)] = bits(names)
        picture = folder / f"images/{path.stem}.jpg"
        yield Labelled("facades", picture, labels, number % 10 == 0)


def streets(folder: Path) -> Iterator[Labelled]:
    sets = numbered(STREETS)
    paths = sorted(folder.glob("CamVid/trainannot/*.png"))
    for path in paths[::10]:  # frames of a film: the next one is nearly the same
        picture = folder / f"CamVid/train/{path.name}"
        yield Labelled("streets", picture, sets[np.array(Image.open(path))], held=False)


def boxes(folder: Path, table: Path = BOXES) -> Iterator[Labelled]:
    """Boxes of one thing on a few pictures, drawn by hand: sides in tenths of the picture."""
    rows: dict[str, list[dict[str, str]]] = {}
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["picture"], []).append(row)
    for name, drawn in rows.items():
        with Image.open(folder / name) as picture:
            width, height = picture.size
        labels = np.zeros((height, width), np.int32)
        for row in drawn:
            left, top, right, bottom = (float(row[key]) / 10 for key in SIDES)
            place = np.s_[
                round(top * height) : round(bottom * height),
                round(left * width) : round(right * width),
            ]
            labels[place] = bits(row["things"])
        yield Labelled("boxes", folder / name, labels, held=False)


def pixels_of(one: Labelled) -> np.ndarray:
    """Its pixels, at most 512 on the short side."""
    with Image.open(one.picture) as picture:
        picture.draft("RGB", (512, 512))  # a JPEG is decoded smaller, at least so large
        rgb = np.array(picture.convert("RGB"))
    scale = 512 / min(rgb.shape[:2])
    if scale < 1:
        rgb = resized(rgb, *(round(side * scale) for side in rgb.shape[:2]))
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


def cells_of(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width): the label of most of each cell, 0 where they are mixed."""
    rows = (np.arange(height * 4) + 0.5) * len(labels) / (height * 4)
    columns = (np.arange(width * 4) + 0.5) * labels.shape[1] / (width * 4)
    fine = labels[np.ix_(rows.astype(int), columns.astype(int))]
    fine = fine.reshape(height, 4, width, 4).swapaxes(1, 2).reshape(height, width, 16)
    middle = np.sort(fine, axis=-1)[..., 8]
    return np.where((fine == middle[..., None]).mean(axis=-1) >= PURE, middle, 0)


def look(one: Labelled, rgb: np.ndarray, rng: np.random.Generator):
    """Features (n, D) and sets (n,) of some cells of it."""
    labels = one.labels
    if rng.random() < 0.5:
        rgb, labels = np.ascontiguousarray(rgb[:, ::-1]), labels[:, ::-1]
    found, view = features_of(as_seen(rgb, rng), threads=1, size=int(rng.choice(SIZES)))
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


def gather(sources: Iterator[Labelled]):
    """Features and sets of all that is learned from, and what is held back to measure on."""
    rng = np.random.default_rng(SEED)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    counts: dict[str, int] = {}
    held: list[Labelled] = []
    for one in sources:
        rgb = pixels_of(one)
        if one.held or near_evaluation(rgb):
            held.append(one)
            continue
        found.append(look(one, rgb, rng))
        counts[one.name] = counts.get(one.name, 0) + 1
        if len(found) % 50 == 0:
            print(counts, flush=True)
    print("learned from:", counts, "held back:", len(held))
    features, sets = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return features, sets, held


def fit(features: np.ndarray, sets: np.ndarray) -> Head:
    """The network with one hidden layer that gives most to the sets that are there."""
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
    weight = torch.from_numpy(1 / np.sqrt(count)[kind])
    center, scale = torch.from_numpy(mean), torch.from_numpy(deviation)
    net = nn.Sequential(
        nn.Dropout(DROPPED), nn.Linear(len(mean), HIDDEN), nn.ReLU(), nn.Dropout(DROPPED),
        nn.Linear(HIDDEN, len(THINGS)),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    for step in range(STEPS):
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
        if step % 500 == 0:
            print(f"step {step}: {loss.item():.3f}", flush=True)
    first, second = net[1], net[4]
    with torch.no_grad():  # the scaling goes into the first layer
        inner = first.weight / scale
        bias = first.bias - inner @ center
    return Head(
        tuple(THINGS),
        find(NETWORK).card.sha256,
        *(one.detach().numpy() for one in (inner, bias, second.weight, second.bias)),
    )


def measure(head: Head, held: Sequence[Labelled]) -> None:
    """IoU of each thing by set of labels, over cells that have one label of one thing."""
    both: dict[str, np.ndarray] = {}
    for one in held:
        found, _ = features_of(as_seen(pixels_of(one), None), threads=1)
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
        print(f"{name}, {sum(one.name == name for one in held)} pictures:")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    readers = {
        "coco": coco,
        "clothing": clothing,
        "facades": facades,
        "streets": streets,
        "boxes": boxes,
    }
    for name in readers:
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--show", type=Path, metavar="SET", help="draw what is found there")
    parser.add_argument("--step", type=int, default=5, help="of the set, every so manieth picture")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.show:
        show(arguments.show, arguments.output, arguments.step)
        return
    sources = (
        one
        for name, reader in readers.items()
        if (folder := getattr(arguments, name))
        for one in reader(folder)
    )
    features, sets, held = gather(sources)
    head = fit(features, sets)
    measure(head, held)
    head.save(arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
