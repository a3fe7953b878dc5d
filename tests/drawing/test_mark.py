"""The small mark in the corner."""

import numpy as np
import pytest

import opsin.photo as op
from opsin.drawing.mark import marked


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_mark_is_small_and_in_the_lower_right_corner(bands, dtype):
    pixels = np.full((600, 900, bands), 100, dtype)
    changed = (marked(pixels) != pixels).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 550
    assert columns.min() > 850
    assert marked(pixels).max() == np.iinfo(dtype).max
    assert (pixels == 100).all()


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (1, 100), (12, 15)])
def test_tiny_pictures_are_no_trouble(size):
    assert marked(np.zeros((*size, 3), np.uint8)).shape == (*size, 3)


def test_save_draws_it_only_when_asked(tmp_path):
    photo = op.open(np.full((200, 200, 3), 100, np.uint8))
    plain = op.open(photo.save(tmp_path / "a.png")).pixels
    with_mark = op.open(photo.save(tmp_path / "b.png", mark=True)).pixels
    assert (plain == 100).all()
    assert (with_mark == 255).any()
    np.testing.assert_array_equal(op.open(photo.encode("png", mark=True)).pixels, with_mark)
