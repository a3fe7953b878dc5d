"""Average precision of a run is that of the package by which finished models are measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsin.objects.precision import average_precision, matched, mean_average_precision
from opsin.objects.search import Found

ONE = np.float32([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])


def found(boxes: object, scores: list[float], labels: list[int]) -> Found:
    return Found(np.float32(boxes).reshape(-1, 4), np.float32(scores), np.array(labels, np.intp))


def test_by_hand() -> None:
    truth = [(ONE, np.array([0, 0, 1]))]
    # right, wrong, right: at recall 1/2 the precision is 1, from there on 2/3
    told = [found([ONE[0], [0, 50, 9, 60], ONE[1]], [0.9, 0.8, 0.7], [0, 0, 0])]
    assert average_precision(told, truth, 0) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(told, truth, 1) == 0
    assert np.isnan(average_precision(told, truth, 2))
    assert mean_average_precision(told, truth, 3) == pytest.approx((1 + 2 / 3) / 4)
    assert np.isnan(mean_average_precision(told, [(ONE[:0], np.array([], int))], 3))


def test_a_thing_is_found_once_and_by_the_surest() -> None:
    told = found([ONE[0] + 1, ONE[0]], [0.5, 0.9], [0, 0])
    hits, judged = matched(told, ONE[:1], ONE[:0])
    assert (hits.tolist(), judged.tolist()) == ([False, True], [True, True])


def test_what_lies_on_an_unjudged_box_counts_for_nothing() -> None:
    truth = [(ONE[:2], np.array([0, -2]))]
    told = [found([ONE[1], ONE[0]], [0.9, 0.8], [0, 0])]
    assert average_precision(told, truth, 0) == 1


@settings(max_examples=15)
@given(st.integers(0, 2**16))
def test_it_is_cocos_but_for_its_hundred_steps(seed: int) -> None:
    pytest.importorskip("faster_coco_eval")
    from opsin.evaluate.detect import AP50
    from opsin.evaluate.detect import average_precision as theirs
    from opsin.sets.coco import Annotation, Category, Image, Instances

    rng = np.random.default_rng(seed)
    truth, told, images, things = [], [], [], []
    for number in range(1, 5):
        corner = rng.integers(0, 80, (rng.integers(1, 6), 2))
        places = np.hstack([corner, corner + rng.integers(8, 40, corner.shape)]).astype(np.float32)
        labels = rng.integers(0, 2, len(places))
        truth.append((places, labels))
        near = (places + rng.normal(0, 3, places.shape)).astype(np.float32)
        told.append(
            found(near, rng.random(len(near)).tolist(), rng.integers(0, 2, len(near)).tolist())
        )
        images.append(Image(number, f"{number}.jpg", 200, 200))
        for (x1, y1, x2, y2), label in zip(places.tolist(), labels.tolist(), strict=True):
            place = (x1, y1, x2 - x1, y2 - y1)
            things.append(Annotation(len(things) + 1, number, label + 1, place))
    kinds = {Category(1, "one"): 0, Category(2, "other"): 1}
    instances = Instances(images, things, list(kinds))
    figures = theirs(dict(zip(images, told, strict=True)), instances, kinds)
    ours = mean_average_precision(told, truth, 2)
    assert ours == pytest.approx(figures[AP50], abs=0.02)
