"""A last layer for classes of one's own, learned from features in seconds.

Multinomial logistic regression with an L2 penalty, whose strength is chosen by cross-validation;
the temperature of its probabilities is fitted on what the folds said of pictures that they had not
seen (Guo et al. 2017, arXiv 1706.04599, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.errors import needs_extra
from opsin.recognition.pipeline import softmax

Floats: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]

STRENGTHS: Final = (1e-4, 1e-3, 1e-2, 1e-1)
"""C of scikit-learn, on features whose deviation is 1: the inverse of the penalty."""
FOLDS: Final = 4
STEPS: Final = 300


class Head(NamedTuple):
    """Features (N, D) times `weight` (n, D), plus `bias` (n,): numbers before the softmax."""

    weight: Floats
    bias: Floats
    temperature: float
    strength: float

    def logits(self, features: Floats) -> Floats:
        """(N, n)."""
        return np.asarray(features @ self.weight.T + self.bias, np.float32)


def fit(features: Floats, labels: Labels, groups: NDArray[Any], *, seed: int = 1) -> Head:
    """The head for features (N, D) with labels (N,) from 0 to n - 1.

    Rows of one group, as a picture in color and in gray, are never in two folds.
    """
    with needs_extra("opsin learn", "learn"):
        from sklearn.model_selection import StratifiedGroupKFold
    smallest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    folds = StratifiedGroupKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    parts = list(folds.split(features, labels, groups))
    best: tuple[float, float, Floats] | None = None
    for strength in STRENGTHS:
        unseen = np.zeros((len(labels), int(labels.max()) + 1), np.float32)
        for learned, left in parts:
            weight, bias = _solve(features[learned], labels[learned], strength)
            unseen[left] = features[left] @ weight.T + bias
        temperature = temperature_of(unseen, labels)
        loss = log_loss(unseen / temperature, labels)
        if best is None or loss < best[0]:
            best = loss, strength, unseen
    assert best is not None
    weight, bias = _solve(features, labels, best[1])
    return Head(weight, bias, temperature_of(best[2], labels), best[1])


def refit(features: Floats, labels: Labels, head: Head) -> Head:
    """A head of the same strength and temperature, from other features."""
    weight, bias = _solve(features, labels, head.strength)
    return head._replace(weight=weight, bias=bias)


def temperature_of(logits: Floats, labels: Labels) -> float:
    """By what logits (N, n) are divided so that their probabilities are right most often."""
    choices = np.geomspace(0.1, 10, 201)
    return float(min(choices, key=lambda one: log_loss(logits / np.float32(one), labels)))


def log_loss(logits: Floats, labels: Labels) -> float:
    """The mean of -log of the probability of the right class.

    >>> round(log_loss(np.zeros((1, 2), np.float32), np.array([0])), 3)
    0.693
    """
    shares = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(shares, 1e-12)).mean())


def _solve(features: Floats, labels: Labels, strength: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression

    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    solver = LogisticRegression(C=strength, max_iter=STEPS)
    solver.fit((features - middle) / spread, labels)
    weight, bias = solver.coef_ / spread, solver.intercept_
    bias = bias - weight @ middle
    if len(weight) == 1:  # of two classes it gives the second's odds
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight.astype(np.float32), bias.astype(np.float32)


def curve(
    features: Floats,
    labels: Labels,
    groups: NDArray[Any],
    head: Head,
    test: tuple[Floats, Labels],
    *,
    shares: Sequence[float] = (0.125, 0.25, 0.5, 1.0),
    seed: int = 1,
) -> list[tuple[int, float]]:
    """How many pictures were learned from, and the share of the test that was right then."""
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    found = []
    for share in shares:
        chosen = np.isin(groups, _some_of_each(order, labels, groups, share))
        head = refit(features[chosen], labels[chosen], head)
        right = (head.logits(test[0]).argmax(axis=1) == test[1]).mean()
        found.append((len(np.unique(groups[chosen])), float(right)))
    return found


def twice_as_many(points: Sequence[tuple[int, float]]) -> float | None:
    """The accuracy to expect of twice as many pictures: errors fall as a power of their number.

    None where they do not fall. Of three points or more, the last three.

    >>> twice_as_many([(100, 0.8), (200, 0.9), (400, 0.95)])
    0.975
    """
    last = [(n, max(1 - right, 1e-3)) for n, right in points[-3:]]
    if len({n for n, _ in last}) < 2:  # of few pictures, a half may be as many as all
        return None
    slope, level = np.polyfit(np.log([n for n, _ in last]), np.log([e for _, e in last]), 1)
    if slope >= 0:
        return None
    return round(float(1 - np.exp(level + slope * np.log(2 * last[-1][0]))), 4)


def _some_of_each(
    order: NDArray[Any], labels: Labels, groups: NDArray[Any], share: float
) -> NDArray[Any]:
    """The first groups of each class in this order: a share of them, and two at least."""
    of_group = dict(zip(groups.tolist(), labels.tolist(), strict=True))
    wanted, chosen = {}, []
    for label in np.unique(labels):
        count = len(np.unique(groups[labels == label]))
        wanted[int(label)] = max(2, round(share * count))
    for group in order.tolist():
        label = of_group[group]
        if wanted[label]:
            wanted[label] -= 1
            chosen.append(group)
    return np.array(chosen)
