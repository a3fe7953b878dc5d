"""Groups of faces: average linkage as its definition has it, and what is known comes first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from opsin.faces.group import group


def by_definition(
    vectors: NDArray[np.float64], least: float, known: list[int], apart: set[tuple[int, int]]
) -> set[frozenset[int]]:
    """The two most alike become one, again and again."""
    first = [[i for i, one in enumerate(known) if one == who] for who in set(known) - {-1}]
    groups = [set(one) for one in first] + [{i} for i, who in enumerate(known) if who == -1]
    alike = vectors @ vectors.T

    def may(one: set[int], other: set[int]) -> bool:
        names = {known[i] for i in one} - {-1} | {known[i] for i in other} - {-1}
        pairs = {(i, j) for i in one for j in other} | {(j, i) for i in one for j in other}
        return len(names) < 2 and not pairs & apart

    while True:
        best, pair = least, None
        for i, one in enumerate(groups):
            for j in range(i):
                mean = alike[np.ix_(sorted(one), sorted(groups[j]))].mean()
                if mean >= best and may(one, groups[j]):
                    best, pair = mean, (i, j)
        if pair is None:
            return {frozenset(one) for one in groups}
        groups[pair[1]] |= groups.pop(pair[0])


def as_sets(numbers: NDArray[np.int64]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(numbers == one).tolist()) for one in set(numbers.tolist())}


def random_faces(seed: int, count: int) -> NDArray[np.float64]:
    chance = np.random.default_rng(seed)
    centers = chance.normal(size=(4, 6))
    rows = centers[chance.integers(4, size=count)] + 0.7 * chance.normal(size=(count, 6))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 24),
    st.floats(-0.2, 0.9),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_it_is_average_linkage_whatever_is_known(
    seed: int, count: int, least: float, some: bool, shared: bool, told: bool
) -> None:
    vectors, chance = random_faces(seed, count), np.random.default_rng(seed + 1)
    known = chance.integers(-1, 2, size=count) if some else np.full(count, -1)
    photos = chance.integers(-1, 6, size=count) if shared else np.full(count, -1)
    pairs = [tuple(one) for one in chance.integers(0, count, size=(3, 2)).tolist()] if told else []
    apart = {(i, j) for i, j in pairs if i != j}
    apart |= {
        (i, j)
        for i in range(count)
        for j in range(count)
        if i != j and photos[i] == photos[j] != -1
    }
    apart |= {(j, i) for i, j in apart}
    found = group(vectors, least, known=known, photos=photos, apart=pairs)
    assert as_sets(found) == by_definition(vectors, least, known.tolist(), apart)
    firsts = [int(np.flatnonzero(found == one)[0]) for one in range(found.max() + 1)]
    assert firsts == sorted(firsts)


def test_many_at_once_are_what_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = random_faces(3, 300)
    photos = np.arange(300) // 3
    whole = group(vectors, 0.3, photos=photos)
    monkeypatch.setattr("opsin.faces.group.BLOCK", 7)
    assert group(vectors, 0.3, photos=photos).tolist() == whole.tolist()
    assert 4 <= whole.max() + 1 < 300


def test_equal_faces_come_to_an_end() -> None:
    assert group(np.tile([[0.6, 0.8]], (9, 1)), 0.99).tolist() == [0] * 9
    on_one = group(np.tile([[0.6, 0.8]], (9, 1)), 0.99, photos=[0] * 9)
    assert on_one.tolist() == list(range(9))


def test_just_as_alike_as_the_least_is_enough() -> None:
    assert group([[1, 0], [0, 1]], 0.0).tolist() == [0, 0]
    assert group([[1, 0], [0, 1]], 0.001).tolist() == [0, 1]


def test_nothing_and_what_does_not_fit() -> None:
    assert group(np.zeros((0, 256)), 0.5).tolist() == []
    with pytest.raises(ValueError, match=r"vectors must be \(N, D\)"):
        group(np.zeros(3), 0.5)
    with pytest.raises(ValueError, match="least must be"):
        group(np.zeros((1, 2)), 45)
    with pytest.raises(ValueError, match="photos must be 1 numbers"):
        group(np.zeros((1, 2)), 0.5, photos=[1, 2])
    with pytest.raises(ValueError, match="known must be"):
        group(np.zeros((1, 2)), 0.5, known=[-2])
