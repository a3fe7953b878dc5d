"""Film and wear keep pictures pictures, and do what the history of photography says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.color import gray_to_light, rgb_to_light
from opsin.training.augment import film_gray, luminance_gray, wear


@given(st.integers(0, 2**32 - 1))
def test_worn_film_stays_a_finite_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rgb = rng.random((16, 16, 3), dtype=np.float32)
    worn = wear(film_gray(rgb, rng), rng)
    assert worn.shape == (16, 16)
    assert worn.dtype == np.float32
    assert np.isfinite(worn).all()
    assert 0 <= worn.min() <= worn.max() <= 1


def test_film_keeps_gray_as_it_is() -> None:
    gray = np.linspace(0, 1, 50, dtype=np.float32)[:, None, None].repeat(3, axis=2)
    for seed in range(20):
        seen = film_gray(gray, np.random.default_rng(seed))
        assert seen == pytest.approx(gray[..., 0], abs=2e-3)


def test_some_film_is_blind_to_red() -> None:
    red = np.full((1, 1, 3), [0.9, 0.1, 0.1], np.float32)
    seen = [float(film_gray(red, np.random.default_rng(seed))[0, 0]) for seed in range(100)]
    assert min(seen) < 0.25
    assert max(seen) > 0.45


def test_luminance_gray_has_the_lightness_of_the_color(astronaut: np.ndarray) -> None:
    rgb = astronaut[::8, ::8].astype(np.float32) / 255
    assert gray_to_light(luminance_gray(rgb)) == pytest.approx(rgb_to_light(rgb), abs=0.05)
