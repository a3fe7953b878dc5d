"""What `opsin detect`, `opsin segment` and `opsin tag` share: which things are wanted, how they are
told, drawn into folders, or written as COCO's table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opsin.archive.jobs import plan, plan_into
from opsin.archive.result import Result
from opsin.cli.batch import Words, over
from opsin.cli.pipe import tell_of
from opsin.errors import SaveError, WrongCallError
from opsin.files import check_writable, shown, write_atomically

WORDS = Words(
    doing="looking for things",
    done="looked at",
    skipped={"exists": "done already (--overwrite does it again, also with other settings)"},
)


def tell_or_write(
    paths: Sequence[str],
    work: Any,
    tell: Callable[[str, Mapping[str, Any]], None],
    *,
    detector: str,
    folders: Mapping[str, str | None],
    words: Mapping[str, str],
    formats: Mapping[str, str],
    coco: str | None,
    overwrite: bool,
    workers: int | None,
    as_json: bool,
) -> None:
    """Looks at the photographs of `paths`, and tells the things on each by `tell` or as JSON, draws
    them into `folders` (by option; see `plan_into`), or writes the table `coco`."""
    wanted = {role: folder for role, folder in folders.items() if folder is not None}
    if "-" in paths:
        refused = {"--coco": coco, **{f"--{role}": folder for role, folder in folders.items()}}
        tell_of(work, paths, tell, refused=refused, as_json=as_json)
        return
    table = None if coco is None else _coco_file(coco, wanted, overwrite=overwrite)
    told: dict[str, Mapping[str, Any]] = {}
    if wanted:
        planned = plan_into(paths, wanted, words=words, formats=formats)
    else:
        planned = plan(paths, picture=None)

    def take(result: Result) -> None:
        if result.status == "done":
            told[result.input] = result.part
            if not as_json and table is None:
                tell(result.input, result.part)

    try:
        over(
            planned,
            work,
            WORDS,
            workers=workers,
            overwrite=overwrite,
            on_result=take,
            is_watched=as_json or table is not None or not sys.stdout.isatty(),
            as_json=as_json,
        )
    finally:  # also of a run that was stopped, or in which some failed
        if table is not None and told:
            write_atomically(table, _instances(told, _labels_of(detector), table.parent))


def names_of(text: str) -> tuple[str, ...]:
    """The names in --classes, with commas between them."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise WrongCallError("--classes: name one or more, as in person,dog.")
    return names


def _instances(told: Mapping[str, Mapping[str, Any]], labels: Sequence[str], folder: Path) -> bytes:
    """COCO's instances.json, of all photographs and what was found on each, with its score.

    Photographs are named as seen from `folder`, in which the file is.
    """
    number = {label: index for index, label in enumerate(labels, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, (name, part) in enumerate(sorted(told.items()), 1):
        size = {"width": part["width"], "height": part["height"]}
        images.append({"id": image, "file_name": _from(folder, name), **size})
        for thing in part["objects"]:
            x1, y1, x2, y2 = thing["box"]
            sides = round(x2 - x1, 1), round(y2 - y1, 1)
            outline = {"segmentation": thing["mask"]} if "mask" in thing else {}
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": number[thing["name"]],
                    "bbox": [x1, y1, *sides],
                    "area": thing.get("area", round(sides[0] * sides[1], 1)),
                    "iscrowd": 0,
                    "score": thing["score"],
                    **outline,
                }
            )
    kinds = [{"id": index, "name": label} for label, index in number.items()]
    whole = {"images": images, "annotations": annotations, "categories": kinds}
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _from(folder: Path, name: str) -> str:
    try:
        return Path(os.path.relpath(name, folder)).as_posix()
    except ValueError:  # on another drive
        return name


def _coco_file(name: str, wanted: Mapping[str, str], *, overwrite: bool) -> Path:
    """Where the table goes, if it may; `wanted` are the folders of pictures by option."""
    if wanted:
        others = " or ".join(f"--{role}" for role in wanted)
        raise WrongCallError(f"--coco: not with {others}. Call it once more for those.")
    if not name or Path(name).is_dir():
        raise WrongCallError("--coco: give the name of a file.")
    if Path(name).suffix.lower() != ".json":
        raise WrongCallError(f"--coco {shown(name)}: end the name with .json.")
    if os.path.lexists(name):
        if not _is_instances(Path(name)):
            raise SaveError(
                f"{shown(name)}: it exists and is no COCO instances.json. Choose another name."
            )
        if not overwrite:
            raise SaveError(f"{shown(name)}: already there. Choose another name, or --overwrite.")
    if not Path(name).resolve().parent.is_dir():
        raise SaveError(f"{shown(name)}: there is no such folder to write it to.")
    check_writable(Path(name).parent)
    return Path(name)


def _is_instances(path: Path) -> bool:
    """Whether a file is one of these, which may be written anew; a link is none."""
    try:
        found = json.loads(path.read_bytes()) if path.is_file() and not path.is_symlink() else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"images", "annotations"} <= found.keys()


def _labels_of(model: str) -> Sequence[str]:
    """What a detector's numbers stand for."""
    from opsin.models.store import find

    return find(model).card.labels
