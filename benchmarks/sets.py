"""The sets that the figures in docs/ were measured on, made from their public sources.

    python benchmarks/sets.py                                # what there is, and what to clone
    python benchmarks/sets.py faces --from clones -o sets    # sets/faces.tar from clones/

A set's pictures are listed in benchmarks/sets/SET.tsv: name, split, source file, and the first 16
hexadecimal digits of two SHA-256 hashes: that of the source file, and that of the picture's decoded
pixels. A source file of another hash is an error. Pixels of another hash are counted: another JPEG
library may decode or encode them differently. With Pillow 13.0 all but eight of `scenes` (none of
its test split) are those that were measured. Needs Pillow and NumPy alone, and no network.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

LISTS = Path(__file__).with_suffix("")
CIFAR = "idpl_gen/data/cifar-10-batches-py"
CIFAR_ROWS = 1000  # of each file, from its start: the public copy's files are cut at 3 MiB
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
CIFAR_CLASSES += ("dog", "frog", "horse", "ship", "truck")
REPOSITORIES = {
    "Kodak-Lossless-True-Color-Image-Suite": ("MohamedBakrAli", "dd2e1105fe8d"),
    "codec-corpus": ("imazen", "55decfe826d3"),
    "imagenet-sample-images": ("EliSchwartz", "bc69043e2862"),
    "coco128_yolo": ("lightly-ai", "6d6f7a059ea6"),
    "BSDS500": ("BIDS", "a04b7c6c3a9f"),
    "Historical-Photo100": ("KleeCat", "45437f229ea6"),
    "dfi-tensorflow": ("braun-steven", "0a86d9a0c4e0"),
    "Image-classification-using-CNN": ("chanakya2734", "bf746c6e53f1"),
    "Image_Classification_Using_Deep_Learning": ("yadavaditya13", "029bdafbcdc4"),
    "fruit_recognition": ("chanjianliu", "9807a3b455d5"),
    "generated-faces": ("hmdghoul", "59ccdc22f394"),
    "COCO_Tiny": ("zzowenzz", "e7a689f7d6d1"),
    "COCO-MINI": ("Obmutescence", "644f29e7c1d2"),
    "tiny_coco": ("enginbozaba", "44ee1df5a4f5"),
    "idpl_gen": ("zhi-fangZhang", "0626f9d08138"),
}
"""Folder of the clone: who publishes it, and at which commit it was read."""


class Copy(NamedTuple):
    """How a set's pictures are made smaller (never larger) and encoded."""

    quality: int
    short: int = 0
    """The short side, in pixels."""
    long: int = 0
    """The long side."""
    square: int = 0
    """Both sides of the picture's middle square."""
    middle: int = 0
    """Both sides of the middle that is cut out, without resizing."""


SETS = {
    "eval-kodak": Copy(92, short=512),
    "eval-diverse": Copy(90, short=256),
    "faces": Copy(70, middle=160),
    "cats-dogs": Copy(70, short=128),
    "scenes": Copy(68, square=128),
    "fruit": Copy(76, long=400),
    "portraits": Copy(66, short=112),
    "coco-test": Copy(74, long=352),
    "imagenet-1000": Copy(90, short=320),
}


class Row(NamedTuple):
    """A line of a set's list."""

    name: str
    split: str
    source: str
    source_hash: str
    pixels_hash: str


def rows(name: str) -> list[Row]:
    """A set's pictures, in the order of its tar."""
    lines = (LISTS / f"{name}.tsv").read_text("utf-8").splitlines()
    return [Row(*line.split("\t")) for line in lines]


def digits(data: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def pixels_hash(file: bytes) -> str:
    """Of a picture's decoded sRGB pixels."""
    with Image.open(io.BytesIO(file)) as picture:
        return digits(np.asarray(picture.convert("RGB")).tobytes())


def smaller(file: bytes, copy: Copy) -> bytes:
    """The picture as the set has it: LANCZOS, JPEG 4:2:0 with Huffman tables of its own."""
    with Image.open(io.BytesIO(file)) as opened:
        picture = opened.convert("RGB")
    width, height = picture.size
    if copy.middle:
        left, top = (width - copy.middle) // 2, (height - copy.middle) // 2
        picture = picture.crop((left, top, left + copy.middle, top + copy.middle))
    else:
        side = min(width, height) if copy.short else max(width, height)
        scale = min(1.0, (copy.short or copy.long) / side)
        size = (copy.square,) * 2 if copy.square else (round(width * scale), round(height * scale))
        if copy.square:
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
            picture = picture.crop((left, top, left + side, top + side))
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
    if copy == SETS["cats-dogs"]:  # long sides were cut to 180 pixels
        width, height = min(picture.width, 180), min(picture.height, 180)
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        picture = picture.crop((left, top, left + width, top + height))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=copy.quality, optimize=True, subsampling="4:2:0")
    return out.getvalue()


