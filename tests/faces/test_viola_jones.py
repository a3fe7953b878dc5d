"""Viola-Jones finds upright faces; its windows are OpenCV's, one by one."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import opsin
from opsin import boxes
from opsin.cli import main
from opsin.drawing.pixels import resized
from opsin.errors import ModelError
from opsin.faces import haar, viola_jones
from opsin.faces.recognize import embed
from opsin.faces.stages import prepared
from opsin.models import cascade
from opsin.models.card import check_card
from opsin.models.cascade import Cascade, Node, Rectangle, Stage, Tree
from opsin.models.store import find
from opsin.models.trial import add

MODEL = find("viola-jones")
FACE = cascade.parse(MODEL.read(), "viola-jones.xml")
SAMPLES = Path(__file__).parents[2] / "samples"
BOX = np.array([[176, 66, 272, 162]])
"""Hers, as OpenCV 4.14's cascade has it with scaleFactor=1.25, to the pixel or two."""

GOLDEN = (
    15,
    [2520, 1276, 3914, 2670],
    (32, [1124, 2068, 4250, 5194]),
)
"""How many windows, and the sums of their sides."""


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return opsin.open(SAMPLES / "astronaut.jpg").pixels


@pytest.fixture(params=[False, True], ids=["numpy", "opencv"])
def evaluator(request, monkeypatch):
    """Both evaluators, whichever is there."""
    if request.param:
        pytest.importorskip("cv2")
    else:
        monkeypatch.setattr(viola_jones, "by_opencv", lambda cascade: None)
    found_by = viola_jones.search_by(MODEL.read(), MODEL.card, MODEL.card.faces, threads=2)
    return lambda pixels, least=15, score=0.6: found_by(pixels, least, score)


def found_on(picture, **options):
    return opsin.find_faces(picture, detector="viola-jones", **options)


def square(side: int, *, stages=None) -> Cascade:
    """A small cascade: what is darker above than below passes."""
    feature = (Rectangle(0, 0, side, side, -1), Rectangle(0, side // 2, side, side // 2, 2))
    stump = Tree((Node(0, -1, 0, 0.0),), (-1.0, 1.0))
    return Cascade(side, side, (feature,), stages or (Stage(0.0, (stump,)),))


def test_the_face_of_a_portrait_has_no_landmarks(portrait) -> None:
    found = found_on(portrait)
    [face] = found
    assert np.abs(found.boxes - BOX).max() < 3
    assert (found.turned, found.card.name) == (0, "viola-jones")
    assert face.landmarks.shape == (0, 2)
    assert face.document()["landmarks"] is None
    assert 0.8 < face.score < 0.95
    assert (found.draw().pixels != np.repeat(portrait, 3, axis=2)).any()
    assert found.crop(face).width > 96
    assert (found.blur().pixels != portrait).any()


def test_both_evaluators_give_one_answer(evaluator, portrait) -> None:
    [box], [score], points = evaluator(portrait)
    assert np.abs(box - BOX).max() < 3
    assert points.shape == (1, 0, 2)
    assert score == pytest.approx(14 / 16)


@pytest.mark.parametrize("name", ["alt2", "default"])
@pytest.mark.parametrize(
    ("size", "step", "least"),
    [((512, 512), 1.25, 20), ((247, 318), 1.1, 24), ((391, 333), 1.2, 33)],
)
def test_the_windows_are_those_of_opencv_one_by_one(portrait, name, size, step, least) -> None:
    cv2 = pytest.importorskip("cv2")
    path = Path(cv2.data.haarcascades) / f"haarcascade_frontalface_{name}.xml"
    picture = np.ascontiguousarray(resized(portrait, *size)[..., 0])
    own = haar.windows(
        picture, prepared(cascade.parse(path.read_bytes(), name)), step=step, min_size=least
    )
    theirs = cv2.CascadeClassifier(str(path)).detectMultiScale(picture, step, 0, 0, (least, least))
    theirs = np.asarray(theirs).reshape(-1, 4)
    theirs[:, 2:] += theirs[:, :2]
    assert len(own) > 5
    assert sorted(own.tolist()) == sorted(theirs.tolist())


def test_golden_windows(portrait) -> None:
    """As OpenCV 4.14 has them; what this asks for needs no OpenCV."""
    own = haar.windows(portrait[..., 0], prepared(FACE), step=1.25, min_size=20, threads=2)
    assert len(own) == GOLDEN[0]
    assert own.sum(axis=0).tolist() == GOLDEN[1]
    few = haar.windows(portrait[:333, 140:351, 0], prepared(FACE), step=1.1, min_size=40)
    assert (len(few), few.sum(axis=0).tolist()) == GOLDEN[2]


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_pictures_are_made_smaller_as_opencv_makes_them(picture, height, width) -> None:
    seen = haar.shrunk(picture, height, width)
    if (height, width) == picture.shape:
        assert (seen == picture).all()
    assert seen.min() >= picture.min()
    assert seen.max() <= picture.max()
    cv2 = pytest.importorskip("cv2")
    exact = cv2.INTER_LINEAR_EXACT
    assert (seen == cv2.resize(picture, (width, height), interpolation=exact)).all()


def test_a_feature_is_the_sum_of_its_rectangles() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (17, 19)).astype(np.uint8)
    small = square(8)
    for sign in (1, -1):  # the threshold between two values tells on which side a value lies
        for y, x in ((0, 0), (2, 4), (8, 10)):
            part = picture[y : y + 8, x : x + 8].astype(float)
            value = part[4:].sum() - part[:4].sum()
            inner = part[1:-1, 1:-1]
            value /= inner.size * inner.std()
            threshold = value + sign * 1e-4
            stump = Tree((Node(0, -1, 0, threshold),), (0.0, 1.0))
            one = prepared(square(8, stages=(Stage(0.5, (stump,)),)))
            passed = haar.windows(picture, one, step=4, min_size=8).tolist()
            assert ([x, y, x + 8, y + 8] in passed) == (sign < 0)
    assert prepared(small).stages[0].corners[0].y.shape == (6, 1)  # two rectangles share corners


@given(arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 30))))
def test_the_window_after_a_refused_one_is_skipped(refused) -> None:
    seen = haar.visited(refused)
    for row, told in zip(refused, seen, strict=True):
        x, visits = 0, set()
        while x < len(row):
            visits.add(x)
            x += 2 if row[x] else 1
        assert set(np.flatnonzero(told)) == visits


