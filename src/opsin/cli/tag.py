"""`opsin tag`: names of things into photographs' metadata, and out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from opsin.cli.batch import Words
from opsin.cli.options import (
    Accurate,
    Classes,
    Damaged,
    Detector,
    Device,
    DryRun,
    Json,
    Levels,
    PixelLimit,
    ThingScore,
)
from opsin.cli.tags import CopiesTo, Embed, Remove, write_tags
from opsin.cli.things import names_of
from opsin.defaults import LEVELS, PIXEL_LIMIT
from opsin.formats.tag_files import Tags
from opsin.formats.tag_writer import THINGS
from opsin.machine import cores
from opsin.models.engine import MOST_THREADS
from opsin.objects.work import Detecting

WRITING: Final = Words(
    doing="looking for things",
    done="written",
    skipped={"unchanged": "written already", "nothing": "with nothing on them"},
)
REMOVING: Final = Words(
    doing="taking names of things out",
    done="without them now",
    skipped={"nothing": "without names of things from opsin"},
)


def tag(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or globs.")],
    model: Detector = None,
    accurate: Accurate = False,
    threshold: ThingScore = None,
    classes: Classes = None,
    levels: Levels = LEVELS,
    embed: Embed = False,
    output: CopiesTo = None,
    remove: Remove = False,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """What things are on photographs and where, as XMP that other programs read: in photo.jpg.xmp
    beside each photograph, or in copies. Photographs are never changed. What other programs wrote
    stays; what this verb wrote before is replaced.

    Example: opsin tag album --classes person,dog --dry-run
    """
    work = Detecting(
        model=model,
        accurate=accurate,
        threshold=threshold,
        classes=None if classes is None else names_of(classes),
        levels=levels,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    threads = min(cores(), MOST_THREADS)
    if not remove:
        work.load(threads=threads)

    def things_on(photo: Path) -> Tags:
        if remove:
            return Tags(THINGS)
        made = work.do(photo, wanted={}, there={}, threads=threads)
        things = [(as_keyword(thing["name"]), thing["box"]) for thing in made.part["objects"]]
        return Tags(THINGS, things, made.part["width"], made.part["height"], made.notes)

    write_tags(
        paths,
        things_on,
        REMOVING if remove else WRITING,
        embed=embed,
        output=output,
        remove=remove,
        dry_run=dry_run,
        pixel_limit=pixel_limit,
        as_json=as_json,
    )


def as_keyword(label: str) -> str:
    """A label as people write their keywords.

    >>> as_keyword("traffic light")
    'Traffic light'
    """
    return label[:1].upper() + label[1:]
