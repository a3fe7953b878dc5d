"""Where a photograph is looked at, and which of many boxes are told."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.models.card import Card
from opsin.models.store import find
from opsin.objects.search import SHARED, Found, inputs_of, search, sides, spans


@given(st.integers(1, 30_000), st.integers(1, 30_000), st.integers(0, 5))
def test_tiles_cover_the_photograph_and_overlap(height: int, width: int, levels: int) -> None:
    for number, side in enumerate(sides(height, width, 416, levels)):
        assert number <= levels
        assert number == 0 or side > 416  # never larger than its pixels are
        for length in (height, width):
            found = spans(length, side)
            assert (found[0][0], found[-1][1]) == (0, length)
            assert all(0 <= start < end <= length and end - start <= side for start, end in found)
            for (_, end), (start, _) in itertools.pairwise(found):
                assert end - start >= side * SHARED - 1


def test_each_look_has_tiles_of_half_the_side() -> None:
    assert [len(spans(4000, side)) for side in sides(4000, 4000, 416, 9)] == [1, 2, 4, 8]


def test_of_one_label_the_best_is_told_and_others_are_their_own() -> None:
    boxes = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 0, 60, 10]])
    found = Found(boxes, np.float32([0.5, 0.9, 0.6, 0.4]), np.array([3, 3, 4, 3])).best(0.6)
    assert found.scores.tolist() == pytest.approx([0.9, 0.6, 0.4])
    assert found.labels.tolist() == [3, 4, 3]
    many = Found(np.tile(boxes[:1], (3000, 1)), np.linspace(0, 1, 3000), np.arange(3000))
    assert many.best(0.6, most=5).labels.tolist() == [2999, 2998, 2997, 2996, 2995]


@pytest.fixture(params=["picodet-s", "yolox-nano"])
def card(request) -> Card:
    return find(request.param).card


def test_a_network_sees_blue_first_and_the_whole(card: Card) -> None:
    tile = np.zeros((50, 100, 3), np.uint8)
    tile[:, 50:] = (10, 20, 250)
    assert card.detect is not None
    inputs, by = inputs_of(tile, card.size, card.detect)
    assert inputs.keys() == {"picture"}
    picture = inputs["picture"]
    assert picture.shape == (1, 3, 416, 416)
    assert picture[0, :, 100, 400].tolist() == [250, 20, 10]
    assert picture[0, :, 100, 10].tolist() == [0, 0, 0]
    if card.name == "picodet-s":  # stretched
        assert by.tolist() == pytest.approx([4.16, 8.32])
    else:
        assert by.tolist() == pytest.approx([4.16, 4.16])
        assert (picture[0, :, 208:] == 114).all()
        assert (picture[0, :, :208] != 114).any()


def test_a_pixel_of_the_network_from_a_cut_is_a_part() -> None:
    answer = {
        "boxes": np.float32([[[100, 100, 415, 200]]]),
        "scores": np.eye(1, 80, dtype=np.float32)[None],
    }
    engine = SimpleNamespace(card=find("picodet-s").card, run=lambda _: answer)
    found = search(np.zeros((1664, 1664, 3), np.uint8), engine, threshold=0.5, levels=1)
    assert len(found.scores) == 3  # of the whole and of the two tiles at the right
