"""Stopping a run from outside: at the end of a step, with everything saved.

Ctrl-C, a polite kill (SIGTERM) and a closed terminal (SIGHUP) are one thing here. The first asks,
the second stops at once. Processes that make batches must not hear of it: a run that waits for a
batch could not end its step.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)
)


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

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    # What a parent ignores (nohup and SIGHUP) stays ignored.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def as_interrupts() -> Iterator[None]:
    """In the block a polite kill and a closed terminal raise KeyboardInterrupt, as Ctrl-C does."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Processes that are started in the block ignore Ctrl-C; their parent decides when they end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
