"""A run over more photographs than one machine can do: the same work on a cluster of Dask.

    order = Order(Colorizing(), "s3://scans", "s3://colored")
    state = run(order, "tcp://10.0.0.1:8786", on_progress=print)

The source is listed as it is needed; a task is a portion of some 150 photographs, and hardly more
tasks are handed out than the workers can begin. A task lost with its worker is done again by Dask,
one lost with the scheduler is handed out again here, and both find what is done (`portion`).
A portion on which workers died is done again in pieces, down to single photographs, each of these
alone on the cluster at the end; if workers die of that, the photograph has failed.
"""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from opsin.archive.jobs import is_photograph
from opsin.archive.portion import Order, Portion, Tally, check, do_portion, line
from opsin.archive.result import Result
from opsin.archive.stores import Entry, open_store
from opsin.errors import DataError, OpsinError, WrongCallError, needs_extra
from opsin.files import shown
from opsin.interrupt import uninterrupted
from opsin.machine import cores

LOCAL: Final = "local"
MOST: Final = 150  # photographs a portion
LEAST: Final = 8  # at the end of a run, so that all workers end together
PIECES: Final = 12  # of a portion on which workers died: 150 -> 13 -> 2 -> 1
AHEAD: Final = 50_000  # photographs whose names are in memory at most, before they are handed out
CONNECT: Final = 5.0  # seconds to wait for a scheduler at first
RECONNECT: Final = 600.0  # and for one that was there before
TRIES: Final = 3  # of a task whose worker lives, but cannot reach a store


def run_name() -> str:
    """A name for a run: of two, the later one's comes later in the alphabet."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"


@dataclass
class State:
    """How far a run is."""

    counts: Counter[str] = field(default_factory=Counter)
    """Photographs by status; those that an earlier run has done are "skipped"."""
    known: int = 0
    """Of the skipped ones, those that the manifest of an earlier run tells of."""
    total: int | None = None
    """Photographs in the source, as soon as it is listed to its end."""
    began: float = field(default_factory=time.monotonic)
    name: str = field(default_factory=run_name)
    """What the run's parts of the manifest begin with."""

    @property
    def finished(self) -> int:
        return self.counts.total()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Photographs a second, those of an earlier run left out."""
        return (self.finished - self.known) / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """None where it cannot be told yet."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.finished) / self.rate


def run(
    order: Order,
    cluster: str,
    *,
    workers: int | None = None,
    state: State | None = None,
    on_progress: Callable[[tuple[Result, ...]], None] = lambda failed: None,
) -> State:
    """Does an order on the scheduler at the address `cluster`, or on this machine (`local`).

    `workers` is the number of processes of a local cluster: the cores if not given. While it runs,
    `state` says how far it is; `on_progress` is called when that has changed, with the photographs
    that have failed since.

    Raises `WrongCallError` if there is no scheduler, `DataError` or `SaveError` if a store is or
    gets out of reach; then, as after Ctrl-C, the same call again goes on where it was.
    """
    state = state or State()
    with _scheduler(cluster, workers) as connect:
        check(order)
        doing = _Run(order, state, on_progress)
        try:
            with _counting(order, state):
                doing.follow(_Flight(order, connect))
        finally:
            open_store(order.target).tidy()
        return state


def photographs(order: Order, on_unread: Callable[[str, str], None]) -> Iterator[Entry]:
    """All photographs of an order, as its source lists them; what opsin made is none."""
    source, target = open_store(order.source), open_store(order.target)
    for entry in source.entries(skip=target.address, on_unread=on_unread):
        if is_photograph(entry.name.rpartition("/")[2]):
            yield entry


