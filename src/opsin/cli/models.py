"""`opsin models`: what models there are, and how to add or remove one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.options import Json, tell
from opsin.defaults import CLASSIFIER, DETECTOR, RECOGNIZER
from opsin.errors import ModelError
from opsin.files import shown
from opsin.models import store, trial
from opsin.models.card import Card, card_to_toml

models = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

DEFAULTS = (store.DEFAULT, CLASSIFIER, DETECTOR, RECOGNIZER)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A model's name, or the path of its card.")
]


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List all models.

    Example: opsin models list
    """
    cards, failures = [], []
    for name in store.names():
        try:
            cards.append(store.find(name).card)
        except ModelError as error:  # one broken card hides no other
            failures.append(str(error))
    if as_json:
        fields = ("name", "version", "task", "network", "license", "size")
        print(json.dumps([{key: getattr(card, key) for key in fields} for card in cards], indent=2))
    else:
        _print_table(cards)
    tell(failures)


def _print_table(cards: Sequence[Card]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for title in ("name", "version", "task", "network", "license"):
        table.add_column(title, overflow="fold")  # in a narrow terminal nothing is cut off
    for card in cards:
        name = f"{card.name} (default)" if card.name in DEFAULTS else card.name
        table.add_row(name, card.version, card.task, card.network, card.license)
    Console().print(table)


@models.command()
def show(name: Name = "default", as_json: Json = False) -> None:
    """Print the card of a model.

    Example: opsin models show default
    """
    card = store.find(name).card
    if as_json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(card), ensure_ascii=False, indent=2))
    else:
        print(card_to_toml(card), end="")


@models.command()
def check(
    name: Name = "default",
    device: Annotated[
        str, typer.Option(help="cpu, cuda, coreml, directml or openvino.", show_default=True)
    ] = "cpu",
) -> None:
    """Run a model on made pictures, and compare a device's answers with the CPU's. Of a cascade,
    which is no network, the file is checked.

    Example: opsin models check default --device cuda
    """
    model = store.find(name)
    if model.card.file.endswith(".xml") and device == "cpu":
        trial.try_out(model)
        print(f"{shown(name)}: sound. It is a cascade, no network, and runs on the CPU alone")
        return
    off = trial.compare_devices(model, device)
    print(f"{shown(name)}: works. {device} differs from the CPU by {off:.2%} of the largest answer")


@models.command()
def get(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK", help="efficientnet-lite0, efficientnet-lite2, timm:NAME, keras:NAME."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call the model. [default: the network's name]")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights that you have, instead of those of timm's hub."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Not into your own folder of models."),
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="Store the weights as 8 bits, a quarter of the size.")
    ] = False,
) -> None:
    """Make a model of a network that others trained on ImageNet. Those of timm are fetched from
    its hub, once; all that follows is offline. Needs the extra train, and for timm's timm.

    Example: opsin models get timm:resnet50
    """
    from opsin.errors import needs_extra

    with needs_extra("opsin models get", "train"):
        from opsin.recognition.pretrained import get as make
    model = make(network, called=name, weights=weights, to=output, small=small)
    card = model.card
    print(f"{card.name}: in {shown(model.path.parent)}, {model.path.stat().st_size / 1e6:.1f} MB.")
    called = card.name  # it is known by that only in one's own folder
    if output is not None:
        called = shlex.quote(shown(model.path.with_name(f"{card.name}.toml")))
    print(f"License: {shown(card.license)}. Use it with: opsin classify PHOTO --model {called}")


@models.command()
def add(
    card: Annotated[
        Path, typer.Argument(metavar="CARD", help="The card; its ONNX file is beside it.")
    ],
) -> None:
    """Copy a model into your own folder of models.

    Example: opsin models add runs/mine/mine.toml
    """
    model = trial.add(card)
    name = model.card.name
    print(f"{name}: added to {shown(model.path.parent)}. Use it with --model {name}")


@models.command()
def remove(name: Name) -> None:
    """Delete a model from your own folder of models.

    Example: opsin models remove mine
    """
    store.remove(name)
    print(f"{name}: removed")