def test_windows_without_contrast_are_no_faces() -> None:
    ramp = np.repeat(np.arange(32, dtype=np.uint8)[:, None], 32, axis=1)
    small = prepared(square(8))
    assert len(haar.windows(ramp, small, step=1.5, min_size=8)) == 0
    steep = ramp * 4  # a standard deviation of 10 and less in the smallest windows
    found = haar.windows(steep, small, step=1.5, min_size=8)
    assert len(found) > 0
    assert (found[:, 2] - found[:, 0]).min() > 8


@given(st.integers(8, 40), st.integers(8, 40), st.floats(1.05, 1.9))
def test_windows_end_at_the_border(height, width, step) -> None:
    stump = Tree((Node(0, -1, 0, 0.0),), (1.0, 1.0))
    everything = prepared(square(8, stages=(Stage(0.0, (stump,)),)))
    noise = np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)
    found = haar.windows(noise, everything, step=step, min_size=8)
    assert found.min() >= 0
    assert found[:, 2].max() <= width
    assert found[:, 3].max() <= height


def test_a_tree_goes_where_its_answers_lead() -> None:
    dark, light = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    light[4:] = 200  # the value is above 0
    dark[:4] = 200
    tree = Tree((Node(1, 0, 0, 0.0), Node(-1, -2, 0, -9.0)), (0.0, 5.0, 7.0))
    for picture, least, passes in (
        (light, 0.0, 1),
        (light, 1.0, 0),
        (dark, 7.0, 1),
        (dark, 7.1, 0),
    ):
        one = prepared(square(8, stages=(Stage(least, (tree,)),)))
        assert len(haar.windows(picture, one, step=2, min_size=8)) == passes


def test_what_is_written_is_read_again(tmp_path) -> None:
    assert cascade.parse(cascade.write(FACE, "a -- b"), "again") == FACE
    assert (FACE.width, len(FACE.stages), len(FACE.features)) == (20, 20, 2094)
    cv2 = pytest.importorskip("cv2")
    (tmp_path / "own.xml").write_bytes(cascade.write(square(24), "a note"))
    assert not cv2.CascadeClassifier(str(tmp_path / "own.xml")).empty()


