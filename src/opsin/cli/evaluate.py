"""`opsin evaluate TASK`: how good the models are, on pictures whose answers are known."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from typer.core import TyperGroup

from opsin import tasks
from opsin.cli.options import (
    Accurate,
    Amounts,
    Json,
    Limit,
    Models,
    SecondLook,
    Size,
    numbers,
    tell,
)
from opsin.cli.screen import counting, print_json, print_report
from opsin.cli.things import names_of
from opsin.defaults import OBJECTS, VIVIDNESS

if TYPE_CHECKING:
    from opsin.evaluate.report import Report

Data: TypeAlias = Annotated[
    list[Path], typer.Argument(metavar="DATA", help="Folders, .tar files or pictures.")
]
Each: TypeAlias = Annotated[bool, typer.Option("--each", help="With --json: also each picture.")]


class Tasks(TyperGroup):
    """A verb for each task; one that has no options of its own needs none of these lines."""

    def list_commands(self, ctx: Any) -> list[str]:
        return tasks.names()

    def get_command(self, ctx: Any, name: str) -> Any:
        own = super().get_command(ctx, name)
        return own or _plain(name)


Ways: TypeAlias = Annotated[
    str,
    typer.Option(
        "--seen",
        metavar="WAYS",
        help="color, gray, worn, colorized: how pictures are shown to them.",
    ),
]

evaluate = typer.Typer(cls=Tasks, no_args_is_help=True, rich_markup_mode=None)


@evaluate.callback()
def _several() -> None:
    """Keeps the task's name a word of its own while there is only one."""


@evaluate.command("colorize")
def _colorize(
    data: Data,
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
        typer.Option(metavar="FILE", help="Feature network for the Frechet distance, ONNX."),
    ] = None,
    discriminator: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A GAN's discriminator, whose opinion is asked."),
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A classifier (imagenet): does it call them what they are?"
        ),
    ] = None,
    each: Each = False,
    as_json: Json = False,
) -> None:
    """Compare colorizers with the true colors, and with gray, one color and the best possible.
    What cannot be read is passed over and reported.

    Example: opsin evaluate colorize photos.tar --vividness 0,0.5,1
    """
    own = {
        "vividness": numbers(vividness),
        "size": size,
        "gain": gain,
        "colorfulness": colorfulness,
        "sheet": sheet,
        "features": features,
        "discriminator": discriminator,
        "classifier": classifier,
    }
    _run("colorize", data, own, model=model, limit=limit, each=each, as_json=as_json)


@evaluate.command("classify")
def _classify(
    data: Data,
    model: Models = None,
    seen: Ways = "color",
    second_look: SecondLook = None,
    faces: Annotated[
        bool, typer.Option("--faces", help="Classify the face nearest to the middle of each.")
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            help="Also write a page: confusions, ROC curve, how sure to be of its probabilities.",
        ),
    ] = None,
    limit: Limit = None,
    each: Each = False,
    as_json: Json = False,
) -> None:
    """Compare classifiers, on pictures in folders that are named after their classes.

    Example: opsin evaluate classify pictures.tar --report page.html
    """
    own = {
        "seen": _ways(seen),
        "second_look": second_look,
        "faces": faces,
        "page": page,
    }
    _run("classify", data, own, model=model, limit=limit, each=each, as_json=as_json)


@evaluate.command("faces")
def _faces(
    data: Data,
    model: Models = None,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="pairs: are two pictures of one person? identify: who of some people is it? "
            "group: which pictures are of one person? find: is the face in the middle found?",
        ),
    ] = "pairs",
    seen: Ways = "color",
    detector: Annotated[
        str | None,
        typer.Option(metavar="NAME,...", help="With --protocol find: yunet, mtcnn, viola-jones."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many pairs, pictures or people.")
    ] = None,
    each: Each = False,
    as_json: Json = False,
) -> None:
    """Measure how well faces are told apart, on a set like Labeled Faces in the Wild.

    Example: opsin evaluate faces lfw.tar --protocol pairs --seen color,gray,worn
    """
    own = {
        "protocol": protocol,
        "seen": _ways(seen),
        "detector": _ways(detector) if detector else None,
    }
    _run("faces", data, own, model=model, limit=limit, each=each, as_json=as_json)


@evaluate.command("detect")
def _detect(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA", help="instances.json, or a folder or tar that has it."),
    ],
    model: Models = None,
    accurate: Annotated[
        bool, typer.Option("--accurate", help="Also measure what opsin detect --accurate tells.")
    ] = False,
    seen: Ways = "color",
    limit: Limit = None,
    each: Each = False,
    as_json: Json = False,
) -> None:
    """Compare detectors of things, on pictures with boxes around all that is to be found (COCO).

    Example: opsin evaluate detect coco.tar:test --model picodet-s --model yolox-nano
    """
    own = {"accurate": accurate, "seen": _ways(seen)}
    _run("detect", data, own, model=model, limit=limit, each=each, as_json=as_json)


@evaluate.command("segment")
def _segment(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA", help="instances.json, or a folder or tar that has it."),
    ],
    model: Models = None,
    detector: Annotated[
        str | None,
        typer.Option(help=f"What finds the things. [default: the model itself, or {OBJECTS}]"),
    ] = None,
    accurate: Accurate = False,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Measure these, with commas: dog,cat. [default: person, or all of a set without]",
        ),
    ] = None,
    seen: Ways = "color",
    limit: Limit = None,
    each: Each = False,
    as_json: Json = False,
) -> None:
    """Compare mask networks, on pictures with the outlines of all that is to be found (COCO).

    Example: opsin evaluate segment coco.tar:test --seen color,gray
    """
    kinds = None if classes is None else names_of(classes)
    own = {"detector": detector, "accurate": accurate, "classes": kinds, "seen": _ways(seen)}
    _run("segment", data, own, model=model, limit=limit, each=each, as_json=as_json)


def _ways(text: str) -> list[str]:
    return [way.strip() for way in text.split(",")]


def _plain(task: str) -> Any:
    """The verb of a task that has no options of its own; an unknown one is a `WrongCallError`."""
    tasks.room_of(task)
    app = typer.Typer(rich_markup_mode=None)

    @app.command(task)
    def _(
        data: Data,
        model: Models = None,
        limit: Limit = None,
        each: Each = False,
        as_json: Json = False,
    ) -> None:
        """Compare models with the true answers."""
        _run(task, data, {}, model=model, limit=limit, each=each, as_json=as_json)

    return typer.main.get_command(app)


def _run(
    task: str,
    data: list[Path],
    own: Mapping[str, Any],
    *,
    model: list[str] | None,
    limit: int | None,
    each: bool,
    as_json: bool,
) -> None:
    """Measures, and shows the report; `own` are the task's own options."""
    failures: list[str] = []
    room = tasks.room_of(task)
    measure = tasks.load(room.evaluation)
    with counting("pictures") as count:
        report: Report = measure(
            data,
            model=model or room.default,
            limit=limit,
            on_picture=count,
            on_skip=failures.append,
            **own,
        )
    for warning in report.warnings:
        print(f"opsin: {warning}", file=sys.stderr)
    if as_json:
        print_json(report.document(each=each))
    else:
        print_report(report)
    tell(failures)
