"""What `opsin detect`, `opsin segment` and `opsin tag` share: which things are wanted, how they are
told, drawn into folders, or written as COCO's table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from opsin.archive.attempt import result_of
from opsin.archive.jobs import plan, plan_into
from opsin.archive.result import Result
from opsin.cli.batch import Words, over
from opsin.cli.instances import table_of
from opsin.cli.pipe import tell_of
from opsin.errors import WrongCallError

OFTEN: Final = 60.0  # seconds: so much is lost of a table at most where the power goes
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
    them into `folders` (by option; see `plan_into`), or writes the table `coco`, see
    `opsin.cli.instances`."""
    wanted = {role: folder for role, folder in folders.items() if folder is not None}
    if "-" in paths:
        refused = {"--coco": coco, **{f"--{role}": folder for role, folder in folders.items()}}
        tell_of(work, paths, tell, refused=refused, as_json=as_json)
        return
    table = None if coco is None else table_of(coco, wanted, work, overwrite=overwrite)
    told: dict[str, Mapping[str, Any]] = {}
    if wanted:
        planned = plan_into(paths, wanted, words=words, formats=formats)
    else:
        planned = plan(paths, picture=None)
    jobs, unread = planned
    known = [job for job in jobs if table and job.source in table]
    left = [job for job in jobs if not (table and job.source in table)]
    saved = time.monotonic()

    def save() -> None:
        nonlocal saved
        if table is not None and told:
            table.write(told, _labels_of(detector))
        saved = time.monotonic()

    def take(result: Result) -> None:
        if result.status == "done":
            told[result.input] = result.part
            if not as_json and table is None:
                tell(result.input, result.part)
            if time.monotonic() - saved > OFTEN:
                save()

    try:
        over(
            (left, unread),
            work,
            replace(WORDS, goes_on=bool(wanted or table)),
            known=[result_of(job, "skipped", notes=("exists",)) for job in known],
            workers=workers,
            overwrite=overwrite,
            on_result=take,
            is_watched=as_json or table is not None or not sys.stdout.isatty(),
            as_json=as_json,
        )
    finally:  # also of a run that was stopped, or in which some failed
        save()


def names_of(text: str) -> tuple[str, ...]:
    """The names in --classes, with commas between them."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise WrongCallError("--classes: name one or more, as in person,dog.")
    return names


def _labels_of(model: str) -> Sequence[str]:
    """What a detector's numbers stand for."""
    from opsin.models.store import find

    return find(model).card.labels
