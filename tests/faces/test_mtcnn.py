"""MTCNN finds what YuNet finds, of every size and however the photograph lies."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import opsin
from opsin import boxes
from opsin.drawing.pixels import resized
from opsin.errors import ModelError
from opsin.faces import integral, mtcnn
from opsin.faces.pipeline import Faces
from opsin.faces.recognize import embed, similarity
from opsin.models.card import check_card, write_card
from opsin.models.store import find

CARD = find("mtcnn").card
SAMPLES = Path(__file__).parents[2] / "samples"
BOX = np.array([[180.7, 60.6, 267.6, 173.5]])
"""Hers, as the package facenet-pytorch 2.6.0 tells it with min_face_size=15, counted from 0."""


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.repeat(opsin.open(SAMPLES / "astronaut.jpg").pixels, 3, axis=2)


def found_on(picture, **options) -> Faces:
    return opsin.find_faces(picture, detector="mtcnn", **options)


def test_the_face_of_a_portrait_with_its_landmarks() -> None:
    found = found_on(SAMPLES / "astronaut.jpg")
    [face] = found
    assert np.abs(found.boxes - BOX).max() < 0.3
    assert (found.turned, found.card.name) == (0, "mtcnn")
    assert face.score == pytest.approx(0.9978, abs=2e-3)
    points = [[204.8, 101.3], [247.4, 104.1], [225.0, 129.1], [201.8, 139.7], [245.3, 142.6]]
    assert np.abs(face.landmarks - points).max() < 0.3


def test_it_is_the_same_person_whichever_detector_found_the_face(portrait) -> None:
    one, other = (
        embed(portrait, found) for found in (found_on(portrait), opsin.find_faces(portrait))
    )
    assert similarity(one, other)[0, 0] > 0.9


@pytest.mark.parametrize("name", ["coffee", "cat", "rocket"])
def test_no_face_where_there_is_none(name: str) -> None:
    assert len(found_on(SAMPLES / f"{name}.jpg")) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (11, 40, 3)])
def test_pictures_that_are_too_small_have_no_face(shape) -> None:
    found = found_on(np.full(shape, 128, np.uint8))
    assert (len(found), found.turned) == (0, 0)


def test_a_crowd_has_no_upper_limit(portrait) -> None:
    small = resized(portrait[20:220, 130:330], 60, 60)
    assert len(found_on(np.tile(small, (18, 18, 1)), min_size=20)) == 18 * 18


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photograph_that_lies_on_its_side_or_head_is_turned(portrait, turns: int) -> None:
    lying = np.ascontiguousarray(np.rot90(portrait, turns))
    found = found_on(lying, min_size=40)
    assert found.turned == 90 * turns
    assert boxes.iou(found.boxes, boxes.turn(BOX, 360 - 90 * turns, 512, 512))[0, 0] > 0.9


def test_faces_in_tiles_and_larger_than_a_tile(portrait) -> None:
    group = np.full((1300, 2600, 3), 110, np.uint8)
    places = [[0, 0], [940, 300], [2468, 1168]]  # the second where two tiles meet
    small = resized(portrait, 132, 132)
    for x, y in places:
        group[y : y + 132, x : x + 132] = small
    group[:, 1250:2250] = resized(portrait[:256, 96:352], 1300, 1000)
    found = found_on(group)
    wanted = boxes.scale(BOX, 132 / 512) + np.tile(np.array(places), 2)
    large = boxes.scale(BOX - [96, 0, 96, 0], 1000 / 256, 1300 / 256)
    large += np.array([1250, 0, 1250, 0], np.float32)
    overlaps = boxes.iou(found.boxes, np.concatenate([wanted, large])).max(axis=0)
    assert len(found) == 4
    assert (overlaps > 0.6).all()


def test_gray_and_16_bits_are_the_same_as_color_of_8(portrait) -> None:
    wanted = found_on(portrait).document()
    assert found_on(portrait[..., :1]).document() == wanted
    assert found_on(portrait.astype(np.uint16) * 257).document() == wanted


def test_a_face_that_the_border_cuts(portrait) -> None:
    found = found_on(np.ascontiguousarray(portrait[:, 190:]))
    assert len(found) == 1
    assert boxes.iou(found.boxes, [[0, 61, 78, 173]])[0, 0] > 0.6
    assert found.boxes.min() >= 0


def test_min_size_and_threshold(portrait) -> None:
    assert len(found_on(portrait, min_size=80)) == 1  # hers is 88 wide
    assert len(found_on(portrait, min_size=95)) == 0
    assert len(found_on(portrait, threshold=1.0)) == 0
    with pytest.raises(ValueError, match="min_size must be 5 pixels or more"):
        found_on(portrait, min_size=1)


def test_the_answer_does_not_depend_on_the_number_of_threads(portrait) -> None:
    one, two = (found_on(portrait, threads=count).document() for count in (1, 2))
    assert json.dumps(one) == json.dumps(two)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiple": 8}, "`multiple` must be 1"),
        ({"inputs": CARD.inputs[:2]}, "`inputs` must be of the shapes"),
        ({"outputs": CARD.outputs[:-1]}, "`outputs` must have `o_points` of the shape"),
        ({"faces": msgspec.structs.replace(CARD.faces, stages=(0.6,))}, "`stages` must be two"),
        ({"faces": msgspec.structs.replace(CARD.faces, largest=12.0)}, "a tenth more"),
        ({"faces": msgspec.structs.replace(CARD.faces, good=0.5)}, "`good` must be `fair`"),
    ],
)
def test_a_wrong_card_is_refused(change, message) -> None:
    with pytest.raises(ModelError, match=message):
        check_card(msgspec.structs.replace(CARD, **change), Path("wrong.toml"))


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(2))),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_each_pixel_is_the_mean_of_those_that_it_stands_for(pixels, height, width) -> None:
    seen = integral.shrunk(integral.integral(pixels), height, width)
    for y in range(height):
        for x in range(width):
            rows = slice(y * len(pixels) // height, -(-(y + 1) * len(pixels) // height))
            across = pixels.shape[1]
            columns = slice(x * across // width, -(-(x + 1) * across // width))
            assert seen[y, x] == pytest.approx(pixels[rows, columns].mean(axis=(0, 1)), abs=1e-3)


def test_what_is_cut_out_is_what_lies_there() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    [seen] = integral.cut(integral.integral(pixels), np.array([[3, 5, 11, 13]]), 4)
    whole = integral.shrunk(integral.integral(pixels[5:13, 3:11]), 4, 4)
    assert np.abs(seen - whole).max() < 1e-4


@given(st.lists(st.tuples(*[st.floats(-50, 50, width=32)] * 4), min_size=1, max_size=5))
def test_squares_keep_the_middle_and_the_longer_side(rows) -> None:
    corners = np.array(rows, np.float32)
    some = np.concatenate([corners[:, :2], corners[:, :2] + np.abs(corners[:, 2:])], axis=1)
    square = mtcnn.squared(some)
    sides, longer = square[:, 2:] - square[:, :2], (some[:, 2:] - some[:, :2]).max(axis=1)
    assert sides == pytest.approx(np.stack([longer, longer], axis=1), abs=1e-3)
    assert square[:, :2] + square[:, 2:] == pytest.approx(some[:, :2] + some[:, 2:], abs=1e-3)


def test_a_box_within_another_is_dropped_at_the_end(monkeypatch) -> None:
    """There what two share counts as a part of the smaller one, as in the authors' program."""
    outer, inner = [10, 10, 50, 50], [15, 15, 45, 45]
    still = np.zeros((2, 4), np.float32)
    both = mtcnn.Boxes(boxes.as_boxes([outer, inner]), np.array([0.9, 0.8], np.float32), still)
    monkeypatch.setattr(mtcnn, "_proposed", lambda *_: both)
    monkeypatch.setattr(mtcnn, "_refined", lambda *_: (both, np.zeros((2, 5, 2), np.float32)))
    gray, table = np.zeros((60, 60, 1), np.uint8), find("mtcnn").card.faces
    found = mtcnn.faces_on(gray, None, table, min_size=20, last=0.7)
    assert found.boxes.tolist() == [outer]


