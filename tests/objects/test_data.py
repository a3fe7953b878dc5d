"""What detectors are shown: things stay where they are, whatever is done to their picture."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import pytest

pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opsin.errors import DataError
from opsin.objects.data import (
    GRID,
    MOST,
    NOTHING,
    UNJUDGED,
    UNKNOWN,
    BoxData,
    filled,
    placed_in,
    window_of,
)
from opsin.sets import sources
from opsin.sets.labeled import Labeled, check_named, names_in, things_on
from opsin.sets.listing import look_at_all
from opsin.sets.sources import Picture

RED = (60, 40, 110, 75)  # where the one thing is on the picture


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set with one picture, on which one red rectangle is; its folder has another one below."""
    folder = tmp_path_factory.mktemp("red")
    pixels = np.full((120, 160, 3), 90, np.uint8)
    pixels[RED[1] : RED[3], RED[0] : RED[2]] = (230, 20, 20)
    (folder / "deep").mkdir()
    Image.fromarray(pixels).save(folder / "deep" / "one.png")
    x1, y1, x2, y2 = RED
    thing = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [x1, y1, x2 - x1, y2 - y1]}
    thing["segmentation"] = [[x1, y1, x2, y1, x1, y2]]  # the half above its diagonal
    crowd = {"id": 2, "image_id": 1, "category_id": 9, "bbox": [0, 0, 20, 20], "iscrowd": 1}
    table = {
        "images": [{"id": 1, "file_name": "deep/one.png", "width": 160, "height": 120}],
        "annotations": [thing, crowd],
        "categories": [{"id": 7, "name": "brick"}, {"id": 9, "name": "stone"}],
    }
    (folder / "instances.json").write_text(json.dumps(table))
    return folder


def picture_of(place: Path) -> Picture:
    [(source, numbers)] = list(sources.chosen(place, lambda path, why: None))
    return source.pictures[numbers[0]]


@settings(max_examples=12)
@given(st.integers(0, 2**20))
def test_the_box_of_a_thing_goes_where_the_thing_goes(red: Path, seed: int) -> None:
    table = BoxData(size=96, least_area=0.2, stretch=2.0, margin=1.0, seen=0.05, light=0.2)
    shown = window_of(picture_of(red), 96, table, ["brick"], np.random.default_rng(seed))
    assert shown["picture"].shape == (3, 96, 96)
    blue, _, strong = shown["picture"]  # blue comes first
    rows, columns = np.nonzero(strong - blue > 90)
    [place] = np.flatnonzero(shown["labels"] == 0) if (shown["labels"] == 0).any() else [-1]
    if place < 0:  # hardly any of it is in the window
        assert rows.size < 96 * 96 / 20
        return
    x1, y1, x2, y2 = shown["boxes"][place]
    if rows.size:
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose([x1, y1, x2, y2], seen, atol=2.5)
    else:
        assert (x2 - x1) * (y2 - y1) < 60


@settings(max_examples=12)
@given(st.integers(0, 2**20))
def test_the_proposals_of_a_thing_go_where_the_thing_goes(red: Path, seed: int) -> None:
    table = BoxData(size=96, least_area=0.6, stretch=1.5, margin=0.5)
    rng = np.random.default_rng(seed)
    with mock.patch("opsin.objects.proposals.propose", return_value=np.float32([RED])) as made:
        with TemporaryDirectory() as cache, mock.patch.dict(os.environ, XDG_CACHE_HOME=cache):
            shown = window_of(picture_of(red), 96, table, ["brick"], rng, proposals=3)
            window_of(picture_of(red), 96, table, ["brick"], rng, proposals=3)
        assert made.call_count == 1  # kept for the second window
    assert shown["regions"].shape == (3, 4)
    if (shown["labels"] == 0).any():
        np.testing.assert_allclose(shown["regions"][0], shown["boxes"][shown["labels"] == 0][0])
    assert (shown["regions"][1:] == 0).all()


@settings(max_examples=12)
@given(st.integers(0, 2**20))
def test_gray_windows_have_no_color_and_keep_their_boxes(red: Path, seed: int) -> None:
    plain = BoxData(size=64)
    gray = BoxData(size=64, gray=1.0, worn=1.0)
    one, other = (
        window_of(picture_of(red), 64, table, ["brick"], np.random.default_rng(seed))
        for table in (plain, gray)
    )
    assert (other["picture"] == other["picture"][:1]).all()
    assert not (one["picture"] == one["picture"][:1]).all()
    np.testing.assert_array_equal(one["boxes"], other["boxes"])


def test_both_sides_of_the_mirror_are_seen(red: Path) -> None:
    rng = np.random.default_rng(1)
    table = BoxData(size=64, least_area=1.0, stretch=1.0, margin=0.0)
    lefts = set()
    for _ in range(20):
        shown = window_of(picture_of(red), 64, table, ["brick"], rng)
        lefts.add(round(float(shown["boxes"][shown["labels"] == 0][0, 0])))
    assert lefts == {24, 20}  # 60 / 160 and 50 / 160 of 64 pixels


