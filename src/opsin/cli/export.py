"""`opsin export`: makes a model of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="The folder that opsin train --out wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model and its card.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the model. [default: the recipe's]")
    ] = None,
    version: Annotated[str, typer.Option(help="Version, for the card.")] = "1",
    size: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=2048,
            help="Short side at which it sees photographs. [default: by its crops]",
        ),
    ] = None,
    training_data: Annotated[str, typer.Option(help="A sentence for the card.")] = "",
) -> None:
    """Writes a run's network as ONNX with its card, after comparing it with torch.

    Example: opsin export runs/mine -o . && opsin models add color-bins.toml
    """
    from rich.console import Console

    from opsin.errors import needs_extra

    with needs_extra("the export", "train"):
        from opsin.colorize.export import export as run_export

    done = run_export(run, out, name=name, version=version, size=size, training_data=training_data)
    Console(stderr=True).print(
        f"{done.path}: '{done.card.name}'; stored form and torch differ by "
        f"{done.difference:.3f} in a* and b* on average",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