class _Run:
    """What is to be done yet, and what was told of the rest."""

    def __init__(
        self, order: Order, state: State, on_progress: Callable[[tuple[Result, ...]], None]
    ) -> None:
        self.order, self.state, self.on_progress = order, state, on_progress
        self.manifest = order.manifest()
        self.again: deque[Portion] = deque()  # lost, or pieces of what workers died of
        self.alone: deque[Portion] = deque()  # single photographs that workers died of
        self.judged: set[str] = set()  # parts of those that are being done alone
        self.others = itertools.count()

    def follow(self, flight: _Flight) -> None:
        """Hands out portions until all photographs are done."""
        fresh = _portions(self._left(), self.state.name, lambda: flight.threads)
        with flight:
            while True:
                while flight.has_room and (portion := self._next(fresh)):
                    flight.submit(portion)
                if not len(flight):
                    if not self.alone:
                        return
                    portion = self.alone.popleft()
                    self.judged.add(portion.part)
                    flight.submit(portion)
                for portion, outcome in flight.landed():
                    self._take(portion, outcome)

    def on_unread(self, folder: str, why: str) -> None:
        """A folder that cannot be listed is a line, as a photograph that cannot be read."""
        self._write_off(Entry(folder, 0), f"cannot read this folder ({why}).")

    def _next(self, fresh: Iterator[Portion]) -> Portion | None:
        return self.again.popleft() if self.again else next(fresh, None)

    def _left(self) -> Iterator[Entry]:
        """The photographs that no earlier run has done."""
        done = self.manifest.done()
        for entry in photographs(self.order, self.on_unread):
            if entry in done:
                self.state.counts["skipped"] += 1
                self.state.known += 1
            else:
                yield entry

    def _take(self, portion: Portion, outcome: Tally | str) -> None:
        if outcome == "died" and (lines := self.manifest.read(portion.part)) is not None:
            outcome = Tally.of(lines)  # it died of something else, after its last photograph
        if isinstance(outcome, Tally):
            self._count(outcome)
        elif outcome == "lost":
            (self.alone if portion.part in self.judged else self.again).append(portion)
        elif portion.part in self.judged:
            self._write_off(
                portion.entries[0],
                "the worker processes that tried it have died, of too little memory or of a bug. "
                "Try it by itself, on a machine with more memory.",
            )
        elif len(portion.entries) == 1:
            self.alone.append(portion)
        else:
            self.again.extend(_pieces(portion))

    def _write_off(self, entry: Entry, error: str) -> None:
        result = Result(entry.name, "failed", error=error)
        part = f"{self.state.name}-client-{next(self.others):04d}"
        self._count(Tally.of(self.manifest.write(part, [line(entry, result)])))

    def _count(self, tally: Tally) -> None:
        self.state.counts += tally.counts
        self.on_progress(tally.failed)


class _Flight:
    """Tasks on a scheduler that may be gone for a while."""

    def __init__(self, order: Order, connect: Callable[[], Any]) -> None:
        self._order, self._connect = order, connect
        self._portions: dict[Any, Portion] = {}
        self._grounded: list[Portion] = []  # for want of a scheduler
        self.threads = 1
        self._take_off()

    def __enter__(self) -> _Flight:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):  # of a scheduler that is gone
            self._client.cancel(list(self._portions))
        self._client.close(timeout=2)

    def __len__(self) -> int:
        return len(self._portions) + len(self._grounded)

    @property
    def has_room(self) -> bool:
        """Each thread has a task, and those that come next are at hand."""
        return len(self) < self.threads + self.threads // 8 + 2

    def submit(self, portion: Portion) -> None:
        key = f"opsin-{portion.part}"
        try:
            future = self._client.submit(
                do_portion, self._order, portion, key=key, retries=TRIES - 1
            )
        except Exception:
            if self._client.status != "closed":
                raise
            self._grounded.append(portion)
        else:
            self._portions[future] = portion
            self._completed.add(future)

    def landed(self) -> Iterator[tuple[Portion, Tally | str]]:
        """The next portions that are through, and what became of each: also "died" or "lost"."""
        from distributed import KilledWorker

        if self._client.status == "closed":
            lost = [*self._portions.values(), *self._grounded]
            self._portions, self._grounded = {}, []
            self._take_off()
            yield from ((portion, "lost") for portion in lost)
            return
        for future in [next(self._completed), *self._completed.next_batch(block=False)]:
            portion = self._portions.pop(future)
            if future.status == "finished":
                yield portion, future.result()
            elif future.status == "error":
                error = future.exception()
                if not isinstance(error, KilledWorker):
                    raise _stopped(error)
                yield portion, "died"
            else:  # cancelled, as the connection was
                yield portion, "lost"
        self._count_threads()

    def _take_off(self) -> None:
        from distributed import as_completed

        self._client = self._connect()
        self._completed = as_completed(loop=self._client.loop)
        self._count_threads()

    def _count_threads(self) -> None:
        """Of all workers; as many as before where nobody can tell."""
        with suppress(Exception):
            if self._client.status == "running":
                self.threads = max(1, sum(self._client.nthreads().values()))


