import numpy as np
import pytest
from skimage import color, data

from opsin.color import rgb_to_lab
from opsin.colorization import prior
from opsin.colorization.bins import nearest_bins
from opsin.evaluate.colorization.scores import METRICS, MOST_PSNR, near_edges, scores, truth_of
from opsin.evaluate.report import summarize


@pytest.fixture(scope="module")
def photo():
    return data.coffee()[:200:2, :240:2]


@pytest.fixture(scope="module")
def truth(photo):
    return truth_of(photo)


def test_the_true_colors_score_best(truth):
    best = scores(truth, truth.ab)
    assert best["psnr"] > 50
    assert best["ssim"] > 0.999
    assert best["delta_e"] < 0.1
    assert (best["auc"], best["auc_rebalanced"], best["channel"]) == (1, 1, 1)
    assert best["colorfulness"] == pytest.approx(truth.colorfulness, abs=0.2)


def test_gray_scores_as_its_colors_are_far(photo, truth):
    gray = scores(truth, np.zeros_like(truth.ab))
    lab = color.rgb2lab(photo)
    expected = color.deltaE_ciede2000(lab, lab * [1, 0, 0])
    assert gray["delta_e"] == pytest.approx(expected.mean(), abs=0.1)
    assert gray["delta_e_median"] == pytest.approx(np.median(expected), abs=0.1)
    assert gray["colorfulness"] == 0


def test_auc_is_the_area_under_the_share_of_pixels_within_each_threshold(truth):
    error = np.hypot(*np.moveaxis(truth.ab, -1, 0))
    within = [(error <= threshold).mean() for threshold in range(151)]
    area = np.trapezoid(within) / 150
    assert scores(truth, np.zeros_like(truth.ab))["auc"] == pytest.approx(area, abs=1e-3)


def test_auc_of_one_error_is_the_rest_of_the_thresholds(truth):
    ab = truth.ab + np.float32([9, 12])
    assert scores(truth, ab)["auc"] == pytest.approx(1 - 15 / 150)
    assert scores(truth, ab)["auc_rebalanced"] == pytest.approx(1 - 15 / 150)


def test_rebalanced_auc_counts_a_rare_color_as_much_as_a_common_one():
    rgb = np.full((20, 20, 3), 120, np.uint8)
    rgb[:2] = 255, 0, 255  # rare
    truth = truth_of(rgb)
    weights = prior.rarity()[nearest_bins(truth.ab)]
    right = scores(truth, np.where(truth.ab == 0, truth.ab, 0))
    share = weights[2:].sum() / weights.sum()
    lost = 1 - np.hypot(*truth.ab[0, 0]) / 150
    assert right["auc_rebalanced"] == pytest.approx(share + (1 - share) * lost, abs=1e-4)
    assert right["auc"] > 0.9 > 0.5 > right["auc_rebalanced"]


def test_channel_compares_signed_values():
    rgb = np.zeros((20, 20, 3), np.uint8) + np.uint8([40, 90, 200])  # b* -60, a* 20: a is larger
    a_larger, b_larger = np.float32([-70, -80]), np.float32([-80, -70])
    plain = np.zeros((20, 20, 2), np.float32)
    assert rgb_to_lab(rgb[0, 0] / 255)[1] > rgb_to_lab(rgb[0, 0] / 255)[2]
    assert scores(truth_of(rgb), plain + a_larger)["channel"] == 1
    assert scores(truth_of(rgb), plain + b_larger)["channel"] == 0
    assert scores(truth_of(rgb), plain)["channel"] == 1  # equal: a*


def test_edges_are_dilated_by_three_pixels():
    light = np.zeros((20, 30), np.float32)
    light[:, 15:] = 50  # a step: its slope is seen in columns 14 and 15
    assert np.flatnonzero(near_edges(light)[5]).tolist() == list(range(11, 19))


def test_errors_near_edges_are_told_from_the_others():
    rgb = np.zeros((30, 40, 3), np.uint8)
    rgb[:, 20:] = 200
    ab = np.zeros((30, 40, 2), np.float32)
    ab[:, 17:23] = 3, 4
    found = scores(truth_of(rgb), ab)
    assert found["edge_share"] == pytest.approx(8 / 40)  # columns 16 to 23
    assert found["edge_error"] == pytest.approx(5 * 6 / 8)
    assert found["rest_error"] == pytest.approx(0, abs=1e-4)


def test_a_truth_without_color_divides_nothing_by_zero():
    rgb = np.full((16, 16, 3), 77, np.uint8)
    one = scores(truth_of(rgb), np.zeros((16, 16, 2), np.float32))
    figures = summarize("gray", [one], METRICS).figures
    assert figures["psnr"].value == MOST_PSNR
    assert figures["ssim"].value == pytest.approx(1)
    assert figures["delta_e"].value == pytest.approx(0, abs=1e-3)
    assert np.isnan(figures["colorfulness_relative"].value)
    assert np.isnan(figures["edge_error"].value)
    assert figures["rest_error"].value == pytest.approx(0, abs=1e-3)


def test_figures_over_pictures_take_both_definitions_of_the_colorfulness_distance(photo):
    duller = rgb_to_lab(photo / 255)[..., 1:] * np.float32(0.5)
    twice = [scores(truth_of(photo), duller), scores(truth_of(photo[::-1] // 2), duller[::-1] * 3)]
    figures = summarize("mine", twice, METRICS).figures
    apart = [one["colorfulness"] - one["colorfulness_true"] for one in twice]
    assert apart[0] < 0 < apart[1]
    assert figures["colorfulness_error"].value == pytest.approx(np.mean(np.abs(apart)))
    assert figures["colorfulness_gap"].value == pytest.approx(abs(np.mean(apart)))
    true = np.mean([one["colorfulness_true"] for one in twice])
    assert figures["colorfulness_relative"].value == pytest.approx(np.mean(apart) / true)


def test_every_figure_has_a_definition(photo):
    gray = np.zeros((*photo.shape[:2], 2), np.float32)
    row = summarize("mine", [scores(truth_of(photo), gray)], METRICS)
    assert list(row.figures) == [metric.name for metric in METRICS]


def test_an_answer_of_another_size_is_refused(truth):
    with pytest.raises(ValueError, match=r"ab must have shape \(100, 120, 2\), got \(50, 60, 2\)"):
        scores(truth, truth.ab[::2, ::2])
