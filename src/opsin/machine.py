"""What this machine has: cores that this process may use, and memory that it may keep."""

from __future__ import annotations

import ctypes
import functools
import os
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def keep_memory() -> None:
    """Lets this process keep what it frees, up to 64 MB, as it would if nobody had said otherwise.

    Dask has its workers give memory back at once (MALLOC_TRIM_THRESHOLD_). A photograph's arrays
    are then new pages of zeros each time: a third of a worker's time went into that.
    """
    with suppress(OSError, AttributeError):  # another libc than GNU's
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(_M_TRIM_THRESHOLD, 64 << 20)
