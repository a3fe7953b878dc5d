"""All photographs of a session colored at their full size, one after the other.

The page goes on meanwhile. What was made is kept with its photograph, so a job that was stopped
goes on where it was, and one that is begun anew does only what has changed since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from opsin.errors import OpsinError
from opsin.files import shown
from opsin.page.refusal import code_of

if TYPE_CHECKING:
    from opsin.colorization.request import Request
    from opsin.page.opened import Opened

FULL = ("full", "large")  # there is no room for the others either


class Job:
    """One session's. It is told of as plain values by `document`."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._total = self._done = 0
        self._now = ""
        self.like: Request | None = None  # what was asked for, if one thing for all
        self.failures: list[dict[str, str]] = []

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(
        self,
        photographs: Sequence[Opened],
        make: Callable[[Opened], Awaitable[None]],
        *,
        like: Request | None = None,
    ) -> None:
        """Begins, or goes on; `make` colors a photograph and keeps it, unless that is done."""
        self._stopping = False
        if not self.running:
            self._total, self._done, self.failures = len(photographs), 0, []
            self.like, self._now = like, shown(photographs[0].name) if photographs else ""
            self._task = asyncio.create_task(self._run(photographs, make))

    def stop(self) -> None:
        """The photograph that is under way is the last one."""
        self._stopping = True

    def document(self) -> dict[str, Any]:
        """What it does, as plain values."""
        ended = "done" if self._done == self._total else "stopped"
        state = "none" if self._task is None else "running" if self.running else ended
        return {
            "state": state,
            "total": self._total,
            "done": self._done,
            "now": self._now,
            "failures": self.failures,
        }

    async def _run(
        self, photographs: Sequence[Opened], make: Callable[[Opened], Awaitable[None]]
    ) -> None:
        for one in photographs:
            if self._stopping:
                break
            self._now = shown(one.name)
            try:
                await make(one)
            except OpsinError as error:
                code = code_of(error)
                self._stopping |= code in FULL
                if code != "gone":  # closed meanwhile
                    told = {"name": shown(one.name), "code": code, "error": str(error)}
                    self.failures.append(told)
            self._done += 1
        self._now = ""
