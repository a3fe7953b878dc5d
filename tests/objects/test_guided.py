"""The guided filter and the colors in front, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsin.objects.foreground import mixed, spread
from opsin.objects.guided import box_mean, lines

unit = st.floats(0, 1, width=32)
planes = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(*[arrays(np.float32, shape, elements=unit)] * 2)
)


def windows(plane, radius):
    """The window around each place, as far as it is in the plane."""
    for row, column in np.ndindex(plane.shape):
        rows = slice(max(0, row - radius), row + radius + 1)
        yield (row, column), (rows, slice(max(0, column - radius), column + radius + 1))


@given(planes, st.integers(1, 4))
def test_a_box_mean_is_the_mean_of_each_window(pair, radius):
    found = box_mean(pair[0], radius)
    for place, window in windows(pair[0], radius):
        assert found[place] == pytest.approx(pair[0][window].mean(), abs=1e-5)


@given(planes, st.integers(1, 12))
def test_planes_that_are_looked_at_together_have_their_own_means(pair, radius):
    together = box_mean(np.stack(pair, axis=2), radius)
    alone = np.stack([box_mean(one, radius) for one in pair], axis=2)
    np.testing.assert_allclose(together, alone, atol=1e-6)


@given(planes, st.integers(1, 3))
@settings(max_examples=30)
def test_the_lines_are_those_of_least_squares_in_each_window(pair, radius):
    guide, plane = pair
    penalty = 0.01
    slopes, offsets = np.zeros_like(guide), np.zeros_like(guide)
    for place, window in windows(guide, radius):
        x, y = guide[window].ravel().astype(float), plane[window].ravel().astype(float)
        rows = np.stack([x, np.ones_like(x)], axis=1)
        ridge = np.diag([penalty * len(x), 0])
        slopes[place], offsets[place] = np.linalg.lstsq(
            rows.T @ rows + ridge, rows.T @ y, rcond=None
        )[0]
    found = lines(guide, plane, radius=radius, penalty=penalty)
    for place, window in windows(guide, radius):
        assert found.slope[place] == pytest.approx(slopes[window].mean(), abs=1e-3)
        assert found.offset[place] == pytest.approx(offsets[window].mean(), abs=1e-3)


def test_a_blurred_edge_becomes_that_of_the_guide():
    guide = np.zeros((40, 40), np.float32)
    guide[:, 20:] = 1
    blurred = box_mean(guide, 6)
    found = lines(guide, blurred, radius=8, penalty=1e-4)
    answer = found.slope * guide + found.offset
    off, before = (np.abs(one - guide)[:, 15:25].mean() for one in (answer, blurred))
    assert off < 0.6 * before


def test_shapes_must_be_one():
    with pytest.raises(ValueError, match="must have one shape"):
        lines(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), radius=1, penalty=1)


def test_means_are_weighted_and_nothing_else_counts():
    values = np.float32([[[10], [50], [90]]])
    found = spread(values, np.float32([[[1], [3], [0]]]), 1)
    assert found[0, :, 0].tolist() == pytest.approx([40, 40, 50], abs=0.01)


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535)])
@pytest.mark.parametrize("size", [(60, 90), (500, 1000)])
def test_the_color_in_front_is_found_again_in_a_mixture(dtype, most, size):
    width = size[1]
    alpha = np.clip((np.arange(width, dtype=np.float32) - 0.4 * width) / (0.05 * width), 0, 1)
    alpha = np.broadcast_to(alpha, size).copy()
    front, behind = np.float32([0.1, 0.8, 0.2]), np.float32([0.9, 0.1, 0.1])
    seen = alpha[..., None] * front + (1 - alpha[..., None]) * behind
    found = mixed((seen * most).round().astype(dtype), alpha)
    assert len(found.alpha) == ((alpha > 0) & (alpha < 1)).sum()
    assert (found.alpha == alpha[found.where]).all()
    off = np.abs(found.front / most - front)
    plain = np.abs(seen[found.where] - front)
    assert off.mean() < 0.25 * plain.mean()


def test_where_nothing_is_mixed_nothing_is_found():
    found = mixed(np.full((4, 5, 1), 7, np.uint8), np.ones((4, 5), np.float32))
    assert found.front.shape == (0, 1)
