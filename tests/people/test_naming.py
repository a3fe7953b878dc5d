"""Which name a face gets: limits, margins, and nobody twice on one photograph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsin.people.gallery import gallery_of
from opsin.people.naming import Limits, guesses, limits_of, similarity_at

LIMITS = Limits(sure=0.5, maybe=0.4, margin=0.1)


def guess(*row: float, allowed: tuple[bool, ...] | None = None):
    may = np.ones((1, len(row)), bool) if allowed is None else np.array([allowed])
    [found] = guesses(np.array([row], np.float32), may, LIMITS)
    return found


def test_certain_likely_and_unknown() -> None:
    sure, likely, unknown = guess(0.5, 0.2), guess(0.4, 0.1), guess(0.39, 0.1)
    assert (sure.person, sure.is_sure) == (0, True)
    assert (likely.person, likely.is_sure) == (0, False)
    assert (unknown.person, unknown.is_sure) == (None, False)
    assert unknown.similarity == pytest.approx(0.39)
    assert unknown.margin == pytest.approx(0.29)


def test_two_that_are_nearly_as_alike_are_a_question() -> None:
    assert guess(0.8, 0.75).is_sure is False
    assert guess(0.8, 0.75).person == 0
    assert guess(0.75, 0.875).margin == pytest.approx(0.125)
    assert guess(0.75, 0.875).is_sure is True


def test_who_was_rejected_is_neither_proposed_nor_compared() -> None:
    found = guess(0.8, 0.75, allowed=(False, True))
    assert (found.person, found.is_sure, found.margin) == (1, True, None)
    assert guess(0.8, 0.1, allowed=(False, True)).person is None


def test_nobody_known_is_no_error() -> None:
    [found] = guesses(np.zeros((1, 0), np.float32), np.zeros((1, 0), bool), LIMITS)
    assert (found.person, found.similarity, found.margin) == (None, None, None)


def test_the_more_alike_face_gets_the_name_and_the_other_at_most_a_suggestion() -> None:
    scores = np.array([[0.7, 0.1], [0.9, 0.6]], np.float32)
    first, second = guesses(scores, np.ones((2, 2), bool), LIMITS)
    assert (second.person, second.is_sure) == (0, True)
    assert first.person is None
    twin = np.array([[0.7, 0.65], [0.9, 0.2]], np.float32)
    first, second = guesses(twin, np.ones((2, 2), bool), LIMITS)
    assert (first.person, first.is_sure) == (1, False)


@given(arrays(np.float32, (5, 4), elements=st.floats(-1, 1, width=32)), arrays(bool, (5, 4)))
def test_each_person_is_on_a_photograph_once_and_only_where_allowed(scores, allowed) -> None:
    found = guesses(scores, allowed, LIMITS)
    persons = [one.person for one in found if one.person is not None]
    assert len(persons) == len(set(persons))
    for row, one in enumerate(found):
        if one.person is not None:
            assert allowed[row, one.person]
            assert one.similarity == scores[row, one.person] >= LIMITS.maybe
        if one.is_sure:
            assert one.similarity >= LIMITS.sure
            others = [scores[row, i] for i in range(4) if i != one.person and allowed[row, i]]
            assert all(one.similarity - other >= 0.1 for other in others)


RATES = ((0.01, 0.3), (0.001, 0.4), (0.0001, 0.45))


def test_the_more_are_known_the_more_alike_a_face_must_be() -> None:
    limits = [limits_of(RATES, people) for people in (0, 1, 100, 1000, 10_000)]
    assert [round(one.sure, 3) for one in limits] == [0.45, 0.45, 0.45, 0.5, 0.55]
    assert [round(one.maybe, 3) for one in limits] == [0.4, 0.4, 0.4, 0.45, 0.5]
    assert limits_of(RATES, 10**20).sure == 1


def test_a_rate_lies_on_the_line_between_those_that_were_measured() -> None:
    assert similarity_at(RATES, 0.01) == pytest.approx(0.3)
    assert similarity_at(RATES, 10**-2.5) == pytest.approx(0.35)
    assert similarity_at(RATES[::-1], 0.001) == pytest.approx(0.4)
    assert similarity_at(RATES, 0.1) == pytest.approx(0.2)


def test_a_person_is_half_the_nearest_face_and_half_the_mean() -> None:
    vectors = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    gallery = gallery_of(["Ada", "Ben"], [3, 3, 7], vectors)
    scores = gallery.scores(np.array([[1, 0], [0, -1]], np.float32))
    half = 0.5**0.5
    assert scores == pytest.approx(np.array([[(1 + half) / 2, -1], [-half / 2, 0]]), abs=1e-6)
    assert gallery.scores(np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert gallery_of([], [], np.zeros((0, 0), np.float32)).scores(vectors).shape == (3, 0)
