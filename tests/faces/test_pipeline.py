"""Faces are found on real photographs, whatever their size, their depth and the way they lie."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin import boxes
from opsin.drawing.boxes import framed
from opsin.drawing.pixels import resized
from opsin.errors import ModelError
from opsin.faces.pipeline import LANDMARKS, Faces
from opsin.photo import Metadata

SAMPLES = Path(__file__).parents[2] / "samples"
TURN = Image.Transpose
UNDONE_BY = {
    1: None,
    2: TURN.FLIP_LEFT_RIGHT,
    3: TURN.ROTATE_180,
    4: TURN.FLIP_TOP_BOTTOM,
    5: TURN.TRANSPOSE,
    6: TURN.ROTATE_90,
    7: TURN.TRANSVERSE,
    8: TURN.ROTATE_270,
}
"""What makes of an upright picture one that EXIF's orientation turns back (CIPA DC-008, 4.6.5)."""


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """The astronaut, 512 x 512, with one face at about (179, 59, 269, 174)."""
    return np.repeat(opsin.open(SAMPLES / "astronaut.jpg").pixels, 3, axis=2)


BOX = [[179.4, 59.4, 269.1, 174.5]]


def is_hers(found: Faces, box=BOX, least: float = 0.7) -> bool:
    return len(found) == 1 and float(boxes.iou(found.boxes, box)[0, 0]) > least


def test_the_face_of_a_portrait_with_its_landmarks(portrait) -> None:
    found = opsin.find_faces(SAMPLES / "astronaut.jpg")
    assert is_hers(found)
    assert found.turned == 0
    [face] = found
    assert face.score > 0.9
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]  # her right is on our left
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert np.hypot(*(right_eye - [204, 103])) < 5  # looked up in the picture
    assert np.hypot(*(left_eye - [246, 104])) < 5


@pytest.mark.parametrize("name", ["cat", "coffee", "rocket"])
def test_where_nobody_is_nobody_is_found(name) -> None:
    assert len(opsin.find_faces(SAMPLES / f"{name}.jpg")) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (7, 5), (33, 31)])
def test_the_smallest_pictures_have_no_face(shape) -> None:
    found = opsin.find_faces(np.full(shape, 128, np.uint8))
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert found.document() == {"faces": [], "turned": 0}
    assert (found.blur().pixels == 128).all()
    assert found.draw().pixels.shape == (*shape, 3)


