"""`opsin people report`: a page of people and their faces, to look at and to check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from opsin.archive.jobs import plan
from opsin.cli.batch import Words, over
from opsin.cli.options import Json, PixelLimit, Workers
from opsin.cli.people_options import PeopleFile
from opsin.defaults import PIXEL_LIMIT
from opsin.files import shown
from opsin.people.file import People
from opsin.people.look import Looking
from opsin.people.report import PeopleReport, Reporting

REPORTING: Final = Words(doing="looking who it is", done="looked at", skipped={})


def report(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders or globs.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")],
    file: PeopleFile = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Everybody with their faces, by date where the photographs tell one; faces to check; and
    those of nobody known. One file with small pictures inside, for people who may see them: it
    needs nothing from the network.

    Example: opsin people report shoebox -o people.html
    """
    planned = plan(paths, picture=None)
    page = PeopleReport(output, pixel_limit=pixel_limit)
    with People.open(file, new=False, looking=Looking(pixel_limit=pixel_limit)) as people:
        try:
            over(
                planned,
                Reporting(people, page),
                REPORTING,
                workers=workers,
                is_watched=True,
                as_json=as_json,
            )
        finally:  # also of a run that was stopped, or in which some failed
            written = page.write()
            if not as_json:
                print(shown(written))
