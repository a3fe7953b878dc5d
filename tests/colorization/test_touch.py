"""Hints for training: a thing is recolored, the points lie in it, and the rest stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.colorization.touch import GRAYED, LARGEST_THING, RECOLORED, Touched, grow, touch

STRIDE = 4


def cells(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lab = rgb_to_lab(photo[: 40 * 8, : 40 * 8].astype(np.float32) / 255)
    small = lab.reshape(40, 8, 40, 8, 3).mean(axis=(1, 3))
    return np.ascontiguousarray(small[..., 1:]), np.ascontiguousarray(small[..., 0])


@pytest.fixture(scope="module")
def touched(coffee: np.ndarray) -> list[tuple[np.ndarray, Touched]]:
    ab, light = cells(coffee)
    return [(ab, touch(ab, light, STRIDE, np.random.default_rng(seed))) for seed in range(120)]


def test_only_things_are_recolored(touched: list[tuple[np.ndarray, Touched]]) -> None:
    for ab, one in touched:
        assert np.array_equal(one.ab[~one.things], ab[~one.things])
        assert 0 < one.things.mean() < 4 * LARGEST_THING


def test_points_lie_in_their_things_and_have_their_colors(
    touched: list[tuple[np.ndarray, Touched]],
) -> None:
    for _, one in touched:
        mask = one.hints[2].astype(bool)
        assert mask.any()
        rows, columns = np.nonzero(mask)
        assert one.things[rows // STRIDE, columns // STRIDE].all()
        there = one.ab[rows // STRIDE, columns // STRIDE]
        assert np.hypot(*(one.hints[:2, rows, columns].T - there).T).max() < 40
        assert np.median(np.hypot(*(one.hints[:2, rows, columns].T - there).T)) < 6
        assert not one.hints[:, ~mask].any()


def test_most_things_get_another_color_and_some_none(
    touched: list[tuple[np.ndarray, Touched]],
) -> None:
    changed = [not np.array_equal(one.ab, ab) for ab, one in touched]
    gray = [(one.ab[one.things] == 0).all(axis=-1).any() for _, one in touched]
    assert RECOLORED - 0.1 < np.mean(changed) <= 1
    assert GRAYED / 3 < np.mean(gray) < 4 * GRAYED


def test_a_new_color_has_nothing_of_the_old_one() -> None:
    light = np.full((24, 24), 40, np.float32)
    light[:, 12:] = 80
    old = np.broadcast_to(np.float32([-20, 20]), (24, 24, 2))
    for seed in range(40):
        one = touch(old, light, STRIDE, np.random.default_rng(seed))
        shown = rgb_to_lab(lab_to_rgb(np.concatenate([light[..., None], one.ab], axis=-1)))
        assert shown[..., 1:] == pytest.approx(one.ab, abs=1)


def test_new_colors_exist_at_the_lightness_of_their_thing() -> None:
    light = np.full((24, 24), 6, np.float32)  # nearly black: no color is strong there
    light[:, 12:] = 60
    for seed in range(40):
        one = touch(np.zeros((24, 24, 2), np.float32), light, STRIDE, np.random.default_rng(seed))
        assert one.things.any()
        shown = rgb_to_lab(lab_to_rgb(np.concatenate([light[..., None], one.ab], axis=-1)))
        assert shown[..., 1:] == pytest.approx(one.ab, abs=1)


def test_a_thing_ends_where_the_color_does() -> None:
    ab, light = np.zeros((20, 20, 2), np.float32), np.full((20, 20), 50, np.float32)
    ab[5:15, 5:15] = 60, 40
    for seed in range(40):
        inside = grow(ab, light, np.random.default_rng(seed))[5:15, 5:15]
        assert inside.all() or not inside.any()


def test_a_shade_does_not_end_a_thing_as_a_color_would() -> None:
    ab, light = np.zeros((20, 20, 2), np.float32), np.full((20, 20), 50, np.float32)
    light[:, 10:] = 54
    ab[10:, :, 0] = 30
    for seed in range(20):
        thing = grow(ab, light, np.random.default_rng(seed))
        assert thing.sum() == 200


@given(seed=st.integers(0, 10**6), height=st.integers(1, 12), width=st.integers(1, 12))
def test_any_shape_of_noise_is_touched(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    ab = rng.normal(0, 30, (height, width, 2)).astype(np.float32)
    one = touch(ab, rng.uniform(0, 100, (height, width)).astype(np.float32), STRIDE, rng)
    assert one.hints.shape == (3, height * STRIDE, width * STRIDE)
    assert np.isfinite(one.hints).all()
    assert np.isfinite(one.ab).all()


@pytest.mark.parametrize("across", [True, False])
def test_a_thing_never_grows_over_a_clear_edge(across: bool) -> None:
    """Of 8 units, which is more than any step that is allowed, and less than most ways."""
    ab = np.zeros((16, 16, 2), np.float32)
    ab[:, 8:] = (8, 0)
    halves = ab[..., 0] > 0
    if not across:
        ab, halves = ab.transpose(1, 0, 2), halves.T
    for seed in range(60):
        thing = grow(ab, np.full((16, 16), 50, np.float32), np.random.default_rng(seed))
        assert not (thing[halves].any() and thing[~halves].any())
