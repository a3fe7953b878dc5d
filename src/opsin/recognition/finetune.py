"""All layers of a network that knows ImageNet, taught the classes of a user: from a new head on.

The head is learned first, in seconds (`head`), and is what the training begins with, so that the
layers below are not spoiled by a head that knows nothing. Then all layers learn, at a low rate,
until the loss on pictures that were held back no longer falls; the best weights are kept, be it
those at the beginning.

The training is that of `opsin train`, with the recipe of `recipe_for`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from opsin.errors import ModelError
from opsin.files import plain_text, whole_file
from opsin.models.card import Card
from opsin.models.engine import Engine
from opsin.models.store import Model, find
from opsin.recognition.head import Floats, Head
from opsin.recognition.networks.pretrained import Pretrained
from opsin.recognition.pipeline import table_of
from opsin.recognition.survey import Survey
from opsin.recognition.task import TASK
from opsin.sets.listing import Listing
from opsin.training import best
from opsin.training.checkpoint import read_state, weights_of
from opsin.training.finished import export
from opsin.training.recipe import Optimizer, Recipe
from opsin.training.run import CHECKPOINT, train_on

BACKBONES: Final[Mapping[str, str]] = {"efficientnet-lite0": "lite0", "efficientnet-lite2": "lite2"}
"""By `network` of a card, whose weights are at hand as torch needs them."""
BATCH: Final = 16
LOOKS: Final = 3_000
"""At pictures, in all, where nobody says how many epochs: the fewer there are, the more often."""
EPOCHS: Final = (3, 15)
PATIENCE: Final = 4  # epochs
START: Final = "start.pt"


class Tuned(NamedTuple):
    """A network that was trained as a whole."""

    model: Model
    engine: Engine
    head: Head
    """Its last layer; the temperature is that of the head that it began with."""
    epochs: float
    """How far it was when it was best; 0: training gave nothing."""


def check_backbone(card: Card) -> str:
    """The variant of a base; one whose layers cannot be trained is a `ModelError`."""
    if card.network not in BACKBONES:
        raise ModelError(
            f"model '{card.name}' cannot be trained as a whole, its network '{card.network}' is "
            "known as ONNX only. Take --base imagenet, or --method fast, which builds on any."
        )
    return BACKBONES[card.network]


def recipe_for(
    base: Card,
    classes: tuple[str, ...],
    count: int,
    *,
    name: str,
    start: Path,
    gray: bool = True,
    epochs: int | None = None,
    seed: int = 1,
) -> Recipe:
    """How `count` pictures are learned from, beginning with the weights in `start`."""
    table = table_of(base)
    each = max(1, round(count / BATCH))
    wanted = epochs or int(np.clip(round(LOOKS / count), *EPOCHS))
    return Recipe(
        task=TASK.name,
        name=name,
        steps=wanted * each,
        seed=seed,
        validate_every=each,
        patience=PATIENCE,
        network={
            "kind": "pretrained",
            "backbone": check_backbone(base),
            "classes": list(classes),
            "size": base.size,
            "view": table.view,
            "middle": table.crop,
            "start": str(start),
        },
        objective={"smoothing": 0.1, "extractor_rate": 0.4},
        data={
            "size": base.size,
            "validation_size": base.size,
            "batch": BATCH,
            "order": "epochs",
            "least_area": 0.5,
            "stretch": 1.2,
            "shift": 0.1,
            "light": 0.3,
            "gray": 0.5 if gray else 0.0,
        },
        optimizer=Optimizer(rate=5e-4, warmup=0.1, ema=0.98),
    )


def finetune(
    base: Card,
    head: Head,
    learned: Survey,
    watched: Survey,
    run: Path,
    *,
    gray: bool = True,
    epochs: int | None = None,
    seed: int = 1,
    on_message: Callable[[str], None] = lambda text: None,
) -> Tuned:
    """Trains all layers on `learned`; the best by the loss on `watched`. Files are kept in `run`.

    `opsin.interrupt.Stopped` if it is asked to stop: the same call goes on there.
    """
    recipe = recipe_for(
        base,
        learned.classes,
        len(learned.labels),
        name="finetune",
        start=run / START,
        gray=gray,
        epochs=epochs,
        seed=seed,
    )
    if not (run / CHECKPOINT).exists():
        _write_start(run / START, recipe, head)
    parts = (_listing(learned, base.size), _listing(watched, base.size))

    def on_step(step: int, text: str) -> None:
        if text:
            on_message(f"step {step} of {recipe.steps}: {text}")

    train_on(TASK, recipe, lambda *_: parts, run, on_message=on_message, on_step=on_step)
    step = best.step_of(run)
    done = export(TASK, run, run / "model", license="of the run", overwrite=True)
    model = find(str(done.path))
    return Tuned(model, Engine(model, threads=1), _head(run, head), step / recipe.validate_every)


def key_of(base: Card, learned: Survey, watched: Survey, *options: Any) -> str:
    """Letters that are others when anything is that a run depends on."""
    facts = [base.sha256, *options]
    for part in (learned, watched):
        facts += [*part.classes, *part.pictures, part.labels.tolist()]
    return hashlib.sha256(plain_text("\n".join(map(str, facts))).encode()).hexdigest()[:8]


def _write_start(path: Path, recipe: Recipe, head: Head) -> None:
    """A network with the head as its last layer, its temperature counted in."""
    network: Pretrained = TASK.system({**recipe.network, "start": ""}).build()
    with torch.no_grad():
        for own, values in ((network.last.weight, head.weight), (network.last.bias, head.bias)):
            own.copy_(torch.from_numpy(values / np.float32(head.temperature)))
    with whole_file(path) as file:
        torch.save({"average": network.state_dict()}, file)


def _listing(part: Survey, size: int) -> Listing:
    """The pictures as training wants them. All count as large enough: small ones are enlarged."""
    count = len(part.pictures)
    return Listing(
        part.pictures,
        np.zeros(count, np.int32),
        ["pictures"],
        np.full(count, size, np.int32),
        np.zeros(count, np.float32),
        part.hashes,
        {},
        part.labels.astype(np.int32),
        part.classes,
    )


def _head(run: Path, head: Head) -> Head:
    """The last layer of the best weights."""
    weights = weights_of(read_state(run / best.BEST), "average", path=run / best.BEST)
    arrays: list[Floats] = [weights[f"last.{name}"].numpy() for name in ("weight", "bias")]
    return head._replace(weight=arrays[0], bias=arrays[1])
