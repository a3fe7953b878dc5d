"""How much the page takes: so that no browser, and no number of them, takes the whole machine."""

from __future__ import annotations

from typing import Final

MOST_UPLOAD: Final = 300 << 20
"""Bytes of a photograph's file: 100 megapixels of 16-bit gray and more."""

MOST_PIXELS: Final = 100_000_000
"""Of a photograph, where `--pixel-limit` says nothing else."""

MOST_JSON: Final = 1 << 20
"""Bytes of a change, or of a NAME.opsin.json."""

MOST_PHOTOGRAPHS: Final = 100
"""Open at once in one session."""

MOST_IN_ALL: Final = 300
"""Photographs that are open in all sessions: each is an open file."""

MOST_ON_DISK: Final = 8 << 30
"""Bytes of all uploads."""

MOST_SESSIONS: Final = 50

IDLE: Final = 2 * 3600.0
"""Seconds after the last sign of a browser until its photographs are gone. An open page gives one
every few minutes."""

PIXELS_KEPT: Final = 100 << 20
"""Bytes of decoded photographs; those that were used last stay, the others are decoded again."""

AT_ONCE: Final = 2
"""Works that go on at the same time."""

MOST_WAITING: Final = 40
"""Works that wait for their turn; more are refused."""

MOST_POINTS: Final = 500
"""Of a photograph on the page."""

MOST_STEPS: Final = 200
"""That can be undone."""

SIDES: Final = (64, 4000)
"""Pixels of the longer side of a picture to look at."""

SIDE: Final = 1400

MOST_SIZE: Final = 512
"""The largest short side of what a network sees: it takes memory by the square."""
