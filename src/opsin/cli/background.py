"""`opsin background`: people in front of another background, or of none."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.archive.jobs import format_of, plan
from opsin.cli.batch import Words, over
from opsin.cli.films import each_film, films_of, is_film, run_through, targets_in
from opsin.cli.options import (
    Accurate,
    Damaged,
    Device,
    DryRun,
    Json,
    Overwrite,
    PixelLimit,
    Quality,
    Workers,
)
from opsin.cli.pipe import pipe, refuse_in_a_pipe
from opsin.cli.things import names_of
from opsin.defaults import FILM_MASKS, MASKS, OBJECTS, PERSON, PIXEL_LIMIT, QUALITY, SURER_PERSON
from opsin.errors import WrongCallError
from opsin.files import shown
from opsin.formats.suffixes import KEPT, SUFFIX
from opsin.machine import cores
from opsin.objects.background import BLUR, color_of
from opsin.objects.replacing import CLEAR, GRAY, PICTURES, Replacing

if TYPE_CHECKING:
    from opsin.objects.background import Cutout


def background(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Files, folders, globs, videos, or - for a pipe."),
    ],
    replace: Annotated[
        str | None,
        typer.Option(metavar="IMAGE|COLOR", help="A picture, cut to fill, or white, #a0c4e0 ..."),
    ] = None,
    blur: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=BLUR[0],
            max=BLUR[1],
            help="Blur what is behind, as by N pixels of a photograph of 1000.",
        ),
    ] = None,
    transparent: Annotated[
        bool, typer.Option("--transparent", help="Nothing behind: PNG, TIFF, WebP or AVIF.")
    ] = False,
    keep_color: Annotated[
        bool, typer.Option("--keep-color", help="People in color, all else in gray.")
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE_OR_DIR",
            help="Beside the photograph if not given; - is stdout.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"The mask networks. [default: {MASKS}, of people on videos {FILM_MASKS}]"
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(help=f"What finds the people. [default: the model itself, or {OBJECTS}]"),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Keep these instead of people, with commas: dog,cat."),
    ] = None,
    accurate: Accurate = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            help=f"The least score of a person. [default: {PERSON}, accurate {SURER_PERSON}]",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(SUFFIX)}. [default: the photograph's, where it can be]"),
    ] = None,
    quality: Quality = QUALITY,
    overwrite: Overwrite = False,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give one of --replace, --blur, --transparent and --keep-color. The photograph is never
    touched; a copy is written, as NAME-new-background, NAME-blurred-background, NAME-cutout or
    NAME-spot-color. Photographs on which nobody is found get none.

    Example: opsin background scans -o out --replace white
    """
    asked = {
        "replace": replace is not None,
        "blur": blur is not None,
        "transparent": transparent,
        "keep_color": keep_color,
    }
    if sum(asked.values()) != 1:
        raise WrongCallError("ask for one of --replace, --blur, --transparent and --keep-color.")
    if replace is not None and not (os.path.isfile(replace) or color_of(replace)):
        raise WrongCallError(
            f"--replace: '{shown(replace)}' is neither a file nor a color such as white or #a0c4e0."
        )
    work = Replacing(
        replace=replace,
        blur=blur,
        transparent=transparent,
        keep_color=keep_color,
        model=model or (FILM_MASKS if classes is None and any(map(is_film, paths)) else MASKS),
        detector=detector,
        accurate=accurate,
        threshold=threshold,
        classes=None if classes is None else names_of(classes),
        quality=quality,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    keeps = CLEAR if transparent else KEPT
    if transparent:
        _check_clear(output, format)
    [picture] = [PICTURES[role] for role, is_asked in asked.items() if is_asked]
    if any(map(is_film, paths)):
        _films(paths, output, work, picture, overwrite=overwrite)
        return
    if "-" in (*paths, output):
        refuse_in_a_pipe(
            {"--json": as_json, "--dry-run": dry_run, "--workers": workers is not None}
        )
        pipe(work, paths, output, format, overwrite=overwrite)
        return
    reads = [replace] if replace is not None and os.path.isfile(replace) else []
    planned = plan(paths, output=output, format=format, picture=picture, keeps=keeps, reads=reads)
    over(
        planned,
        work,
        _words(work.nobody),
        output=output,
        workers=workers,
        overwrite=overwrite,
        dry_run=dry_run,
        as_json=as_json,
    )


def _words(nobody: str) -> Words:
    """How it tells of photographs; `nobody` is whom it does not find, see `Replacing`."""
    return Words(
        doing="cutting out",
        done="done",
        skipped={
            "exists": "done already (--overwrite does it again, also with other settings)",
            f"{nobody} on it": f"{nobody} was found on them",
            GRAY: "gray anyway (opsin colorize them first)",
        },
    )


def _films(
    paths: list[str], output: str | None, work: Replacing, picture: str, *, overwrite: bool
) -> None:
    """The same for videos: as NAME-new-background.mp4 beside each, or in the folder `output`."""
    from opsin.drawing.pixels import as_rgb
    from opsin.formats.video import Video
    from opsin.objects.films import Films

    if work.accurate:
        raise WrongCallError("--accurate: not for videos, whose people are followed by one model.")
    if work.transparent:
        raise WrongCallError("--transparent: not for videos, for MP4 has no transparency.")
    if not all(map(is_film, paths)):
        raise WrongCallError("give photographs and videos one after the other.")
    if is_film(output or ""):
        raise WrongCallError(f"-o {shown(str(output))}: for videos, name a folder.")

    def one(film: str, target: Path | None) -> None:
        video = Video(film, pixel_limit=work.pixel_limit, threads=cores())
        cut = Films(
            video,
            model=work.model,
            detector=work.detector,
            threshold=work.threshold,
            classes=work.classes,
            device=work.device,
        )
        run_through(video, ((one, partial(drawn, found)) for one, found in cut), target)

    def drawn(found: Cutout) -> Any:
        return as_rgb(work.made(found).pixels)

    films = list(films_of(paths, without=f"-{picture}.mp4"))
    targets = targets_in(output, films, f"-{picture}.mp4")
    each_film(films, targets, one, overwrite=overwrite)


def _check_clear(output: str | None, format: str | None) -> None:
    """A format that has no transparency, whether it is named or a file's, is refused."""
    suffix = os.path.splitext(output or "")[1].lower()
    name = format or (suffix if suffix.removeprefix(".") and suffix in SUFFIX.values() else None)
    if name is not None and (found := format_of(name)) not in CLEAR:
        raise WrongCallError(
            f"--transparent: {found.upper()} has no transparency. Write {', '.join(CLEAR)}."
        )
