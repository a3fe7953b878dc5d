"""Boxes of before on a photograph that was changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin import boxes
from opsin.people.regions import matched
from opsin.people.rescan import on_new, pairs

BOXES = boxes.as_boxes([[10, 20, 40, 60], [100, 30, 150, 90], [160, 100, 190, 140]])


@given(st.sampled_from(boxes.QUARTERS), st.integers(150, 3000), st.permutations([0, 1, 2]))
def test_faces_are_found_again_in_any_turn_and_size(degrees, width, order) -> None:
    height, factor = round(width * 150 / 200), width / 200
    size = (height, width) if degrees in (0, 180) else (width, height)
    new = boxes.scale(boxes.turn(BOXES, degrees, 150, 200), factor)[order]
    placed = on_new(BOXES, (150, 200), size, new)
    assert placed == pytest.approx(new[np.argsort(order)], abs=0.02 * width)
    assert sorted(pairs(placed, new)) == [(row, order.index(row)) for row in range(3)]


def test_where_the_sides_ratio_changed_boxes_stay() -> None:
    assert on_new(BOXES, (150, 200), (150, 150), BOXES).tolist() == BOXES.tolist()


def test_two_boxes_are_one_face_if_they_share_more_than_half() -> None:
    old = [[0, 0, 30, 20]]
    assert pairs(old, [[0, 0, 15, 20]]) == []
    assert pairs(old, [[0, 0, 16, 20]]) == [(0, 0)]
    assert pairs(old, [[0, 0, 20, 20], [0, 0, 29, 20]]) == [(0, 1)]
    assert pairs([], [[0, 0, 9, 9]]) == pairs(old, []) == []


def test_a_region_around_a_head_is_its_faces_whatever_its_size() -> None:
    faces = boxes.as_boxes([[100, 100, 140, 150]])
    head = boxes.as_boxes([[80, 60, 160, 170]])
    assert matched(head, faces) == {0: 0}
    assert boxes.iou(head, faces)[0, 0] < 0.5
    assert matched(boxes.as_boxes([[141, 100, 181, 150]]), faces) == {}
    assert matched(boxes.as_boxes([[0, 0, 1000, 126]]), faces) == {}
    assert matched(boxes.as_boxes([]), faces) == {}
