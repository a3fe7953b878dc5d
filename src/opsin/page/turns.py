"""Two works at once, the others wait; of one photograph one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from opsin.page.limits import AT_ONCE, MOST_WAITING
from opsin.page.refusal import RefusedError

T = TypeVar("T")


class Turns:
    """Who is at work, and how many wait."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + most_waiting
        self._there, self._at_once, self._over = 0, at_once, False

    async def run(self, lock: asyncio.Lock, work: Callable[[], T]) -> T:
        """What `work` gives, done in a thread while `lock` is held; refused if too many wait."""
        if self._there >= self._most:
            raise RefusedError(
                503, "busy", "Too much is being done at once. Try again in a moment."
            )
        self._there += 1
        try:
            async with lock, self._free:
                if self._over:
                    raise RefusedError(503, "network", "The server is being stopped.")
                return await run_in_threadpool(work)
        finally:
            self._there -= 1

    async def finish(self) -> None:
        """Waits for the works that go on; no other is begun. Native code that is at work when its
        process ends would abort it."""
        self._over = True
        for _ in range(self._at_once):
            await self._free.acquire()
        for _ in range(self._at_once):  # what waits is told
            self._free.release()