def test_a_file_of_ones_own_is_a_detector(tmp_path, portrait) -> None:
    path = tmp_path / "mine.xml"
    path.write_bytes(MODEL.read())
    found = opsin.find_faces(portrait, detector=str(path))
    assert found.boxes.tolist() == found_on(portrait).boxes.tolist()
    assert (found.card.name, found.card.sha256) == ("own-cascade", MODEL.card.sha256)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<height>20</height>", "<height>2</height>", "<height> must be from 8 to 128"),
        ("<featureType>HAAR", "<featureType>LBP", "not of boosted Haar features"),
        ("<_>2 7 16 4 -1.</_>", "<_>2 7 19 4 -1.</_>", "reaches beyond its window"),
        ("<_>2 7 16 4 -1.</_>", "<_>2 7 16 0 -1.</_>", "a rectangle is empty"),
        ("<_>2 7 16 4 -1.</_>", "<_>2 7 16 4 -1.5</_>", "no whole number"),
        ("<_>2 7 16 4 -1.</_>", "", "two or three rectangles"),
        ("</rects>", "</rects><tilted>1</tilted>", "turned features"),
        ("<internalNodes>0 1 0 ", "<internalNodes>0 2 0 ", "leads to what is not there"),
        (" -1 -2 1 0.01307616<", " 1 -2 1 0.01307616<", "leads to what is not there, or back"),
        (" -1 -2 1 0.01307616<", " -1 -3 1 0.01307616<", "leads to what is not there"),
        ("<internalNodes>0 1 0 ", "<internalNodes>0 1 9999 ", "a feature that is not there"),
        ("<stageThreshold>", "<stageThreshold>nan ", "must have 1 numbers"),
        ("<internalNodes>0 1 0 ", "<internalNodes>inf ", "not finite"),
        ("</opencv_storage>", "", "no cascade that opsin reads"),
        ("<opencv_storage>", "<!DOCTYPE a><opencv_storage>", "DOCTYPE"),
        ("<stages>", "<steps>", "no cascade that opsin reads"),
    ],
)
def test_a_file_that_is_no_cascade_is_one_sentence(tmp_path, capfd, old, new, message) -> None:
    text = MODEL.read().decode()
    assert old in text
    (tmp_path / "bad.xml").write_text(text.replace(old, new, 1))
    command = ["faces", "find", str(SAMPLES / "cat.jpg"), "--detector", str(tmp_path / "bad.xml")]
    assert main(command) == 1
    said = capfd.readouterr().err
    assert message in said
    assert said.startswith("opsin: ")
    assert said.count("\n") == 1


def test_a_cascade_that_takes_everything_is_refused(tmp_path, portrait) -> None:
    stump = Tree((Node(0, -1, 0, 0.0),), (1.0, 1.0))
    (tmp_path / "all.xml").write_bytes(cascade.write(square(24, stages=(Stage(0.0, (stump,)),))))
    with pytest.raises(ModelError, match="as no sound one does"):
        opsin.find_faces(portrait, detector=str(tmp_path / "all.xml"))
    with pytest.raises(ModelError, match="cannot read this cascade"):
        opsin.find_faces(portrait, detector=str(tmp_path / "none.xml"))


def test_windows_that_agree_are_one_face() -> None:
    windows = np.array(
        [[0, 0, 40, 40], [2, 1, 42, 41], [1, 0, 47, 46], [100, 0, 140, 40], [5, 0, 85, 80]]
    )
    found = viola_jones.grouped(windows, 0.6)
    assert found.boxes[0] == pytest.approx([1, 1 / 3, 43, 127 / 3])
    assert found.scores.tolist() == [pytest.approx(0.6)]
    assert len(viola_jones.grouped(windows, 0.61).scores) == 0
    assert sorted(viola_jones.grouped(windows, 0.3).scores) == pytest.approx([1 / 3, 1 / 3, 0.6])


def test_a_weaker_face_inside_a_surer_one_is_a_part_of_it() -> None:
    sure, weak = [[0, 0, 100, 100]] * 5, [[30, 30, 60, 60]] * 3
    assert len(viola_jones.grouped(np.array(sure + weak), 0.6).scores) == 1
    assert len(viola_jones.grouped(np.array(sure[:3] + weak), 0.6).scores) == 2
    aside = [[130, 30, 160, 60]] * 3
    assert len(viola_jones.grouped(np.array(sure + aside), 0.6).scores) == 2


@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.integers(0, 30)] * 2, st.integers(8, 30)), max_size=9))
def test_windows_belong_together_if_others_join_them(rows) -> None:
    windows = np.array([[x, y, x + side, y + side] for x, y, side in rows], float).reshape(-1, 4)
    alike = [
        [
            np.abs(one - other).max() <= 0.2 * min(a[2], b[2])
            for other, b in zip(windows, rows, strict=True)
        ]
        for one, a in zip(windows, rows, strict=True)
    ]
    reach = np.array(alike, bool).reshape(len(rows), len(rows))
    for _ in rows:
        reach = reach @ reach
    numbers = viola_jones.components(windows)
    assert ((numbers[:, None] == numbers) == reach).all()


