"""Trying a model: before it becomes one of the user's, and on another device than the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.errors import ModelError
from opsin.files import write_atomically
from opsin.machine import cores
from opsin.models import cascade, store
from opsin.models.card import Card, sides, write_card
from opsin.models.engine import MOST_THREADS, Engine
from opsin.models.store import Model

DIFFERENCE = 0.02
"""How far another device may be from the CPU, as a share of the largest answer."""


def add(path: str | Path) -> Model:
    """Copy the model whose card is at `path` into the user's folder, if its network works."""
    model = store.model_of(Path(path))
    if model.card.name in store.names():
        raise ModelError(
            f"a model '{model.card.name}' exists already. "
            f"Remove it first, or give the new one another `name` in its card."
        )
    try_out(model)
    place = store.folder()
    with store.staging(place, advice="OPSIN_MODELS in the environment names another.") as staged:
        write_atomically(staged / model.card.file, model.read())
        write_card(model.card, staged / f"{model.card.name}.toml")
        store.publish(staged, [model.card.file, f"{model.card.name}.toml"], place)
    return store.find(model.card.name)


def try_out(model: Model) -> None:
    """Runs a model on a made picture, upright and across; a `ModelError` if it does not work. Of a
    cascade the file is read."""
    if model.card.file.endswith(".xml"):
        cascade.parse(model.read(), str(model.path))
        return
    engine = Engine(model, threads=min(cores(), MOST_THREADS))
    for inputs in _pictures(model.card):
        engine.run(inputs)


def compare_devices(model: Model, device: str) -> float:
    """The largest difference between a device's answers and the CPU's, as a share of the largest.

    More than `DIFFERENCE` is a `ModelError`.
    """
    plain, other = (
        Engine(model, threads=min(cores(), MOST_THREADS), device=where) for where in ("cpu", device)
    )
    found = 0.0
    for inputs in _pictures(model.card):
        expected, answers = plain.run(inputs), other.run(inputs)
        for name, values in expected.items():
            off = np.abs(answers[name] - values).max(initial=0)
            found = max(found, float(off / max(1e-6, np.abs(values).max(initial=0))))
    if found > DIFFERENCE:
        raise ModelError(
            f"model '{model.card.name}': device '{device}' answers otherwise than the CPU, by "
            f"{found:.1%} of the largest answer. Do not use it there."
        )
    return found


def made_inputs(card: Card, height: int, width: int) -> dict[str, NDArray[np.float32]]:
    """What a network may be given, but for what is optional: numbers that rise to the right."""
    sizes = {"H": height, "W": width}
    made: dict[str, NDArray[np.float32]] = {}
    for entry in card.inputs:
        if not entry.optional:
            shape = [side or 1 for side in sides(entry.shape, sizes)]
            line = np.linspace(0, 100, shape[-1], dtype=np.float32)
            made[entry.name] = np.ascontiguousarray(np.broadcast_to(line, shape))
    return made


def _pictures(card: Card) -> list[dict[str, NDArray[np.float32]]]:
    side = card.multiple * -(-32 // card.multiple)  # 32 or more
    return [made_inputs(card, *size_hw) for size_hw in ((side, 2 * side), (2 * side, side))]
