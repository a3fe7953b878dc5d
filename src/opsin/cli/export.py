"""`opsin export`: makes a model of a training run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

SEEN = 0.5  # units of Lab: half of what is called just noticeable


def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder that opsin train --out wrote.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the model and its card."),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the model. [default: the recipe's]")
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            metavar="LICENSE",
            help="License of the model, as CC-BY-4.0; needed unless the recipe has it.",
        ),
    ] = None,
    version: Annotated[str, typer.Option(metavar="TEXT", help="Version, for the card.")] = "1",
    size: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=2048,
            metavar="PIXELS",
            help="Short side at which it sees photographs. [default: by its crops]",
        ),
    ] = None,
    vividness: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Temperature:gain at vividness 0, 0.5 and 1. [default: 0.7:0.85,0.6:1.3,0.4:1.7]",
        ),
    ] = None,
    contrast: Annotated[
        float,
        typer.Option(min=0, max=2, metavar="NUMBER", help="How much strong colors are favored."),
    ] = 0.0,
    restraint: Annotated[
        float,
        typer.Option(min=0, max=2, metavar="NUMBER", help="Less gain where the network is sure."),
    ] = 0.0,
    coherence: Annotated[
        float,
        typer.Option(min=0, max=1000, metavar="NUMBER", help="How much a surface has one color."),
    ] = 0.0,
    blend: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of the weights of the model that the run began with, in a mean of both.",
        ),
    ] = 0.0,
    training_data: Annotated[
        str, typer.Option(metavar="TEXT", help="A sentence for the card.")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model of that name in the folder.")
    ] = False,
) -> None:
    """The network is written as ONNX with its card, after it was compared with torch.

    Example: opsin export runs/mine -o . --name mine --license CC-BY-4.0
    """
    from opsin.errors import needs_extra
    from opsin.tasks import task_of

    with needs_extra("the export", "train"):
        from opsin.training.finished import export as run_export
        from opsin.training.finished import recipe_of

    decode = {"contrast": contrast, "restraint": restraint, "coherence": coherence}
    done = run_export(
        task_of(recipe_of(run).task),
        run,
        out,
        name=name,
        license=license,
        version=version,
        size=size,
        decode={
            **{name: value for name, value in decode.items() if value},
            **({"vividness": scale(vividness)} if vividness else {}),
        },
        blend=blend,
        training_data=training_data,
        overwrite=overwrite,
    )
    task = done.card.task
    print(
        f"{done.path} and {done.card.file}: the model '{done.card.name}'.",
        in_words(done.difference, task),
        f"Next: opsin models add {shlex.quote(str(done.path))}, "
        f"then opsin {task} photo.jpg --model {done.card.name}",
        sep="\n",
        file=sys.stderr,
    )


def scale(text: str) -> tuple[tuple[float, float], ...]:
    """The settings in the text of --vividness.

    >>> scale("0.7:0.85,0.6:1.3")
    ((0.7, 0.85), (0.6, 1.3))
    """
    try:
        pairs = [part.split(":") for part in text.split(",")]
        return tuple((float(temperature), float(gain)) for temperature, gain in pairs)
    except ValueError:
        raise typer.BadParameter(
            f"'{text}' is not TEMPERATURE:GAIN, several with commas, as 0.7:0.85,0.6:1.3,0.4:1.7."
        ) from None


def in_words(difference: float, task: str) -> str:
    """What the mean difference of the stored file's answers means to a person."""
    rounded = "Its weights are rounded to 16 bits, to halve the file"
    if task != "colorize":
        return f"{rounded}: that changes its numbers by {difference:.2g} on average."
    change = f"that changes a color by {difference:.2g} of a unit of Lab on average"
    if difference < SEEN:
        seen = "nobody can see it; eyes begin to see a difference at about 1"
    else:
        seen = "more than usual, so look at its pictures before you use it"
    return f"{rounded}: {change} ({seen})."
