"""`opsin evaluate`: how good the models are, on pictures whose colors are known."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.options import Amounts, Json, Limit, Models, Size, numbers
from opsin.defaults import VIVIDNESS

if TYPE_CHECKING:
    from rich.table import Table

    from opsin.evaluate.colorize import Report
    from opsin.evaluate.scores import Definition

WIDE = 160  # columns, where no terminal says how many there are
SPLIT = 7  # figures in the first table
GRAY = 1.0  # colorfulness that no eye sees

evaluate = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@evaluate.callback()
def _several() -> None:
    """Keeps the task's name a word of its own while there is only one."""


@evaluate.command()
def colorize(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Folders, .tar files or pictures, in color."),
    ],
    model: Models = None,
    vividness: Amounts = str(VIVIDNESS),
    size: Size = None,
    gain: Annotated[
        float | None,
        typer.Option(min=0, help="Multiply a*b* by this instead of by the models' own gains."),
    ] = None,
    colorfulness: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Compare at equal colorfulness: all as colorful as this share of the truth.",
        ),
    ] = None,
    limit: Limit = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a contact sheet, in pages.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Feature network for the Frechet distance."),
    ] = None,
    discriminator: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A GAN's discriminator, whose opinion is asked."),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="With --json: also each picture.")] = False,
    as_json: Json = False,
) -> None:
    """Compare colorizers with the true colors, and with gray, one color and the best possible.

    Example: opsin evaluate colorize photos.tar --vividness 0,0.5,1
    """
    from rich.console import Console

    from opsin.evaluate.colorize import Scored
    from opsin.evaluate.colorize import evaluate as run

    amounts = numbers(vividness)
    done = 0
    with Console(stderr=True).status("reading") as status:  # shows nothing if nobody watches

        def watch(_: Scored) -> None:
            nonlocal done
            done += 1
            status.update(f"{done} pictures")

        report = run(
            data,
            model=model or "default",
            vividness=amounts,
            size=size,
            gain=gain,
            colorfulness=colorfulness,
            limit=limit,
            sheet=sheet,
            features=features,
            discriminator=discriminator,
            watch=watch,
        )
    if all(one.colorfulness_true < GRAY for one in report.rows[0].scores):
        print(
            "opsin: the pictures are gray, so the figures say nothing of colors.", file=sys.stderr
        )
    if as_json:
        print(json.dumps(document(report, each=each), ensure_ascii=False, indent=2))
    else:
        _print_tables(report)


def document(report: Report, *, each: bool = False) -> dict[str, Any]:
    """The report as plain values for JSON; with `each`, every picture's scores too."""
    import msgspec

    rows = msgspec.to_builtins(report.rows)
    if not each:
        for row in rows:
            del row["scores"]
    names = {"names": list(report.pictures)} if each else {}
    whole = {**report.settings, "pictures": len(report.pictures), **names, "systems": rows}
    return {key: _without_nan(value) for key, value in whole.items()}


def _without_nan(value: Any) -> Any:
    """JSON has no number that is none: those become null."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def _print_tables(report: Report) -> None:
    from rich.console import Console

    from opsin.evaluate.scores import FIGURES

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(_table(report, FIGURES[:SPLIT]), "")
    console.print(_table(report, FIGURES[SPLIT:]), "")
    if report.rows[0].frechet is not None:
        distances = (f"{row.system} {row.frechet:.2f}" for row in report.rows)
        console.print("Frechet distance:", ", ".join(distances), highlight=False)
    if report.rows[0].judged is not None:
        shares = (f"{row.system} {row.judged:.0%}" for row in report.rows)
        console.print("Taken for true by the discriminator:", ", ".join(shares), highlight=False)
    if gains := report.settings["gains"]:
        share = f"{report.settings['colorfulness']:.0%} of the true colorfulness"
        listed = ", ".join(f"{system} {gain:.2f}" for system, gain in gains.items())
        console.print(f"a*b* multiplied to have {share}:", listed, highlight=False)
    for one in FIGURES:
        better = "" if one.better == "zero" else f"; {one.better} is better"
        console.print(f"{one.label:12} {one.meaning}{better}", style="dim", highlight=False)
    interval = report.settings["interval"]
    console.print(f"{len(report.pictures)} pictures; dim: {interval}.", highlight=False)


def _table(report: Report, definitions: Sequence[Definition]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("system", no_wrap=True)
    for one in definitions:
        table.add_column(one.label, justify="right", no_wrap=True)
    for row in report.rows:
        shown = [(row.figures[one.name], one.form) for one in definitions]
        table.add_row(row.system, *(_number(figure.value, form) for figure, form in shown))
        ranges = (f"{_number(one.low, form)} {_number(one.high, form)}" for one, form in shown)
        table.add_row("", *(text.replace("%", "") for text in ranges), style="dim")
    return table


def _number(value: float, form: str) -> str:
    """A figure for the table; a dash where it is not defined."""
    return "-" if value != value else format(value, form)
