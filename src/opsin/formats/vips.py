"""libvips, imported when first needed, with its cache off and its warnings silenced."""

import functools
import os
import sys
from typing import Any

from opsin.errors import OpsinError

MOST_THREADS = 4  # a photograph is decoded by one thread; more only cost memory

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


def forget_errors() -> None:
    """Clears what an earlier read left in libvips' list of errors."""
    vips().vips_lib.vips_error_clear()


def message(error: Exception, *, about: str = "") -> str:
    """The first cause libvips gives, without the name of its function; "" if it gives none.

    Its threads share one list of errors: only functions with `about` in their name count.
    """
    lines = [line.strip().split(": ", 1) for line in str(error).splitlines() if ": " in line]
    said = [text for name, text in lines if about in name.lower() and "bad seek" not in text]
    return said[0] if said else ""


def _text(ffi: Any, pointer: Any) -> str:
    return "" if pointer == ffi.NULL else ffi.string(pointer).decode("utf-8", "replace")
