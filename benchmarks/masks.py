"""Makes a set for `opsin train recipes/box-mask.toml` of pictures that have a mask picture each.

    python benchmarks/masks.py --pictures data/train --masks data/train_mask -o people.tar

A picture and its mask have one name, but for the suffix; a mask is light where the people are. Who
is one person and who another is not told: so pictures are taken whose mask hangs together, but for
a tenth. They are made at most 480 pixels wide or high.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from opsin.formats import small
from opsin.formats.vips import vips
from opsin.masks import Mask, mask_of, mask_to_rle

SIDE: Final = 480
LIGHT: Final = 128
TOGETHER: Final = 0.9
"""Of a mask's pixels at least this share is one piece, so that it is most likely one person."""
LEAST: Final = 0.02  # of the picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--name", default="person", help="what the masks show")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    images: list[dict[str, Any]] = []
    things: list[dict[str, Any]] = []
    with tarfile.open(options.out, "w") as tar:
        for name, data, mask, (height, width) in pairs(options.pictures, options.masks):
            number = len(images) + 1
            add(tar, f"images/{name}", data)
            images.append(
                {"id": number, "file_name": f"images/{name}", "width": width, "height": height}
            )
            x1, y1, x2, y2 = mask.box.tolist()
            thing = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0}
            thing |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": mask.area}
            things.append(thing | {"segmentation": mask_to_rle(mask, height, width)})
        table = {"images": images, "annotations": things}
        table["categories"] = [{"id": 1, "name": options.name}]
        splits = {"train": [one["file_name"] for one in images]}
        add(tar, "instances.json", json.dumps(table).encode())
        add(tar, "splits.json", json.dumps(splits).encode())
    print(f"{options.out}: {len(images)} pictures")


def pairs(pictures: Path, masks: Path) -> Iterator[tuple[str, bytes, Mask, tuple[int, int]]]:
    """Name, file, mask and size of each picture whose mask hangs together."""
    by_stem = {one.stem: one for one in sorted(masks.iterdir())}
    for path in sorted(pictures.iterdir()):
        if path.stem not in by_stem:
            continue
        try:
            image = small.thumbnail(path.read_bytes(), SIDE, SIDE, size="down")
            plane = small.whole(by_stem[path.stem].read_bytes())
            plane = plane.thumbnail_image(image.width, height=image.height, size="force")
        except vips().Error:
            continue
        mask = one_piece(plane.numpy()[..., 0] >= LIGHT)
        if mask is not None:
            data = image.jpegsave_buffer(Q=88)
            yield f"{path.stem}.jpg", data, mask, (image.height, image.width)


def one_piece(whole: NDArray[np.bool_]) -> Mask | None:
    """The largest piece of a mask (H, W); None if there is much beside it, or hardly any."""
    pieces, count = ndimage.label(whole)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() < max(TOGETHER * sizes.sum(), LEAST * whole.size):
        return None
    return mask_of(pieces == 1 + int(sizes.argmax()))


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    main()
