"""Where models live: the packaged ones beside this file, the user's in a folder of theirs.

`default` is another name for the packaged card. The user's folder is `$OPSIN_MODELS`, or
`opsin/models` in the platform's data folder. A model is two files, `NAME.toml` (the card)
and the ONNX file that it names; the hash is checked whenever a model is loaded.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from opsin.errors import ModelError
from opsin.files import write_atomically
from opsin.models.card import Card, card_to_toml, read_card

PACKAGED = Path(__file__).parent / "weights"
DEFAULT = "color-bins"  # what "default" means


@dataclass(frozen=True)
class Model:
    """A card and the ONNX file that it describes."""

    card: Card
    path: Path

    def read(self) -> bytes:
        """The ONNX file, after its hash was checked."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{self.path}: cannot read the weights of '{self.card.name}' ({error.strerror})."
            ) from error
        if hashlib.sha256(data).hexdigest() != self.card.sha256:
            raise ModelError(
                f"{self.path}: damaged or changed, its SHA-256 is not the card's. "
                f"Install '{self.card.name}' again."
            )
        return data


def folder() -> Path:
    """The folder of the user's own models; it need not exist."""
    if chosen := os.environ.get("OPSIN_MODELS"):
        return Path(chosen)
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "opsin" / "models"


def names() -> list[str]:
    """All models by name, the default first."""
    found = {path.stem for place in (PACKAGED, folder()) for path in place.glob("*.toml")}
    return sorted(found, key=lambda name: (name != DEFAULT, name))


def find(name: str = "default") -> Model:
    """The model of that name, or the one whose card is at the path `name`.

    >>> find("default").card.name
    'color-bins'
    """
    if name.endswith(".toml"):
        return _model(Path(name))
    wanted = DEFAULT if name == "default" else name
    for place in (PACKAGED, folder()):
        if (path := place / f"{wanted}.toml").is_file() and wanted in names():
            model = _model(path)
            if model.card.name != wanted:
                raise ModelError(
                    f"{path}: wrong card: `name` says '{model.card.name}'; "
                    f"it must be the card's file name, '{wanted}'."
                )
            return model
    available = ", ".join(names()) or "none"
    raise ModelError(
        f"unknown model '{name}'. Available: {available}. Others are trained with opsin train, or "
        f"added: opsin models add CARD.toml."
    )


def add(path: str | Path) -> Model:
    """Copy the model whose card is at `path` into the user's folder."""
    model = _model(Path(path))
    if model.card.name in names():
        raise ModelError(
            f"a model '{model.card.name}' exists already. "
            f"Remove it first, or give the new one another `name` in its card."
        )
    place = folder()
    if (place / model.card.file).exists():
        raise ModelError(f"{place / model.card.file} exists already. Give `file` another name.")
    write_atomically(place / model.card.file, model.read())
    write_atomically(place / f"{model.card.name}.toml", card_to_toml(model.card).encode())
    return find(model.card.name)


def remove(name: str) -> None:
    """Delete a model from the user's folder; the packaged ones stay."""
    model = find(name)
    if model.path.parent != folder():
        raise ModelError(f"'{name}' is not in {folder()}; only models there can be removed.")
    try:
        (model.path.parent / f"{model.card.name}.toml").unlink()
        model.path.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"{model.path}: cannot remove it ({error.strerror}).") from error


def _model(path: Path) -> Model:
    card = read_card(path)
    return Model(card, path.parent / card.file)
