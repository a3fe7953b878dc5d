"""`opsin classify`: what photographs show, as names with probabilities.

Photographs that a table (`--csv`) tells of are passed over, so a run that was stopped goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Annotated, Any, Final

import typer

from opsin.archive.jobs import plan, plan_into
from opsin.archive.result import Result
from opsin.cli.batch import Words, over
from opsin.cli.cluster import on_cluster, order_of
from opsin.cli.options import (
    Cluster,
    Damaged,
    Device,
    Json,
    Model,
    Overwrite,
    PixelLimit,
    SecondLook,
    Workers,
)
from opsin.cli.pipe import tell_of
from opsin.defaults import CLASSIFIER, PIXEL_LIMIT, TOP
from opsin.errors import WrongCallError
from opsin.files import shown
from opsin.recognition.work import Classifying

WORDS: Final = Words(
    doing="classifying",
    done="classified",
    skipped={
        "in the table": "in the table already",
        "exists": "explained already (--overwrite does it again)",
    },
    elsewhere="copy the table to another disk",
)
BAR: Final = 24  # letters that stand for 100 %
WIDEST: Final = 40  # letters of a name
EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def classify(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs, or - for a pipe.")
    ],
    model: Model = CLASSIFIER,
    top: Annotated[int, typer.Option(min=1, help="How many names, the likeliest.")] = TOP,
    second_look: SecondLook = None,
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write a table, with paths counted from its folder; what is in it is not done "
            "again. Another model needs another table.",
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Write NAME-explained.png there: where the network looked."
        ),
    ] = None,
    overwrite: Overwrite = False,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="With --cluster: where names are kept."),
    ] = None,
    cluster: Cluster = None,
    pixel_limit: PixelLimit = PIXEL_LIMIT,
    damaged: Damaged = False,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """The probabilities are of the model's labels alone: what it has no label for gets one all
    the same, as a rule with little probability.

    Example: opsin classify scans --csv names.csv
    """
    work = Classifying(
        model=model,
        top=top,
        second_look=second_look,
        pixel_limit=pixel_limit,
        damaged=damaged,
        device=device,
    )
    if csv in ("", "-"):
        raise WrongCallError("--csv: give the name of a file. What is printed is --json.")
    if explain is not None:
        _refuse_beside_explain({"--csv": csv, "--cluster": cluster, "a pipe": "-" in paths or None})
    elif overwrite:
        raise WrongCallError("--overwrite goes with --explain: nothing else is written twice.")
    if "-" in paths:
        tell_of(work, paths, _print_part, refused={"--csv": csv}, as_json=as_json)
        return
    if cluster is not None:
        if csv is not None:
            raise WrongCallError("--csv: not with --cluster, whose manifest tells of each.")
        order = order_of(work, paths, output, picture=None)
        on_cluster(order, cluster, WORDS, workers=workers, dry_run=False, as_json=as_json)
        return
    if output is not None:
        raise WrongCallError("-o goes with --cluster. For a table give --csv FILE.")
    if explain is None:
        jobs, unread = plan(paths, picture=None)
    else:
        words, formats = {"explain": "explained"}, {"explain": "png"}
        jobs, unread = plan_into(paths, {"explain": explain}, words=words, formats=formats)
    known: list[Result] = []
    with _table(csv, work) or nullcontext() as table:
        if table is not None:
            there = [job for job in jobs if job.source in table]
            jobs = [job for job in jobs if job.source not in table]
            known = [Result(str(job.source), "skipped", notes=("in the table",)) for job in there]

        def take(result: Result) -> None:
            if table is not None:
                table.add(result, _cells(result))
            elif not as_json and result.status == "done":
                print_classes(result.input, result.part["classes"])

        over(
            (jobs, unread),
            work,
            WORDS,
            known=known,
            on_result=take,
            overwrite=overwrite,
            workers=workers,
            is_watched=table is not None or as_json or not sys.stdout.isatty(),
            as_json=as_json,
        )


def _refuse_beside_explain(given: Mapping[str, object]) -> None:
    for word, value in given.items():
        if value is not None:
            raise WrongCallError(f"--explain: not with {word}. Call it once more for the pictures.")


def _print_part(photo: str, part: Mapping[str, Any]) -> None:
    print_classes(photo, part["classes"])


def print_classes(photo: str, classes: Sequence[Mapping[str, Any]]) -> None:
    """A photograph's names with their probabilities, as bars."""
    plain = not _can_show("█▏")
    print(shown(photo))
    names = [shortened(shown(one["name"])) for one in classes]
    wide = max(map(len, names))
    for name, one in zip(names, classes, strict=True):
        share = one["probability"]
        print(f"  {name:{wide}}  {bar(share, plain=plain):{BAR}} {share:6.1%}")


def shortened(name: str) -> str:
    """A name that leaves room for its bar; whole in the table and in JSON.

    >>> len(shortened("a" * 200)), shortened("tripod")
    (40, 'tripod')
    """
    return name if len(name) <= WIDEST else name[: WIDEST - 3] + "..."


def bar(share: float, *, plain: bool = False) -> str:
    """A share of 1 as a bar, in eighths of a letter unless it must be `plain`.

    >>> bar(0.5), bar(0.25, plain=True)
    ('████████████', '######')
    """
    if plain:
        return "#" * round(share * BAR)
    eighths = round(share * BAR * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _can_show(letters: str) -> bool:
    try:
        letters.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _table(csv: str | None, work: Classifying) -> Any:
    if csv is None:
        return None
    from opsin.archive.table import Table

    ranks = range(1, work.top + 1)
    columns = [f"{word} {rank}" for rank in ranks for word in ("name", "probability")]
    return Table(csv, columns, model=work.told())


def _cells(result: Result) -> list[object]:
    classes = result.part.get("classes", [])
    return [one[key] for one in classes for key in ("name", "probability")]
