"""libvips, imported when first needed, with its cache off and its warnings silenced."""

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from opsin.errors import OpsinError

MOST_THREADS = 4  # a photograph is decoded by one thread; more only cost memory

_LOADING = threading.Lock()
_turn = threading.Condition()
_reads = 0  # going on; -1: one alone
_lone = 0  # reads that wait to be alone
_watched: list[bool] = []
_forked = False


def vips() -> Any:
    """The pyvips module.

    Raises `OpsinError` in a process that was forked off one that has used it.
    """
    refuse_after_fork()
    with _LOADING:  # a cache alone would let two threads load it at once
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
    pyvips = _silent()
    watch_forks()

    # Photographs are read once: a cache of operations would only hold their memory.
    pyvips.cache_set_max(0)
    if "VIPS_CONCURRENCY" not in os.environ:
        pyvips.concurrency_set(min(os.cpu_count() or 1, MOST_THREADS))
    for module in (pyvips, pyvips.error):  # a damaged file may be quoted in any encoding
        module._to_string = functools.partial(_text, pyvips.ffi)
    return pyvips


def _silent() -> Any:
    """pyvips, with libvips' own silent handler of warnings instead of pyvips's in Python.

    While Python handles one, it may collect garbage; an image that is freed so gives a warning
    too, and GLib ends the process for a warning within a warning.
    """
    if "pyvips" in sys.modules:  # imported by somebody else: its warnings are theirs
        import pyvips

        return pyvips
    before = os.environ.get("VIPS_WARNING")
    os.environ["VIPS_WARNING"] = "silent"  # any value
    import pyvips

    if before is None:
        del os.environ["VIPS_WARNING"]
    pyvips._remove_log_handler()
    return pyvips


@contextlib.contextmanager
def together() -> Iterator[None]:
    """A read beside others. All threads share one list of errors: do not believe its error."""
    global _reads
    with _turn:
        _turn.wait_for(lambda: _reads >= 0 and not _lone)
        _reads += 1
    try:
        yield
    finally:
        with _turn:
            _reads -= 1
            _turn.notify_all()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """A read while no other goes on, whose error is its own."""
    global _reads, _lone
    with _turn:
        _lone += 1
        try:
            _turn.wait_for(lambda: _reads == 0)
        finally:
            _lone -= 1
        _reads = -1
    vips().vips_lib.vips_error_clear()  # what others left behind
    try:
        yield
    finally:
        with _turn:
            _reads = 0
            _turn.notify_all()


def blob_of(image: Any, field: str) -> bytes | None:
    """Bytes that an image carries, as its profile; None if there are none."""
    return bytes(image.get(field)) or None if image.get_typeof(field) else None


def message(error: Exception, *, about: str = "") -> str:
    """The first cause libvips gives, without the name of its function; "" if it gives none.

    Only functions with `about` in their name count.
    """
    lines = [line.strip().split(": ", 1) for line in str(error).splitlines() if ": " in line]
    said = [text for name, text in lines if about in name.lower() and "bad seek" not in text]
    return said[0] if said else ""


def _text(ffi: Any, pointer: Any) -> str:
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode("utf-8", "replace")
