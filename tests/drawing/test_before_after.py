import numpy as np

import opsin
from opsin.drawing.before_after import side_by_side


def test_two_photographs_stand_beside_each_other():
    before = opsin.open(np.full((20, 30), 7, np.uint8))
    after = opsin.open(np.full((20, 30, 3), (9, 8, 7), np.uint8))
    pixels = side_by_side(before.pixels, after.pixels)
    assert pixels.shape == (20, 30 + 8 + 30, 3)
    assert (pixels[:, :30] == 7).all()
    assert (pixels[:, 30:38] == 255).all()
    assert (pixels[:, 38:] == (9, 8, 7)).all()


def test_16_bits_are_shown_with_8_and_large_ones_smaller():
    before = opsin.open(np.full((40, 3200), 0x0A0B, np.uint16))
    after = opsin.open(np.full((40, 3200, 3), 0x0A0B, np.uint16))
    pixels = side_by_side(before.pixels, after.pixels)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (20, 1600 + 8 + 1600, 3))
    assert (pixels[:, :1600] == 10).all()
