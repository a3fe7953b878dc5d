"""Where the points of a photograph lie on the picture that the network sees, and their color."""

from __future__ import annotations

import numpy as np
import pytest

import opsin
from opsin.color import rgb_to_lab
from opsin.colorize.points import POINT, hint_map


def photo(width: int = 200, height: int = 100) -> opsin.Photo:
    return opsin.open(np.full((height, width), 128, np.uint8))


def test_a_point_is_a_small_square_of_its_color_around_its_place() -> None:
    hints = hint_map([(120, 40, "#c04020")], photo(), 50, 100)
    rows, columns = np.nonzero(hints[2])
    assert hints.shape == (3, 50, 100)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 22, 58, 62)
    assert hints[2].sum() == POINT**2 == 25  # between the 1 and 9 across that networks learn from
    true = rgb_to_lab(np.float32([0xC0, 0x40, 0x20]) / 255)[1:]
    assert hints[:2, 20, 60] == pytest.approx(true, abs=1e-3)
    assert not hints[:, hints[2] == 0].any()


def test_points_at_the_edges_are_cut_off_there() -> None:
    hints = hint_map([(0, 0, (255, 0, 0)), (199.9, 99.9, (0, 0, 255))], photo(), 100, 200)
    assert hints[2].sum() == 2 * 9
    assert hints[0, 0, 0] > 60
    assert hints[1, 99, 199] < -90


def test_of_points_that_overlap_the_last_counts() -> None:
    one, other = (50, 50, (255, 0, 0)), (51, 50, (0, 0, 255))
    hints = hint_map([one, other], photo(), 100, 200)
    assert hints[1, 50, 51] < -90
    assert hints[2].max() == 1