def test_gray_16_bits_and_transparency_make_no_difference(portrait) -> None:
    gray = portrait.mean(axis=2).astype(np.uint8)
    deep = portrait.astype(np.uint16) * 257
    clear = np.dstack([portrait, np.full(portrait.shape[:2], 9, np.uint8)])
    for picture in (gray, deep, clear):
        assert is_hers(opsin.find_faces(picture), least=0.85)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_exif_orientations_give_the_face_in_the_upright_picture(portrait, orientation) -> None:
    turn = UNDONE_BY[orientation]
    stored = Image.fromarray(portrait)
    stored = stored if turn is None else stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "JPEG", quality=95, exif=exif)
    found = opsin.find_faces(file.getvalue())
    assert is_hers(found)
    assert found.turned == 0


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_scan_on_its_side_is_turned_and_told(portrait, degrees) -> None:
    lying = np.ascontiguousarray(np.rot90(portrait, degrees // 90))
    found = opsin.find_faces(lying)
    assert found.turned == degrees
    assert is_hers(found, boxes.turn(BOX, -degrees % 360, 512, 512))
    right_eye, left_eye = found[0].landmarks[:2]
    assert abs(right_eye[1] - left_eye[1]) > 30  # above each other, as the face lies
    upright = opsin.find_faces(portrait)
    assert is_like(found.crop(found[0]).pixels, upright.crop(upright[0]).pixels)


def is_like(one: np.ndarray, other: np.ndarray) -> bool:
    small, same = (resized(pixels, 16, 16).astype(int) for pixels in (one, other))
    return bool(np.abs(small - same).mean() < 12)


def test_a_scan_on_its_head_is_turned(portrait) -> None:
    found = opsin.find_faces(portrait[::-1, ::-1])
    assert found.turned == 180
    assert is_hers(found, boxes.turn(BOX, 180, 512, 512))


def test_nine_faces_on_one_picture(portrait) -> None:
    small = resized(portrait[:300, 80:380], 100, 100)
    found = opsin.find_faces(np.tile(small, (3, 3, 1)))
    assert len(found) == 9
    centers = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    assert sorted({tuple(cell) for cell in (centers // 100).astype(int).tolist()}) == [
        (column, row) for column in range(3) for row in range(3)
    ]
    assert np.ptp(centers % 100, axis=0).max() < 4


def test_a_crowd_has_no_upper_limit(portrait) -> None:
    small = resized(portrait[20:220, 130:330], 60, 60)
    found = opsin.find_faces(np.tile(small, (18, 18, 1)))
    assert len(found) == 18 * 18


def test_a_face_of_23_pixels_in_12_megapixels(portrait) -> None:
    group = np.full((3000, 4000, 3), 110, np.uint8)
    small = resized(portrait, 132, 132)  # her face is 23 pixels wide
    for x, y in ((0, 0), (1290, 940), (3868, 2868), (2000, 1300)):
        group[y : y + 132, x : x + 132] = small
    found = opsin.find_faces(group)
    assert len(found) == 4
    assert found.turned == 0
    places = np.array([[0, 0], [1290, 940], [3868, 2868], [2000, 1300]])
    wanted = boxes.scale(BOX, 132 / 512) + np.tile(places, 2)
    assert (boxes.iou(found.boxes, wanted).max(axis=0) > 0.5).all()


def test_a_face_larger_than_a_tile(portrait) -> None:
    large = resized(portrait[:256, 96:352], 3000, 3000)
    found = opsin.find_faces(large)
    assert is_hers(found, boxes.scale(np.array(BOX) - [96, 0, 96, 0], 3000 / 256), least=0.6)


def test_faces_narrower_than_min_size_are_not_told(portrait) -> None:
    assert is_hers(opsin.find_faces(portrait, min_size=80))
    assert len(opsin.find_faces(portrait, min_size=95)) == 0  # hers is 90


def test_a_threshold_that_is_too_high_leaves_nothing(portrait) -> None:
    assert len(opsin.find_faces(portrait, threshold=0.99)) == 0


def test_a_face_that_the_border_cuts(portrait) -> None:
    found = opsin.find_faces(np.ascontiguousarray(portrait[:, 215:]))
    assert len(found) == 1
    x1, y1, _, y2 = found[0].box
    assert x1 >= 0
    assert abs(y1 - 59) < 20
    assert abs(y2 - 174) < 20
    crop = found.crop(found[0], margin=0.5)
    assert crop.height > crop.width  # what is outside is cut off


def test_a_face_that_the_lower_border_of_a_wide_picture_cuts(portrait) -> None:
    wide = np.ascontiguousarray(portrait[:135])
    for picture in (wide, np.ascontiguousarray(np.rot90(wide, 2))):
        assert len(opsin.find_faces(picture)) == 1


def test_document_is_plain_and_in_order() -> None:
    told = json.loads(json.dumps(opsin.find_faces(SAMPLES / "astronaut.jpg").document()))
    [face] = told["faces"]
    assert tuple(face["landmarks"]) == LANDMARKS
    assert len(face["box"]) == 4
    assert told["turned"] == 0


def test_a_drawing_has_a_frame_where_the_face_is(portrait) -> None:
    found = opsin.find_faces(portrait.astype(np.uint16) * 257)
    drawn = found.draw().pixels
    assert drawn.shape == portrait.shape
    assert drawn.dtype == np.uint8
    x1, y1, x2, _ = np.rint(found[0].box).astype(int)
    assert drawn[y1, x1:x2].tolist() == [[255, 210, 0]] * (x2 - x1)
    middle = slice(y1 + 12, y1 + 20), slice(x1 + 12, x1 + 20)
    assert (drawn[middle] == portrait[middle]).all()


def test_a_crop_that_is_turned_has_its_resolution_turned(portrait) -> None:
    lying = np.ascontiguousarray(np.rot90(portrait))
    photo = opsin.Photo(lying, metadata=Metadata(dpi=(300.0, 150.0)))
    found = opsin.find_faces(photo)
    assert found.turned == 90
    assert found.crop(found[0]).metadata.dpi == (150, 300)
    upright = opsin.find_faces(opsin.Photo(portrait, metadata=photo.metadata))
    assert upright.crop(upright[0]).metadata.dpi == (300, 150)


def test_the_frame_of_a_small_face_does_not_hide_it() -> None:
    """As of a crowd on a large photograph."""
    drawn = framed(np.full((1800, 2400, 1), 128, np.uint8), [[100, 100, 140, 150]])
    assert (drawn[100, 100:140] == [255, 210, 0]).all()
    assert (drawn[100:150, 100:140] == 128).all(axis=2).mean() > 0.6


def test_a_crop_is_a_square_with_a_margin(portrait) -> None:
    found = opsin.find_faces(portrait)
    longer = float((found[0].box[2:] - found[0].box[:2]).max())
    crop = found.crop(found[0], margin=0.25)
    assert abs(crop.height - 1.5 * longer) <= 1
    assert abs(crop.width - 1.5 * longer) <= 1
    assert is_hers(opsin.find_faces(crop), np.array([[0.24, 0.17, 0.76, 0.83]]) * crop.width, 0.6)
    assert found.crop(found[0], margin=0).pixels.shape[0] < crop.height
    with pytest.raises(ValueError, match="margin must be 0 or more, got -1"):
        found.crop(found[0], margin=-1)


def test_a_crop_keeps_the_resolution_and_nothing_else_of_the_metadata(portrait) -> None:
    metadata = Metadata(exif=b"MM", xmp=b"<x/>", iptc=b"\x1c", dpi=(300.0, 300.0))
    found = opsin.find_faces(opsin.Photo(portrait, metadata=metadata))
    assert found.crop(found[0]).metadata == Metadata(dpi=(300.0, 300.0))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_transparency_is_cut_out_and_turned_with_the_picture(portrait, degrees) -> None:
    lying = np.rot90(portrait, degrees // 90)
    found = opsin.find_faces(opsin.Photo(lying, np.ascontiguousarray(lying[..., 1])))
    assert found.turned == degrees
    crop = found.crop(found[0])
    assert (crop.alpha == crop.pixels[..., 1]).all()


def test_dots_are_drawn_on_large_faces_only(portrait) -> None:
    small = np.full((1600, 1600, 3), 110, np.uint8)
    small[:512, :512] = portrait  # her face is 90 pixels wide, which is less than 6 %
    for picture, has_dots in ((portrait, True), (small, False)):
        found = opsin.find_faces(picture)
        drawn = found.draw().pixels
        for x, y in np.rint(found[0].landmarks).astype(int):
            assert (drawn[y, x].tolist() == [255, 210, 0]) == has_dots


def test_blur_leaves_no_face_and_nothing_else_changes(portrait) -> None:
    alpha = np.arange(512 * 512, dtype=np.uint16).reshape(512, 512)
    photo = opsin.Photo(portrait.astype(np.uint16) * 257, alpha)
    found = opsin.find_faces(photo)
    copy = found.blur()
    assert copy.pixels.dtype == np.uint16
    assert copy.pixels.shape == photo.pixels.shape
    assert (copy.alpha == alpha).all()
    assert copy.metadata == photo.metadata
    outside = np.ones((512, 512), bool)
    outside[20:220, 140:310] = False
    assert (copy.pixels[outside] == photo.pixels[outside]).all()
    x1, y1, x2, y2 = np.rint(found[0].box).astype(int)
    face = copy.pixels[y1:y2, x1:x2].astype(float) / 257
    assert np.abs(np.diff(face, axis=0)).max() < 12  # no edge is left, corners included
    assert np.abs(np.diff(face, axis=1)).max() < 12
    assert (photo.pixels == portrait.astype(np.uint16) * 257).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "threshold must be above 0"),
        ({"threshold": 1.5}, "threshold must be above 0"),
        ({"threshold": float("nan")}, "threshold must be above 0"),
        ({"min_size": 2}, "min_size must be 5 pixels or more"),
    ],
)
def test_wrong_options_are_value_errors(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        opsin.find_faces(np.zeros((9, 9), np.uint8), **options)


def test_other_models_are_refused() -> None:
    picture = np.zeros((9, 9), np.uint8)
    with pytest.raises(ModelError, match="model 'imagenet' finds no faces: its task is 'classify'"):
        opsin.find_faces(picture, detector="imagenet")
    with pytest.raises(ModelError, match="one detector"):
        opsin.find_faces(picture, detector="yunet,yunet")
    with pytest.raises(ModelError, match="unknown model"):
        opsin.find_faces(picture, detector="nobody")


def test_threads_give_the_same(portrait) -> None:
    one, other = (opsin.find_faces(portrait, threads=count) for count in (1, 2))
    assert np.allclose(one.boxes, other.boxes, atol=0.01)
