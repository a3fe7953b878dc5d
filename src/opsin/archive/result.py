"""What became of photographs: one form for files, folders, pipes, clusters and every task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

STATUSES: Final = ("done", "skipped", "failed")

Status = Literal["done", "skipped", "failed", "planned"]


@dataclass(frozen=True)
class Result:
    """What became of one photograph, or is to become of it."""

    input: str
    status: Status
    outputs: Mapping[str, str] = field(default_factory=dict)
    """The names of its files by role ("output", "compare", ...); none where it failed."""
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None
    part: Mapping[str, Any] = field(default_factory=dict)
    """The task's own part, under its own key; see `opsin.work.Made`."""

    def document(self) -> dict[str, Any]:
        """Plain values for JSON.

        >>> Result("a.jpg", "skipped", {"output": "a-color.jpg"}, notes=("exists",)).document()
        ... # doctest: +NORMALIZE_WHITESPACE
        {'input': 'a.jpg', 'status': 'skipped', 'output': 'a-color.jpg', 'seconds': None,
         'notes': ['exists'], 'error': None}
        """
        return {
            "input": self.input,
            "status": self.status,
            "output": None,
            **self.outputs,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "error": self.error,
            **self.part,
        }


def counts(results: Sequence[Result]) -> dict[str, int]:
    """How many were done, skipped and failed; in a plan, how many are planned.

    >>> counts([Result("a.jpg", "done"), Result("b.jpg", "done")])
    {'done': 2, 'skipped': 0, 'failed': 0}
    """
    return {**dict.fromkeys(STATUSES, 0), **Counter(result.status for result in results)}


def frame(results: Sequence[Result], **more: Any) -> dict[str, Any]:
    """The one JSON document of all verbs: counts, what the verb adds, and each photograph."""
    return {**counts(results), **more, "files": [result.document() for result in results]}
