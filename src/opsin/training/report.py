"""What a run writes while it trains: CSVs, TensorBoard events, its times, a plot, a page of all."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from opsin.training import progress
from opsin.training.page import write_plot, write_report

EVERY = 50
"""Steps that one line of the log sums up."""


class RunLog:
    """Keeps the records of a run in its folder.

    `validate` is given the step and the averaged network, and gives figures by name; it may write
    pictures of its own. `about` says in words what the run is made of, for its page: the data,
    above all. `first` is the step after which a resumed run goes on.
    """

    def __init__(
        self,
        out: Path,
        *,
        steps: int,
        first: int,
        validate: Callable[[int, nn.Module], dict[str, float]],
        show: Callable[[str], None],
        advance: Callable[[int, str], None],
        about: Mapping[str, str] | None = None,
    ) -> None:
        self.out, self.steps = out, steps
        self.validate, self.show, self.advance = validate, show, advance
        self.events = _tensorboard(out)
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.pictures = 0
        self.progress = progress.begin(out, steps=steps, first=first, about=about or {})
        self.sitting = self.progress.sittings[-1]
        self.began = self.since = time.monotonic()
        _drop_after(out / "losses.csv", first)
        _drop_after(out / "validation.csv", first)

    def step(self, step: int, rate: float, losses: dict[str, float], pictures: int) -> None:
        """Adds a step; every `EVERY` steps their mean goes into losses.csv."""
        for key, value in losses.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
            self.counts[key] = self.counts.get(key, 0) + 1
        self.pictures += pictures
        if step % EVERY and step != self.steps:
            self.advance(step, "")
            return
        seconds = time.monotonic() - self.since
        means = {key: value / self.counts[key] for key, value in self.sums.items()}
        row = {"step": step, **means, "rate": rate, "pictures_per_second": self.pictures / seconds}
        _append(self.out / "losses.csv", row)
        for key, value in row.items():
            if self.events and key != "step":
                self.events.add_scalar(f"train/{key}", value, step)
        shown = "loss" if "loss" in means else next(iter(means))
        self.advance(step, f"{shown} {means[shown]:.4f}  {self.pictures / seconds:.0f} pictures/s")
        self._keep_time(step)
        self.sums, self.counts = {}, {}

    def validation(self, step: int, network: nn.Module) -> None:
        """Runs the validation and puts its figures into validation.csv and onto the page."""
        self._keep_time(step)
        figures = self.validate(step, network)
        _append(self.out / "validation.csv", {"step": step, **figures})
        for key, value in figures.items():
            if self.events:
                self.events.add_scalar(f"validation/{key}", value, step)
        self.show(f"step {step}: " + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()))
        device = next((str(tensor.device) for tensor in network.parameters()), "cpu")
        self.sitting.machine = progress.machine(device)
        self.since = time.monotonic()
        self._keep_time(step)
        write_report(self.out)
        write_plot(self.out)
        self.since = time.monotonic()

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
    new = not path.exists()
    with path.open("a+", newline="", encoding="utf-8") as file:
        file.seek(0)
        head = list(row) if new else next(csv.reader(file), list(row))
        writer = csv.writer(file)
        if new:
            writer.writerow(head)
        values = (row.get(name, float("nan")) for name in head)
        writer.writerow(f"{v:.6g}" if isinstance(v, float) else v for v in values)


def _drop_after(path: Path, step: int) -> None:
    """Takes back the lines of steps that a resumed run will do again."""
    if path.exists():
        header, *lines = path.read_text().splitlines()
        kept = [line for line in lines if int(line.split(",")[0]) <= step]
        path.write_text("\n".join([header, *kept]) + "\n")


def _tensorboard(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(out / "events"))