@settings(max_examples=12)
@given(st.integers(0, 2**20))
def test_a_shape_goes_where_its_thing_goes(red: Path, seed: int) -> None:
    table = BoxData(size=96, least_area=0.2, stretch=2.0, margin=1.0, seen=0.05)
    rng = np.random.default_rng(seed)
    shown = window_of(picture_of(red), 96, table, ["brick"], rng, shaped=True)
    [number] = np.flatnonzero(shown["labels"] >= 0) if (shown["labels"] >= 0).any() else [None]
    if number is None:
        return
    shape = shown["shapes"][number].astype(float)
    assert shape.shape == (GRID, GRID)
    assert set(np.unique(shape)) <= {0, 1}
    # less of it in each row than in the one above, and it begins at one side
    assert (np.diff(shape.sum(axis=1)) <= 0).all()
    first, last = shape[:, 0].sum(), shape[:, -1].sum()
    fewer = shape if first >= last else shape[:, ::-1]
    assert (np.diff(fewer, axis=1) <= 0).all()


def test_whole_shapes_are_the_outlines_and_crowds_have_none(red: Path) -> None:
    table = BoxData(size=64, least_area=1.0, stretch=1.0, margin=0.0)
    rng = np.random.default_rng(1)
    shown = window_of(picture_of(red), 64, table, ["brick"], rng, shaped=True)
    [number] = np.flatnonzero(shown["labels"] == 0)
    assert shown["shapes"][number].mean() == pytest.approx(0.5, abs=0.03)
    assert (shown["shapes"][shown["labels"] < 0] == UNKNOWN).all()
    for _ in range(8):
        shown = window_of(picture_of(red), 64, table, ["brick"], rng, shaped=True)
        [number] = np.flatnonzero(shown["labels"] == 0)
        is_mirrored = round(float(shown["boxes"][number, 0])) == 20  # else 24
        fuller = shown["shapes"][number][:, -1 if is_mirrored else 0]
        assert fuller.sum() > GRID - 2
    bare = window_of(picture_of(red), 64, table, ["brick"], rng)
    assert "shapes" not in bare


def test_crowds_and_what_is_cut_off_are_not_judged_and_others_left_out() -> None:
    boxes = np.float32([[0, 0, 10, 10], [8, 0, 18, 10], [0, 0, 4, 4], [5, 5, 9, 9], [30, 0, 40, 9]])
    things = Labeled(boxes, ("cat", "cat", "", "dog", "cat"))
    corner, sides = np.zeros(2), np.array([10.0, 10.0])
    placed, labels, numbers = placed_in(things, corner, sides, 20, 0.5, ["cup", "cat"])
    assert labels.tolist() == [1, UNJUDGED, UNJUDGED]
    assert numbers.tolist() == [0, 1, 2]
    assert placed.tolist() == [[0, 0, 20, 20], [16, 0, 20, 20], [0, 0, 8, 8]]
    _, labels, _ = placed_in(things, corner, sides, 20, 0.2, ["cup", "cat"])
    assert labels.tolist() == [1, 1, UNJUDGED]


def test_of_too_many_things_the_largest_are_taken() -> None:
    sides = np.arange(1, MOST + 3, dtype=np.float32)
    boxes = np.stack([sides * 0, sides * 0, sides, sides], axis=1)
    found = filled(boxes, np.zeros(len(boxes), np.int64))
    assert (found["boxes"].shape, found["labels"].shape) == ((MOST, 4), (MOST,))
    assert found["boxes"][:, 2].min() == 3
    found = filled(boxes[:1], np.zeros(1, np.int64))
    assert found["labels"].tolist() == [0] + [NOTHING] * (MOST - 1)


def test_a_set_in_a_tar_says_the_same_as_in_a_folder(red: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "red.tar", "w") as tar:
        for name in ("instances.json", "deep/one.png"):
            tar.add(red / name, name)
    for place in (red, tmp_path / "red.tar"):
        things = things_on(picture_of(place))
        assert things is not None
        assert things.names == ("brick", "")
        assert things.boxes[0].tolist() == list(RED)
        assert names_in([place]) == ["brick"]


@pytest.mark.parametrize(("kept", "message"), [(2, "there are only crowds"), (0, "is bare")])
def test_a_set_without_things_says_what_it_has_instead(
    red: Path, tmp_path: Path, kept: int, message: str
) -> None:
    shutil.copytree(red, tmp_path / "red")
    file = tmp_path / "red" / "instances.json"
    table = json.loads(file.read_text())
    crowds = [{**one, "iscrowd": 1} for one in table["annotations"]]
    file.write_text(json.dumps({**table, "annotations": crowds[:kept]}))
    with pytest.raises(DataError, match=message):
        names_in([tmp_path / "red"])


def test_pictures_of_which_nothing_is_known_are_told(red: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely.png"
    Image.new("RGB", (64, 64)).save(lonely)
    with pytest.raises(DataError, match=r"there is no instances\.json in its folder or above"):
        things_on(picture_of(lonely))
    (tmp_path / "instances.json").write_bytes((red / "instances.json").read_bytes())
    found = list(sources.chosen([lonely], lambda path, why: None))
    with pytest.raises(DataError, match=r"does not name 1 of its pictures \(lonely\.png\)"):
        check_named(look_at_all(found, classes=False, workers=1))
