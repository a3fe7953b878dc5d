"""Options that several verbs share: the same word, the same meaning, defined once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

import typer

from opsin.cli import FAILED
from opsin.defaults import MOST_LEVELS, OBJECTS, SIZES

Model: TypeAlias = Annotated[
    str, typer.Option(help="See opsin models list; several with commas are an ensemble.")
]
Vividness: TypeAlias = Annotated[
    float, typer.Option(min=0, max=1, help="From 0, muted, to 1, saturated.")
]
Size: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=SIZES[0],
        max=SIZES[1],
        help="Short side of the picture that the network sees. [default: the model's]",
    ),
]
Point: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--point", metavar="X,Y,#RRGGBB", help="A color that you know, at a pixel; several times."
    ),
]
Points: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--points", metavar="FILE.json", help='Many of them: [[120, 300, "#a03020"], ...]'
    ),
]
Reference: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PHOTO",
        help="Take the colors of another photograph: its palette, and place by place those of what "
        "looks alike.",
    ),
]
Matching: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="How much of --reference's colors the places get that look like some of its places; "
        "0 takes its palette alone.",
    ),
]
PaletteColors: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--palette", metavar="#RRGGBB,...", help="Take these colors, each about as often."
    ),
]
Strength: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="How much the palette of --reference or --palette counts, from 0 to 1."
    ),
]
InWords: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--words", metavar="TEXT", help='Colors of things: "red dress, blue sky, brown horse".'
    ),
]
TouchupFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--touchup",
        metavar="NAME.opsin.json",
        help="As it was touched up: model, vividness, points, palette, reference, words are in it.",
    ),
]
Device: TypeAlias = Annotated[
    str, typer.Option(help="cpu, cuda, coreml, directml or openvino, where ONNX Runtime has it.")
]
SecondLook: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--second-look/--no-second-look",
        help="Look at gray photographs also in color, which takes longer. [default: the model's]",
    ),
]
SEEDS: Final = 2**32 - 1
"""The largest seed; scikit-learn takes no larger one."""
Quality: TypeAlias = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Also do what is done already.")
]
MinFace: TypeAlias = Annotated[
    float,
    typer.Option(
        "--min-size", min=5, max=10_000, help="Pixels: narrower faces are not looked for."
    ),
]
FaceThreshold: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--threshold", min=0.01, max=1, help="The least score of a face. [default: the model's]"
    ),
]
Accurate: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--accurate",
        help="Ask picodet-s and yolox-nano, also of the mirror image: more is found, in five times "
        "the time.",
    ),
]
Detector: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model", help=f"See opsin models list: a model whose task is detect. [default: {OBJECTS}]"
    ),
]
ThingScore: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--threshold", min=0.01, max=1, help="The least score of a thing. [default: the model's]"
    ),
]
Classes: TypeAlias = Annotated[
    str | None,
    typer.Option("--classes", metavar="NAMES", help="Only these, with commas: person,dog."),
]
Levels: TypeAlias = Annotated[
    int,
    typer.Option(min=0, max=MOST_LEVELS, help="How often a large photograph is halved into tiles."),
]
PixelLimit: TypeAlias = Annotated[
    int, typer.Option(min=1, help="Photographs with more pixels are not opened.")
]
Damaged: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--damaged", help="Take damaged photographs as far as they go; the rest stays gray."
    ),
]
Workers: TypeAlias = Annotated[
    int | None, typer.Option(min=1, max=64, help="Photographs at once. [default: the cores + 1]")
]
Cluster: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS|local",
        help="Do a folder, or s3:// and the like, on a cluster of Dask.",
    ),
]
ReportFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Also write a page: each photograph before and after, and what failed.",
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Only tell what would be written.")
]
Models: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--model", help="May be given more than once; with commas, an ensemble."),
]
Amounts: TypeAlias = Annotated[
    str,
    typer.Option("--vividness", metavar="NUMBERS", help="From 0 to 1; several with commas."),
]
Limit: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Only the first photographs.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def tell(failures: Sequence[str]) -> None:
    """What was passed over, a line each on stderr; any such is exit code 1."""
    for failure in failures:
        print(f"opsin: {failure}", file=sys.stderr)
    if failures:
        raise typer.Exit(FAILED)


def numbers(text: str) -> list[float]:
    """The amounts in the text of `Amounts`.

    >>> numbers("0,0.5")
    [0.0, 0.5]
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 <= number <= 1 for number in found):
        raise typer.BadParameter(f"'{text}' is not numbers from 0 to 1, separated by commas.")
    return found
