"""Frechet distance between two sets of pictures, in the features of some network.

With the features of Inception-v3 this is the FID (Heusel et al. 2017, arXiv 1706.08500); with any
other network it is another scale, comparable with itself alone. It is biased upward for few
pictures (some hundreds are few), so compare systems on the same pictures only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.uint8]

Features: TypeAlias = Callable[[Pixels], NDArray[np.float32]]
"""From sRGB pixels (H, W, 3) to one vector (D,)."""


class Distances:
    """Collects the features of true pictures and of each system's, picture by picture."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._true: list[NDArray[np.float32]] = []
        self._found: dict[str, list[NDArray[np.float32]]] = {}

    def add(self, truth: Pixels, pixels: Mapping[str, Pixels]) -> None:
        self._true.append(self._features(truth))
        for system, picture in pixels.items():
            self._found.setdefault(system, []).append(self._features(picture))

    def of(self, system: str) -> float:
        """The distance of the system's pictures from the true ones; nan for less than two."""
        if len(self._true) < 2:
            return float("nan")
        return frechet_distance(np.array(self._true), np.array(self._found[system]))


def frechet_distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """The squared distance between Gaussians fitted to two sets of features (N, D).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With centered features X1, X2 the last trace is
    the sum of the singular values of X1 X2^T, so no matrix root is needed, and none of a
    covariance that has not full rank.

    >>> square = np.array([[0.0, 0], [0, 2], [2, 0], [2, 2]])
    >>> round(frechet_distance(square, square + [3, 4]), 6)
    25.0
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    mean, other_mean = one.mean(axis=0), other.mean(axis=0)
    root, other_root = _root(one - mean), _root(other - other_mean)
    shared = np.linalg.svd(root @ other_root.T, compute_uv=False).sum()
    spread = np.square(root).sum() + np.square(other_root).sum()
    return float(np.square(mean - other_mean).sum() + spread - 2 * shared)


def _root(centered: Doubles) -> Doubles:
    """R of at most D rows such that R^T R is the covariance."""
    count, size = centered.shape
    triangle: Doubles = np.linalg.qr(centered)[1] if count > size else centered
    root: Doubles = triangle / np.sqrt(count - 1)
    return root
