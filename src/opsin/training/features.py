"""What a frozen network says of training pictures, computed once and kept on disk.

Deep Koalarization (arXiv 1712.03400) suggests it: with a few pictures seen a thousand times,
running the classifier anew each time is the most expensive part. Augmentation changes what the
classifier sees, so each picture is given a fixed number of variants (crop, mirror, turn, wear):
the network and the classifier always see the same variant, and the classifier runs once for each.
Augmenting the picture but not the classifier's answer would be cheaper still, but would tell the
network of things that are not in its crop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.files import cache_folder
from opsin.training.loop import Batch


class FeatureCache:
    """Answers (width,) by picture and variant, in one file of half-precision numbers."""

    def __init__(
        self, key: str, *, pictures: int, variants: int, width: int, folder: Path | None = None
    ) -> None:
        """`key` says all that the answers depend on: the network, the pictures, the crops."""
        folder = folder or cache_folder("features")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.f16"
        shape = (pictures, variants, width)
        size = 2 * pictures * variants * width
        if not self.path.exists() or self.path.stat().st_size != size:
            with open(self.path, "wb") as file:
                file.truncate(size)  # zeros, which take no room on most disks
        self._answers = np.memmap(self.path, np.float16, "r+", shape=shape)

    def get(
        self, pictures: NDArray[np.int64], variants: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The answers (N, width), and which of them are missing (they are zeros)."""
        found = np.asarray(self._answers[pictures, variants], np.float32)
        return found, np.logical_not(found.any(axis=1))

    def put(
        self,
        pictures: NDArray[np.int64],
        variants: NDArray[np.int64],
        answers: NDArray[np.float32],
    ) -> None:
        self._answers[pictures, variants] = answers

    @torch.no_grad()
    def answers(self, batch: Batch, ask: Callable[[Tensor], Tensor]) -> Tensor:
        """The answers (N, width) on a batch of crops. `ask` gives those (M, width) on the crops of
        a mask (N,); it is called for what is not kept yet."""
        pictures, variants = (batch[key].cpu().numpy() for key in ("number", "variant"))
        found, missing = self.get(pictures, variants)
        device = batch["number"].device
        if missing.any():
            new = ask(torch.from_numpy(missing).to(device)).half().float().cpu().numpy()
            found[missing] = new  # as the cache will give it, so that a run can be repeated
            self.put(pictures[missing], variants[missing], new)
        return torch.from_numpy(found).to(device)
