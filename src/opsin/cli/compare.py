"""`opsin compare`: all models on one sheet, with figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.options import Amounts, Json, Limit, Models, Size, numbers, tell
from opsin.defaults import VIVIDNESS

if TYPE_CHECKING:
    from opsin.evaluate.compare import Compared, Comparison

FORMS = {  # column: how its figure is shown
    "PSNR dB": ".2f", "CIEDE2000": ".2f", "CF": ".1f", "mean a*": "+.1f", "mean b*": "+.1f",
    "ms": ".0f",
}  # fmt: skip


def compare(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", help="Photographs, folders or .tar files.")
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
    cell: Annotated[int, typer.Option(min=64, max=2048, help="Pixels of each picture.")] = 300,
    rows: Annotated[int, typer.Option(min=1, help="Photographs on a page.")] = 12,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """A row for each photograph: itself, its gray, and the answer of each model of --models (all,
    if none is named) and of each --model. If it is in color, that is the truth, and the answers
    are measured. The time is from the photograph to the network's answer. What cannot be read is
    passed over and reported.

    Example: opsin compare photos --models all --model default,mine -o compare.png
    """
    from rich.console import Console

    from opsin.evaluate.compare import compare as run

    asked = [*(models.split(",") if models else []), *(model or [])]
    done = 0
    failures: list[str] = []
    with Console(stderr=True).status("reading") as status:  # shows nothing if nobody watches

        def watch(_: Compared) -> None:
            nonlocal done
            done += 1
            status.update(f"{done} photographs")

        found = run(
            paths,
            output,
            models=[name.strip() for name in asked] or "all",
            vividness=numbers(vividness),
            size=size,
            cell=cell,
            rows=rows,
            limit=limit,
            watch=watch,
            passed=failures.append,
        )
    if as_json:
        print(json.dumps(document(found), ensure_ascii=False, indent=2))
    else:
        _print_table(found)
        for page in found.pages:
            print(page)
    tell(failures)


def document(found: Comparison) -> dict[str, Any]:
    """The comparison as plain values for JSON."""
    import msgspec

    return {
        **found.settings,
        "pages": [str(page) for page in found.pages],
        "means": msgspec.to_builtins(found.means()),
        "photographs": msgspec.to_builtins(found.photographs),
    }


def _print_table(found: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("system", overflow="fold")
    for title in FORMS:
        table.add_column(title, justify="right", no_wrap=True)
    for one in found.means():
        a, b = one.mean_ab
        values = (one.psnr, one.delta_e, one.colorfulness, a, b, one.milliseconds)
        shown = zip(values, FORMS.values(), strict=True)
        table.add_row(one.system, *("" if x is None else format(x, form) for x, form in shown))
    console = Console()
    console.print(table, "")
    known = sum(one.kind == "color" for one in found.photographs)
    over = f"figures are means over the {known} in color" if known else "none in color"
    console.print(f"{len(found.photographs)} photographs; {over}.", highlight=False)
