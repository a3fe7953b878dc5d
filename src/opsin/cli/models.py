"""`opsin models`: what models there are, and how to add or remove one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.options import Json
from opsin.models import store
from opsin.models.card import card_to_toml

models = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="A model's name, or the path of its card.")]


@models.command("list")
def list_models(as_json: Json = False) -> None:
    """List all models.

    Example: opsin models list
    """
    cards = [store.find(name).card for name in store.names()]
    if as_json:
        fields = ("name", "version", "task", "network", "license", "size")
        print(json.dumps([{key: getattr(card, key) for key in fields} for card in cards], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for title in ("name", "version", "task", "network", "license"):
        table.add_column(title, overflow="fold")  # in a narrow terminal nothing is cut off
    for card in cards:
        name = f"{card.name} (default)" if card.name == store.DEFAULT else card.name
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
def add(
    card: Annotated[Path, typer.Argument(help="The card; its ONNX file is beside it.")],
) -> None:
    """Copy a model into your own folder of models.

    Example: opsin models add runs/mine/mine.toml
    """
    model = store.add(card)
    print(f"{model.card.name}: added to {model.path.parent}")


@models.command()
def remove(name: Name) -> None:
    """Delete a model from your own folder of models.

    Example: opsin models remove mine
    """
    store.remove(name)
    print(f"{name}: removed")
