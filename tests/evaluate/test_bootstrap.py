import numpy as np
import pytest

from opsin.evaluate.bootstrap import bootstrap


def test_the_interval_of_a_mean_is_that_of_the_normal_theory():
    values = np.random.default_rng(1).normal(10, 2, size=400)
    [figure] = bootstrap(values[:, None])
    half = 1.96 * values.std() / np.sqrt(400)
    assert figure.value == pytest.approx(values.mean())
    assert figure.low == pytest.approx(values.mean() - half, abs=0.03)
    assert figure.high == pytest.approx(values.mean() + half, abs=0.03)


def test_about_95_of_100_intervals_hold_the_truth():
    random = np.random.default_rng(2)
    figures = [bootstrap(random.exponential(1, size=(80, 1)), resamples=400)[0] for _ in range(300)]
    held = np.mean([one.low <= 1 <= one.high for one in figures])
    assert 0.90 <= held <= 0.98  # a skewed distribution costs a little


def test_the_same_seed_gives_the_same_interval():
    columns = np.random.default_rng(3).normal(size=(20, 2))
    assert bootstrap(columns) == bootstrap(columns)
    assert bootstrap(columns) != bootstrap(columns, seed=1)


def test_a_figure_may_be_a_ratio_of_means():
    columns = np.array([[1.0, 2.0], [3.0, 2.0]])
    [figure] = bootstrap(columns, lambda means: (means[..., 0] / means[..., 1])[..., None])
    assert (figure.value, figure.low, figure.high) == (1.0, 0.5, 1.5)


def test_one_picture_has_an_interval_of_no_width():
    [figure] = bootstrap(np.array([[4.0]]))
    assert (figure.value, figure.low, figure.high) == (4.0, 4.0, 4.0)


def test_resamples_without_a_figure_are_left_out():
    columns = np.array([[1.0, 0.0], [3.0, 2.0]])  # drawn twice, the first has no ratio

    def ratio(means):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(means[..., 1:] > 0, means[..., :1] / means[..., 1:], np.nan)

    [figure] = bootstrap(columns, ratio)
    assert (figure.value, figure.low, figure.high) == (2.0, 1.5, 2.0)
    [nowhere] = bootstrap(columns[:1], ratio)
    assert np.isnan([nowhere.value, nowhere.low, nowhere.high]).all()


def test_no_picture_is_refused():
    with pytest.raises(ValueError, match="a row for each picture, got none"):
        bootstrap(np.empty((0, 3)))
