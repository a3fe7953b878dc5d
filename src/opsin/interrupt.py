"""Stopping a run from outside: at the end of a step, with everything saved.

Ctrl-C, a polite kill (SIGTERM) and a closed terminal (SIGHUP) are one thing here. The first asks,
the second stops at once. Processes that make batches must not hear of it: a run that waits for a
batch could not end its step.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)
)
BUT_KILL: Final = tuple(number for number in SIGNALS if number != signal.SIGTERM)


class Stopped(KeyboardInterrupt):  # as KeyboardInterrupt, it is no error
    """A run was asked to stop, and has; its text says what is saved and how to go on."""


@contextmanager
def asked_to_stop(on_message: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Whether somebody has asked the process to stop; `on_message` gets words for them."""
    asked = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        on_message("stopping when this step is done and saved; once more stops at once.")

    # What a parent ignores (nohup and SIGHUP) stays ignored.
    with _handled(ask, lambda handler: handler is not signal.SIG_IGN):
        yield lambda: asked


@contextmanager
def as_interrupts() -> Iterator[None]:
    """In the block a polite kill and a closed terminal raise KeyboardInterrupt, as Ctrl-C does."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, lambda handler: handler is signal.SIG_DFL):
        yield


@contextmanager
def uninterrupted(numbers: Sequence[int] = BUT_KILL) -> Iterator[None]:
    """Processes that are started in the block ignore these signals; their parent decides when
    they end. A pool of processes does that by SIGTERM, so that is not among them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)


def leave_to_parent() -> None:
    """This process ignores all that would stop it; its parent does, and it ends without a word.

    Destructors of native libraries may abort a process whose threads are not done.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    atexit.register(os._exit, 0)


@contextmanager
def _handled(handler: Callable[..., None], which: Callable[[Any], bool]) -> Iterator[None]:
    """In the block, the handler of those signals whose own one is such; others are left alone.

    Only the main thread may do that; in another, nothing is changed.
    """
    is_main = threading.current_thread() is threading.main_thread()
    heard = [number for number in SIGNALS if is_main and which(signal.getsignal(number))]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)
