"""A cascade is learned by recipe: by AdaBoost, a stage at a time, and OpenCV runs it, too."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
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
from opsin.errors import DataError, RecipeError
from opsin.faces import boost, haar, learned
from opsin.faces.stages import prepared
from opsin.faces.strongest import strongest
from opsin.interrupt import Stopped
from opsin.models import cascade
from opsin.models.cascade import Cascade, Rectangle
from opsin.training.recipe import Recipe, read_recipe

SAMPLES = Path(__file__).parents[2] / "samples"
RECIPE = Path(__file__).parents[2] / "recipes" / "viola-jones.toml"
SIDE = 12


def small(**changes) -> Recipe:
    recipe = read_recipe(RECIPE, ("steps=2", "network.features=150", "data.others=150"))
    recipe.data["portraits"] = ["faces"]
    return msgspec.structs.replace(recipe, **changes)


@pytest.fixture(scope="module")
def run(sets, tmp_path_factory) -> Path:
    return learned.train(small(), sets, tmp_path_factory.mktemp("runs") / "run")


def test_a_run_leaves_a_detector(run, sets) -> None:
    made = sorted(path.name for path in run.parent.iterdir())
    assert made == ["faces-cascade.toml", "faces-cascade.xml", "features.png", "recipe.json"]
    found = cascade.parse(run.with_suffix(".xml").read_bytes(), "made")
    assert (found.width, len(found.stages)) == (24, 2)
    windows = learned.face_windows(sets[:1], 24, 1.0)
    assert len(windows) > 20
    assert (windows[::2] == windows[1::2, :, ::-1]).all()  # mirrored
    assert learned.passing(found, windows).mean() > 0.98
    seen = opsin.find_faces(sets[0] / "astronaut-7.png", detector=str(run))
    assert seen.card.training_data.startswith("faces, others; 2 stages")


def test_opencv_runs_what_was_learned(run) -> None:
    cv2 = pytest.importorskip("cv2")
    file = run.with_suffix(".xml")
    own = prepared(cascade.parse(file.read_bytes(), "made"))
    for name in ("astronaut", "coffee"):
        picture = opsin.open(SAMPLES / f"{name}.jpg").pixels
        picture = np.ascontiguousarray(resized(picture, 200, 240)[..., 0])
        found = haar.windows(picture, own, step=1.25, min_size=24)
        theirs = cv2.CascadeClassifier(str(file)).detectMultiScale(picture, 1.25, 0, 0, (24, 24))
        theirs = np.array(theirs).reshape(-1, 4)
        theirs[:, 2:] += theirs[:, :2]
        assert len(found) > 0
        assert sorted(found.tolist()) == sorted(theirs.tolist())


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(run, sets, tmp_path) -> None:
    def stop(step: int, text: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="1 stages are in"):
        learned.train(small(), sets, tmp_path / "again", on_step=stop)
    assert len(cascade.parse((tmp_path / "again/faces-cascade.xml").read_bytes(), "x").stages) == 1
    told: list[tuple[int, str]] = []
    card = learned.train(
        small(), sets, tmp_path / "again", on_step=lambda step, text: told.append((step, text))
    )
    assert [step for step, _ in told] == [2]
    for suffix in (".xml", ".toml"):
        assert card.with_suffix(suffix).read_bytes() == run.with_suffix(suffix).read_bytes()
    said: list[str] = []
    assert learned.train(small(), sets, tmp_path / "again", on_message=said.append) == card
    assert said == [f"{tmp_path / 'again'}: this run is finished, after 2 stages."]


def test_another_recipe_does_not_touch_a_run(run, sets) -> None:
    before = {path: path.read_bytes() for path in run.parent.iterdir()}
    with pytest.raises(RecipeError, match="holds a run of the recipe 'faces-cascade' with other"):
        learned.train(small(seed=2), sets, run.parent)
    assert {path: path.read_bytes() for path in run.parent.iterdir()} == before


def test_what_cannot_be_learned_from_is_one_sentence(sets, tmp_path) -> None:
    with pytest.raises(RecipeError, match="there must be such a set among --data, and another one"):
        learned.train(small(), sets[1:], tmp_path / "run")
    with pytest.raises(RecipeError, match="there must be such a set"):
        learned.train(small(), sets[:1], tmp_path / "run")
    assert not (tmp_path / "run").exists()
    data = {"portraits": ["others"]}
    with pytest.raises(DataError, match="only 0 faces were found"):
        learned.train(small(data=data), [sets[1], sets[0]], tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("network.window=9", "network.window = 9, but it must be a whole number from 12 to 48"),
        ("network.grid=5", "network.grid must divide network.window"),
        ("objective.detecton=1", "Did you mean detection?"),
        ("network.kind=mlp", "network.kind"),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(sets, tmp_path, capfd, change, message) -> None:
    data = [word for path in sets for word in ("--data", str(path))]
    command = ["train", str(RECIPE), *data, "-o", str(tmp_path / "run"), "--set", change]
    assert main(command) == 1
    said = capfd.readouterr().err
    assert message in said
    assert f"--set {change.split('=')[0]}" in said
    assert not (tmp_path / "run").exists()


def test_the_command_trains_without_torch(sets, tmp_path, capfd, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    data = [word for path in sets for word in ("--data", str(path))]
    changes = ["steps=1", "network.features=50", 'data.portraits=["faces"]', "data.others=100"]
    sets_of = [word for one in changes for word in ("--set", one)]
    assert main(["train", str(RECIPE), *data, "-o", str(tmp_path / "run"), *sets_of]) == 0
    said = capfd.readouterr().err
    assert "step 1: " in said
    assert "faces-cascade.toml. Use it by its path" in said.replace("\n", "")
    command = ["train", str(RECIPE), *data, "-o", str(tmp_path / "other"), "--workers", "2"]
    assert main(command) == 2
    assert "--validation and --workers are not for this recipe" in capfd.readouterr().err


def test_features_are_balanced_and_lie_in_the_window() -> None:
    every = boost.every_feature(SIDE, 2)
    assert len(set(every)) == len(every) > 100
    kinds = {(len(one), max(place.weight for place in one)) for one in every}
    assert kinds == {(2, 2), (2, 3), (3, 2)}
    for feature in every:
        assert sum(place.weight * place.width * place.height for place in feature) == 0
        for place in feature:
            assert min(place.x, place.y) >= 0
            assert max(place.x + place.width, place.y + place.height) <= SIDE


@given(arrays(np.uint8, (3, SIDE, SIDE)), st.integers(0, 200))
def test_values_are_what_the_rectangles_add_up_to(windows, number) -> None:
    features = boost.every_feature(SIDE, 2)
    feature = features[number % len(features)]
    sums, spread = boost.sums_of(windows)
    [values] = boost.values_of([feature], sums, spread, SIDE)
    for window, value, even in zip(windows.astype(float), values, spread, strict=True):
        inner = window[1:-1, 1:-1]
        assert (even > 0) == (inner.std() > haar.CONTRAST)
        if even:
            total = sum(w * window[y : y + h, x : x + v].sum() for x, y, v, h, w in feature)
            assert value == pytest.approx(total / inner.size / inner.std(), rel=1e-4, abs=1e-6)


@settings(max_examples=60)
@given(
    arrays(np.int8, st.tuples(st.integers(1, 3), st.integers(2, 7)), elements=st.integers(0, 4)),
    st.data(),
)
def test_the_best_question_is_the_best_of_all(numbers, data) -> None:
    values = numbers.astype(np.float32)
    count = values.shape[1]
    faces = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    weights = np.array(
        data.draw(st.lists(st.integers(1, 9), min_size=count, max_size=count)), float
    )
    weights /= weights.sum()
    known = boost.Sorted.of(values)
    wrong = [
        weights[((row < cut) == below) != faces].sum()
        for row in values
        for cut in np.unique(row)[1:]
        for below in (True, False)
    ]
    feature, cut, below, error = boost.best_question(known, faces, weights)
    if not wrong:
        assert error == np.inf
        return
    assert error == pytest.approx(min(wrong))
    face = (values[feature] < values[feature, known.order[feature, cut]]) == below
    assert weights[face != faces].sum() == pytest.approx(error)


def toy(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Windows that are lighter below, and windows of noise."""
    rng = np.random.default_rng(seed)
    windows = rng.integers(0, 120, (300, SIDE, SIDE))
    windows[:150, SIDE // 2 :] += 15
    return windows.astype(np.uint8), np.arange(300) < 150


def test_a_stage_reaches_what_it_is_asked_for_and_the_cascade_says_the_same() -> None:
    windows, faces = toy()
    features = boost.every_feature(SIDE, 2)[::7]
    sums, spread = boost.sums_of(windows)
    values = boost.values_of(features, sums, spread, SIDE)
    made = boost.learned_stage(values, faces, detection=0.98, false_alarms=0.1, most=30)
    assert made.detection >= 0.98
    assert made.false_alarms <= 0.1
    assert made.stumps[0].weight > 0
    fewer = boost.learned_stage(values, faces, detection=0.98, false_alarms=0.0001, most=2)
    assert len(fewer.stumps) == 2
    most, every = (
        boost.learned_stage(values, faces, detection=share, false_alarms=0.0001, most=12)
        for share in (0.98, 1.0)
    )
    assert every.detection == 1
    assert 0.98 <= most.detection < 1  # faces that are hard to keep cost false alarms
    assert most.false_alarms < every.false_alarms
    total = sum(stump.answers(values) for stump in made.stumps)
    numbers = {row: row for row in range(len(features))}
    found = Cascade(SIDE, SIDE, tuple(features), (boost.stage_of(made, numbers),))
    found = cascade.parse(cascade.write(found), "toy")
    passed = learned.passing(found, windows)
    assert (passed == (total >= made.threshold)).mean() > 0.99
    assert passed[faces].mean() >= 0.98
    one = windows[np.flatnonzero(passed)[0]]
    assert haar.windows(one, prepared(found), step=2, min_size=SIDE).tolist() == [
        [0, 0, SIDE, SIDE]
    ]


def test_few_faces_weigh_as_much_as_many_other_windows() -> None:
    """Viola and Jones 2001, table 1: at first each kind has half of the weight."""
    faces = np.arange(10) < 2
    one_face_wrong = np.array([0, 1, *[1] * 8], np.float32)  # a tenth of all, a quarter by kind
    three_others_wrong = np.array([0, 0, *[0] * 3, *[1] * 5], np.float32)
    values = np.stack([one_face_wrong, three_others_wrong])
    first = next(boost.boosted(boost.Sorted.of(values), faces))
    assert first.feature == 1
    assert first.weight == pytest.approx(np.log(13 / 3) / 2)


def test_what_was_wrong_weighs_more_in_the_next_round() -> None:
    values = np.array([[0, 1, 2, 3, 4, 5], [5, 0, 1, 2, 3, 4]], np.float32)
    faces = np.array([True, False, True, True, False, False])
    rounds = boost.boosted(boost.Sorted.of(values), faces)
    first, second = next(rounds), next(rounds)
    weights = np.full(6, 1 / 6)
    wrong = (first.answers(values) > 0) != faces
    assert weights[wrong].sum() == pytest.approx(1 / (1 + np.exp(2 * first.weight)), rel=1e-3)
    assert not (((second.answers(values) > 0) != faces) & wrong).all() or not wrong.any()


def test_hard_windows_are_those_that_the_cascade_takes_for_a_face(run, sets) -> None:
    found = cascade.parse(run.with_suffix(".xml").read_bytes(), "made")
    pictures = learned.pictures_without(sets[1:], 10, seed=1)
    assert len(pictures) == 3
    windows = learned.hard(found, pictures, 24, 20, np.random.default_rng(0))
    assert len(windows) <= 20
    assert learned.passing(found, windows).all()
    first = learned.hard(None, pictures, 24, 50, np.random.default_rng(0))
    assert first.shape == (50, 24, 24)
    assert not learned.passing(found, first).all()


def test_a_stage_learns_from_the_faces_that_pass_those_before(run, sets) -> None:
    found = cascade.parse(run.with_suffix(".xml").read_bytes(), "made")
    found = replace(found, stages=found.stages[:1])
    noise = np.random.default_rng(0).integers(0, 256, (50, 24, 24)).astype(np.uint8)
    faces = np.concatenate([learned.face_windows(sets[:1], 24, 1.0), noise])
    passing = int(learned.passing(found, faces).sum())
    assert passing < len(faces)
    made, told = learned.one_more(
        found,
        faces,
        learned.pictures_without(sets[1:], 10, seed=1),
        learned.Network(features=50, questions=3),
        learned.Objective(),
        100,
        np.random.default_rng(0),
    )
    assert f"of {passing} faces" in told
    assert made.stages[:1] == found.stages


def test_a_face_beside_the_middle_is_not_the_portraits() -> None:
    beside, nearer = [0, 0, 20, 20], [60, 30, 80, 60]
    shape = (100, 100, 3)
    assert learned.middle_box(boxes.as_boxes([beside]), shape) is None
    assert learned.middle_box(boxes.as_boxes([]), shape) is None
    assert learned.middle_box(boxes.as_boxes([beside, nearer]), shape).tolist() == nearer


def test_the_strongest_features_come_first() -> None:
    features = tuple(boost.every_feature(SIDE, 6)[:2])
    stumps = [
        boost.Stump(0, 0.0, below=True, weight=0.5),
        boost.Stump(1, 0.0, below=False, weight=2.0),
    ]
    made = boost.stage_of(boost.Learned(tuple(stumps), 0, 1, 0), {0: 0, 1: 1})
    sheet = strongest(Cascade(SIDE, SIDE, features, (made,)), np.full((SIDE, SIDE), 128))
    alone = Cascade(
        SIDE, SIDE, features[1:], (boost.stage_of(boost.Learned((stumps[1],), 0, 1, 0), {1: 0}),)
    )
    assert (sheet[:, :200] == strongest(alone, np.full((SIDE, SIDE), 128))[:, :200]).all()
    [whole, part] = features[1]
    scale = 192 // SIDE
    y, x = 8 + scale * part.y + 3, 8 + scale * part.x + 3
    assert sheet[y, x].min() > 180  # added
    assert isinstance(whole, Rectangle)
