"""The transform is that of scikit-image, and a square is what one cuts out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

import opsin
from opsin import boxes
from opsin.drawing.pixels import resized
from opsin.faces.align import aligned, similarity

SAMPLES = Path(__file__).parents[2] / "samples"
CORNERS = np.array([[0, 0], [1, 0], [0.5, 0.5], [0, 1], [1, 1]])


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.booleans())
def test_it_is_the_similarity_of_least_squares(seed: int, count: int, mirrored: bool) -> None:
    rng = np.random.default_rng(seed)
    points, places = rng.normal(0, 50, (2, count, 2))
    if mirrored:
        places = points * [-1, 1]  # the best turn still mirrors nothing
    wanted = SimilarityTransform.from_estimate(points, places)
    found = similarity(points, places)
    assert np.linalg.det(found[:, :2]) >= 0
    if count > 2:  # of two points one error is the same for several answers
        assert np.allclose(found, wanted.params[:2], atol=1e-6)


def test_a_turn_a_scale_and_a_move_are_found_exactly() -> None:
    points = np.random.default_rng(0).normal(0, 9, (5, 2))
    for angle in (0.0, 1.0, np.pi, -2.0):
        turn = 0.3 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found = similarity(points, points @ turn.T + [7, -3])
        assert np.allclose(found, np.column_stack([turn, [7, -3]]))


@pytest.mark.parametrize(
    ("points", "places", "message"),
    [
        (np.zeros((5, 2)), CORNERS, "two different ones"),
        (np.full((5, 2), np.nan), CORNERS, "two different ones"),
        (CORNERS[:4], CORNERS, r"both be \(N, 2\), got \(4, 2\) and \(5, 2\)"),
        (CORNERS.T, CORNERS.T, r"both be \(N, 2\)"),
    ],
)
def test_points_without_an_extent_are_refused(points, places, message) -> None:
    with pytest.raises(ValueError, match=message):
        similarity(points, places)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return opsin.open(SAMPLES / "astronaut.jpg").pixels


def square(x: float, y: float, side: float) -> np.ndarray:
    return (CORNERS * side + [x, y]).astype(np.float32)


def test_a_square_of_the_same_size_is_the_picture_itself(photo) -> None:
    found = aligned(photo, square(100, 40, 128), CORNERS, 128)
    assert found.shape == (128, 128, 3)
    assert found.dtype == np.float32
    assert np.allclose(found, photo[40:168, 100:228], atol=0.01)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_picture_that_lies_is_turned(photo, quarters: int) -> None:
    lying = np.ascontiguousarray(np.rot90(photo, quarters))
    points = boxes.turn_points(square(100, 40, 128), -90 * quarters % 360, 512, 512)
    found = aligned(lying, points, CORNERS, 128)
    assert np.allclose(found, photo[40:168, 100:228], atol=0.01)


@pytest.mark.parametrize("side", [32, 64, 192, 256])
def test_smaller_and_larger_is_as_libvips_makes_it(photo, side: int) -> None:
    found = aligned(photo, square(100, 40, 128), CORNERS, side)
    wanted = resized(photo, round(512 * side / 128), round(512 * side / 128))
    by = side / 128
    cut = wanted[round(40 * by) : round(168 * by), round(100 * by) : round(228 * by)]
    assert np.abs(found - cut).mean() < 2


def test_fine_stripes_are_gray_from_afar(photo) -> None:
    stripes = np.zeros((600, 600, 1), np.uint8)
    stripes[:, ::2] = 255
    found = aligned(stripes, square(50, 50, 500), CORNERS, 100)
    assert np.abs(found - 127.5).max() < 6


def test_depth_makes_no_difference_and_gray_has_three_channels(photo) -> None:
    points = square(90.3, 41.7, 150)
    deep = aligned(photo.astype(np.uint16) * 257, points, CORNERS, 128)
    assert np.allclose(deep, aligned(photo, points, CORNERS, 128), atol=1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 300, 3), (300, 5, 3)])
def test_beyond_the_edge_it_is_repeated(shape) -> None:
    for x, y in ((-900.0, 0.0), (0.0, 800.0), (-20.0, -20.0)):
        found = aligned(np.full(shape, 77, np.uint8), square(x, y, 60), CORNERS, 32)
        assert (np.rint(found) == 77).all()
