"""Many photographs, any task: workers, results as they come, a stop that loses nothing.

    jobs, unread = plan(["scans"], output="colored")
    known, left = to_do(jobs)
    done = run(left, Colorizing(vividness=0.6), on_result=print)

What is done already is skipped (`to_do`), so a run that was stopped goes on where it was. Nothing
is printed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from opsin.archive.attempt import attempt, is_full_disk
from opsin.archive.jobs import Job
from opsin.archive.result import Result
from opsin.errors import OpsinError
from opsin.interrupt import as_interrupts
from opsin.work import Work


@dataclass(frozen=True)
class Run:
    """What became of the photographs of a run, and of the run."""

    results: Sequence[Result]
    seconds: float
    stopped: Literal["asked", "full disk"] | None = None
    """Why the run ended before its last photograph: Ctrl-C or a polite kill, or a full disk."""


def run(
    jobs: Sequence[Job],
    work: Work,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    on_result: Callable[[Result], None] = lambda _: None,
) -> Run:
    """Does the `work` with each photograph, several at once, and says what became of them.

    `workers` is how many photographs are worked on at once: the cores and one more if not given.
    `on_result` is called with each result when it is there, in the caller's thread; it may raise
    `KeyboardInterrupt` to stop the run. A photograph that fails is a result; a model that cannot be
    loaded is a `ModelError` before the first one.
    """
    began = time.perf_counter()
    if not jobs:
        return Run([], 0.0)
    count, threads = shares(workers, len(jobs))
    work.load(threads=threads)
    results: list[Result] = []
    stopped: Literal["asked", "full disk"] | None = None

    def attempted(job: Job) -> Result:
        result = attempt(work, job, overwrite=overwrite, threads=threads)
        results.append(result)  # here, so that what ends after a stop is counted too
        return result

    pool = ThreadPoolExecutor(count)
    try:
        with as_interrupts():
            for result in _as_completed(pool, attempted, jobs, at_once=2 * count):
                on_result(result)
    except KeyboardInterrupt:
        stopped = "asked"
    except (OpsinError, OSError) as error:
        if not is_full_disk(error):
            raise
        stopped = "full disk"
    finally:
        with suppress(KeyboardInterrupt):  # who is in a hurry gets the report all the same
            pool.shutdown(wait=True, cancel_futures=True)
    return Run(results, time.perf_counter() - began, stopped)


def shares(workers: int | None, jobs: int) -> tuple[int, int]:
    """How many photographs at once, and the threads of each."""
    from opsin.machine import cores
    from opsin.models.engine import MOST_THREADS

    usable = min(cores(), MOST_THREADS)
    # one more than the cores, since each now and then waits for the disk
    count = min(workers or usable + 1, jobs)
    return count, max(1, usable // count)


def _as_completed(
    pool: ThreadPoolExecutor,
    attempted: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    at_once: int,
) -> Iterator[Result]:
    """Each result when it is there; few jobs are handed out at a time, so that a stop is quick."""
    waiting: set[Future[Result]] = set()
    for job in jobs:
        waiting.add(pool.submit(attempted, job))
        if len(waiting) >= at_once:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)
