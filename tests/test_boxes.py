"""Boxes: areas, overlap, the best of many and turning, by hand and by what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsin import boxes

HEIGHT, WIDTH = 60, 80


@st.composite
def some(draw: st.DrawFn, most: int = 8) -> np.ndarray:
    """Boxes with area, within and beyond a picture of 80 x 60 pixels."""
    count = draw(st.integers(0, most))
    corner = draw(arrays(np.int64, (count, 2), elements=st.integers(-20, 70)))
    sides = draw(arrays(np.int64, (count, 2), elements=st.integers(1, 50)))
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


def painted(box: np.ndarray) -> np.ndarray:
    """Which cells of a large sheet a box of whole pixels covers."""
    sheet = np.zeros((200, 200), bool)
    x1, y1, x2, y2 = box.astype(int) + 40
    sheet[y1:y2, x1:x2] = True
    return sheet


@given(some(4), some(4))
def test_overlap_is_that_of_painted_pixels(some, others):
    found = boxes.iou(some, others)
    assert found.shape == (len(some), len(others))
    for row, one in enumerate(some):
        for column, other in enumerate(others):
            first, second = painted(one), painted(other)
            share = (first & second).sum() / (first | second).sum()
            assert found[row, column] == pytest.approx(share, abs=1e-6)


@given(some())
def test_area_is_that_of_painted_pixels(some):
    assert boxes.area(some).tolist() == [painted(box).sum() for box in some]


@given(some(), st.data())
def test_what_is_kept_is_apart_and_what_is_not_was_worse(some, data):
    scores = np.array(
        data.draw(st.lists(st.floats(0, 1, width=32), min_size=len(some), max_size=len(some)))
    )
    kept = boxes.nms(some, scores, most=0.4)
    overlap = boxes.iou(some[kept], some)
    among = overlap[:, kept] - np.eye(len(kept), dtype=np.float32)
    assert (among <= np.float32(0.4)).all()
    assert (np.diff(scores[kept]) <= 0).all()
    for index in set(range(len(some))) - set(kept.tolist()):
        assert (overlap[:, index] > np.float32(0.4))[scores[kept] >= scores[index]].any()


def test_of_equal_scores_the_earlier_is_kept():
    same = [[0, 0, 9, 9], [0, 0, 9, 8], [20, 0, 29, 9]]
    assert boxes.nms(same, [0.5, 0.5, 0.5]).tolist() == [0, 2]


def test_a_box_in_a_larger_one_is_kept_or_not_by_what_is_compared():
    two = [[0, 0, 10, 10], [0, 0, 4, 4]]  # 16 % of both, all of the smaller
    assert boxes.nms(two, [0.9, 0.8], most=0.5).tolist() == [0, 1]
    assert boxes.nms(two, [0.9, 0.8], most=0.5, of="smaller").tolist() == [0]
    assert boxes.nms(two, [0.8, 0.9], most=0.5, of="smaller").tolist() == [1]


@given(some())
def test_clipped_boxes_lie_in_the_picture_and_stay_so(some):
    found = boxes.clip(some, HEIGHT, WIDTH)
    assert (found >= 0).all()
    assert (found <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
    assert (boxes.area(found) <= boxes.area(some)).all()
    assert (boxes.clip(found, HEIGHT, WIDTH) == found).all()


@given(some(), st.sampled_from(boxes.QUARTERS))
def test_turning_back_gives_the_same(some, degrees):
    turned = boxes.turn(some, degrees, HEIGHT, WIDTH)
    height, width = (WIDTH, HEIGHT) if degrees % 180 else (HEIGHT, WIDTH)
    back = boxes.turn(turned, -degrees % 360, height, width)
    assert (back == some).all()
    assert (boxes.area(turned) == boxes.area(some)).all()
    assert np.allclose(boxes.iou(turned, turned), boxes.iou(some, some))


@pytest.mark.parametrize("degrees", boxes.QUARTERS)
def test_a_box_turns_as_the_picture_does(degrees):
    picture = np.zeros((HEIGHT, WIDTH), bool)
    picture[5:20, 30:34] = True
    [box] = boxes.turn([[30, 5, 34, 20]], degrees, HEIGHT, WIDTH).astype(int)
    turned = np.rot90(picture, -degrees // 90)
    again = np.zeros_like(turned)
    again[box[1] : box[3], box[0] : box[2]] = True
    assert (again == turned).all()


@given(some(), st.floats(0.1, 10), st.floats(0.1, 10))
def test_scaled_boxes_have_a_scaled_area(some, x, y):
    assert np.allclose(boxes.area(boxes.scale(some, x, y)), boxes.area(some) * x * y, rtol=1e-3)


def test_a_box_inside_out_has_no_area_and_no_overlap():
    assert boxes.area([[5, 5, 2, 2]]).tolist() == [0]
    assert boxes.iou([[5, 5, 2, 2]], [[0, 0, 9, 9]]).tolist() == [[0]]
    assert boxes.iou([[2, 2, 2, 2]], [[2, 2, 2, 2]]).tolist() == [[0]]


@pytest.mark.parametrize("wrong", [[1, 2, 3, 4], [[1, 2, 3]], np.zeros((2, 2, 4))])
def test_other_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\)"):
        boxes.area(wrong)


def test_wrong_calls_say_what_is_wrong():
    with pytest.raises(ValueError, match="2 boxes need as many scores"):
        boxes.nms([[0, 0, 1, 1], [0, 0, 2, 2]], [0.5])
    with pytest.raises(ValueError, match="degrees must be one of 0, 90, 180, 270, got 45"):
        boxes.turn([[0, 0, 1, 1]], 45, 1, 1)
