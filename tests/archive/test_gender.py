"""Gender from faces: found, cut as the networks learned them, and told with its probability."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

import opsin
from opsin.archive.gender import FRAME, face_in_the_middle
from opsin.drawing.pixels import resized
from opsin.errors import ModelError
from opsin.faces.around import square_around


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("model", ["gender", "gender-small", "gender,gender-small"])
def test_a_face_gets_its_label_however_the_scan_lies(model: str, degrees: int) -> None:
    photo = np.ascontiguousarray(np.rot90(data.astronaut(), degrees // 90))
    [one] = opsin.gender(photo, model=model)
    assert one.classes.name == "female"
    assert one.classes.top(1)[0][1] > 0.8
    assert one.document()["classes"][0]["name"] == "female"
    assert one.document()["box"] == opsin.find_faces(photo)[0].document()["box"]


def test_gray_is_no_special_case() -> None:
    gray = (data.astronaut() @ [0.299, 0.587, 0.114]).astype(np.uint8)
    [color], [plain] = opsin.gender(data.astronaut()), opsin.gender(gray)
    found = [one.classes.probabilities[0] for one in (color, plain)]
    assert found[0] == pytest.approx(found[1], abs=0.03)


def test_each_face_has_its_own() -> None:
    both = np.concatenate([data.astronaut()[:300, 100:400], data.astronaut()[:300, 100:400]], 1)
    found = opsin.gender(both)
    assert [one.classes.name for one in found] == ["female", "female"]
    assert abs(found[0].face.box[0] - found[1].face.box[0]) == pytest.approx(300, abs=3)


def test_a_model_that_is_no_classifier_is_told() -> None:
    with pytest.raises(ModelError, match="does not classify"):
        opsin.gender(data.astronaut(), model="default")


@pytest.mark.parametrize("model", ["imagenet", "imagenet,imagenet"])
def test_a_model_that_tells_other_things_is_told(model: str) -> None:
    with pytest.raises(ModelError, match="'imagenet' tells no gender"):
        opsin.gender(data.astronaut(), model=model)


def test_the_square_is_that_of_the_face_in_the_middle() -> None:
    """Half of its side is the face; beyond the border the border goes on."""
    photo = data.astronaut()
    faces = opsin.find_faces(photo)
    square = square_around(faces, faces[0], FRAME)
    x1, y1, x2, y2 = faces[0].box
    assert square.shape == (round(FRAME * (y2 - y1)),) * 2 + (3,)
    left, top = (round(float(a + b) / 2 - len(square) / 2) for a, b in ((x1, x2), (y1, y2)))
    assert np.array_equal(square, photo[top : top + len(square), left : left + len(square)])
    assert np.array_equal(face_in_the_middle(photo), square)
    cut = photo[round(y1) :]
    faces = opsin.find_faces(cut)
    square = square_around(faces, faces[0], 3)
    assert np.array_equal(square[0], square[5])
    assert face_in_the_middle(np.zeros((60, 60), np.uint8)) is None


def test_beyond_each_border_the_border_goes_on() -> None:
    photo = data.astronaut()
    for cut in (photo[:185], photo[70:], photo[:, :262], photo[:, 185:]):
        faces = opsin.find_faces(cut)
        assert faces.turned == 0
        square = square_around(faces, faces[0], 3)
        middle, side = (faces[0].box[:2] + faces[0].box[2:]) / 2, len(square)
        left, top = np.rint(middle - side / 2).astype(int) + 400
        whole = np.pad(cut, ((400, 400), (400, 400), (0, 0)), "edge")
        assert np.array_equal(square, whole[top : top + side, left : left + side])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_square_is_upright_however_the_scan_lies(degrees: int) -> None:
    squares = []
    for turn in (0, degrees // 90):
        faces = opsin.find_faces(np.ascontiguousarray(np.rot90(data.astronaut(), turn)))
        squares.append(resized(square_around(faces, faces[0], FRAME), 16, 16).astype(int))
    assert np.abs(squares[0] - squares[1]).mean() < 12


def test_faces_are_found_by_the_detector_that_is_named() -> None:
    with pytest.raises(ModelError, match="model 'imagenet' finds no faces"):
        opsin.gender(data.astronaut(), detector="imagenet")


@pytest.mark.parametrize("left", [160, 200])
def test_of_two_faces_that_nearest_to_the_middle_is_taken(left: int) -> None:
    """Not the one of which the detector is surest, nor one that is only high or low enough."""
    hers = data.astronaut()[:300, 100:400]
    wide = np.full((300, 900, 3), 128, np.uint8)
    wide[:, left : left + 300], wide[:, 600:] = hers, hers[:, ::-1]
    for photo in (wide, wide[:, ::-1]):
        faces = opsin.find_faces(photo)
        assert len(faces) == 2
        away = [abs((face.box[0] + face.box[2]) / 2 - 450) for face in faces]
        nearest = faces[int(np.argmin(away))]
        found = face_in_the_middle(photo)
        assert np.array_equal(found, square_around(faces, nearest, FRAME))


@pytest.mark.parametrize("orientation", [1, 3])
def test_the_square_of_a_damaged_scan_shows_what_its_file_holds(orientation: int) -> None:
    """That is the lower part of a scan whose file says that it lies on its head."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(data.astronaut()).save(file, "JPEG", quality=95, exif=exif)
    cut = file.getvalue()[: 36 * len(file.getvalue()) // 100]
    photo = opsin.open(cut, damaged=True)
    faces = opsin.find_faces(photo)
    square = square_around(faces, faces[0], FRAME)
    rows, _ = photo.metadata.there
    middle, side = (faces[0].box[:2] + faces[0].box[2:]) / 2, len(square)
    left, top = np.rint(middle - side / 2).astype(int) + 400
    whole = np.pad(photo.pixels[rows], ((400, 400), (400, 400), (0, 0)), "edge")
    part = whole[top - rows.start : top - rows.start + side, left : left + side]
    assert np.array_equal(square, np.rot90(part, -faces.turned // 90))
