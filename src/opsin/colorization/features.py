"""A classifier's answers on training pictures, computed once and kept on disk.

Deep Koalarization (arXiv 1712.03400) suggests it: with a few pictures seen a thousand times,
running the classifier anew each time is the most expensive part. Augmentation changes what the
classifier sees, so each picture is given a fixed number of variants (crop, mirror, turn, wear):
the network and the classifier always see the same variant, and the classifier runs once for each.
Augmenting the picture but not the classifier's answer would be cheaper still, but would tell the
network of things that are not in its crop.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.files import cache_folder

WIDTH = 1000


class FeatureCache:
    """Answers (1000,) by picture and variant, in one file of half-precision numbers."""

    def __init__(self, key: str, *, pictures: int, variants: int, folder: Path | None = None):
        """`key` says all that the answers depend on: the classifier, the pictures, the crops."""
        folder = folder or cache_folder("features")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.f16"
        shape = (pictures, variants, WIDTH)
        size = 2 * pictures * variants * WIDTH
        if not self.path.exists() or self.path.stat().st_size != size:
            with open(self.path, "wb") as file:
                file.truncate(size)  # zeros, which take no room on most disks
        self._answers = np.memmap(self.path, np.float16, "r+", shape=shape)

    def get(
        self, pictures: NDArray[np.int64], variants: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The answers (N, 1000), and which of them are missing (they are zeros)."""
        found = np.asarray(self._answers[pictures, variants], np.float32)
        return found, np.logical_not(found.any(axis=1))

    def put(
        self,
        pictures: NDArray[np.int64],
        variants: NDArray[np.int64],
        answers: NDArray[np.float32],
    ) -> None:
        self._answers[pictures, variants] = answers
