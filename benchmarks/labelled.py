"""Sets with classes for `opsin train` and `opsin evaluate`, made of tars that hold them otherwise.

    python benchmarks/labelled.py lfw-gender --from lfw.tar -o lfw-gender.tar [--by picture]
    python benchmarks/labelled.py lfw-people --from lfw.tar -o lfw-people.tar
    python benchmarks/labelled.py cars196 --from cars196.tar -o cars.tar
    python benchmarks/labelled.py flowers --from CLONE -o flowers-large.tar
    python benchmarks/labelled.py digits -o digits.tar

`lfw-gender`: Labeled Faces in the Wild, folders `female` and `male`, no person in two splits; with
`--by picture` the pictures are dealt out at random, 80, 10 and 10 %, and most people are in all.
`lfw-people`: the 62 people of it with 20 pictures or more, every eighth of a person's pictures to
learn from for validation. `cars196`: Stanford Cars with folders called as the models. `flowers`:
five flowers in 224 pixels, from a clone of the repository that docs/sets.md names. `digits`: the
1,797 digits of 8x8 pixels that scikit-learn carries, enlarged to 28.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

Pictures = Iterator[tuple[str, bytes, str]]
"""Name, file and split of each picture."""


def lfw_gender(source: tarfile.TarFile, by: str) -> Pictures:
    """Each picture of a person that the split names; by person, or dealt out."""
    labels = {row["picture"]: row["label"] for row in csv.DictReader(lines(source, "gender.csv"))}
    told = json.loads(member(source, "splits.json"))["gender"]["splits"]
    of_person = {person: split for split, people in told.items() for person in people}
    chance = np.random.default_rng(0)
    for name in sorted(labels):
        person = name.split("/")[0]
        if person in of_person:
            drawn = str(chance.choice(["train", "val", "test"], p=[0.8, 0.1, 0.1]))
            split = of_person[person] if by == "person" else drawn
            yield f"{labels[name]}/{Path(name).name}", member(source, name), split


def lfw_people(source: tarfile.TarFile) -> Pictures:
    told = json.loads(member(source, "splits.json"))["identify"]["splits"]
    places: dict[str, int] = {}
    for split in ("train", "test"):
        for name in sorted(told[split]):
            person = name.split("/")[0]
            places[person] = places.get(person, 0) + 1
            held = split == "train" and places[person] % 8 == 0
            yield name, member(source, name), "val" if held else split


def cars(source: tarfile.TarFile) -> Pictures:
    names = json.loads(member(source, "classes.json"))
    for split, pictures in json.loads(member(source, "splits.json"))["splits"].items():
        for name in pictures:
            folder, _, file = name.partition("/")
            yield f"{names[folder].replace('/', ' ')}/{file}", member(source, name), split


def flowers(clone: Path) -> Pictures:
    """An eighth to judge by, drawn by the hash of the file; near-duplicates are in one split.

    Pictures near an evaluation picture are left out.
    """
    from scipy.sparse.csgraph import connected_components

    from opsin.sets.listing import NEAR, list_pictures

    listing = list_pictures([clone / "flowers"])
    paths = [Path(one.path) for one in listing.pictures]
    files = [path.read_bytes() for path in paths]
    near = np.bitwise_count(listing.hashes[:, None] ^ listing.hashes) <= NEAR
    groups = connected_components(near)[1]
    least: dict[int, str] = {}
    for group, file in zip(groups, files, strict=True):
        own = hashlib.sha256(file).hexdigest()
        least[group] = min(least.get(group, own), own)
    for path, file, group in zip(paths, files, groups, strict=True):
        split = "test" if int(least[group], 16) % 8 == 0 else "train"  # its last digit: 0 or 8
        yield f"{path.parent.name}/{path.name}", file, split


def digits() -> Pictures:
    from PIL import Image
    from sklearn.datasets import load_digits

    found = load_digits()
    chance = np.random.default_rng(0)
    for number, (picture, label) in enumerate(zip(found.images, found.target, strict=True)):
        image = Image.fromarray((picture * 255 / 16).round().astype(np.uint8))
        out = io.BytesIO()
        image.resize((28, 28), Image.Resampling.BICUBIC).save(out, "PNG")
        split = str(chance.choice(["train", "val", "test"], p=[0.7, 0.1, 0.2]))
        yield f"{label}/{number:04d}.png", out.getvalue(), split


def member(source: tarfile.TarFile, name: str) -> bytes:
    file = source.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is missing.")
    return file.read()


def lines(source: tarfile.TarFile, name: str) -> list[str]:
    return member(source, name).decode().splitlines()


def write(pictures: Pictures, out: Path) -> Mapping[str, int]:
    """Writes the tar with its splits.json; how many pictures each split has."""
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    with tarfile.open(out, "w") as tar:
        for name, data, split in pictures:
            add(tar, name, data)
            splits[split].append(name)
        classes = sorted({name.split("/")[0] for names in splits.values() for name in names})
        add(tar, "splits.json", json.dumps({"classes": classes, "splits": splits}).encode())
    return {split: len(names) for split, names in splits.items()}


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("set", choices=["lfw-gender", "lfw-people", "cars196", "flowers", "digits"])
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--by", choices=["person", "picture"], default="person")
    parser.add_argument("-o", dest="out", type=Path, required=True)
    given = parser.parse_args()
    if given.set == "digits":
        print(write(digits(), given.out))
        return
    if given.set == "flowers":
        print(write(flowers(given.source), given.out))
        return
    with tarfile.open(given.source) as source:
        made = {
            "lfw-gender": lambda: lfw_gender(source, given.by),
            "lfw-people": lambda: lfw_people(source),
            "cars196": lambda: cars(source),
        }
        print(write(made[given.set](), given.out))


if __name__ == "__main__":
    main()
