"""Average precision while a detector learns: small, and without another package.

`opsin evaluate detect` measures finished models by COCO's own rules; this is the plain definition
at one overlap, for the figures of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.objects.search import Found

OVERLAP: Final = 0.5

Truth = tuple[Floats, NDArray[np.int64]]
"""Boxes (M, 4) and labels (M,) of a picture's things; a label below 0 is not judged."""


def mean_average_precision(told: Sequence[Found], truth: Sequence[Truth], classes: int) -> float:
    """The mean over the classes that are there, from 0 to 1; nan if there is nothing to find."""
    found = [average_precision(told, truth, label) for label in range(classes)]
    there = [one for one in found if not np.isnan(one)]
    return float(np.mean(there)) if there else float("nan")


def average_precision(told: Sequence[Found], truth: Sequence[Truth], label: int) -> float:
    """The area under the curve of precision over recall (Everingham et al. 2010, as of VOC 2010).

    A box is right if it shares `OVERLAP` with a thing of its label that no better box has found;
    one upon what is not judged counts for nothing. nan if there is no thing of the label.
    """
    scores, right, things = [], [], 0
    for found, (places, labels) in zip(told, truth, strict=True):
        ours = found.only(found.labels == label)
        theirs = places[labels == label]
        things += len(theirs)
        hits, judged = matched(ours, theirs, places[labels < 0])
        scores.append(ours.scores[judged])
        right.append(hits[judged])
    if not things:
        return float("nan")
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.cumsum(np.concatenate(right)[order])
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]  # the best at this recall or more
    steps = np.diff(hits, prepend=0)
    return float((best * steps).sum() / things)


def matched(
    found: Found, things: Floats, ignored: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,): which boxes have found a thing, the surest first; and (N,): which are judged at all."""
    alike = boxes.iou(found.boxes, things)
    hits = np.zeros(len(found.scores), bool)
    free = np.ones(len(things), bool)
    for row in np.argsort(-found.scores, kind="stable"):
        shared = alike[row] * free
        if len(things) and shared.max() >= OVERLAP:
            free[shared.argmax()] = False
            hits[row] = True
    on_ignored = (boxes.iou(found.boxes, ignored) >= OVERLAP).any(axis=1)
    return hits, hits | ~on_ignored
