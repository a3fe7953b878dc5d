"""Masks: areas, overlap, and COCO's runs and polygons, by what must always hold and by COCO's own
tools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from opsin import masks

pictures = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))
pairs = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


@given(pictures)
def test_a_mask_is_the_picture_it_was_made_of(picture):
    mask = masks.mask_of(picture)
    assert (mask.pasted(*picture.shape) == picture).all()
    assert mask.area == picture.sum()
    x1, y1, x2, y2 = mask.box.astype(int)
    outside = picture.copy()
    outside[y1:y2, x1:x2] = False
    assert not outside.any()
    if picture.any():
        assert picture[[y1, y2 - 1]].any(axis=1).all()
        assert picture[:, [x1, x2 - 1]].any(axis=0).all()


@given(pairs)
def test_overlap_and_union_are_those_of_painted_pixels(pair):
    one, other = pair
    both = [masks.mask_of(picture) for picture in pair]
    [[found]] = masks.iou(both[:1], both[1:])
    together = (one | other).sum()
    assert found == pytest.approx((one & other).sum() / together if together else 0)
    assert (masks.union(both).pasted(*one.shape) == (one | other)).all()


@given(pictures)
def test_runs_go_both_ways(picture):
    height, width = picture.shape
    rle = masks.mask_to_rle(masks.mask_of(picture), height, width)
    assert (masks.rle_to_mask(rle).pasted(height, width) == picture).all()
    plain = masks.unpacked(rle["counts"])
    assert sum(plain) == height * width
    assert plain[0] == 0 or not picture[0, 0]
    again = masks.rle_to_mask({"size": [height, width], "counts": plain})
    assert (again.pasted(height, width) == picture).all()


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=30))
def test_any_runs_can_be_packed(runs):
    assert masks.unpacked(masks.packed(runs)) == runs


@given(pictures)
def test_runs_are_those_of_coco(picture):
    coco = pytest.importorskip("faster_coco_eval.core.mask")
    theirs = coco.encode(np.asfortranarray(picture, np.uint8))
    ours = masks.mask_to_rle(masks.mask_of(picture), *picture.shape)
    assert ours["size"] == list(theirs["size"])
    assert ours["counts"].encode() == theirs["counts"]


@given(st.lists(st.tuples(st.integers(-30, 90), st.integers(-30, 70)), min_size=3, max_size=7))
def test_a_polygon_is_the_pixels_whose_centers_lie_in_it(corners):
    """Against the definition: how often a line to the left crosses the sides."""
    corners = np.array(corners) + np.array([0.25, 0.125])  # on no center
    found = masks.polygons_to_mask([corners.ravel().tolist()], 40, 60).pasted(40, 60)
    y, x = np.mgrid[:40, :60] + 0.5
    inside = np.zeros((40, 60), bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            is_beside = (np.minimum(y1, y2) <= y) & (y < np.maximum(y1, y2))
            inside ^= is_beside & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) <= x)
    assert (found == inside).all()


@given(st.floats(12, 48), st.floats(10, 30), st.floats(3, 9), st.integers(3, 20))
def test_polygons_are_those_of_coco_but_for_their_rim(x, y, radius, count):
    coco = pytest.importorskip("faster_coco_eval.core.mask")
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    corners = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1)
    polygon = corners.ravel().tolist()
    ours = masks.polygons_to_mask([polygon], 40, 60).pasted(40, 60)
    theirs = coco.decode(coco.frPyObjects([polygon], 40, 60))[..., 0].astype(bool)
    away = np.pad(ours, 1)
    near = [
        np.roll(away, move, axis=(0, 1))[1:-1, 1:-1]
        for move in [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    ]
    rim = np.any(near, axis=0) & ~np.all(near, axis=0)
    assert ((ours == theirs) | rim).all()


def test_several_polygons_are_one_mask():
    both = [[0, 0, 2, 0, 2, 2, 0, 2], [1, 1, 4, 1, 4, 3, 1, 3]]
    assert masks.polygons_to_mask(both, 5, 5).area == 4 + 6 - 1
    assert masks.polygons_to_mask([], 5, 5).area == 0


def test_what_reaches_beyond_a_picture_is_cut():
    mask = masks.Mask(np.ones((4, 4), bool), top=3, left=8)
    assert mask.pasted(5, 9).sum() == 2
    assert mask.pasted(2, 2).sum() == 0


def test_wrong_masks_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"bool of shape \(h, w\), got float64 of \(2,\)"):
        masks.Mask(np.zeros(2))
    with pytest.raises(ValueError, match="must lie in its picture, got -1, 0"):
        masks.Mask(np.zeros((2, 2), bool), left=-1)
    with pytest.raises(ValueError, match="counts must be of 3 x 2 pixels, got 5"):
        masks.rle_to_mask({"size": [2, 3], "counts": [5]})
    with pytest.raises(ValueError, match="counts must be of 3 x 2 pixels"):
        masks.rle_to_mask({"size": [2, 3], "counts": [7, -1]})
    with pytest.raises(ValueError, match="cut off"):
        masks.unpacked("6X")
    with pytest.raises(ValueError, match="packed into letters, got ' '"):
        masks.unpacked("6 1")
    with pytest.raises(ValueError, match="3 corners or more, got 4"):
        masks.polygons_to_mask([[1, 2, 3, 4]], 5, 5)
