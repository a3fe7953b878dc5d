"""HOG and a linear SVM: the histograms are scikit-image's, and a detector is learned by recipe."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import opsin
from opsin import boxes
from opsin.cli import main
from opsin.errors import DataError, ModelError, RecipeError
from opsin.faces import hog, hog_learned, learned
from opsin.faces.detectors import detector_of
from opsin.models.card import FaceTable, check_card
from opsin.models.store import find
from opsin.models.trial import try_out
from opsin.training.recipe import Recipe, read_recipe

TABLE = FaceTable(threshold=0.5, overlap=0.3, smallest=32.0, largest=38.0)
RECIPE = Path(__file__).parents[2] / "recipes" / "hog.toml"


def small(**changes) -> Recipe:
    recipe = read_recipe(RECIPE, ("data.others=150",))
    recipe.data["portraits"] = ["faces"]
    return msgspec.structs.replace(recipe, **changes)


@pytest.fixture(scope="module")
def more(sets, tmp_path_factory) -> list[Path]:
    """The same with eight pictures without a face: some are kept aside."""
    place = tmp_path_factory.mktemp("more")
    for number, path in enumerate(sorted(sets[1].iterdir())):
        photo = opsin.open(path).pixels
        for turns in range(3):
            turned = np.ascontiguousarray(np.rot90(photo, turns))
            opsin.open(turned).save(place / f"{number}-{turns}.png")
    return [sets[0], place]


@pytest.fixture(scope="module")
def run(more, tmp_path_factory) -> Path:
    pytest.importorskip("sklearn")
    return hog_learned.train(small(), more, tmp_path_factory.mktemp("runs") / "run")


@given(arrays(np.uint8, st.tuples(st.integers(22, 40), st.integers(22, 40))))
def test_histograms_are_those_of_scikit_image(picture) -> None:
    features = pytest.importorskip("skimage.feature")
    own = hog.blocks(picture)
    inner = picture[1:-1, 1:-1].astype(float)
    inner = inner[: inner.shape[0] // 4 * 4, : inner.shape[1] // 4 * 4]
    theirs = features.hog(
        inner, 9, (4, 4), (2, 2), block_norm="L2-Hys", feature_vector=False
    ).reshape(*own.shape[1:], 36)
    # it has no gradients at its border
    assert np.abs(own.transpose(1, 2, 0) - theirs)[1:-1, 1:-1].max() < 1e-4


def test_a_gradient_is_counted_in_its_direction() -> None:
    rows, columns = np.mgrid[:10, :10]
    for picture, direction in ((columns, 0), (rows, 4), (rows + columns, 2), (columns - rows, 6)):
        [found] = hog.cells(picture * 10)[:, :1, 0].T
        assert found.argmax() == direction
        assert (found > 0).sum() == 1
    assert hog.cells(columns * 10)[0, 0, 0] == pytest.approx(20)


def test_many_pictures_at_once_are_as_one_by_one() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 34, 34)).astype(np.uint8)
    every = hog.blocks(pictures)
    assert every.shape == (3, 36, 7, 7)
    assert (every[1] == hog.blocks(pictures[1])).all()


def test_a_run_leaves_a_detector(run, more, capsys) -> None:
    made = sorted(path.name for path in run.parent.iterdir())
    assert made == ["faces-hog.onnx", "faces-hog.toml", "recipe.json"]
    try_out(find(str(run)))
    photo = opsin.open(more[0] / "astronaut-7.png")
    found = opsin.find_faces(photo, detector=str(run), threshold=0.3)
    assert boxes.iou(found.boxes, opsin.find_faces(photo).boxes).max() > 0.5
    assert found[0].landmarks.shape == (0, 2)
    assert 0.3 <= found[0].score <= 1
    command = ["faces", "find", str(more[0] / "astronaut-7.png"), "--detector", str(run)]
    assert main(command) == 0
    assert "astronaut-7.png" in capsys.readouterr().out


def test_named_without_its_card_it_is_told_by_what_to_name_it(run, more, tmp_path, capfd) -> None:
    photo = str(more[0] / "astronaut-7.png")
    for name in (run.with_suffix(""), run.with_suffix(".onnx"), run.parent):
        assert main(["faces", "find", photo, "--detector", str(name)]) == 1
        said = capfd.readouterr().err
        assert f"is named by its card: {run}." in said
        assert "Available" not in said
    assert main(["faces", "find", photo, "--detector", str(tmp_path / "none.onnx")]) == 1
    assert "Available: " in capfd.readouterr().err


def test_its_faces_cannot_be_told_apart(run, more, tmp_path, capfd) -> None:
    command = ["people", "add", "Ada", str(more[0] / "astronaut-7.png"), "--detector", str(run)]
    assert main([*command, "--people", str(tmp_path / "people.sqlite")]) == 1
    said = capfd.readouterr().err
    assert "without landmarks" in said
    assert detector_of(str(run), threads=1, device="cpu").tells_landmarks is False


def test_the_network_says_what_the_svm_says(run, more) -> None:
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=(36, 7, 7)).astype(np.float32), 0.3
    from opsin.models.engine import session_of

    session = session_of(hog_learned.graph(weights, bias), run)
    picture = opsin.open(more[0] / "admiral-5.png").pixels[..., 0]
    seen = hog.blocks(picture)
    [score] = session.run(["score"], {"blocks": seen[None]})
    away, every = hog_learned.distances(seen, weights, bias)
    assert score[0, 0] == pytest.approx(1 / (1 + np.exp(-2 * away)), abs=1e-3)
    assert every[2, 3] == pytest.approx(seen[:, 2:9, 3:10])


def test_boxes_lie_where_their_windows_are(run, more) -> None:
    """A picture of nothing with one window in it that the network knows."""
    from opsin.models.engine import load_engine

    engine = load_engine(str(run))
    window = learned.face_windows(more[:1], 34, 1.0)[0]
    picture = np.full((120, 140), 128, np.uint8)
    picture[40:74, 60:94] = window
    found = hog.faces_on(picture, engine, least=32, threshold=0.05)
    best = found.boxes[found.scores.argmax()]
    assert np.abs(best - [61, 41, 93, 73]).max() <= 8
    larger = hog.faces_on(picture, engine, least=40, threshold=0.0001)
    assert (larger.boxes[:, 2] - larger.boxes[:, 0]).min() > 38


def test_few_windows_without_a_face_reach_the_threshold() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (60, 80)).astype(np.uint8) for _ in range(4)]
    weights = rng.normal(size=(36, 7, 7)).astype(np.float32)
    for alarms in (0.5, 2.0):
        least = hog_learned.threshold(pictures, weights, 0.0, 32, alarms)
        over = [
            (hog_learned.distances(one, weights, 0.0)[0] > least).sum()
            for picture in pictures
            for one in hog_learned.maps(picture, 32)
        ]
        assert sum(over) <= alarms * 4
        assert sum(over) >= alarms * 4 - 1


def test_at_the_threshold_the_score_is_one_half(more, tmp_path, monkeypatch) -> None:
    onnx = pytest.importorskip("onnx")
    biases = []
    for least in (0.0, 1.5):
        monkeypatch.setattr(hog_learned, "threshold", lambda *_, least=least: least)
        card = learned.train(small(steps=1), more, tmp_path / str(least))
        values = onnx.load(card.with_suffix(".onnx")).graph.initializer
        found = {one.name: onnx.numpy_helper.to_array(one) for one in values}
        biases.append(float(found["bias"][0]))
    assert biases[0] - biases[1] == pytest.approx(1.5 * hog_learned.SLOPE, rel=1e-3)


def test_the_hardest_windows_are_those_that_are_most_taken_for_a_face(more) -> None:
    picture = opsin.open(more[0] / "admiral-5.png").pixels[..., 0]
    weights = np.random.default_rng(2).normal(size=(36, 7, 7)).astype(np.float32)
    found = hog_learned.hardest(picture, weights, 0.0, 32)
    assert 0 < len(found) <= learned.EACH
    away = np.tensordot(found, weights, 3)
    assert away.min() > 0
    most = max(
        hog_learned.distances(m, weights, 0.0)[0].max() for m in hog_learned.maps(picture, 32)
    )
    assert away.max() == pytest.approx(most, rel=1e-4)


def test_a_run_is_found_again_and_another_recipe_does_not_touch_it(run, more) -> None:
    said: list[str] = []
    assert hog_learned.train(small(), more, run.parent, on_message=said.append) == run
    assert said == [f"{run.parent}: this run is finished."]
    with pytest.raises(RecipeError, match="with other values"):
        learned.train(small(seed=5), more, run.parent)


def test_the_same_recipe_gives_the_same_file(run, more, tmp_path) -> None:
    again = learned.train(small(), more, tmp_path / "again")
    assert again.with_suffix(".onnx").read_bytes() == run.with_suffix(".onnx").read_bytes()


def test_too_few_pictures_are_one_sentence(more, tmp_path) -> None:
    alone = [more[0], more[1] / "0-0.png"]
    with pytest.raises(DataError, match="only 1 pictures without a face: 5 or more are needed"):
        learned.train(small(), alone, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiple": 8}, "must be left out"),
        ({"faces": msgspec.structs.replace(TABLE, smallest=30.0)}, "a multiple of 4"),
        ({"faces": msgspec.structs.replace(TABLE, largest=32.0)}, "1.02 to 2 times"),
        ({"outputs": find("yunet").card.outputs}, "`outputs` one of the shape"),
    ],
)
def test_a_wrong_card_is_refused(run, change, message) -> None:
    with pytest.raises(ModelError, match=message):
        check_card(msgspec.structs.replace(find(str(run)).card, **change), Path("wrong.toml"))
