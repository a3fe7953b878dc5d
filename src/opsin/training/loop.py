"""The one training loop: from batch to step, with validation, checkpoints and exact resume.

It knows no task. An objective owns its networks, losses and optimizers and does one step on one
batch; the loop sets the learning rate, keeps an average of the weights (EMA), writes the log and
the checkpoints. Batches are numbered, and so is chance: what torch draws in a step depends on the
seed and the step's number alone, on every device, so a resumed run is the run that never stopped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from copy import deepcopy
from dataclasses import dataclass, field
from math import cos, pi
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from opsin.errors import DataError
from opsin.files import whole_file
from opsin.interrupt import SIGNALS, Stopped, asked_to_stop, uninterrupted
from opsin.training.checkpoint import read_state
from opsin.training.recipe import Optimizer as Schedule
from opsin.training.recipe import Recipe

Batch = dict[str, Tensor]

LONGEST_WAIT: Final = 900  # seconds for a batch


class Objective(Protocol):
    """What is trained, and how one step of it is done."""

    @property
    def network(self) -> nn.Module:
        """The network that is averaged, validated and exported."""
        ...

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

    last_validation: int
    """The last step that was validated, by this sitting or an earlier one."""
    sums: dict[str, tuple[float, int]]
    """What no line of the log holds yet: each loss summed, and of how many steps."""

    def step(self, step: int, rate: float, losses: dict[str, float], pictures: int) -> None: ...

    def validation(self, step: int, network: nn.Module) -> bool:
        """Whether the run is to end here, as it learns no more that holds."""
        ...


@dataclass
class State:
    """How far a run is."""

    average: nn.Module
    """The network with its weights averaged over the steps (EMA)."""
    step: int = 0
    """Steps done."""
    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    """As `Log.sums`."""


def is_lead() -> bool:
    """Whether this process writes the run's files: of several under torchrun, the first."""
    return not dist.is_initialized() or dist.get_rank() == 0


def train(
    recipe: Recipe,
    objective: Objective,
    batches: Iterable[Batch],
    state: State,
    *,
    out: Path,
    log: Log | None,
    on_message: Callable[[str], None] = lambda text: None,
    checkpoint_minutes: float = 3.0,
) -> None:
    """Runs the steps from `state` to the recipe's last, or until the log says that it is enough.

    `log` is None in processes that write nothing. Asked to stop (see `interrupt`), the run ends
    its step, saves and raises `Stopped`.
    """
    for network in (objective.network, *objective.others.values()):
        network.train()
    enough = False
    if log:
        log.sums = state.sums
        late = state.step > log.last_validation and _is_due(state.step, recipe)  # after a stop
        if late or (recipe.patience and state.step == 0):  # what it begins with may be the best
            enough = log.validation(state.step, state.average)
    if recipe.patience and _anybody(enough):
        return
    checkpoint, saved = out / "checkpoint.pt", time.monotonic()
    with uninterrupted(SIGNALS):
        batches = iter(batches)  # its processes start here
    with asked_to_stop(on_message) as asked, closing(_Workers(batches)):
        for batch in _in_time(batches):
            state.step += 1
            losses = _one_step(recipe, objective, state, batch)
            due = _is_due(state.step, recipe)
            if log:
                pictures = len(next(iter(batch.values())))
                rate = one_cycle(state.step, recipe.steps, recipe.optimizer)
                log.step(state.step, rate, losses, pictures)
                state.sums = log.sums
            stop = _anybody(asked())
            if log and (due or stop or time.monotonic() - saved > 60 * checkpoint_minutes):
                save_checkpoint(checkpoint, objective, state)
                saved = time.monotonic()
            if stop:
                raise Stopped(f"step {state.step} of {recipe.steps} is saved in {checkpoint}")
            enough = bool(log and due and log.validation(state.step, state.average))
            if state.step >= recipe.steps or (recipe.patience and due and _anybody(enough)):
                break


def _in_time(batches: Iterator[Any]) -> Iterator[Any]:
    """The same batches; if none comes for `LONGEST_WAIT` seconds, a `DataError`: a disk that does
    not answer, or a reader that hangs, would let a run wait for ever."""
    try:
        yield from batches
    except RuntimeError as error:
        if "timed out" not in str(error):
            raise
        raise DataError(
            f"no pictures came for {LONGEST_WAIT / 60:.0f} minutes: a disk does not answer, or "
            "reading hangs. What the last checkpoint holds is saved; the same command again goes "
            "on there."
        ) from error


class _Workers:
    """The processes that make batches, if there are any: they end when they are told to."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def close(self) -> None:
        if end := getattr(self._batches, "_shutdown_workers", None):
            end()
            for worker in self._batches._workers:
                worker.kill()  # one that waits for a disk hears of nothing else


def _is_due(step: int, recipe: Recipe) -> bool:
    return step % recipe.validate_every == 0 or step == recipe.steps


def _anybody(asked: bool) -> bool:
    """Whether any of the processes of a run was asked to stop: all stop after the same step."""
    if not dist.is_initialized():
        return asked
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    flag = torch.tensor([float(asked)], device=device)
    dist.all_reduce(flag)
    return bool(flag.item())


def _one_step(recipe: Recipe, objective: Objective, state: State, batch: Batch) -> dict[str, float]:
    """One step of the objective, at its learning rate, with chance of its own; the losses."""
    step = state.step
    rank = dist.get_rank() if dist.is_initialized() else 0
    torch.manual_seed(int(np.random.SeedSequence((recipe.seed, step, rank)).generate_state(1)[0]))
    rate = one_cycle(step, recipe.steps, recipe.optimizer)
    for optimizer in objective.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
    losses = objective.step(batch)
    update_average(state.average, objective.network, decay=recipe.optimizer.ema, step=step)
    return losses


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


def save_checkpoint(path: Path, objective: Objective, state: State) -> None:
    """Everything that the run needs to go on, written under another name and renamed."""
    content = {
        "step": state.step,
        "network": objective.network.state_dict(),
        "others": {name: other.state_dict() for name, other in objective.others.items()},
        "average": state.average.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in objective.optimizers],
        "sums": {name: list(sum) for name, sum in state.sums.items()},
    }
    with whole_file(path) as file:
        torch.save(content, file)


def load_checkpoint(path: Path, objective: Objective) -> State:
    """Puts a run back where it was, and says how far that is."""
    average = start_average(objective.network)
    try:
        saved = read_state(path)
        objective.network.load_state_dict(saved["network"])
        for name, other in objective.others.items():
            other.load_state_dict(saved["others"][name])
        average.load_state_dict(saved["average"])
        for optimizer, kept in zip(objective.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        sums = {name: (float(sum), int(count)) for name, (sum, count) in saved["sums"].items()}
        return State(average, int(saved["step"]), sums)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise _does_not_fit(path) from error


def _does_not_fit(path: Path) -> DataError:
    return DataError(
        f"{path}: this checkpoint is damaged, or it is of another recipe or another version of "
        "opsin. Nothing was changed. Train into another --out, or move the folder away."
    )


def _average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
