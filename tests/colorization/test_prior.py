import numpy as np
import pytest
from skimage import data

from opsin.colorization import prior
from opsin.colorization.bins import BINS, nearest_bins


def test_the_shares_are_a_distribution_over_the_bins():
    assert prior.shares().shape == (313,)
    assert prior.shares().sum() == pytest.approx(1, abs=1e-3)
    assert BINS[prior.shares().argmax()].tolist() == [0, 0]  # most pixels are nearly gray


def test_rare_colors_weigh_more_and_the_mean_weight_is_one():
    rarity = prior.rarity()
    assert rarity @ prior.shares() == pytest.approx(1, abs=1e-4)
    assert rarity[nearest_bins(np.float32([0, 0]))] < 0.1
    assert rarity[nearest_bins(np.float32([70, -90]))] > 50


def test_pictures_count_alike_whatever_their_size():
    red = np.zeros((4, 4, 3), np.uint8) + np.uint8([255, 0, 0])
    gray = np.full((40, 30, 3), 128, np.uint8)
    mean, shares = prior.count([red, gray])
    assert mean == pytest.approx([40.05, 33.6], abs=0.01)  # half of red's a*b*, Lindbloom
    assert sorted(shares)[-2:] == [0.5, 0.5]


def test_a_photograph_is_near_the_constants():
    mean, _ = prior.count([data.coffee(), data.chelsea(), data.astronaut(), data.rocket()])
    assert np.hypot(*(mean - prior.MEAN_COLOR)) < 15