def test_groups_are_those_of_opencv(portrait) -> None:
    cv2 = pytest.importorskip("cv2")
    windows = haar.windows(portrait[..., 0], prepared(FACE), step=1.1, min_size=24)
    own = viola_jones.grouped(windows, 0.5)  # two windows or more
    sides = [(x, y, right - x, low - y) for x, y, right, low in windows.tolist()]
    theirs, counts = cv2.groupRectangles(sides, 1, 0.2)
    assert own.scores == pytest.approx([n / (n + 2) for n in counts])
    assert own.boxes[:, :2] == pytest.approx(theirs[:, :2], abs=0.51)


def test_a_photograph_that_lies_on_its_side_is_turned(portrait) -> None:
    found = found_on(np.ascontiguousarray(np.rot90(portrait)), min_size=40)
    assert found.turned == 90
    assert boxes.iou(found.boxes, boxes.turn(BOX, 270, 512, 512))[0, 0] > 0.7


def test_faces_in_tiles(portrait) -> None:
    group = np.full((700, 1500, 1), 110, np.uint8)
    small = resized(portrait, 320, 320)
    places = [[0, 0], [590, 100], [1180, 380]]  # the second where two tiles meet
    for x, y in places:
        group[y : y + 320, x : x + 320] = small
    found = found_on(group)
    wanted = boxes.scale(BOX, 320 / 512) + np.tile(np.array(places), 2)
    assert len(found) == 3
    assert (boxes.iou(found.boxes, wanted).max(axis=0) > 0.7).all()


def test_gray_and_color_and_depths(portrait) -> None:
    wanted = found_on(portrait).document()
    assert found_on(np.repeat(portrait, 3, axis=2)).document() == wanted
    assert found_on(portrait.astype(np.uint16) * 257).document() == wanted


def test_lightness_is_that_of_television() -> None:
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
    assert viola_jones.luma(colors).tolist() == [[76, 150, 29, 18]]


def test_small_pictures_and_thresholds(portrait) -> None:
    assert len(found_on(np.zeros((1, 1), np.uint8))) == 0
    assert len(found_on(np.full((19, 900), 90, np.uint8))) == 0
    assert len(found_on(portrait, min_size=80)) == 1
    assert len(found_on(portrait, min_size=105)) == 0
    assert len(found_on(portrait, threshold=0.9)) == 0


def test_faces_without_landmarks_cannot_be_told_apart(portrait, tmp_path, capfd) -> None:
    with pytest.raises(ModelError, match="a face without landmarks cannot be told from others"):
        embed(portrait, found_on(portrait))
    command = ["people", "add", "Ada", str(SAMPLES / "astronaut.jpg"), "--detector", "viola-jones"]
    assert main([*command, "--people", str(tmp_path / "people.sqlite")]) == 1
    said = capfd.readouterr().err
    assert "without landmarks" in said
    assert said.count("\n") == 1


def test_gender_needs_no_landmarks(portrait) -> None:
    from opsin.archive.gender import gender

    assert len(gender(portrait, detector="viola-jones")) == 1


def test_the_command_line_tells_it(capsys) -> None:
    command = ["faces", "find", str(SAMPLES / "astronaut.jpg"), "--detector", "viola-jones"]
    assert main([*command, "--json"]) == 0
    [item] = json.loads(capsys.readouterr().out)["files"]
    [face] = item["faces"]
    assert face["landmarks"] is None
    assert np.abs(np.array(face["box"]) - BOX[0]).max() < 3


def test_a_cascade_is_no_network(models, capfd, tmp_path) -> None:
    assert main(["models", "check", "viola-jones", "--device", "cuda"]) == 1
    assert "is a cascade, no network" in capfd.readouterr().err
    assert main(["models", "check", "viola-jones"]) == 0
    assert "sound. It is a cascade, no network" in capfd.readouterr().out
    (tmp_path / "mine.xml").write_bytes(MODEL.read())
    card = msgspec.structs.replace(MODEL.card, name="mine", file="mine.xml")
    from opsin.models.card import write_card

    write_card(card, tmp_path / "mine.toml")
    assert add(tmp_path / "mine.toml").path == models / "mine.xml"
    (models / "mine.xml").write_bytes(MODEL.read()[:-100])
    assert main(["models", "check", "mine"]) == 1
    assert "mine.xml" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiple": 8}, "`multiple` and `stages` must be left out"),
        ({"outputs": find("yunet").card.outputs}, "`outputs` must be one"),
        ({"inputs": find("yunet").card.inputs}, "`inputs` must be one"),
        ({"faces": msgspec.structs.replace(MODEL.card.faces, largest=20.0)}, "1.02 to 2 times"),
        ({"faces": None, "task": "other"}, "only faces are found by an .xml file"),
    ],
)
def test_a_wrong_card_is_refused(change, message) -> None:
    with pytest.raises(ModelError, match=message):
        check_card(msgspec.structs.replace(MODEL.card, **change), Path("wrong.toml"))
