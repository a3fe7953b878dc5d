"""How well a score tells true from false, over all thresholds: the ROC curve and points on it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[Any]


def area(scores: Floats, truths: NDArray[np.bool_]) -> float:
    """The area below the ROC curve: how often a true one scores higher than a false one.

    >>> area(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    true, false = scores[truths], np.sort(scores[~truths])
    if not len(true) or not len(false):
        return float("nan")
    below, upto = np.searchsorted(false, true), np.searchsorted(false, true, "right")
    return float((below + upto).mean() / 2 / len(false))


def equal_error(scores: Floats, truths: NDArray[np.bool_]) -> float:
    """The share of errors where true and false ones are mistaken as often (EER).

    Where no threshold does that exactly: the mean of both shares where they are nearest.

    >>> equal_error(np.array([0.1, 0.6, 0.4, 0.9]), np.array([False, False, True, True]))
    0.5
    """
    true, false = np.sort(scores[truths]), np.sort(scores[~truths])
    if not len(true) or not len(false):
        return float("nan")
    thresholds = np.unique(scores)
    rejected = np.searchsorted(true, thresholds) / len(true)
    accepted = 1 - np.searchsorted(false, thresholds) / len(false)
    nearest = np.argmin(np.abs(rejected - accepted))
    return float(rejected[nearest] + accepted[nearest]) / 2


def best_threshold(scores: Floats, truths: NDArray[np.bool_]) -> float:
    """The threshold with the most right answers: the middle between the two scores that it parts.

    Of several that are as good, the lowest.

    >>> float(best_threshold(np.array([0.1, 0.3, 0.5, 0.9]), np.array([False, False, True, True])))
    0.4
    """
    order = np.argsort(scores, kind="stable")
    ranked, true = scores[order], truths[order]
    right = (
        np.concatenate([[0], np.cumsum(~true)])
        + true.sum()
        - np.concatenate([[0], np.cumsum(true)])
    )
    edges = np.concatenate([[-np.inf], ranked, [np.inf]])
    can = edges[:-1] < edges[1:]  # no threshold parts equal scores
    best = int(np.argmax(np.where(can, right, -1)))
    low, high = edges[best], edges[best + 1]
    return float(high if np.isinf(low) else low + 1e-6 if np.isinf(high) else (low + high) / 2)
