"""What is known of a run besides its figures: where, when and how long, kept in progress.json.

A run that is stopped and goes on has several sittings; each knows its own machine and time.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from opsin.files import write_atomically
from opsin.machine import cores

FILE: Final = "progress.json"


class Sitting(msgspec.Struct):
    """A part of a run that was not interrupted."""

    started: str
    ended: str
    """Local time, ISO 8601; of the last record, if the run was cut off."""
    first: int
    """Steps done before it."""
    last: int
    """Steps done after it."""
    seconds: float = 0.0
    """From the start, validations included."""
    training_seconds: float = 0.0
    pictures: int = 0
    machine: dict[str, str] = {}


class Progress(msgspec.Struct):
    """All sittings of a run, and what its caller says about it."""

    steps: int
    """Steps that the run shall have."""
    about: dict[str, str] = {}
    sittings: list[Sitting] = []


def begin(out: Path, *, steps: int, first: int, about: Mapping[str, str]) -> Progress:
    """The progress of a run with a new sitting in it, after what was done before."""
    before = read(out) if first else None
    sittings = [one for one in before.sittings if one.first < first] if before else []
    time = now()
    sittings.append(Sitting(started=time, ended=time, first=first, last=first))
    return Progress(steps, dict(about) or (before.about if before else {}), sittings)


def read(out: Path) -> Progress | None:
    """What a run's folder holds; None if that is nothing that can be read."""
    try:
        return msgspec.json.decode((out / FILE).read_bytes(), type=Progress)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None


def save(out: Path, progress: Progress) -> None:
    """Writes it into the run's folder, whole or not at all."""
    write_atomically(out / FILE, msgspec.json.format(msgspec.json.encode(progress)))


def now() -> str:
    """The local time, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def machine(device: str) -> dict[str, str]:
    """What a run depends on besides its recipe; `device` is torch's name for it."""
    import torch

    found = {
        "device": _device_name(device),
        "cores": str(cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "opsin": version("opsin"),
    }
    if (processes := os.environ.get("WORLD_SIZE", "1")) != "1":
        found["processes"] = processes
    return found


def _device_name(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device != "cpu":
        return device
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"CPU, {next(models, '') or platform.processor() or platform.machine()}"
