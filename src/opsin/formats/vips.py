"""libvips, imported when first needed, with its cache off and its warnings caught."""

import contextlib
import functools
import logging
import os
from collections.abc import Iterator
from typing import Any

from opsin.errors import OpsinError

MOST_THREADS = 4  # a photograph is decoded by one thread; more only cost memory

_listeners: dict[int, list[str]] = {}
_watched: list[bool] = []
_forked = False


def vips() -> Any:
    """The pyvips module.

    Raises `OpsinError` in a process that was forked off one that has used it.
    """
    refuse_after_fork()
    return _load()


def refuse_after_fork() -> None:
    """libvips and ONNX Runtime have threads, and threads do not come along: a child would wait."""
    if _forked:
        raise OpsinError(
            "this process was forked from one that had already used opsin, which hangs. Start "
            'processes with multiprocessing.get_context("spawn"), or use opsin in children only.'
        )


def watch_forks() -> None:
    """From now on, what is forked from this process may not use opsin."""
    if not _watched and hasattr(os, "register_at_fork"):
        _watched.append(True)
        os.register_at_fork(after_in_child=_mark_forked)


def _mark_forked() -> None:
    global _forked
    _forked = True


@functools.cache
def _load() -> Any:
    import pyvips

    watch_forks()

    # Photographs are read once: a cache of operations would only hold their memory.
    pyvips.cache_set_max(0)
    if "VIPS_CONCURRENCY" not in os.environ:
        pyvips.concurrency_set(min(os.cpu_count() or 1, MOST_THREADS))
    logging.getLogger("pyvips").addFilter(_swallow)
    for module in (pyvips, pyvips.error):  # a damaged file may be quoted in any encoding
        module._to_string = functools.partial(_text, pyvips.ffi)
    return pyvips


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """The warnings libvips gives during the block; they reach no log and no terminal."""
    heard: list[str] = []
    vips().vips_lib.vips_error_clear()  # what an earlier read left behind
    _listeners[id(heard)] = heard
    try:
        yield heard
    finally:
        del _listeners[id(heard)]


def message(error: Exception, *, about: str = "") -> str:
    """The first cause libvips gives, without the name of its function; "" if it gives none.

    Its threads share one list of errors: only functions with `about` in their name count.
    """
    lines = [line.strip().split(": ", 1) for line in str(error).splitlines() if ": " in line]
    said = [text for name, text in lines if about in name.lower() and "bad seek" not in text]
    return said[0] if said else ""


def _text(ffi: Any, pointer: Any) -> str:
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode("utf-8", "replace")


def _swallow(record: logging.LogRecord) -> bool:
    listeners = list(_listeners.values())
    # Warnings come from libvips' own threads: with two reads at once nobody can tell
    # which file is meant, and a note on the wrong photograph is worse than none.
    if len(listeners) == 1:
        listeners[0].append(record.getMessage())
    return not listeners
