"""Reports of a task that has nothing to do with color: which of two classes a picture is of."""

import math

import numpy as np
import pytest

from opsin.evaluate.report import Metric, Report, ratio, report

METRICS = (
    Metric("right", "right", ".0%", "higher", "pictures whose class is right"),
    Metric("found", "found", ".0%", "higher", "of the bright ones", ratio("hits", "bright")),
)
PICTURES = [("a", "bright"), ("b", "dark"), ("c", "bright"), ("d", "bright")]


def scored(picture):
    name, truth = picture
    answers = {"guess": "bright", "never": "dark"}
    scores = {
        system: {
            "right": float(answer == truth),
            "hits": float(answer == truth == "bright"),
            "bright": float(truth == "bright"),
        }
        for system, answer in answers.items()
    }
    return name, scores, picture


@pytest.fixture
def found() -> Report:
    return report(scored, PICTURES, METRICS)


def values(found, system):
    return {name: figure.value for name, figure in found[system].figures.items()}


def test_figures_are_means_and_ratios_of_means(found):
    assert found.pictures == ("a", "b", "c", "d")
    assert values(found, "guess") == {"right": 0.75, "found": 1}
    assert values(found, "never") == {"right": 0.25, "found": 0}
    assert found["guess"].figures["right"].low < 0.75 < found["guess"].figures["right"].high


def test_a_ratio_of_nothing_is_not_defined():
    [row, _] = report(scored, PICTURES[1:2], METRICS).rows
    assert math.isnan(row.figures["found"].value)


def test_items_are_handed_on_in_order_whatever_the_threads():
    seen = []
    many = [(str(number), "dark") for number in range(50)]
    assert report(scored, many, METRICS, threads=3, on_item=seen.append).pictures == tuple(
        name for name, _ in many
    )
    assert seen == many


def test_the_document_is_plain_and_has_no_nan():
    one = report(scored, PICTURES[1:2], METRICS).document(each=True)
    guess = one["systems"][0]
    assert guess["figures"]["found"] == {"value": None, "low": None, "high": None}
    assert guess["scores"] == [{"right": 0.0, "hits": 0.0, "bright": 0.0}]
    assert (one["pictures"], one["names"]) == (1, ["b"])
    assert "95%" in one["interval"]


def test_a_figure_of_all_together_has_no_interval(found):
    metric = Metric("size", "MB", ".1f", "lower", "how large it is")
    more = found.with_figure(metric, {"guess": 2.0, "never": 1.0})
    assert more.metrics == (*METRICS, metric)
    figure = more["guess"].figures["size"]
    assert figure.value == 2
    assert np.isnan([figure.low, figure.high]).all()
    assert set(found["guess"].figures) == {"right", "found"}


def test_the_screen_shows_and_explains_any_metric(found, capsys):
    from opsin.cli.screen import print_report

    print_report(found)
    text = capsys.readouterr().out
    assert "75%" in text
    assert "right        pictures whose class is right; higher is better" in text
    assert "4 pictures; dim: 95%" in text