def make(listed: list[Row], copy: Copy, clones: Path, tar: Path) -> list[str]:
    """Writes the tar, with its splits; the names of pictures whose pixels differ from the list.

    Raises SystemExit where a source file is missing or is not the one that was read.
    """
    different = []
    tar.parent.mkdir(parents=True, exist_ok=True)
    unfinished = tar.with_suffix(".part")
    with tarfile.open(unfinished, "w") as archive:
        for row in listed:
            source = clones / row.source
            try:
                file = source.read_bytes()
            except OSError as error:
                raise SystemExit(f"{source}: {error.strerror}. {clone_line(row.source)}") from None
            if digits(file) != row.source_hash:
                raise SystemExit(f"{source}: not the file that was read. {clone_line(row.source)}")
            picture = smaller(file, copy)
            if pixels_hash(picture) != row.pixels_hash:
                different.append(row.name)
            _add(archive, row.name, picture)
        if any(row.split for row in listed):
            _add(archive, "splits.json", json.dumps(splits(listed)).encode())
    unfinished.replace(tar)
    return different


def splits(listed: list[Row]) -> dict[str, object]:
    """The content of splits.json; folders are classes, unless they are the splits."""
    found: dict[str, list[str]] = {}
    for row in listed:
        found.setdefault(row.split, []).append(row.name)
    folders = sorted({row.name.split("/")[0] for row in listed if "/" in row.name})
    classes = len(folders) > 1 and folders != sorted(found.keys() - {"val"})
    return {"splits": found} | ({"classes": folders} if classes else {})


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def make_cifar(folder: Path, out: Path) -> str:
    """Writes the .npz from the first rows of each batch file; the hash of its pictures, 16 digits.

    The files are pickles; their labels and pixels are read as the bytes they are, nothing is run.
    """
    pixels, labels = [], []
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        file = (folder / name).read_bytes()
        first = file.index(b"(K", file.index(b"labels")) + 1  # then K, a label, K, a label, ...
        labels.append(np.frombuffer(file[first + 1 : first + 1 + 2 * CIFAR_ROWS : 2], np.uint8))
        begin = file.index(b"T" + (10000 * 3072).to_bytes(4, "little")) + 5
        data = np.frombuffer(file[begin : begin + 3072 * CIFAR_ROWS], np.uint8)
        pixels.append(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    train, test = np.concatenate(pixels[:5]), pixels[5]
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out,
        x_train=train,
        y_train=np.concatenate(labels[:5]),
        x_test=test,
        y_test=labels[5],
        classes=np.array(CIFAR_CLASSES),
    )
    return digits(train.tobytes() + test.tobytes() + np.concatenate(labels).tobytes())


def clone_line(source: str) -> str:
    """What to type for the repository of a source file, in the folder of the clones."""
    folder = source.split("/")[0]
    if folder not in REPOSITORIES:
        return ""
    owner, commit = REPOSITORIES[folder]
    return f"git clone https://github.com/{owner}/{folder} && git -C {folder} checkout {commit}"


def main(arguments: list[str] | None = None) -> int:
    """Makes sets, or tells what there is; 1 if pixels differ from those that were measured."""
    parser = argparse.ArgumentParser(description="Makes evaluation sets from public repositories.")
    parser.add_argument("sets", nargs="*", choices=[*SETS, "cifar10", []], metavar="SET")
    parser.add_argument("--from", dest="clones", type=Path, default=Path(), metavar="DIR")
    parser.add_argument("-o", dest="out", type=Path, default=Path(), metavar="DIR")
    given = parser.parse_args(arguments)
    wrong = 0
    for name in given.sets:
        if name == "cifar10":
            print(f"cifar10.npz: {make_cifar(given.clones / CIFAR, given.out / 'cifar10.npz')}")
            continue
        listed = rows(name)
        different = make(listed, SETS[name], given.clones, given.out / f"{name}.tar")
        wrong += len(different)
        print(f"{name}.tar: {len(listed)} pictures, {len(different)} with other pixels than listed")
    if not given.sets:
        for name in SETS:
            lines = sorted({clone_line(row.source) for row in rows(name)})
            print(f"{name}: {len(rows(name))} pictures from", *lines, sep="\n    ")
        print("cifar10: 6000 pictures from", clone_line(CIFAR), sep="\n    ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
