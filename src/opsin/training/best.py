"""The best weights of a run, and when it has learned enough: by the loss on what was held back.

What a run's validation.csv says is all that is needed, so a run that was stopped decides as the one
that was not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import nn

from opsin.files import whole_file
from opsin.training.run_page import VALIDATION, columns

BEST: Final = "best.pt"
LOSS: Final = "loss"


def keep(out: Path, network: nn.Module, step: int) -> None:
    """Writes the weights of a step, in the place of those of an earlier one."""
    with whole_file(out / BEST) as file:
        torch.save({"average": network.state_dict(), "step": step}, file)


def step_of(out: Path) -> int:
    """The step with the lowest loss, the first of equal ones; 0 before the first validation."""
    losses = _losses(out)
    return min(losses, key=lambda one: one[1])[0] if losses else 0


def is_enough(out: Path, patience: int) -> bool:
    """Whether so many validations have passed since the one with the lowest loss."""
    later = [step for step, _ in _losses(out) if step > step_of(out)]
    return bool(patience) and len(later) >= patience


def figures_of(out: Path, step: int) -> dict[str, float]:
    """What the validation after a step found; {} if there was none."""
    found = columns(out / VALIDATION)
    at = [number for number, one in enumerate(found.get("step", [])) if one == step]
    return {name: values[at[0]] for name, values in found.items()} if at else {}


def _losses(out: Path) -> list[tuple[int, float]]:
    """Steps with their losses; one that has gone astray (nan) is never the best."""
    found = columns(out / VALIDATION)
    pairs = zip(found.get("step", []), found.get(LOSS, []), strict=False)
    return [(int(step), loss if loss == loss else float("inf")) for step, loss in pairs]
