"""How a network sees a photograph: sizes, padding, and positions both ways."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from opsin.models.view import LONGEST, View

SIDES = st.integers(1, 5000)


@given(SIDES, SIDES, st.sampled_from([64, 224, 640]), st.sampled_from([1, 32]))
def test_what_is_padded_is_cut_off_again(height, width, size, multiple):
    view = View.of(height, width, size, multiple=multiple)
    values = np.arange(np.prod(view.seen)).reshape(1, *view.seen)
    padded = view.pad(values)
    assert padded.shape == (1, *view.padded)
    assert not any(side % multiple for side in view.padded)
    assert np.array_equal(view.cut(padded), values)
    assert max(view.seen) <= LONGEST * size


@given(SIDES, SIDES, st.floats(0, 1), st.floats(0, 1))
def test_positions_come_back_and_corners_are_corners(height, width, x, y):
    view = View.of(height, width, 224, multiple=32, stride=4)
    corner = np.array([width, height])
    assert np.allclose(view.to_seen(corner), view.seen[::-1])
    at = corner * np.array([x, y])
    assert np.allclose(view.to_photo(view.to_seen(at)), at)


def test_boxes_go_both_ways():
    view = View((600, 800), (150, 200))
    boxes = np.array([[0.0, 0.0, 800.0, 600.0], [40.0, 20.0, 80.0, 60.0]])
    seen = view.to_seen(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    assert seen.tolist() == [[0, 0, 200, 150], [10, 5, 20, 15]]


def test_cells_at_the_edge_count_in_part():
    view = View((600, 800), (150, 200), multiple=32, stride=8)
    assert view.cells == (18.75, 25)
    assert view.cut(np.zeros((2, 20, 28))).shape == (2, 19, 25)
