"""`opsin inspect`: what happens inside a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.options import Json, Size
from opsin.cli.screen import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opsin.inspect.draw import Inspection
    from opsin.inspect.layers import Layer


def inspect(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photograph.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="See opsin models list; of an ensemble, a page for each."
        ),
    ] = "default",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the page is written.")
    ] = Path("inspect.png"),
    layers: Annotated[
        str | None,
        typer.Option(metavar="N_OR_NAMES", help="How many, or names with commas; see --list."),
    ] = None,
    channels: Annotated[
        int, typer.Option(min=1, metavar="N", help="Channels of each, the strongest.")
    ] = 12,
    size: Size = None,
    kernels: Annotated[
        bool,
        typer.Option(
            "--kernels", help="Also draw the weights of the first convolution, or of those named."
        ),
    ] = False,
    only_list: Annotated[
        bool, typer.Option("--list", help="Only list the layers; a star marks what is drawn.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The page shows what the network sees, its answer (colors and how unsure it is, or names with
    their probabilities), and then what it makes of the picture at each scale. A dead channel is
    the same all over the picture. Needs the extra 'train'.

    Example: opsin inspect photo.jpg --model default -o inspect.png
    """
    from opsin.cli.classify import print_classes
    from opsin.colorization.ensemble import cards
    from opsin.inspect.draw import inspect as run
    from opsin.models.store import members

    wanted = None if layers is None else _wanted(layers)
    names = list(dict.fromkeys(members(model)))
    cards(model)  # an unknown name stops before any page is written
    if only_list:
        listed = [_list(photo, name, size, wanted, as_json=as_json) for name in names]
        if as_json:
            print_json(listed[0] if len(listed) == 1 else listed)
        return
    documents = []
    for name, page in zip(names, pages(output, names), strict=True):
        found = run(
            photo,
            page,
            model=name,
            layers=wanted,
            channels=channels,
            size=size,
            kernels=kernels,
        )
        document = found.document(channels)
        documents.append({"page": str(page), **document})
        if not as_json:
            if "classes" in document:
                print_classes(str(photo), document["classes"])
            _print_stages(found)
            print(page)
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)


def pages(output: Path, models: Sequence[str]) -> list[Path]:
    """Where each model's page goes: of several, the model's name is put behind.

    >>> pages(Path("page.png"), ["default", "runs/mine.toml"])
    [PosixPath('page-default.png'), PosixPath('page-mine.png')]
    """
    if len(models) == 1:
        return [output]
    short = [Path(name).stem if name.endswith(".toml") else name for name in models]
    behind = short if len(set(short)) == len(short) else [str(n) for n in range(1, len(short) + 1)]
    return [output.with_name(f"{output.stem}-{name}{output.suffix}") for name in behind]


def _wanted(text: str) -> int | list[str]:
    if text.isdecimal() and int(text) == 0:
        raise typer.BadParameter("--layers must be 1 or more, or names.")
    return int(text) if text.isdecimal() else text.split(",")


def _list(
    photo: Path, model: str, size: int | None, wanted: int | Sequence[str] | None, *, as_json: bool
) -> list[dict[str, Any]]:
    """All layers as plain values; printed as a table, unless as JSON."""
    from opsin.inspect.layers import chosen, layers_of
    from opsin.photo import open as open_photo

    layers = layers_of(open_photo(photo), model=model, size=size)
    drawn = chosen(layers, wanted)
    if not as_json:
        rows = [
            (one.name, "*" if one in drawn else "", one.operator, _shape(one), one.parameters)
            for one in layers
        ]
        print_table(("layer", "", "operator", "shape", "parameters"), rows, words=3)
        print(f"{len(layers)} layers, {sum(layer.parameters for layer in layers):,} parameters.")
    return [layer.document() | {"drawn": layer in drawn} for layer in layers]


def _print_stages(found: Inspection) -> None:
    from opsin.inspect.layers import place

    titles = ("layer", "where", "shape", "mean", "deviation", "dead")
    rows = []
    for one in found.stages:
        figures = (f"{one.mean:.3g}", f"{one.std:.3g}", f"{one.dead:.0%}")
        rows.append((one.layer.name, place(found.layers, one.layer), _shape(one.layer), *figures))
    print_table(titles, rows, words=2)


def _shape(layer: Layer) -> str:
    return " x ".join(map(str, layer.shape))
