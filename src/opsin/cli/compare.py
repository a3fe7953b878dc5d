"""`opsin compare`: photographs and what each model makes of them, on sheets, with figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.archive.result import Result, frame
from opsin.cli.options import Amounts, Json, Limit, Models, Size, numbers, tell
from opsin.cli.screen import counting, explain, print_json, print_table
from opsin.defaults import CELL, ROWS, VIVIDNESS

if TYPE_CHECKING:
    from opsin.evaluate.colorization.compare import Comparison


def compare(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PHOTO", help="Photographs, folders or .tar files.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The first page; then -2, -3 ...")
    ] = Path("compare.png"),
    models: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="all, or names with commas: a column each."),
    ] = None,
    model: Models = None,
    vividness: Amounts = str(VIVIDNESS),
    size: Size = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Only for looking: no gray, no figures.")
    ] = False,
    original: Annotated[
        bool, typer.Option(help="Show the photograph itself before its colors.")
    ] = True,
    cell: Annotated[int, typer.Option(min=64, max=2048, help="Pixels of each picture.")] = CELL,
    rows: Annotated[int, typer.Option(min=1, help="Photographs on a page.")] = ROWS,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """A row for each photograph: itself, its gray, and the answer of each model of --models (all,
    if none is named) and of each --model. If it is in color, that is the truth, and the answers
    are measured. The time is from the photograph to the network's answer. What cannot be read is
    passed over and reported.

    Example: opsin compare photos --models all --model default,mine -o compare.png
    """
    from opsin.evaluate.colorization.compare import compare as run

    chosen = [*(models.split(",") if models else []), *(model or [])]
    failures: list[str] = []
    with counting("photographs") as count:
        found = run(
            paths,
            output,
            models=[name.strip() for name in chosen] or "all",
            vividness=numbers(vividness),
            size=size,
            plain=plain,
            original=original,
            cell=cell,
            rows=rows,
            limit=limit,
            on_photo=count,
            on_skip=failures.append,
        )
    if as_json:
        print_json(_frame(found, failures))
    else:
        if not plain:
            _print_means(found)
        for page in found.pages:
            print(page)
    tell(failures)


def _frame(found: Comparison, failures: Sequence[str]) -> dict[str, Any]:
    """Each photograph in the one form of all verbs; a failure begins with the place it is in."""
    document = found.document()
    results = [
        Result(one.pop("name"), "done", part={"compared": one})
        for one in document.pop("photographs")
    ]
    for text in failures:
        place, _, why = text.partition(": ")
        results.append(Result(place, "failed", error=why))
    return frame(results, **document)


def _print_means(found: Comparison) -> None:
    from opsin.evaluate.colorization.compare import METRICS

    rows = []
    for one in found.means():
        values = [(getattr(one, metric.name), metric.form) for metric in METRICS]
        rows.append([one.system, *("" if x is None else format(x, form) for x, form in values)])
    print_table(["system", *(metric.label for metric in METRICS)], rows)
    explain(METRICS)
    known = sum(one.tone == "color" for one in found.photographs)
    over = f"figures are means over the {known} in color" if known else "none in color"
    print(f"{len(found.photographs)} photographs; {over}.")
