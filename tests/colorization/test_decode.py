"""The way from a distribution over them to a color."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opsin.colorization.bins import BINS
from opsin.colorization.decode import before_emphasis, decode, emphasized, restrained, setting


def peak(a: float, b: float, height: float) -> np.ndarray:
    logits = np.zeros((len(BINS), 1, 1), np.float32)
    logits[np.flatnonzero(((a, b) == BINS).all(axis=1))] = height
    return logits


def test_certain_answer_is_its_bin_with_no_entropy() -> None:
    ab, entropy = decode(peak(40, 20, 60))
    assert ab[0, 0] == pytest.approx([40, 20], abs=1e-3)
    assert entropy[0, 0] == pytest.approx(0, abs=1e-4)


def test_flat_distribution_has_full_entropy() -> None:
    ab, entropy = decode(np.zeros((313, 2, 3), np.float32))
    assert ab.shape == (2, 3, 2)
    assert entropy == pytest.approx(np.ones((2, 3)), abs=1e-5)
    assert ab[0, 0] == pytest.approx(BINS.mean(axis=0), abs=1e-3)


def test_lower_temperature_is_more_saturated() -> None:
    logits = np.random.default_rng(3).normal(0, 0.1, (313, 8, 8)).astype(np.float32)
    logits += peak(60, 40, 5)
    chroma = [np.hypot(*decode(logits, temperature=t)[0].T).mean() for t in (1, 0.5, 0.25)]
    assert chroma[0] < chroma[1] < chroma[2]


def two(height: float, other: float) -> np.ndarray:
    """Nothing but the bins (40, 20) and (-20, 30), as likely as exp of these."""
    logits = np.full((len(BINS), 1, 1), -100, np.float32)
    for color, value in (((40, 20), height), ((-20, 30), other)):
        logits[np.flatnonzero((color == BINS).all(axis=1))] = value
    return logits


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.2])
def test_the_mean_is_of_chances_to_the_power_of_the_inverse_temperature(temperature: float) -> None:
    ab, _ = decode(two(1.0, 0.4), temperature=temperature)
    share = 1 / (1 + np.exp(-0.6 / temperature))
    expected = share * np.array([40, 20]) + (1 - share) * np.array([-20, 30])
    assert ab[0, 0] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.2])
@pytest.mark.parametrize("gain", [1.0, 1.7])
def test_the_entropy_is_of_the_plain_distribution(temperature: float, gain: float) -> None:
    """Two chances of 2/3 and 1/3, however the color is decoded; and two even ones."""
    _, entropy = decode(two(float(np.log(2)), 0.0), temperature=temperature, gain=gain)
    expected = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) / np.log(313)
    assert entropy[0, 0] == pytest.approx(expected, abs=1e-5)
    _, even = decode(two(3.0, 3.0), temperature=temperature, gain=gain)
    assert even[0, 0] == pytest.approx(np.log(2) / np.log(313), abs=1e-5)


def test_each_position_is_decoded_by_itself() -> None:
    """More positions than are decoded at once, each with its own bin."""
    places = np.arange(17 * 40).reshape(17, 40) % len(BINS)
    logits = np.zeros((len(BINS), 17, 40), np.float32)
    np.put_along_axis(logits, places[None], 60, axis=0)
    ab, entropy = decode(logits)
    assert ab == pytest.approx(BINS[places], abs=1e-3)
    assert entropy == pytest.approx(np.zeros((17, 40)), abs=1e-4)


@given(st.floats(-1e4, 1e4, width=32), st.floats(0.05, 2))
def test_adding_a_constant_to_all_logits_changes_nothing(shift: float, temperature: float) -> None:
    logits = np.random.default_rng(1).normal(size=(313, 1, 2)).astype(np.float32)
    plain = decode(logits, temperature=temperature)[0]
    assert decode(logits + np.float32(shift), temperature=temperature)[0] == pytest.approx(
        plain, abs=0.2
    )  # float32 near 1e4 has steps of 0.001, which a low temperature makes larger


@given(st.floats(0.1, 1), st.floats(0, 2))
def test_gain_scales_the_color(temperature: float, gain: float) -> None:
    logits = peak(30, -20, 4)
    plain = decode(logits, temperature=temperature)[0]
    scaled = decode(logits, temperature=temperature, gain=gain)[0]
    assert scaled == pytest.approx(plain * gain, abs=1e-3)


def test_setting_interpolates_along_the_scale() -> None:
    scale = ((1.0, 1.0), (0.5, 1.0), (0.3, 1.2))
    assert setting(0, scale) == (1.0, 1.0, 0.0, 0.0, 0.0)
    assert setting(0.5, scale) == (0.5, 1.0, 0.0, 0.0, 0.0)
    assert setting(0.75, scale, 0.3, 0.7, 50) == pytest.approx((0.4, 1.1, 0.3, 0.7, 50))


@pytest.mark.parametrize("vividness", [-0.1, 1.5, float("nan")])
def test_vividness_out_of_range_says_the_range(vividness: float) -> None:
    with pytest.raises(ValueError, match=r"between 0 .muted. and 1 .saturated."):
        setting(vividness)


def test_wrong_number_of_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="313 channels, got 3"):
        decode(np.zeros((3, 2, 2), np.float32))


@given(
    a=st.floats(-90, 90),
    b=st.floats(-90, 90),
    gain=st.floats(0.3, 3),
    contrast=st.floats(0, 1.5),
)
def test_emphasis_can_be_undone_and_keeps_the_hue(
    a: float, b: float, gain: float, contrast: float
) -> None:
    color = np.array([[a, b]], np.float32)
    assume(np.hypot(a, b) > 1)
    there = emphasized(color, gain, contrast)
    assert before_emphasis(there, gain, contrast) == pytest.approx(color, rel=1e-3, abs=1e-3)
    turned = float(color[0, 0] * there[0, 1] - color[0, 1] * there[0, 0])
    assert abs(turned) <= 1e-3 * float(np.linalg.norm(color) * np.linalg.norm(there))


def test_contrast_leaves_a_chroma_of_twenty_and_parts_the_others() -> None:
    colors = np.array([[20, 0], [5, 0], [0, 60]], np.float32)
    assert emphasized(colors, 1.5, 0.0) == pytest.approx(1.5 * colors)
    done = np.linalg.norm(emphasized(colors, 1.0, 0.5), axis=1)
    assert done == pytest.approx([20, 2.5, 60 * 3**0.5], rel=1e-4)


def test_gray_stays_gray_under_contrast() -> None:
    assert not emphasized(np.zeros((2, 2), np.float32), 2.0, 0.7).any()
    assert np.isfinite(before_emphasis(np.zeros((2, 2), np.float32), 2.0, 0.7)).all()


def test_the_gain_is_less_where_the_network_is_sure() -> None:
    sure, unsure = peak(30, -20, 40), peak(30, -20, 6)
    for logits, above in ((sure, False), (unsure, True)):
        plain, entropy = decode(logits, temperature=0.5)
        done = decode(logits, temperature=0.5, gain=1.2, restraint=1.0)[0]
        factor = np.linalg.norm(done, axis=-1) / np.linalg.norm(plain, axis=-1)
        assert factor == pytest.approx(1.2 * (0.5 + entropy), rel=1e-3)
        assert (factor > 1.2).all() if above else (factor < 0.7).all()
    assert (restrained(1.0, 2.0, np.zeros(3, np.float32)) > 0).all()  # a color is never turned over
