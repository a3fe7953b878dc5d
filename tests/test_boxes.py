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


@given(some(6), st.data())
def test_an_anchor_moved_by_its_deltas_is_the_box(some, data):
    corner = data.draw(arrays(np.int64, (len(some), 2), elements=st.integers(-20, 70)))
    sides = data.draw(arrays(np.int64, (len(some), 2), elements=st.integers(1, 50)))
    anchors = np.concatenate([corner, corner + sides], axis=1)
    back = boxes.decode(boxes.encode(some, anchors), anchors)
    np.testing.assert_allclose(back, some, atol=1e-3)


@given(some(6), st.floats(0.5, 4), st.integers(-30, 30))
def test_deltas_are_the_same_on_a_larger_picture_and_beside_it(some, scale, shift):
    anchors = some + np.float32([1, 0, 3, 5])
    plain = boxes.encode(some, anchors)
    other = boxes.encode(some * scale + shift, anchors * scale + shift)
    np.testing.assert_allclose(plain, other, atol=1e-3)


def test_deltas_are_those_of_the_paper():
    # center (15, 30) to (35, 15), sides 10 x 20 to 30 x 10
    found = boxes.encode([[20, 10, 50, 20]], [[10, 20, 20, 40]])
    assert found[0].tolist() == pytest.approx([2.0, -0.75, np.log(3), np.log(0.5)])


def test_anchors_lie_about_their_positions_with_the_area_of_their_size():
    found = boxes.anchors(3, 4, 16, [32, 64, 128], [0.5, 1, 2]).reshape(3, 4, 3, 3, 4)
    middle = (found[..., :2] + found[..., 2:]) / 2
    np.testing.assert_allclose(middle[2, 1].reshape(-1, 2), [[24.0, 40.0]] * 9, rtol=1e-6)
    sides = found[..., 2:] - found[..., :2]
    np.testing.assert_allclose(sides.prod(axis=-1)[0, 0], [[32**2] * 3, [64**2] * 3, [128**2] * 3])
    np.testing.assert_allclose((sides[..., 1] / sides[..., 0])[1, 2, 0], [0.5, 1, 2], rtol=1e-5)


@given(some(), st.data())
def test_soft_suppression_keeps_what_plain_does_and_lowers_the_rest(some, data):
    scores = np.float32(
        data.draw(st.lists(st.floats(0.01, 1), min_size=len(some), max_size=len(some)))
    )
    kept, left = boxes.soft_nms(some, scores, sigma=0.5, least=0)
    assert sorted(kept.tolist()) == list(range(len(some)))
    assert (np.diff(left) <= 0).all()
    assert (left <= scores[kept] + 1e-6).all()
    for place, one in enumerate(kept):  # each is lowered by all that came before it
        shared = boxes.iou(some[[one]], some[kept[:place]])[0]
        wanted = scores[one] * np.exp(-(shared**2) / 0.5).prod()
        assert left[place] == pytest.approx(wanted, rel=1e-4)


def test_soft_suppression_leaves_out_what_fell_too_low():
    kept, left = boxes.soft_nms([[0, 0, 9, 9]] * 2, [0.9, 0.5], sigma=0.5, least=0.1)
    assert (kept.tolist(), left.tolist()) == ([0], [pytest.approx(0.9)])
    assert len(boxes.soft_nms([], [])[0]) == 0
    with pytest.raises(ValueError, match="2 boxes need as many scores"):
        boxes.soft_nms([[0, 0, 1, 1]] * 2, [1.0])


@given(some(), st.data())
def test_each_class_is_suppressed_alone(some, data):
    count = len(some)
    scores = np.float32(data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count)))
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)), int)
    found = boxes.nms_by_class(some, scores, labels, most=0.4)
    wanted = set()
    for label in range(3):
        rows = np.flatnonzero(labels == label)
        wanted |= set(rows[boxes.nms(some[rows], scores[rows], most=0.4)].tolist())
    assert set(found.tolist()) == wanted
    assert (np.diff(scores[found]) <= 0).all()
