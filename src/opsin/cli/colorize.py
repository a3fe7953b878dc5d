"""`opsin colorize`: photographs, folders, globs or a pipe, in color.

The same words and defaults as `opsin.colorize` and `Photo.save`. Photographs whose pictures
exist are passed over, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsin.archive.jobs import Job, plan, without_lender
from opsin.cli.batch import Words, over
from opsin.cli.cluster import on_cluster, order_of
from opsin.cli.options import (
    Cluster,
    Damaged,
    Device,
    DryRun,
    InWords,
    Json,
    Matching,
    Model,
    Overwrite,
    PaletteColors,
    PixelLimit,
    Point,
    Points,
    Quality,
    Reference,
    ReportFile,
    Size,
    Strength,
    TouchupFile,
    Vividness,
    Workers,
)
from opsin.cli.pipe import pipe, refuse_in_a_pipe
from opsin.colorization.work import ANSWER, EXTRAS, Colorizing
from opsin.defaults import MATCHING, MOST_SAMPLES, PIXEL_LIMIT, QUALITY, STRENGTH, VIVIDNESS
from opsin.errors import WrongCallError
from opsin.files import shown
from opsin.formats.suffixes import SUFFIX

if TYPE_CHECKING:
    from opsin.colorization.request import Request

WORDS: Final = Words(
    doing="colorizing",
    done="colorized",
    skipped={
        "exists": "colored already (--overwrite does it again, also with other settings)",
        "in color": "in color",
    },
)


def colorize(
    context: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE_OR_DIR",
            help="Beside the photograph if not given; - is stdout.",
        ),
    ] = None,
    vividness: Vividness = VIVIDNESS,
    size: Size = None,
    model: Model = "default",
    point: Point = None,
    points: Points = None,
    reference: Reference = None,
    palette: PaletteColors = None,
    strength: Strength = STRENGTH,
    matching: Matching = MATCHING,
    words: InWords = None,
    touchup: TouchupFile = None,
    format: Annotated[
        str | None, typer.Option(help=f"{', '.join(SUFFIX)}. [default: the photograph's]")
    ] = None,
    quality: Quality = QUALITY,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also write NAME-compare.jpg, before and after.")
    ] = False,
    confidence: Annotated[
        bool,
        typer.Option(
            "--confidence",
            help="Also write NAME-confidence.png: white where it is sure, black where it is not.",
        ),
    ] = False,
    samples: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_SAMPLES,
            metavar="N",
            help="Several answers: also NAME-color-2, NAME-color-3 ... in other likely colors.",
        ),
    ] = 1,
    mark: Annotated[
        bool, typer.Option("--mark", help="Draw a small mark that tells the color is not original.")
    ] = False,
    skip_color: Annotated[
        bool, typer.Option("--skip-color", help="Pass over photographs that are in color.")
    ] = False,
    overwrite: Overwrite = False,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    cluster: Cluster = None,
    report: ReportFile = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """NAME-color.EXT is written beside each photograph, which is never touched. Pictures that
    exist are skipped, so a run that was stopped goes on where it was.

    Example: opsin colorize scans -o colored --vividness 0.6
    """
    how = {"model": model, "vividness": vividness, "size": size, "strength": strength}
    how["matching"] = matching
    if touchup is not None:
        _refuse_beside_touchup(context)
    reading = {"pixel_limit": pixel_limit, "damaged": damaged}
    request = _request(how, reading, point, points, reference, palette, words, touchup)
    known = request.points
    work = Colorizing(
        model=request.model,
        vividness=request.vividness,
        size=request.size,
        points=known,
        palette=request.palette or None,
        strength=request.strength,
        reference=request.reference,
        matching=request.matching,
        words=request.words,
        quality=quality,
        mark=mark,
        skip_color=skip_color,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    if _is_typed(context, "strength") and not request.palette and samples == 1:
        raise WrongCallError(
            "--strength: of what? Give --reference, --palette or --samples, which it is for."
        )
    if _is_typed(context, "matching") and not request.reference:
        raise WrongCallError("--matching: of what? Give --reference, whose places it is about.")
    if "-" in (*paths, output):
        refuse_in_a_pipe(
            {
                "--compare": compare,
                "--confidence": confidence,
                "--samples": samples > 1,
                "--json": as_json,
                "--dry-run": dry_run,
                "--report": report is not None,
                "--skip-color": skip_color,
                "--workers": workers is not None,
                "--cluster": cluster is not None,
            }
        )
        pipe(work, paths, output, format, overwrite=overwrite)
        return
    asked = {"compare": compare, "confidence": confidence}
    extras = {role: suffix for role, suffix in EXTRAS.items() if asked[role]}
    if samples > 1 and request.palette:
        raise WrongCallError("--samples: not with --reference or --palette: that is one answer.")
    extras |= {f"{ANSWER}{number}": "" for number in range(2, samples + 1)}
    if cluster is not None:
        if known:
            raise WrongCallError("points are for one photograph, not for --cluster.")
        if report is not None:
            raise WrongCallError("--report: not with --cluster, whose manifest tells of each.")
        order = order_of(work, paths, output, format=format, extras=extras, overwrite=overwrite)
        on_cluster(order, cluster, WORDS, workers=workers, dry_run=dry_run, as_json=as_json)
        return
    reads = [name for name in (touchup, points) if name]
    planned = plan(paths, output=output, format=format, extras=extras, reads=reads)
    if reference:
        planned = _without_reference(planned[0], reference), planned[1]
    _check_touchup(touchup, [job.source for job in planned[0]])
    if known and len(planned[0]) > 1:
        raise WrongCallError("points are for one photograph. Give one.")
    over(
        planned,
        work,
        WORDS,
        output=output,
        workers=workers,
        overwrite=overwrite,
        dry_run=dry_run,
        report=report,
        as_json=as_json,
    )


def _without_reference(jobs: list[Job], reference: str) -> list[Job]:
    """A series takes the colors of one of its photographs, which is left out and told of."""
    kept, left = without_lender(jobs, reference)
    for source in left:
        print(f"opsin: {shown(source)}: left out, the others take its colors.", file=sys.stderr)
    return kept


def _check_touchup(touchup: str | None, sources: list[Path]) -> None:
    """Tells if a touchup was made for another photograph; its points would lie elsewhere."""
    if touchup is None:
        return
    from opsin.colorization.touchup import OTHER, read_saved

    saved = read_saved(touchup)
    for source in sources if saved.request.points else ():
        if not saved.is_of(None, source):
            print(f"opsin: {shown(touchup)}: {OTHER}.", file=sys.stderr)


def _refuse_beside_touchup(context: typer.Context) -> None:
    """What a touchup says itself is not said beside it."""
    names = (
        "model",
        "vividness",
        "size",
        "strength",
        "matching",
        "point",
        "points",
        "reference",
        "palette",
        "words",
    )
    for name in names:
        if _is_typed(context, name):
            raise WrongCallError(
                "--touchup says itself which model, vividness, size, points, palette, reference "
                f"and words to take. Give it without --{name}."
            )


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _request(
    how: dict[str, Any],
    reading: dict[str, Any],
    point: list[str] | None,
    points: str | None,
    reference: str | None,
    palette: str | None,
    words: str | None,
    touchup: str | None,
) -> Request:
    """What is asked for, in words or by the file of a touchup; `reading` is for the reference."""
    from opsin.colorization.request import (
        Request,
        all_points,
        colors_asked,
        plain_points,
        words_of,
    )
    from opsin.colorization.touchup import read_saved  # --help needs no NumPy

    if touchup is None:
        given = plain_points(all_points(point, points))
        colors, swatches = colors_asked(reference, palette, **reading)
        return Request(
            **how,
            points=given,
            palette=colors or (),
            reference=swatches or "",
            words=words_of(words),
        )
    return read_saved(touchup).request
