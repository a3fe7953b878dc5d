import numpy as np
import pytest
from skimage import data, metrics

from opsin.evaluate.similarity import psnr, reference, ssim


@pytest.fixture
def pair():
    truth = data.chelsea()[:150, :201]
    noise = np.random.default_rng(0).integers(-30, 31, truth.shape)
    return truth, np.clip(truth + noise, 0, 255).astype(np.uint8)


def test_psnr_is_that_of_scikit_image(pair):
    assert psnr(*pair) == pytest.approx(metrics.peak_signal_noise_ratio(*pair), abs=1e-4)


def test_psnr_of_equal_pictures_is_infinite(pair):
    assert psnr(pair[0], pair[0]) == float("inf")


def test_ssim_is_that_of_scikit_image_with_the_settings_of_wang(pair):
    expected = metrics.structural_similarity(
        *pair,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2,
        data_range=255,
    )
    assert ssim(*pair) == pytest.approx(expected, abs=1e-5)


def test_ssim_of_plain_pictures_compares_their_means():
    dark, light = (np.full((12, 13, 3), value, np.uint8) for value in (100, 150))
    c1 = (0.01 * 255) ** 2  # Wang et al. 2004, equation 6: the structure term is 1
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(dark, light) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_equal_pictures_is_one(pair):
    assert ssim(reference(pair[0]), pair[0]) == pytest.approx(1, abs=1e-6)


def test_pictures_smaller_than_the_window_are_refused():
    small = np.zeros((10, 40, 3), np.uint8)
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, got 40 x 10"):
        ssim(small, small)
