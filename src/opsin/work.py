"""What a task does with one photograph of many: the same for a folder, a pipe and a cluster.

A task's room hands in a `Work`: a frozen dataclass of its options, so that it can be sent to other
processes. Who calls it finds the photograph and keeps what was made; the work itself opens no
other file and writes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Made:
    """What a task made of one photograph."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    """What is to be written, by role ("output", "compare", ...); none if the task only tells."""
    notes: tuple[str, ...] = ()
    """What a person should know of it, in plain words."""
    part: Mapping[str, Any] = field(default_factory=dict)
    """The task's own part of the JSON, plain values under its own key: {"faces": [...]}."""
    skipped: str | None = None
    """Why nothing was made, as "in color"; None if it was done."""


class Work(Protocol):
    """A task with its options. It holds no network: those are kept by `models.engine`."""

    def load(self, *, threads: int) -> None:
        """Loads what is needed; `ModelError` before the first photograph if that fails."""

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """What is made of the photograph in `source`, which is anything that `opsin.open` takes.

        `wanted` has the roles of the files to make, each with its suffix (".jpg"; "" if none was
        chosen), and `there` those that exist and stay, as `opsin.open` takes them. `threads` is
        how many cores this photograph may take.
        """
