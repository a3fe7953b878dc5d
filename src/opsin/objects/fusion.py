"""Several looks at one photograph as one answer: of several networks, and of the mirror image.

Weighted boxes fusion (Solovyev et al. 2021, arXiv 1910.13302): boxes of one label that overlap are
of one thing, whichever look they are of; its box is their mean, weighted by their scores. What
several looks tell scores higher than what one alone does.

Two things differ from the paper, by what `coco.tar:val` gave (docs/objects.md). A thing's score is
the sum of each look's best one, by the number of looks; in the paper it is the mean of all its
boxes, less where there are fewer boxes than looks, so that a look that tells a thing twice changes
it. And boxes must share more to be of one thing, so that neighbors in a crowd stay apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.models.card import Card
from opsin.models.engine import Engine
from opsin.objects.search import MOST, Found, Pixels, search

SAME: Final = 0.65
"""Of a box with the mean of others: what shares more is of the same thing."""

FAINT: Final = 0.02
"""The least score that a look may tell: even a faint one says that another is not alone."""

THRESHOLD: Final = 0.27
"""The least score of what is told of four looks: about as much of it is right as of PicoDet's."""

MIRRORED: Final = 2  # left to right, as EXIF numbers it


class Detector(NamedTuple):
    """What finds things: one network, or several, whose answers are fused."""

    card: Card
    """Of the first network; its threshold is that of them all together."""
    engines: tuple[Engine, ...]

    def search(
        self,
        pixels: Pixels,
        *,
        threshold: float,
        levels: int,
        labels: NDArray[np.intp] | None = None,
    ) -> Found:
        """All things on pixels (H, W, 1 or 3), the best first; see `opsin.objects.search.search`.

        Several networks each look at the picture and at its mirror image.
        """
        if len(self.engines) == 1:
            return search(
                pixels, self.engines[0], threshold=threshold, levels=levels, labels=labels
            )
        height, width = pixels.shape[:2]
        turned = np.ascontiguousarray(pixels[:, ::-1])
        told = []
        for engine in self.engines:
            plain, other = (
                search(one, engine, threshold=FAINT, levels=levels, labels=labels)
                for one in (pixels, turned)
            )
            back = boxes.upright(other.boxes, MIRRORED, height, width)
            told += [plain, other._replace(boxes=back)]
        inside = [one._replace(boxes=boxes.clip(one.boxes, height, width)) for one in told]
        found = fused(inside)
        return found.only(found.scores >= threshold)


def fused(told: Sequence[Found]) -> Found:
    """What looks at one picture tell together, the best first, `MOST` things at most; no masks.

    The box of each lies between those that it is of. Its score is 1 only if every look's is; one
    that a single look of N tells has its score there by N. The order of the looks says nothing,
    but for equal scores.

    >>> one = Found(boxes.as_boxes([[0, 0, 10, 10]]), np.array([0.8]), np.array([3]))
    >>> two = Found(boxes.as_boxes([[0, 0, 10, 8]]), np.array([0.4]), np.array([3]))
    >>> found = fused([one, two])
    >>> found.boxes.astype(float).round(1).tolist(), found.scores.astype(float).round(1).tolist()
    ([[0.0, 0.0, 10.0, 9.3]], [0.6])
    """
    places = np.concatenate([boxes.as_boxes([]), *(one.boxes for one in told)])
    scores = np.concatenate([np.zeros(0), *(one.scores for one in told)])
    labels = np.concatenate([np.zeros(0, np.intp), *(one.labels for one in told)])
    looks = np.repeat(np.arange(len(told)), [len(one.scores) for one in told])
    every = [
        (mean, _agreed(scores[rows][group], looks[rows][group], len(told)), label)
        for label in np.unique(labels)
        for rows in [np.flatnonzero(labels == label)]
        for mean, group in _groups(places[rows], scores[rows])
    ]
    means, agreed, kinds = zip(*every, strict=True) if every else ((), (), ())
    found = Found(boxes.as_boxes(means), np.array(agreed, np.float32), np.array(kinds, np.intp))
    return found.only(np.argsort(-found.scores, kind="stable")[:MOST])


def _groups(places: Floats, scores: NDArray[np.floating]) -> list[tuple[Floats, list[int]]]:
    """Of boxes (N, 4) of one label, for each thing its mean box (4,) and the rows that are of it.

    Boxes are taken from the best on: each goes to the thing whose mean box until then it shares
    most with, or is the first of another.
    """
    groups: list[list[int]] = []
    means, sums = np.zeros_like(places), np.zeros((len(places), 4))
    weights = np.zeros(len(places))
    for row in np.argsort(-scores, kind="stable").tolist():
        shared = boxes.iou(places[[row]], means[: len(groups)])[0]
        best = int(np.argmax(shared)) if groups else 0
        if not groups or shared[best] <= SAME:
            best = len(groups)
            groups.append([])
        groups[best].append(row)
        sums[best] += scores[row] * places[row]
        weights[best] += scores[row]
        means[best] = sums[best] / weights[best]
    return list(zip(means, groups, strict=False))


def _agreed(scores: NDArray[np.floating], looks: NDArray[np.intp], count: int) -> float:
    """The score of a thing, of its boxes' scores and the look that each is of."""
    best = np.zeros(count)
    np.maximum.at(best, looks, scores)
    return float(best.mean())
