"""Where models live: the packaged ones beside this file, the user's in a folder of theirs.

`default` is another name for the packaged card. The user's folder is `$OPSIN_MODELS`, or
`opsin/models` in the platform's data folder. A model is two files, `NAME.toml` (the card)
and the ONNX file that it names; the hash is checked whenever a model is loaded.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from opsin.errors import ModelError, SaveError, WrongCallError
from opsin.files import data_folder, read_regular, shown
from opsin.models.card import NAME, Card, read_card

PACKAGED = Path(__file__).parent / "weights"
DEFAULT = "color-bins"  # what "default" means
MOST_BYTES = 2 << 30  # of an ONNX file: protobuf holds no more
OLD = 24 * 3600  # seconds after which what a killed process left is cleared away
STAGED = ".opsin-model-"


@dataclass(frozen=True)
class Model:
    """A card and the ONNX file that it describes."""

    card: Card
    path: Path

    def read(self) -> bytes:
        """The ONNX file, after its hash was checked."""
        try:
            data = read_regular(self.path, most=MOST_BYTES)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ModelError(
                f"{shown(self.path)}: cannot read the weights of '{self.card.name}' ({reason})."
            ) from error
        if hashlib.sha256(data).hexdigest() != self.card.sha256:
            raise ModelError(
                f"{shown(self.path)}: damaged or changed, its SHA-256 is not the card's. "
                f"Install '{self.card.name}' again."
            )
        return data


def folder() -> Path:
    """The folder of the user's own models; it need not exist."""
    if chosen := os.environ.get("OPSIN_MODELS"):
        return Path(chosen)
    return data_folder() / "models"


def names() -> list[str]:
    """All models by name, the default first."""
    stems = {path.stem for place in (PACKAGED, folder()) for path in _cards_in(place)}
    found = (stem for stem in stems if re.search(NAME, stem))
    return sorted(found, key=lambda name: (name != DEFAULT, name))


def _cards_in(place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.suffix == ".toml"]
    except OSError:  # there is no such folder, or it is somebody else's
        return []


def find(name: str = "default") -> Model:
    """The model of that name, or the one whose card is at the path `name`.

    >>> find("default").card.name
    'color-bins'
    """
    if name.endswith(".toml"):
        return model_of(Path(name))
    wanted = DEFAULT if name == "default" else name
    known = names()
    for place in (PACKAGED, folder()) if wanted in known else ():
        path = place / f"{wanted}.toml"
        if os.path.isfile(path):  # Path.is_file raises where it may not look
            model = model_of(path)
            if model.card.name != wanted:
                raise ModelError(
                    f"{shown(path)}: wrong card: `name` says '{model.card.name}'; "
                    f"it must be the card's file name, '{wanted}'."
                )
            return model
    if card := _card_beside(name):
        raise ModelError(
            f"unknown model '{shown(name)}'. A model that lies in a folder is named by its card: "
            f"{shown(card)}."
        )
    raise ModelError(
        f"unknown model '{shown(name)}'. Available: {', '.join(known) or 'none'}. Others are "
        "trained with opsin train, or added: opsin models add CARD.toml."
    )


def _card_beside(name: str) -> str | None:
    """The card that is meant by a path without .toml: of a network's file, or of a training run."""
    plain, suffix = os.path.splitext(name)
    cards = [f"{stem}.toml" for stem in (name, plain if suffix else name)]
    if os.path.isdir(name):
        cards = sorted(glob.glob(os.path.join(glob.escape(name), "*.toml")))[:2]
        return cards[0] if len(cards) == 1 else None
    return next((card for card in cards if os.path.isfile(card)), None)


def members(model: str) -> list[str]:
    """The models that a name stands for: itself, or those between its commas.

    >>> members("default"), members("default,mine.toml")
    (['default'], ['default', 'mine.toml'])
    """
    if not isinstance(model, str):
        raise WrongCallError(f"a model is called by its name, got {type(model).__name__}.")
    if "," not in model or Path(model).is_file():
        return [model]
    return [name.strip() for name in model.split(",")]


def remove(name: str) -> None:
    """Delete a model from the user's folder; the packaged ones stay.

    Of one whose card is broken, only the card goes: what else was its own is not known.
    """
    card = folder() / f"{name}.toml"
    try:
        model = find(name)
    except ModelError:
        if name not in names() or not os.path.isfile(card):
            raise
        files = [card]
    else:
        if model.path.parent != folder():
            raise ModelError(
                f"'{shown(name)}' is not in {shown(folder())}; only models there can be removed."
            )
        files = [card.with_name(f"{model.card.name}.toml"), model.path]
    try:
        for file in files:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"{shown(card)}: cannot remove it ({error.strerror}).") from error


@contextmanager
def staging(place: Path, *, advice: str = "Choose a folder you may write to.") -> Iterator[Path]:
    """A folder in the folder `place` to make a model's files in, which goes away again.

    What a killed process left there is cleared away after a day. If nothing was put into `place`,
    and it was made for this, it goes away too.
    """
    new = not place.exists()
    try:
        place.mkdir(parents=True, exist_ok=True)
        for left in place.glob(f"{STAGED}*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > OLD:
                    shutil.rmtree(left, ignore_errors=True)
        made = tempfile.TemporaryDirectory(prefix=STAGED, dir=place, ignore_cleanup_errors=True)
    except OSError as error:
        raise SaveError(
            f"{shown(place)}: cannot make files in this folder ({error.strerror}). {advice}"
        ) from error
    try:
        with made as name:
            yield Path(name)
    finally:
        with suppress(OSError):  # it is not empty
            if new:
                place.rmdir()


def refuse_existing(place: Path, names: Sequence[str], *, advice: str) -> None:
    """A `ModelError` if one of the files is there already, before work is done for nothing."""
    for name in names:
        if os.path.lexists(place / name):
            raise ModelError(f"{shown(place / name)} exists already. {advice}")


def publish(
    staged: Path, names: Sequence[str], place: Path, *, overwrite: bool = False
) -> list[Path]:
    """Moves files into the folder `place`, all or none; the card is the last of `names`.

    A file that is there already is a `ModelError`, and stays, unless `overwrite` says otherwise;
    then the old card goes first, so that no card ever speaks of another's network.
    """
    placed: list[Path] = []
    try:
        if overwrite:
            (place / names[-1]).unlink(missing_ok=True)
        for name in names:
            (os.replace if overwrite else _place_new)(staged / name, place / name)
            placed.append(place / name)
    except OSError as error:
        for path in placed:
            path.unlink(missing_ok=True)
        name = shown(place / names[len(placed)])
        if isinstance(error, FileExistsError):
            raise ModelError(f"{name} exists already. Choose another name, or remove it.") from None
        raise SaveError(f"{name}: cannot be written ({error.strerror}).") from error
    return placed


def _place_new(source: Path, target: Path) -> None:
    """Gives a file its name if nobody has it: of several processes at once, one succeeds."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links, such as an SD card
        if target.exists():
            raise FileExistsError(target) from None
        os.rename(source, target)


def model_of(path: Path) -> Model:
    """The model whose card is at `path`."""
    card = read_card(path)
    return Model(card, path.parent / card.file)
