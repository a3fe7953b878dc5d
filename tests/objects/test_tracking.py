"""Things that keep their number from picture to picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.objects.search import Found
from opsin.objects.tracking import Tracker


def seen(*boxes: tuple[float, float, float, float], score: float = 0.9, label: int = 0) -> Found:
    count = len(boxes)
    placed = np.array(boxes, np.float32).reshape(-1, 4)
    return Found(placed, np.full(count, score, np.float32), np.full(count, label, np.intp))


def box(x: float, y: float, width: float = 40, height: float = 80) -> tuple[float, ...]:
    return x, y, x + width, y + height


def numbers(tracker: Tracker, found: Found) -> list[int | None]:
    return [track.number for track in tracker.next(found)]


@given(
    st.floats(-12, 12),
    st.floats(-12, 12),
    st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=20, max_size=20),
)
def test_what_moves_evenly_keeps_its_number(across, down, jitter) -> None:
    tracker = Tracker(0.5)
    for step, (dx, dy) in enumerate(jitter):
        place = box(500 + across * step + dx, 500 + down * step + dy)
        [track] = tracker.next(seen(place))
        assert track.number == 1
        assert np.abs(track.box - np.array(place)).max() < 12
    assert tracker.told == 1


def test_two_that_cross_keep_their_numbers() -> None:
    tracker = Tracker(0.5)
    places = {}
    for step in range(40):
        left, right = box(10 * step, 100), box(400 - 10 * step, 130)
        for track in tracker.next(seen(left, right)):
            places[track.number] = track.box
    assert places.keys() == {1, 2}
    assert places[1][0] == pytest.approx(390, abs=10)
    assert places[2][0] == pytest.approx(10, abs=10)


def test_who_is_hidden_for_a_moment_comes_back_where_the_way_leads() -> None:
    tracker = Tracker(0.5, patience=10)
    for step in range(15):
        assert numbers(tracker, seen(box(5 * step, 0))) == [1]
    for _ in range(8):
        assert numbers(tracker, seen()) == []
    assert numbers(tracker, seen(box(5 * 23, 0))) == [1]


def test_who_is_away_for_longer_is_somebody_else() -> None:
    tracker = Tracker(0.5, patience=10)
    for _ in range(5):
        tracker.next(seen(box(0, 0)))
    for _ in range(11):
        tracker.next(seen())
    assert numbers(tracker, seen(box(0, 0))) == []  # nobody is told at first sight
    assert numbers(tracker, seen(box(0, 0))) == [2]


def test_what_is_seen_once_is_not_told_and_takes_no_number() -> None:
    tracker = Tracker(0.5)
    assert numbers(tracker, seen(box(0, 0))) == [1]  # on the first picture nothing was before
    assert numbers(tracker, seen(box(0, 0), box(300, 0))) == [1]
    assert numbers(tracker, seen(box(0, 0))) == [1]
    assert numbers(tracker, seen(box(0, 0), box(300, 300))) == [1]
    assert numbers(tracker, seen(box(0, 0), box(300, 300))) == [1, 2]


def test_an_unsure_box_goes_on_with_a_thing_but_begins_none() -> None:
    tracker = Tracker(0.5)
    assert numbers(tracker, seen(box(0, 0), score=0.2)) == []
    assert numbers(tracker, seen(box(0, 0), score=0.2)) == []
    for _ in range(2):  # no surer than the threshold asks
        assert numbers(tracker, seen(box(0, 0), score=0.55)) == []
    tracker.next(seen(box(0, 0)))
    [track] = tracker.next(seen(box(0, 0)))
    assert track.number == 1
    [track] = tracker.next(seen(box(2, 0), score=0.2))
    assert (track.number, track.score) == (1, pytest.approx(0.2))
    assert numbers(tracker, seen()) == []
    assert numbers(tracker, seen(box(2, 0), score=0.2)) == []  # it was lost in between


def test_a_box_of_another_kind_is_another_thing() -> None:
    tracker = Tracker(0.5)
    tracker.next(seen(box(0, 0)))
    assert numbers(tracker, seen(box(0, 0), label=1)) == []
    assert numbers(tracker, seen(box(0, 0), label=1)) == [2]


def test_the_most_overlap_in_all_counts_not_the_first_that_fits() -> None:
    tracker = Tracker(0.5)
    tracker.next(seen(box(0, 0, 100), box(60, 0, 100)))
    tracks = tracker.next(seen(box(38, 0, 100), box(90, 0, 100)))
    assert [round(float(track.box[0]) / 20) for track in tracks] == [2, 4]
    tracker = Tracker(0.5)
    tracker.next(seen(box(0, 0, 100), box(30, 0, 100)))
    tracks = tracker.next(seen(box(28, 0, 100), box(2, 0, 100)))
    assert [round(float(track.box[0]) / 20) for track in tracks] == [0, 1]


def test_who_was_seen_once_is_not_waited_for() -> None:
    tracker = Tracker(0.5)
    tracker.next(seen())
    assert numbers(tracker, seen(box(0, 0))) == []
    assert numbers(tracker, seen()) == []
    assert numbers(tracker, seen(box(0, 0))) == []
