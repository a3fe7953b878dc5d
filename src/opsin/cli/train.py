"""`opsin train`: trains a network by a recipe on the user's own pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli import STOPPED
from opsin.cli.screen import progress_bar
from opsin.errors import WrongCallError


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe, as in recipes/default.toml.")],
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="Folders or .tar files of photographs, or SET.tar:SPLIT; may be repeated.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the run: checkpoint, log, sheets.")
    ],
    validation: Annotated[
        list[Path] | None,
        typer.Option(help="Pictures to validate on. [default: some of the data, held back]"),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Changes a value of the recipe: --set data.size=96."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that prepare pictures. [default: chosen automatically]"),
    ] = None,
) -> None:
    """A stopped run goes on when called again.

    Example: opsin train recipes/default.toml --data photos/ --out runs/mine
    """
    # Threads that spin while they wait ruin a machine that also decodes pictures.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from rich.console import Console

    from opsin.tasks import own_way, task_of
    from opsin.training.recipe import read_recipe, told_where

    settings = read_recipe(recipe, tuple(changes or ()))
    run: Callable[..., Path]
    if (own := own_way(settings.task, settings.network.get("kind"))) is not None:
        if validation or workers is not None:
            raise WrongCallError(
                "--validation and --workers are not for this recipe. Leave them out."
            )
        run = partial(own, settings)
    else:
        with told_where(recipe, tuple(changes or ())):
            task = task_of(settings.task)
        from opsin.training.run import train as by_loop

        run = partial(by_loop, task, settings, validation=validation or (), workers=workers)
    from opsin.interrupt import Stopped, as_interrupts

    # of several processes under torchrun, one speaks
    console = Console(stderr=True, quiet=os.environ.get("RANK", "0") != "0")
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    bar = progress_bar(settings.steps, text=settings.name, console=console)
    try:
        with bar as move, told_where(recipe, tuple(changes or ())), as_interrupts():

            def on_step(step: int, text: str) -> None:
                move(step, text=text)
                if text and not console.is_terminal:
                    say(f"step {step}: {text}")

            made = run(data, out, on_message=say, on_step=on_step)
    except Stopped as stop:
        print(f"opsin: stopped; {stop}. The same command again goes on there.", file=sys.stderr)
        raise typer.Exit(STOPPED) from None
    if own is not None:
        say(f"done: {made}. Use it by its path, or make it yours with: opsin models add {made}")
        return
    license = "" if settings.license else " --license CC-BY-4.0"
    say(f"done: {made}. Make it a model with: opsin export {out} -o MODEL_FOLDER{license}")
