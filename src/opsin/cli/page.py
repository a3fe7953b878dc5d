"""`opsin page`: photographs touched up in a browser, by a server on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from opsin.errors import needs_extra
from opsin.page.limits import MOST_PIXELS

PORT: Final = 8421


def page(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PHOTO...]", help="Photographs to begin with, folders, globs."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any that is free.")] = PORT,
    host: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0 is for other machines, too.")
    ] = "127.0.0.1",
    browse: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    pixel_limit: Annotated[
        int, typer.Option(min=1, help="Photographs with more pixels are not opened.")
    ] = MOST_PIXELS,
) -> None:
    """Drop photographs on it, click where you know the color, keep the picture. All stays on this
    machine; Ctrl-C ends it, and what was open is gone.

    Example: opsin page scan.jpg --open
    """
    with needs_extra("the page", "page"):
        from opsin.page.serve import listen, serve

    photographs = _found(paths or [], pixel_limit)
    place = listen(host, port, private=bool(photographs))
    serve(place, photographs, pixel_limit=pixel_limit, on_start=_tell, browse=browse)


def _found(paths: list[str], pixel_limit: int) -> list[Path]:
    """The photographs that can be opened; of the others it is told why."""
    if not paths:
        return []
    from opsin.archive.jobs import plan
    from opsin.cli.options import tell
    from opsin.errors import OpsinError, TruncatedPhotoError, WrongCallError
    from opsin.files import shown
    from opsin.page.limits import MOST_PHOTOGRAPHS
    from opsin.photo import open as open_photo

    jobs, unread = plan(paths, picture=None)
    if len(jobs) > MOST_PHOTOGRAPHS:
        raise WrongCallError(
            f"{len(jobs)} photographs are more than the page can have open "
            f"({MOST_PHOTOGRAPHS}). opsin colorize does a whole folder."
        )
    found, failures = [], [f"{shown(place)}: {why}" for place, why in unread]
    for job in jobs:
        try:
            open_photo(job.source, pixel_limit=pixel_limit)
        except TruncatedPhotoError:
            failures.append(
                f"{shown(job.source)}: the picture is damaged or cut off. Copy it again from where "
                "it came from, or drop it on the page, which opens it as far as it goes."
            )
        except OpsinError as error:
            failures.append(str(error))
        else:
            found.append(job.source)
    if not found:
        tell(failures)
    for failure in failures:
        typer.echo(f"opsin: {failure}", err=True)
    return found


def _tell(address: str) -> None:
    """The address alone on stdout, so that a program can read it."""
    typer.echo(address)
    typer.echo("Open this address in a browser. Ctrl-C ends it.", err=True)