def test_of_boxes_that_are_nearly_one_the_best_goes_on_to_the_last_network(monkeypatch) -> None:
    still = np.zeros((2, 4), np.float32)
    near = boxes.as_boxes([[10, 10, 50, 50], [11, 11, 51, 51]])
    both = mtcnn.Boxes(near, np.array([0.9, 0.8], np.float32), still)
    seen = []

    def refined(sums, engine, stage, squares, threshold):
        seen.append(len(squares))
        return both.only(slice(len(squares))), np.zeros((len(squares), 5, 2), np.float32)

    monkeypatch.setattr(mtcnn, "_proposed", lambda *_: both)
    monkeypatch.setattr(mtcnn, "_refined", refined)
    gray, table = np.zeros((60, 60, 1), np.uint8), find("mtcnn").card.faces
    mtcnn.faces_on(gray, None, table, min_size=20, last=0.7)
    assert seen == [2, 1]


def test_a_turn_needs_a_face_that_is_as_sure_as_the_card_says(portrait, tmp_path) -> None:
    lying = np.ascontiguousarray(np.rot90(portrait))
    model = find("yunet")
    (tmp_path / "yunet.onnx").write_bytes(model.read())
    for fair, turned in ((0.85, 90), (1.0, 0)):
        table = msgspec.structs.replace(model.card.faces, good=1.0, fair=fair)
        card = msgspec.structs.replace(model.card, name=f"own-{turned}", faces=table)
        write_card(card, tmp_path / f"own-{turned}.toml")
        found = opsin.find_faces(lying, detector=str(tmp_path / f"own-{turned}.toml"))
        assert (found.turned, found.card.name) == (turned, f"own-{turned}")
