"""`opsin sheet`: many photographs and their colors at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.options import Amounts, Limit, Models, Size, numbers, tell
from opsin.defaults import VIVIDNESS


def sheet(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Photographs, folders or .tar files.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The first page; then -2, -3 ...")
    ] = Path("sheet.png"),
    model: Models = None,
    vividness: Amounts = str(VIVIDNESS),
    size: Size = None,
    original: Annotated[
        bool, typer.Option(help="Show the photograph itself before its colors.")
    ] = True,
    cell: Annotated[int, typer.Option(min=64, max=2048, help="Pixels of each picture.")] = 360,
    rows: Annotated[int, typer.Option(min=1, help="Photographs on a page.")] = 16,
    limit: Limit = None,
) -> None:
    """Each model is shown at each vividness. True colors are not needed: this is for looking. What
    cannot be read is passed over and reported.

    Example: opsin sheet scans -o sheet.png --vividness 0.3,0.7
    """
    from opsin.evaluate.sheet import sheet as run

    failures: list[str] = []
    pages = run(
        paths,
        output,
        model=model or "default",
        vividness=numbers(vividness),
        size=size,
        original=original,
        cell=cell,
        rows=rows,
        limit=limit,
        passed=failures.append,
    )
    for page in pages:
        print(page)
    tell(failures)
