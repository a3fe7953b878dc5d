"""Who is who from one picture of a video to the next: boxes that keep their number.

Where each thing will be is foretold by a Kalman filter, and what the detector finds is given to
the things that it overlaps most (SORT, Bewley et al. 2016, sections 3.2 to 3.4). What it is unsure
of may only go on with a thing that is known already, so that somebody half hidden keeps the number
(ByteTrack, Zhang et al. 2022, algorithm 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.errors import needs_extra
from opsin.objects.search import Found

LEAST: Final = 0.1
"""The score above which a box may go on with a thing that is known."""
SURER: Final = 0.1  # than the threshold a box must be to begin a new thing, as in ByteTrack
OVERLAP: Final = 0.2  # that a sure box must have with where a thing should be
UNSURE_OVERLAP: Final = 0.5  # the same for an unsure one
PATIENCE: Final = 1.0  # seconds for which a thing that is not seen is still waited for
PLACE: Final = 1 / 20  # of its height: by how much a box lies beside the truth
SPEED: Final = 1 / 160  # of its height a picture: by how much a thing's speed changes


@dataclass
class Track:
    """A thing that is followed; its center and size, each with a speed, are in pixels."""

    label: int
    score: float
    state: NDArray[np.float64]
    """(4, 2): center x, center y, width, height; and by how much each changes a picture."""
    spread: NDArray[np.float64]
    """(4, 2, 2): the covariance of each row. What is measured of one tells nothing of another."""
    number: int | None = None
    """Given when it is seen for the second time; one picture alone may be a mistake."""
    unseen: int = 0
    """For how many pictures it was not seen."""

    @property
    def box(self) -> Floats:
        """(4,), see `opsin.boxes`."""
        (x, y), (width, height) = self.state[:2, 0], np.maximum(self.state[2:, 0], 1)
        sides = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
        return np.array(sides, np.float32)

    def foresee(self) -> None:
        """Where it should be on the next picture."""
        move = np.array([[1.0, 1.0], [0.0, 1.0]])
        self.state = self.state @ move.T
        self.spread = move @ self.spread @ move.T + np.diag(_noise(self.state[3, 0]))
        self.unseen += 1

    def take(self, box: Floats, score: float) -> None:
        """It was seen there: what was foretold and what was seen, each by how sure it is."""
        place, _ = _noise(self.state[3, 0])
        gain = self.spread[:, :, 0] / (self.spread[:, :1, 0] + place)
        self.state = self.state + gain * (_center(box) - self.state[:, 0])[:, None]
        self.spread = self.spread - gain[:, :, None] * self.spread[:, :1]
        self.score, self.unseen = score, 0


@dataclass
class Tracker:
    """Follows the things of one video, of which it is given one picture after the other."""

    threshold: float
    """The score from which on a box is sure."""
    patience: int = 25
    """For how many pictures a thing that is not seen is waited for."""
    tracks: list[Track] = field(default_factory=list)
    told: int = 0
    """How many things have a number."""
    begun: bool = False

    def next(self, found: Found) -> list[Track]:
        """The things on the next picture that are seen there and have a number; `found` are the
        boxes of it with scores from `LEAST` on."""
        for track in self.tracks:
            track.foresee()
        sure = found.scores >= self.threshold
        left = self._give(found.only(sure), self.tracks, OVERLAP)
        waiting = [track for track in self.tracks if track.unseen == 1]
        self._give(found.only(~sure), waiting, UNSURE_OVERLAP)
        for box, score, label in zip(left.boxes, left.scores, left.labels, strict=True):
            if score >= min(self.threshold + SURER, 1.0):
                self.tracks.append(_new(box, float(score), int(label)))
        self.tracks = [track for track in self.tracks if self._may_come_back(track)]
        if not self.begun:  # nothing was before, so nothing can be seen twice
            self._count(self.tracks)
            self.begun = True
        return [track for track in self.tracks if track.unseen == 0 and track.number is not None]

    def _give(self, found: Found, tracks: list[Track], least: float) -> Found:
        """Gives boxes to things of their kind, so that all overlap as much as can be; those that
        are left over."""
        with needs_extra("following things", "video"):
            from scipy.optimize import linear_sum_assignment

        if not (tracks and len(found.scores)):
            return found
        kinds = np.array([track.label for track in tracks])
        shared = boxes.iou([track.box for track in tracks], found.boxes)
        shared[(kinds[:, None] != found.labels) | (shared < least)] = 0
        taken = np.zeros(len(found.scores), bool)
        for row, column in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[row, column] > 0:
                tracks[row].take(found.boxes[column], float(found.scores[column]))
                self._count([tracks[row]])
                taken[column] = True
        return found.only(~taken)

    def _count(self, tracks: list[Track]) -> None:
        for track in tracks:
            if track.number is None:
                self.told += 1
                track.number = self.told

    def _may_come_back(self, track: Track) -> bool:
        return track.unseen <= (0 if track.number is None else self.patience)


def _new(box: Floats, score: float, label: int) -> Track:
    """As DeepSORT begins: twice as unsure of the place and ten times of the speed as later."""
    state = np.zeros((4, 2))
    state[:, 0] = _center(box)
    place, speed = _noise(state[3, 0])
    spread = np.tile(np.diag([4 * place, 100 * speed]), (4, 1, 1))
    return Track(label, score, state, spread)


def _center(box: Any) -> NDArray[np.float64]:
    """(4,): center x, center y, width, height."""
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    return np.concatenate([(low + high) / 2, high - low])


def _noise(height: float) -> tuple[float, float]:
    """The variance of a place and of a speed, for a thing of that height."""
    return (PLACE * max(height, 1.0)) ** 2, (SPEED * max(height, 1.0)) ** 2
