"""`opsin learn`: new classes from folders of pictures."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli import STOPPED
from opsin.cli.options import SEEDS, Json
from opsin.cli.screen import counting, print_json
from opsin.defaults import CLASSIFIER
from opsin.drawing.page import duration
from opsin.files import shown


def learn(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DIR", help="A folder with a folder for each class; or a tar."),
    ],
    name: Annotated[str, typer.Option(help="What to call the model, in lower case.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where the model is written.")
    ] = Path(),
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Pictures to test on. [default: a fifth of each class is held back]"),
    ] = None,
    base: Annotated[str, typer.Option(help="The classifier that it builds on.")] = CLASSIFIER,
    method: Annotated[
        str,
        typer.Option(
            metavar="fast|finetune",
            help="fast: the last layer, in seconds. finetune: all layers, which takes minutes to "
            "hours and needs the extra train.",
        ),
    ] = "fast",
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="With finetune: how often it looks at each picture at most. [default: 3 to 15, by "
            "how many there are]",
        ),
    ] = None,
    gray: Annotated[
        bool, typer.Option("--gray/--no-gray", help="Also learn from the pictures made gray.")
    ] = True,
    license: Annotated[str, typer.Option(help="Of the model, for its card.")] = "",
    seed: Annotated[int, typer.Option(min=0, max=SEEDS, help="Which pictures are held back.")] = 1,
    as_json: Json = False,
) -> None:
    """Writes NAME.onnx, its card NAME.toml, and NAME.html, a page of how good it is and what it
    confuses. What the base network sees of each picture is kept, so the next time is quick. A
    training that was stopped goes on when called again.

    Example: opsin learn flowers --name flowers
    """
    # Threads that spin while they wait ruin a machine that also decodes pictures.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from opsin.interrupt import Stopped
    from opsin.recognition.learn import learn as run

    def tell(text: str) -> None:
        print(f"opsin: {text}", file=sys.stderr)

    try:
        with counting("looks") as count:
            done = run(
                data,
                output,
                name=name,
                test=test or (),
                base=base,
                method=method,
                epochs=epochs,
                gray=gray,
                license=license,
                seed=seed,
                on_step=tell,
                on_picture=lambda: count(None),
            )
    except Stopped as stop:
        tell(f"stopped; {stop}. No model is written yet; the same command again goes on there.")
        raise typer.Exit(STOPPED) from None
    lesson = done.lesson
    for doubt in lesson.doubts:
        tell(doubt)
    accuracy, gray_accuracy = float(lesson.right.mean()), lesson.gray_accuracy()
    if as_json:
        print_json(
            {
                "model": str(done.card),
                "report": str(done.report),
                "classes": list(lesson.classes),
                "learned_from": len(lesson.learned.color),
                "tested_on": len(lesson.right),
                "accuracy": accuracy,
                "gray_accuracy": gray_accuracy,
                "recall": dict(zip(lesson.classes, map(float, lesson.recalls()), strict=True)),
                "curve": [list(point) for point in lesson.curve],
                "doubts": lesson.doubts,
                "seconds": round(done.seconds, 3),
            }
        )
        return
    made_gray = "" if gray_accuracy is None else f", made gray {gray_accuracy:.1%}"
    print(f"{accuracy:.1%} of {len(lesson.right)} other pictures are named rightly{made_gray}.")
    print(f"It took {duration(done.seconds)}.")
    print(f"{shown(done.report)} shows which, and what is confused.")
    print(f"Use it with: opsin classify PHOTO --model {shlex.quote(shown(done.card))}")
