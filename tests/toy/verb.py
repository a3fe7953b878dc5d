"""`opsin brightness`: the same over a folder, a file or a glob."""

from __future__ import annotations

from opsin.archive.jobs import plan
from opsin.cli.batch import Words, over
from opsin.cli.options import Json, Model, Workers
from toy.answer import Classifying


def brightness(
    paths: list[str], model: Model = "default", workers: Workers = None, as_json: Json = False
) -> None:
    """Example: opsin brightness photos --model mine --json"""
    over(
        plan(paths, picture=None),
        Classifying(model),
        Words("looking", "told", {}),
        output=None,
        workers=workers,
        overwrite=False,
        dry_run=False,
        report=None,
        as_json=as_json,
    )
