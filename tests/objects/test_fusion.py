"""Several looks at one photograph as one answer: by hand, by what must always hold, and on one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

import opsin
from opsin import boxes
from opsin.defaults import ACCURATE
from opsin.errors import WrongCallError
from opsin.models.store import find
from opsin.objects.fusion import fused
from opsin.objects.search import Found

ONE = [0, 0, 10, 10]


def found(*rows: tuple[list[float], float, int]) -> Found:
    """A look that tells these boxes with their scores and labels."""
    places = boxes.as_boxes([box for box, _, _ in rows])
    scores = np.float32([score for _, score, _ in rows])
    return Found(places, scores, np.array([label for _, _, label in rows], np.intp))


@st.composite
def looks(draw: st.DrawFn) -> list[Found]:
    """Up to four looks at a small picture, crowded so that boxes overlap; no two scores are one."""
    rows = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(4, 12)] * 2, st.integers(0, 1))
    drawn = draw(st.lists(st.lists(rows, max_size=5), min_size=1, max_size=4))
    count = sum(map(len, drawn))
    scores = iter(draw(st.permutations(range(1, count + 1))))
    return [
        found(*(([x, y, x + w, y + h], next(scores) / count, kind) for x, y, w, h, kind in look))
        for look in drawn
    ]


def test_what_two_tell_is_between_them_and_surer_than_what_one_does() -> None:
    both = fused([found((ONE, 0.8, 3), ([50, 50, 60, 60], 0.8, 3)), found(([0, 0, 10, 8], 0.4, 3))])
    assert both.boxes[0] == pytest.approx([0, 0, 10, (0.8 * 10 + 0.4 * 8) / 1.2])
    assert both.boxes[1].tolist() == [50, 50, 60, 60]
    assert both.scores == pytest.approx([0.6, 0.4])
    assert both.labels.tolist() == [3, 3]


def test_a_look_that_tells_a_thing_twice_counts_once() -> None:
    once, twice = found((ONE, 0.8, 0)), found((ONE, 0.8, 0), (ONE, 0.6, 0))
    other = found((ONE, 0.4, 0))
    assert fused([twice, other]).scores == pytest.approx(fused([once, other]).scores)


def test_other_labels_and_neighbors_are_other_things() -> None:
    beside = [4, 0, 14, 10]  # shares 6 of 14
    apart = fused([found((ONE, 0.8, 0)), found((ONE, 0.7, 1), (beside, 0.6, 0))])
    assert sorted(zip(apart.labels.tolist(), apart.boxes.tolist(), strict=True)) == [
        (0, ONE),
        (0, beside),
        (1, ONE),
    ]


@given(looks())
def test_what_always_holds(told: list[Found]) -> None:
    made = fused(told)
    every = [
        (box, float(score), int(label))
        for one in told
        for box, score, label in zip(*one[:3], strict=True)
    ]
    assert len(made.boxes) <= len(every)
    assert (np.diff(made.scores) <= 0).all()
    assert set(made.labels.tolist()) == {label for _, _, label in every}
    for box, score, label in zip(*made[:3], strict=True):
        own = np.array([one for one, _, kind in every if kind == label])
        assert (box >= own.min(axis=0) - 1e-4).all()
        assert (box <= own.max(axis=0) + 1e-4).all()
        assert 0 < score <= max(one for _, one, kind in every if kind == label) + 1e-6


@given(looks())
def test_the_order_of_looks_says_nothing(told: list[Found]) -> None:
    one, other = fused(told), fused(told[::-1])
    rows = [
        sorted(zip(made.labels.tolist(), made.boxes.round(3).tolist(), strict=True))
        for made in (one, other)
    ]
    assert rows[0] == rows[1]
    assert one.scores == pytest.approx(other.scores)


@given(looks(), st.integers(1, 3))
def test_looks_that_agree_tell_what_one_tells(told: list[Found], count: int) -> None:
    alone = told[0].best(0.2)  # things that lie apart
    made = fused([alone] * count)
    assert made.boxes == pytest.approx(alone.boxes, abs=1e-4)
    assert made.scores == pytest.approx(alone.scores)
    assert made.labels.tolist() == alone.labels.tolist()


def test_a_photograph_and_its_mirror_image_have_the_same_things() -> None:
    cat = np.pad(data.chelsea(), ((0, 0), (0, 350), (0, 0)), constant_values=200)
    told = opsin.detect(cat, accurate=True)
    assert told[0].name == "cat"
    assert told[0].box[2] < 460  # on its own side
    other = opsin.detect(cat[:, ::-1], accurate=True)
    assert [one.name for one in other] == [one.name for one in told]
    back = boxes.upright(other.boxes, 2, *cat.shape[:2])
    assert back == pytest.approx(told.boxes, abs=0.5)
    mean = np.mean([opsin.detect(cat[:, ::way], model=name)[0].score for name, way in every_look()])
    assert told[0].score == pytest.approx(mean, abs=0.01)


def every_look() -> list[tuple[str, int]]:
    return [(name, way) for name in ACCURATE for way in (1, -1)]


def test_threshold_and_classes_are_heeded() -> None:
    cat = data.chelsea()
    every = opsin.detect(cat, accurate=True, threshold=0.05)
    assert len(every) > len(opsin.detect(cat, accurate=True))
    assert min(thing.score for thing in every) >= 0.05
    only = opsin.detect(cat, accurate=True, threshold=0.05, classes=["cat"])
    assert {thing.name for thing in only} == {"cat"}


def test_they_call_things_the_same_and_no_other_is_asked() -> None:
    assert len({find(name).card.labels for name in ACCURATE}) == 1
    with pytest.raises(WrongCallError, match="name no model beside it"):
        opsin.detect(data.chelsea(), accurate=True, model="picodet-s")
