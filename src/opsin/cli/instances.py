"""COCO's instances.json, which `opsin detect` and `opsin segment` write, and go on with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from opsin.errors import SaveError, WrongCallError
from opsin.files import check_writable, shown, write_atomically
from opsin.sets.coco import Instances

UNSAID: Final = ("quality", "pixel_limit", "damaged", "device")
"""Settings of a work that change nothing of what it tells."""


class Table:
    """What was found on photographs, with its scores; they are named as seen from its folder."""

    def __init__(self, path: Path, asked: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """`asked` are the settings by which it is made, `known` is what it holds already."""
        self.path = path
        self._known: dict[str, Any] = {
            "info": {"description": "by opsin", "asked": dict(asked)},
            **{name: [] for name in ("images", "annotations", "categories")},
            **known,
        }
        self._names = {image["file_name"] for image in self._known["images"]}

    def __contains__(self, photograph: object) -> bool:
        """Whether it says what is on a photograph, by its name."""
        return self._from_here(str(photograph)) in self._names

    def write(self, told: Mapping[str, Mapping[str, Any]], labels: Sequence[str]) -> None:
        """What it holds and, behind it, photographs by name with the parts that were told of them;
        `labels` are all names that things may have."""
        images, annotations = list(self._known["images"]), list(self._known["annotations"])
        kinds = list(self._known["categories"])
        number = {kind["name"]: kind["id"] for kind in kinds}
        for label in labels:
            if label not in number:
                number[label] = _next(kinds)
                kinds.append({"id": number[label], "name": label})
        first, thing_id = _next(images), _next(annotations)
        for image, (name, part) in enumerate(sorted(told.items()), first):
            size = {"width": part["width"], "height": part["height"]}
            images.append({"id": image, "file_name": self._from_here(name), **size})
            for thing in part["objects"]:
                annotations.append(_annotation(thing_id, image, number[thing["name"]], thing))
                thing_id += 1
        lists = {"images": images, "annotations": annotations, "categories": kinds}
        text = json.dumps({**self._known, **lists}, ensure_ascii=False)
        write_atomically(self.path, text.encode("utf-8", "surrogateescape"))

    def _from_here(self, name: str) -> str:
        try:
            return Path(os.path.relpath(name, self.path.parent)).as_posix()
        except ValueError:  # on another drive
            return name


def table_of(name: str, wanted: Mapping[str, str], work: Any, *, overwrite: bool) -> Table:
    """The table that is to be written, if it may; `wanted` are the folders of pictures by option.

    One that is there is gone on with if it was made with the same settings as the `work` has.
    """
    if wanted:
        others = " or ".join(f"--{role}" for role in wanted)
        raise WrongCallError(f"--coco: not with {others}. Call it once more for those.")
    path = Path(name)
    if not name or path.is_dir():
        raise WrongCallError("--coco: give the name of a file.")
    if path.suffix.lower() != ".json":
        raise WrongCallError(f"--coco {shown(name)}: end the name with .json.")
    settings = json.loads(msgspec.json.encode(work))
    for key in UNSAID:
        del settings[key]
    known: Mapping[str, Any] = {}
    if os.path.lexists(path):
        known = _read(path)
        if not known:
            raise SaveError(
                f"{shown(name)}: it exists and is no COCO instances.json. Choose another name."
            )
        known = {} if overwrite else _same(path, known, settings)
    if not path.resolve().parent.is_dir():
        raise SaveError(f"{shown(name)}: there is no such folder to write it to.")
    check_writable(path.parent)
    return Table(path, settings, known)


def _read(path: Path) -> dict[str, Any]:
    """What is in such a file, and nothing of another; a link is none."""
    try:
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found = json.loads(data.decode("utf-8-sig", "surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return {}
    is_one = isinstance(found, dict) and {"images", "annotations"} <= found.keys()
    return found if is_one else {}


def _same(path: Path, known: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a file holds, if it was made with these settings and is as it was; else it stays."""
    info = known.get("info")
    asked = info.get("asked") if isinstance(info, dict) else None
    if asked != settings:
        how = "" if asked is None else ", made with other settings"
        raise SaveError(f"{shown(path)}: already there{how}. Choose another name, or --overwrite.")
    try:
        msgspec.convert(known, Instances)
    except msgspec.ValidationError as error:
        raise SaveError(
            f"{shown(path)}: it cannot be gone on with ({shown(str(error))}). Correct it, choose "
            "another name, or --overwrite."
        ) from None
    return known


def _annotation(number: int, image: int, kind: int, thing: Mapping[str, Any]) -> dict[str, Any]:
    x1, y1, x2, y2 = thing["box"]
    sides = round(x2 - x1, 1), round(y2 - y1, 1)
    return {
        "id": number,
        "image_id": image,
        "category_id": kind,
        "bbox": [x1, y1, *sides],
        "area": thing.get("area", round(sides[0] * sides[1], 1)),
        "iscrowd": 0,
        "score": thing["score"],
        **({"segmentation": thing["mask"]} if "mask" in thing else {}),
    }


def _next(ones: Sequence[Mapping[str, Any]]) -> int:
    return 1 + max((one["id"] for one in ones), default=0)