@contextmanager
def _scheduler(cluster: str, workers: int | None) -> Iterator[Callable[[], Any]]:
    """What connects to a scheduler, again if need be; a local one lives as long as the block."""
    with needs_extra("--cluster", "cluster"):
        import dask
        from distributed import Client, LocalCluster
    with _without_logs():
        if cluster != LOCAL:
            if workers is not None:
                raise WrongCallError(
                    "--workers: a cluster has the workers that were started for it."
                )
            with _client(cluster, CONNECT) as first:
                given = iter([first])
                yield lambda: next(given, None) or _client(cluster, RECONNECT)
            return
        # a profile of each worker that nobody looks at costs a tenth of its time
        plain = dask.config.set({"distributed.worker.profile.enabled": False})
        with plain, uninterrupted():  # Ctrl-C is for this process, which then ends them
            local = LocalCluster(
                n_workers=workers or cores(),
                threads_per_worker=1,
                host="127.0.0.1",
                silence_logs=logging.CRITICAL,
                scheduler_kwargs={
                    "allowed_failures": 1,  # a task on which two workers died; see `_Run._take`
                    "dashboard": False,
                    "dashboard_address": "127.0.0.1:0",  # for what it serves all the same
                },
            )
        with local:
            yield lambda: Client(local, set_as_default=False)


def _client(address: str, patience: float) -> Any:
    """A client of the scheduler at an address, or of which a file tells."""
    from distributed import Client

    where = {"scheduler_file": address} if os.path.isfile(address) else {"address": address}
    until = time.monotonic() + patience
    while True:
        try:
            return Client(**where, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or time.monotonic() > until:
                raise WrongCallError(
                    f"--cluster {shown(address)}: no scheduler of Dask answers there. "
                    "Start one with `dask scheduler`, or use --cluster local."
                ) from error
            time.sleep(1)


@contextmanager
def _without_logs() -> Iterator[None]:
    """What Dask logs of lost workers and connections is dealt with here."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _counting(order: Order, state: State) -> Iterator[None]:
    """Counts the photographs beside the work, for the time left; no name is kept."""
    ended = threading.Event()

    def count() -> None:
        total = 0
        with suppress(Exception):  # whoever lists them for the work will say it
            for _ in photographs(order, lambda folder, why: None):
                total += 1
                if ended.is_set():
                    return
            state.total = total

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _portions(entries: Iterable[Entry], name: str, threads: Callable[[], int]) -> Iterator[Portion]:
    """Photographs in portions, smaller ones when few are left for so many threads."""
    entries = iter(entries)
    ahead: deque[Entry] = deque()
    for number in itertools.count():
        shares = 2 * threads()
        ahead.extend(itertools.islice(entries, max(0, min(AHEAD, MOST * shares) - len(ahead))))
        if not ahead:
            return
        size = max(LEAST, min(MOST, len(ahead) // shares))
        taken = tuple(ahead.popleft() for _ in range(min(size, len(ahead))))
        yield Portion(f"{name}-{number:07d}", taken)


def _pieces(portion: Portion) -> Iterator[Portion]:
    size = -(-len(portion.entries) // PIECES)
    for number, start in enumerate(range(0, len(portion.entries), size)):
        yield Portion(f"{portion.part}.{number}", portion.entries[start : start + size])


def _stopped(error: BaseException) -> BaseException:
    """What ends a run, in words."""
    if isinstance(error, OpsinError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return WrongCallError(
            f"a worker has no {error.name}. Install the same opsin[cluster] there as here."
        )
    return DataError(f"a worker cannot go on ({type(error).__name__}: {error}).")
