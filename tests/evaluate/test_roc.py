"""Points on the ROC curve, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.evaluate.roc import area, best_threshold, equal_error

SCORED = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=20)


def split(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for s, _ in pairs], float), np.array([t for _, t in pairs])


@given(SCORED)
def test_the_area_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    scores, truths = split(pairs)
    true, false = scores[truths], scores[~truths]
    found = area(scores, truths)
    if not len(true) or not len(false):
        assert np.isnan(found)
    else:
        wins = [(a > b) + (a == b) / 2 for a in true for b in false]
        assert found == pytest.approx(np.mean(wins))


@given(SCORED)
def test_no_threshold_has_more_right_answers(pairs: list[tuple[int, bool]]) -> None:
    scores, truths = split(pairs)

    def right(threshold: float) -> int:
        return int(((scores >= threshold) == truths).sum())

    found = right(best_threshold(scores, truths))
    assert found == max(right(threshold) for threshold in np.arange(-0.5, 6))


def test_equal_errors_are_counted() -> None:
    truths = np.repeat([False, True], 10)
    scores = np.concatenate([np.arange(10), np.arange(10) + 7]).astype(float)
    assert equal_error(scores, truths) == pytest.approx(0.2, abs=0.06)  # 2 of 10 lie beyond 8
    assert equal_error(truths.astype(float), truths) == 0
    assert np.isnan(equal_error(scores, np.ones(20, bool)))
