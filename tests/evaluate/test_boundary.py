"""The boundary F-measure against its definition, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsin.evaluate.boundary import boundary_f, near, outline

SHAPE = (9, 11)
masks = arrays(np.bool_, SHAPE)


def by_hand(mask):
    """The outline's pixels: those whose right, lower or lower right neighbor is another."""
    height, width = mask.shape
    found = []
    for row, column in np.ndindex(mask.shape):
        steps = [(row, column + 1), (row + 1, column), (row + 1, column + 1)]
        inside = [(down, across) for down, across in steps if down < height and across < width]
        if any(mask[place] != mask[row, column] for place in inside):
            found.append((row, column))
    return found


@given(masks, masks, st.sampled_from([0.01, 0.1, 0.2]))
@settings(max_examples=50)
def test_it_is_what_it_is_defined_as(found, true, tolerance):
    radius = math.ceil(tolerance * math.hypot(*SHAPE))
    lines = by_hand(found), by_hand(true)

    def share(line, other):
        hits = sum(any(math.dist(a, b) <= radius for b in other) for a in line)
        return hits / len(line)

    if not lines[0] or not lines[1]:
        expected = float(not lines[0] and not lines[1])
    else:
        precision, recall = share(*lines), share(*lines[::-1])
        together = precision + recall
        expected = 2 * precision * recall / together if together else 0
    assert boundary_f(found, true, tolerance) == pytest.approx(expected)


@given(masks)
def test_the_outline_is_that_by_hand(mask):
    assert sorted(map(tuple, np.argwhere(outline(mask)).tolist())) == by_hand(mask)


@given(masks, st.integers(0, 4))
def test_near_is_a_disk_around_each(mask, radius):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    expected = np.zeros(SHAPE, bool)
    for row, column in np.argwhere(mask):
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    assert (near(mask, radius) == expected).all()


def test_an_outline_within_the_tolerance_is_right_and_beyond_it_wrong():
    square = np.zeros((300, 400), bool)
    square[100:200, 100:300] = True  # 0.8 % of the diagonal of 500 is 4 pixels
    assert boundary_f(np.roll(square, 4, axis=1), square) == 1
    assert boundary_f(np.roll(square, 6, axis=1), square) < 0.85


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="must have one shape"):
        boundary_f(np.ones((2, 2), bool), np.ones((2, 3), bool))
