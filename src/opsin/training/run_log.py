"""What a run writes while it trains: two CSVs, its times, and a page of all."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from torch import nn

from opsin.files import write_atomically
from opsin.training import best, progress
from opsin.training.run_page import VALIDATION, write_report

EVERY = 50
"""Steps that one line of the log sums up."""
EARLY = 10
"""Steps after which it is told how long the run will take."""


class RunLog:
    """Keeps the records of a run in its folder.

    `validate` is given the step and the averaged network, and gives figures by name; it may write
    pictures of its own. `about` says in words what the run is made of, for its page: the data,
    above all. `first` is the step after which a resumed run goes on. With `patience`, the weights
    of the lowest loss are kept too, see `opsin.training.best`.
    """

    def __init__(
        self,
        out: Path,
        *,
        steps: int,
        first: int,
        validate: Callable[[int, nn.Module], dict[str, float]],
        on_message: Callable[[str], None],
        on_step: Callable[[int, str], None],
        about: Mapping[str, str] | None = None,
        patience: int = 0,
    ) -> None:
        self.out, self.steps, self.patience = out, steps, patience
        self.validate, self.on_message, self.on_step = validate, on_message, on_step
        self.sums: dict[str, tuple[float, int]] = {}
        self.pictures = 0
        self.progress = progress.begin(out, steps=steps, first=first, about=about or {})
        self.sitting = self.progress.sittings[-1]
        self.began = self.since = time.monotonic()
        self.first = first
        _drop_after(out / "losses.csv", first)
        self.last_validation = _drop_after(out / VALIDATION, first or -1)
        _drop_sheets(out / "sheets", first)

    def step(self, step: int, rate: float, losses: dict[str, float], pictures: int) -> None:
        """Adds a step; every `EVERY` steps their mean goes into losses.csv."""
        for key, value in losses.items():
            total, count = self.sums.get(key, (0.0, 0))
            self.sums[key] = total + value, count + 1
        self.pictures += pictures
        seconds = time.monotonic() - self.since
        if step % EVERY and step != self.steps:
            early = step - self.first == EARLY
            self.on_step(step, self._outlook(step, seconds) if early else "")
            return
        means = {key: total / count for key, (total, count) in self.sums.items()}
        row = {"step": step, **means, "rate": rate, "pictures_per_second": self.pictures / seconds}
        _append(self.out / "losses.csv", row)
        shown = "loss" if "loss" in means else next(iter(means))
        self.on_step(step, f"{shown} {means[shown]:.4f}  {self.pictures / seconds:.0f} pictures/s")
        self._keep_time(step)
        self.sums = {}

    def _outlook(self, step: int, seconds: float) -> str:
        """How long it will take, as soon as that can be told."""
        minutes = seconds / EARLY * (self.steps - step) / 60
        left = f"{minutes / 60:.1f} hours" if minutes > 90 else f"{minutes:.0f} minutes"
        return f"{self.pictures / seconds:.0f} pictures/s, about {left} to go"

    def validation(self, step: int, network: nn.Module) -> bool:
        """Runs the validation and puts its figures into validation.csv and onto the page; whether
        the patience is at its end."""
        self._keep_time(step)
        figures = self.validate(step, network)
        _append(self.out / VALIDATION, {"step": step, **figures})
        self.last_validation = step
        self.on_message(f"step {step}: " + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()))
        device = next((str(tensor.device) for tensor in network.parameters()), "cpu")
        self.sitting.machine = progress.machine(device)
        self.since = time.monotonic()
        self._keep_time(step)
        write_report(self.out)
        enough = False
        if self.patience:
            if best.step_of(self.out) == step:
                best.keep(self.out, network, step)
            enough = best.is_enough(self.out, self.patience)
        self.since = time.monotonic()
        return enough

    def _keep_time(self, step: int) -> None:
        """Adds the time since the last record to the run's, and writes it down."""
        now = time.monotonic()
        self.sitting.training_seconds += now - self.since
        self.sitting.seconds = now - self.began
        self.sitting.pictures += self.pictures
        self.sitting.last, self.sitting.ended = step, progress.now()
        progress.save(self.out, self.progress)
        self.pictures, self.since = 0, now


def _append(path: Path, row: Mapping[str, Any]) -> None:
    """Adds a line under the file's own columns: what is not there is nan, what is new left out."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    head = next(csv.reader(lines[:1])) if lines else list(row)
    values = (row.get(name, float("nan")) for name in head)
    new = [] if lines else [_line(head)]
    line = _line(f"{value:.6g}" if isinstance(value, float) else value for value in values)
    _write(path, [*lines, *new, line])


def _line(values: Iterable[Any]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _write(path: Path, lines: Sequence[str]) -> None:
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def _drop_after(path: Path, step: int) -> int:
    """Takes back the lines of steps that a resumed run will do again; the last step that stays."""
    if not path.exists():
        return 0
    header, *lines = path.read_text("utf-8").splitlines()
    kept = [line for line in lines if int(line.split(",")[0]) <= step]
    _write(path, [header, *kept])
    return int(kept[-1].split(",")[0]) if kept else 0


def _drop_sheets(folder: Path, step: int) -> None:
    """Takes back the pictures of validations that a resumed run will do again."""
    for sheet in folder.glob("step-*.jpg"):
        number = sheet.stem.removeprefix("step-")
        if number.isdigit() and int(number) > step:
            sheet.unlink()
