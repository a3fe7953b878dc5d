"""Two works at once, the others wait; the last ones are waited for."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from opsin.page.refusal import RefusedError
from opsin.page.turns import Turns


def test_two_at_once_and_one_of_a_photograph() -> None:
    now, most = [], []

    def work(name: str) -> str:
        now.append(name)
        most.append(sorted(now))
        time.sleep(0.05)
        now.remove(name)
        return name

    async def all_of_them() -> list[str]:
        turns, locks = Turns(), {name: asyncio.Lock() for name in "abc"}
        works = (turns.run(locks[name], lambda name=name: work(name)) for name in "aabbcc")
        return await asyncio.gather(*works)

    assert asyncio.run(all_of_them()) == list("aabbcc")
    assert max(map(len, most)) == 2
    assert all(len(set(names)) == len(names) for names in most)


def test_what_goes_on_is_waited_for_and_what_waits_is_refused() -> None:
    done, begun = [], threading.Event()

    def work() -> None:
        begun.set()
        time.sleep(0.1)
        done.append(1)

    async def stopped() -> None:
        turns, lock = Turns(at_once=1), asyncio.Lock()
        first = asyncio.create_task(turns.run(lock, work))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        second = asyncio.create_task(turns.run(lock, work))
        await asyncio.sleep(0)
        finish = asyncio.create_task(turns.finish())
        with pytest.raises(RefusedError, match="stopped"):
            await second
        await first
        await finish
        assert done == [1]

    asyncio.run(stopped())


def test_a_work_that_fails_makes_room() -> None:
    async def twice() -> str:
        turns, lock = Turns(at_once=1, most_waiting=0), asyncio.Lock()
        with pytest.raises(ZeroDivisionError):
            await turns.run(lock, lambda: 1 // 0)
        return await turns.run(lock, lambda: "room")

    assert asyncio.run(twice()) == "room"
