"""Faces made alike: turned, moved and scaled such that their landmarks lie where a network knows
them.

The transform is the similarity of least squares (Umeyama, Least-squares estimation of
transformation parameters between two point patterns, IEEE TPAMI 13, 1991). It turns as well, so
it does not matter how a face leans or which way its photograph lies.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.boxes import Floats
from opsin.drawing.pixels import as_rgb, resized

ROUND: Final = 4  # pixels of the square beyond its edge that sampling and scaling may look at


def similarity(points: Any, places: Any) -> NDArray[np.float64]:
    """The (2, 3) matrix that takes `points` (N, 2) nearest to `places` (N, 2), by least squares.

    It scales, turns and moves, and never mirrors: with `m` the result, a point x, y goes to
    m[:, :2] @ (x, y) + m[:, 2]. Fewer than two different points are a `ValueError`. Umeyama 1991,
    equations 34 to 43.

    >>> similarity([[0, 0], [1, 0]], [[5, 5], [5, 7]]).round(6).tolist()
    [[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]
    """
    points, places = np.asarray(points, np.float64), np.asarray(places, np.float64)
    if points.shape != places.shape or points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"points and places must both be (N, 2), got {points.shape} and {places.shape}."
        )
    center, goal = points.mean(axis=0), places.mean(axis=0)
    spread = ((points - center) ** 2).sum()
    if not spread > 0:
        raise ValueError("points must be two different ones or more, and finite.")
    left, strengths, right = np.linalg.svd((places - goal).T @ (points - center))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    turn = (left * signs) @ right * ((strengths * signs).sum() / spread)
    return np.column_stack([turn, goal - turn @ center])


def aligned(pixels: NDArray[Any], landmarks: Floats, places: Any, side: int) -> Floats:
    """(side, side, 3) float32: the face with these landmarks (5, 2) of a photograph, as sRGB from 0
    to 255.

    `pixels` are (H, W, 1 or 3) of 8 or 16 bits. `places` (5, 2) says where the landmarks go, in
    units of the side. What would lie outside of the photograph repeats its edge.
    """
    matrix = similarity(landmarks, np.asarray(places) * side)
    scale = float(np.sqrt(np.linalg.det(matrix[:, :2])))
    back = np.linalg.inv(matrix[:, :2])
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], float)
    around = (corners - matrix[:, 2]) @ back.T
    size = np.array([pixels.shape[1], pixels.shape[0]])
    left, top = np.floor(around.min(axis=0) - ROUND / scale).clip(0, size - 1).astype(int)
    right, bottom = (
        np.ceil(around.max(axis=0) + ROUND / scale).clip((left + 1, top + 1), size).astype(int)
    )
    part = as_rgb(pixels[top:bottom, left:right])
    height, width = (max(1, round(length * scale)) for length in part.shape[:2])
    small = resized(part, height, width)
    by = np.array([width / part.shape[1], height / part.shape[0]])
    grid = np.stack(np.meshgrid(*[np.arange(side) + 0.5] * 2), axis=-1)
    seen = (((grid - matrix[:, 2]) @ back.T) - (left, top)) * by
    return bilinear(small, seen)


def bilinear(pixels: NDArray[Any], at: NDArray[np.float64]) -> Floats:
    """(..., C) float32: pixels (H, W, C) between their centers, at the places (..., 2) as x, y.

    (0.5, 0.5) is the middle of the first pixel. Beyond the edge its last pixels are repeated.

    >>> bilinear(np.array([[[0], [10]]]), np.array([[0.5, 0.5], [1, 0.5], [9, 0.5]])).tolist()
    [[0.0], [5.0], [10.0]]
    """
    last = np.array([pixels.shape[1], pixels.shape[0]]) - 1
    at = (at - 0.5).clip(0, last)
    first = np.floor(at).astype(int)
    x, y = np.moveaxis(first, -1, 0)
    right, below = np.moveaxis(np.minimum(first + 1, last), -1, 0)
    across, down = np.moveaxis((at - first).astype(np.float32)[..., None], -2, 0)
    upper = pixels[y, x] * (1 - across) + pixels[y, right] * across
    lower = pixels[below, x] * (1 - across) + pixels[below, right] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
