"""Selective search: even regions, joined by likeness, and boxes in which the things are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import color, data, measure, segmentation

from opsin import boxes
from opsin.objects import proposals
from opsin.objects.proposals import propose
from opsin.objects.selective_search import (
    MEASURES,
    Regions,
    _join,
    described,
    in_space,
    joined,
    likeness,
    neighbors,
    selective_search,
)
from opsin.objects.superpixels import segmented

CAT = np.ascontiguousarray(data.chelsea()[40:240:2, 60:360:2])


def patches(seed: int, *, cell: int = 8, rows: int = 5, columns: int = 6) -> NDArray[np.uint8]:
    """Even squares of random colors."""
    grid = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3))
    return np.kron(grid, np.ones((cell, cell, 1), int)).astype(np.uint8)


def test_regions_are_those_of_another_program() -> None:
    ours = segmented(CAT, scale=100, least=50)
    theirs = segmentation.felzenszwalb(CAT, scale=100, sigma=0.8, min_size=50)
    table = np.zeros((ours.max() + 1, theirs.max() + 1))
    np.add.at(table, (ours.ravel(), theirs.ravel()), 1)
    # the pixels that lie in the part of their region that one of the other program's shares most
    assert table.max(axis=0).sum() / ours.size > 0.8
    assert table.max(axis=1).sum() / ours.size > 0.8


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.floats(1, 500), st.integers(1, 40))
def test_regions_hang_together_and_are_not_too_small(seed: int, scale: float, least: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 15, (40, 48, 3))
    labels = segmented(patches(seed) + noise, scale=scale, least=least)
    sizes = np.bincount(labels.ravel())
    assert sizes.min() >= least
    firsts = np.unique(labels, return_index=True)[1]
    assert (np.diff(firsts) > 0).all()
    for number in range(len(sizes)):
        assert measure.label(labels == number, connectivity=2).max() == 1


def test_larger_scales_make_fewer_regions() -> None:
    counts = [segmented(CAT, scale=scale, least=1).max() for scale in (10, 50, 250)]
    assert counts[0] > 2 * counts[1] > 4 * counts[2]


def test_colors_are_those_of_another_program() -> None:
    assert in_space(CAT, "hsv") == pytest.approx(color.rgb2hsv(CAT) * 255, abs=0.01)
    lab = color.rgb2lab(CAT) * [2.55, 1, 1] + [0, 128, 128]
    assert in_space(CAT, "lab") == pytest.approx(lab, abs=0.2)
    gray = np.full((2, 2, 3), 90, np.uint8)
    assert in_space(gray, "hsv")[0, 0].tolist() == [0, 0, 90]


def test_what_two_regions_become_is_what_it_would_be_described_as() -> None:
    planes = in_space(CAT, "lab")
    labels = segmented(planes, scale=100, least=100)
    one, other = neighbors(labels)[0]
    together = np.where(labels == other, one, labels - (labels > other))
    whole = described(planes, together)
    regions = Regions(*(np.concatenate([row, row[:1]]) for row in described(planes, labels)))
    _join(regions, one, other, len(regions.sizes) - 1)
    for made, wanted in zip(regions, whole, strict=True):
        assert made[-1] == pytest.approx(wanted[one], abs=1e-5)
    assert whole.colors[one].sum() == pytest.approx(1, abs=1e-4)
    assert whole.textures[one].sum() == pytest.approx(1, abs=1e-4)
    assert whole.sizes[one] == (together == one).sum()
    rows, columns = np.nonzero(together == one)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert whole.boxes[one].tolist() == box


def test_every_measure_is_a_share_that_says_what_it_should() -> None:
    labels = np.repeat(np.repeat([[0, 1], [2, 3]], 10, axis=0), [10, 30], axis=1)
    planes = np.zeros((20, 40, 3), np.float32)
    planes[labels == 1] = planes[labels == 3] = 200
    regions = described(planes, labels)
    pairs = neighbors(labels)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]

    def much(name: str) -> list[float]:
        told: list[float] = likeness(regions, *pairs.T, labels.size, (name,)).tolist()
        return told

    assert much("color") == pytest.approx([0, 1, 1, 0])
    assert much("size") == pytest.approx([0.5, 0.75, 0.25, 0.5])
    assert much("fill") == pytest.approx([1, 1, 1, 1])
    across = likeness(regions, np.array([0]), np.array([3]), labels.size, ("fill",))
    assert float(across[0]) == pytest.approx(1 - (800 - 400) / 800)
    columns, rows = np.zeros((20, 40, 3), np.float32), np.zeros((20, 40, 3), np.float32)
    columns[:, ::4], rows[::4] = 200, 200
    regions = described(np.where(labels[..., None] == 2, rows, columns), labels)
    told = much("texture")
    assert told[0] > told[1] + 0.1
    assert all(0 <= one <= 1.001 for one in told)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from(MEASURES))
def test_all_regions_become_one(seed: int, measures: tuple[str, ...]) -> None:
    picture = patches(seed)
    labels = np.arange(30).reshape(5, 6).repeat(8, axis=0).repeat(8, axis=1)
    regions = described(picture.astype(np.float32), labels)
    found = joined(regions, neighbors(labels), labels.size, measures)
    assert len(found) == 59
    assert found[:30].tolist() == regions.boxes.tolist()
    assert found[-1].tolist() == [0, 0, 48, 40]
    areas = boxes.area(found[30:])
    assert (areas >= 2 * 64).all()
    inside = (found[:, None, :2] >= found[None, :, :2]) & (found[:, None, 2:] <= found[None, :, 2:])
    for number in range(30, 59):  # each is the box around two that were there before
        assert inside[:number, number].all(axis=1).sum() >= 2


def test_what_is_most_alike_is_joined_first() -> None:
    picture = np.zeros((30, 30, 3), np.uint8)
    picture[:, 10:20], picture[:, 20:] = 250, 249
    labels = np.repeat([[0, 1, 2]], 30, axis=0).repeat(10, axis=1)
    regions = described(picture.astype(np.float32), labels)
    found = joined(regions, neighbors(labels), labels.size, ("color",))
    assert found[3].tolist() == [10, 0, 30, 30]


def test_a_thing_on_a_photograph_has_a_proposal() -> None:
    paper = np.repeat(data.gravel()[:200:2, :260:2, None] // 2 + 60, 3, axis=2).astype(np.uint8)
    paper[20:70, 40:115] = CAT[::2, ::2]
    found = propose(paper)
    assert boxes.iou([[40, 20, 115, 70]], found[:100]).max() > 0.8
    assert found[:, 2:].max(axis=0).tolist() == [130, 100]
    assert found.min() >= 0
    assert (found[:, 2:] - found[:, :2]).min() >= proposals.LEAST
    assert len(np.unique(found, axis=0)) == len(found)
    assert propose(paper, most=7).tolist() == found[:7].tolist()
    gray = propose(paper[..., :1].astype(np.uint16) * 257)
    assert boxes.iou([[40, 20, 115, 70]], gray).max() > 0.7


def test_proposals_are_in_pixels_of_the_picture() -> None:
    small = propose(CAT, side=100)
    large = propose(CAT.repeat(3, axis=0).repeat(3, axis=1), side=100)
    assert large[:, 2:].max(axis=0).tolist() == [450, 300]
    shared = boxes.iou(small[:50] * 3, large).max(axis=1)
    assert np.median(shared) > 0.7


def test_small_and_large_regions_are_mixed() -> None:
    areas = boxes.area(selective_search(CAT)) / (CAT.shape[0] * CAT.shape[1])
    half = len(areas) // 2
    assert np.median(areas[:half]) > np.median(areas[half:])
    assert (areas[: half // 2] < 0.1).any()
    assert areas[: half // 2].max() > 0.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 1), (7, 400, 3)])
def test_a_strip_has_none(shape: tuple[int, ...]) -> None:
    assert propose(np.zeros(shape, np.uint8)).shape == (0, 4)


def test_an_even_picture_has_itself() -> None:
    assert propose(np.full((40, 50, 3), 77, np.uint8)).tolist() == [[0, 0, 50, 40]]


def test_an_unknown_maker_is_refused() -> None:
    with pytest.raises(ValueError, match="one of selective-search, opencv, got 'edges'"):
        propose(CAT, maker="edges")  # type: ignore[arg-type]


def test_opencv_proposes_too() -> None:
    pytest.importorskip("cv2")
    found = propose(CAT, maker="opencv")
    assert found[:, 2:].max(axis=0).tolist() == [150, 100]
    assert np.median(boxes.iou(found, propose(CAT)).max(axis=1)) > 0.6
