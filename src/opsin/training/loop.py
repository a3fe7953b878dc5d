"""The one training loop: from batch to step, with validation, checkpoints and exact resume.

It knows no task. An objective owns its networks, losses and optimizers and does one step on one
batch; the loop sets the learning rate, keeps an average of the weights (EMA), writes the log and
the checkpoints. Batches are numbered, so a run resumed at step n sees what it would have seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from opsin.errors import DataError
from opsin.training.recipe import Optimizer as Schedule
from opsin.training.recipe import Recipe

Batch = dict[str, Tensor]


class Objective(Protocol):
    """What is trained, and how one step of it is done."""

    network: nn.Module
    """The network that is averaged, validated and exported."""
    others: dict[str, nn.Module]
    """What else is trained and kept in the checkpoint, such as a discriminator."""
    optimizers: list[Optimizer]

    def step(self, batch: Batch) -> dict[str, float]:
        """Updates the networks on one batch and gives the losses."""
        ...


@dataclass(frozen=True)
class Stepper:
    """Where and how the arithmetic is done: device, number format, gradient averaging."""

    device: torch.device
    bfloat16: bool
    schedule: Schedule

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)

    def to_device(self, batch: Batch) -> Batch:
        return {
            key: (
                value.to(self.device, non_blocking=True, memory_format=torch.channels_last)
                if value.ndim == 4
                else value.to(self.device, non_blocking=True)
            )
            for key, value in batch.items()
        }

    def adamw(self, groups: Sequence[tuple[list[nn.Parameter], float]]) -> AdamW:
        """AdamW over (parameters, share of the learning rate); vectors are not decayed."""
        tables: list[dict[str, Any]] = []
        for parameters, share in groups:
            trained = [p for p in parameters if p.requires_grad]
            for decay, chosen in (
                (self.schedule.weight_decay, [p for p in trained if p.ndim > 1]),
                (0.0, [p for p in trained if p.ndim <= 1]),
            ):
                if chosen:
                    tables.append({"params": chosen, "weight_decay": decay, "share": share})
        return AdamW(tables, lr=0.0, betas=self.schedule.betas, fused=self.device.type != "mps")

    def step(self, loss: Tensor, optimizer: Optimizer) -> None:
        """Backward, gradients averaged over machines, clipped, one optimizer step."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if dist.is_initialized():
            _average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, self.schedule.clip)
        optimizer.step()


def make_stepper(recipe: Recipe) -> Stepper:
    """The best device at hand: CUDA, Apple's MPS, or the CPU; bfloat16 where it is fast."""
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True
    elif torch.backends.mps.is_available():
        device = torch.device("mps")
    else:
        device = torch.device("cpu")
    half = recipe.precision == "bfloat16" or (recipe.precision == "auto" and _fast_bfloat16(device))
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Stepper(device, half, recipe.optimizer)


def _fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 itself: about twice the pictures a second."""
    if device.type != "cpu":
        return device.type == "cuda"
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch: unknown
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


class Log(Protocol):
    """Told of every step and every validation."""

    def step(self, step: int, rate: float, losses: dict[str, float], pictures: int) -> None: ...

    def validation(self, step: int, network: nn.Module) -> None: ...


def train(
    recipe: Recipe,
    objective: Objective,
    batches: Iterable[Batch],
    *,
    out: Path,
    log: Log,
    average: nn.Module | None = None,
    first: int = 0,
    checkpoint_minutes: float = 3.0,
) -> nn.Module:
    """Runs the steps from `first` to the recipe's last; the averaged network."""
    average = average or start_average(objective.network)
    lead = not dist.is_initialized() or dist.get_rank() == 0
    saved = time.monotonic()
    for network in (objective.network, *objective.others.values()):
        network.train()
    step = first
    for step, batch in enumerate(batches, start=first + 1):
        rate = one_cycle(step, recipe.steps, recipe.optimizer)
        for optimizer in objective.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
        losses = objective.step(batch)
        update_average(average, objective.network, decay=recipe.optimizer.ema, step=step)
        if lead:
            pictures = len(next(iter(batch.values())))
            log.step(step, rate, losses, pictures)
            if step % recipe.validate_every == 0 or step == recipe.steps:
                log.validation(step, average)
            if time.monotonic() - saved > 60 * checkpoint_minutes or step == recipe.steps:
                save_checkpoint(out / "checkpoint.pt", objective, average, step=step)
                saved = time.monotonic()
        if step >= recipe.steps:
            break
    return average


def one_cycle(step: int, steps: int, schedule: Schedule) -> float:
    """The learning rate at a step: up in a straight line, down along a cosine."""
    rising = max(1, round(steps * schedule.warmup))
    if step <= rising:
        return schedule.rate * step / rising
    falling = (step - rising) / max(1, steps - rising)
    low = schedule.floor
    return schedule.rate * (low + (1 - low) * 0.5 * (1 + cos(pi * min(1.0, falling))))


def start_average(network: nn.Module) -> nn.Module:
    """A copy of the network to keep the average in."""
    return deepcopy(network).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, *, decay: float, step: int) -> None:
    """Moves the averaged weights toward the network's; faster in the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    old: list[Tensor] = [p for p in average.parameters() if p.is_floating_point()]
    new: list[Tensor] = [p.detach() for p in network.parameters() if p.is_floating_point()]
    torch._foreach_lerp_(old, new, 1 - decay)
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)


def save_checkpoint(path: Path, objective: Objective, average: nn.Module, *, step: int) -> None:
    """Everything that the run needs to go on, written under another name and renamed."""
    state = {
        "step": step,
        "network": objective.network.state_dict(),
        "others": {name: other.state_dict() for name, other in objective.others.items()},
        "average": average.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in objective.optimizers],
        "random": torch.get_rng_state(),
    }
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_checkpoint(path: Path, objective: Objective) -> tuple[int, nn.Module]:
    """Puts a run back where it was: the step it had done, and the averaged network."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        average = start_average(objective.network)
        objective.network.load_state_dict(state["network"])
        for name, other in objective.others.items():
            other.load_state_dict(state["others"][name])
        average.load_state_dict(state["average"])
        for optimizer, saved in zip(objective.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        torch.set_rng_state(state["random"])
        return int(state["step"]), average
    except (RuntimeError, KeyError, ValueError, EOFError) as error:
        raise DataError(
            f"{path}: does not fit this recipe ({error}). Use another --out, or delete it."
        ) from error


def _average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
