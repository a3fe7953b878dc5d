"""Work for the tests of a cluster, in a module of its own: the workers import it, too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opsin.errors import PhotoError
from opsin.files import fingerprint
from opsin.work import Made


@dataclass(frozen=True)
class Copying:
    """A photograph's bytes with its origin; what they say is done first."""

    seconds: float = 0.0

    def load(self, *, threads: int) -> None:
        assert threads == 1

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        data = source.read()
        time.sleep(self.seconds)
        if data.startswith(b"bad"):
            raise PhotoError(f"{source.name}: not a photograph.")
        if data.startswith(b"kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        copy = data + f'opsin:Origin="{fingerprint(data)}"'.encode()
        return Made(dict.fromkeys(wanted, copy), part={"bytes": len(data)})
