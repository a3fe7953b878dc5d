"""What a run writes while it trains: a CSV, TensorBoard events, a plot of the losses, a bar."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

EVERY = 50
"""Steps that one line of the log sums up."""


class RunLog:
    """Keeps the records of a run in its folder.

    `validate` is given the step and the averaged network, and gives figures by name; it may write
    pictures of its own.
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
    ) -> None:
        self.out, self.steps = out, steps
        self.validate, self.show, self.advance = validate, show, advance
        self.events = _tensorboard(out)
        self.sums: dict[str, float] = {}
        self.count = self.pictures = 0
        self.since = time.monotonic()
        _drop_after(out / "losses.csv", first)
        _drop_after(out / "validation.csv", first)

    def step(self, step: int, rate: float, losses: dict[str, float], pictures: int) -> None:
        """Adds a step; every `EVERY` steps their mean goes into losses.csv."""
        for key, value in losses.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.count += 1
        self.pictures += pictures
        if step % EVERY and step != self.steps:
            self.advance(step, "")
            return
        seconds = time.monotonic() - self.since
        means = {key: value / self.count for key, value in self.sums.items()}
        row = {"step": step, **means, "rate": rate, "pictures_per_second": self.pictures / seconds}
        _append(self.out / "losses.csv", row)
        for key, value in row.items():
            if self.events and key != "step":
                self.events.add_scalar(f"train/{key}", value, step)
        self.advance(step, f"loss {means['loss']:.4f}  {self.pictures / seconds:.0f} pictures/s")
        self.sums, self.count, self.pictures = {}, 0, 0
        self.since = time.monotonic()

    def validation(self, step: int, network: nn.Module) -> None:
        """Runs the validation and puts its figures into validation.csv and the plot."""
        figures = self.validate(step, network)
        _append(self.out / "validation.csv", {"step": step, **figures})
        for key, value in figures.items():
            if self.events:
                self.events.add_scalar(f"validation/{key}", value, step)
        self.show(f"step {step}: " + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()))
        plot_losses(self.out)
        self.since = time.monotonic()


def plot_losses(out: Path) -> None:
    """Draws losses.csv and validation.csv of a run into losses.png."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    train, held = _columns(out / "losses.csv"), _columns(out / "validation.csv")
    names = [name for name in held if name != "step"]
    figure, axes = plt.subplots(1, 1 + len(names), figsize=(4 * (1 + len(names)), 3.2))
    left = axes[0] if names else axes
    left.plot(train["step"], train["loss"], linewidth=0.8, label="training")
    if "loss" in held:
        left.plot(held["step"], held["loss"], "o-", markersize=3, label="validation")
    left.set(xlabel="step", title="loss")
    left.legend()
    for axis, name in zip(axes[1:] if names else [], names, strict=True):
        axis.plot(held["step"], held[name], "o-", markersize=3)
        axis.set(xlabel="step", title=name)
    figure.tight_layout()
    figure.savefig(out / "losses.png", dpi=90)
    plt.close(figure)


def _append(path: Path, row: dict[str, Any]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow(f"{v:.6g}" if isinstance(v, float) else v for v in row.values())


def _drop_after(path: Path, step: int) -> None:
    """Takes back the lines of steps that a resumed run will do again."""
    if path.exists():
        header, *lines = path.read_text().splitlines()
        kept = [line for line in lines if int(line.split(",")[0]) <= step]
        path.write_text("\n".join([header, *kept]) + "\n")


def _columns(path: Path) -> dict[str, list[float]]:
    if not path.exists():
        return {"step": [], "loss": []}
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return {name: [float(row[i]) for row in rows[1:]] for i, name in enumerate(rows[0])}


def _tensorboard(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(out / "events"))
