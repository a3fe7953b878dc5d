"""New classes from folders: what was learned is told truly, and what does not do is told first."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from skimage import data

pytest.importorskip("sklearn")
onnx = pytest.importorskip("onnx")

import opsin  # noqa: E402
from opsin.cli import main  # noqa: E402
from opsin.errors import DataError, ModelError  # noqa: E402
from opsin.models.engine import load_engine  # noqa: E402
from opsin.models.store import find  # noqa: E402
from opsin.recognition import features, head  # noqa: E402
from opsin.recognition.learn import learn  # noqa: E402
from opsin.recognition.lesson import activation, page  # noqa: E402
from opsin.recognition.pipeline import softmax  # noqa: E402
from opsin.recognition.survey import doubts_about, held_back, near, survey  # noqa: E402
from opsin.recognition.transplant import card_with_head  # noqa: E402

CUPS_AND_CATS = {"cat": data.chelsea(), "cup/of coffee": data.coffee(), "rocket": data.rocket()}


def fill(folder: Path, count: int = 8, names: tuple[str, ...] = ("cat", "cup", "rocket")) -> Path:
    """Pieces of three photographs, in folders called after what they show."""
    chance = np.random.default_rng(0)
    for name, photo in zip(names, CUPS_AND_CATS.values(), strict=False):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            top, left = (int(chance.integers(0, side - 200)) for side in photo.shape[:2])
            part = photo[top : top + 200, left : left + 200]
            opsin.open(np.ascontiguousarray(part)).save(folder / name / f"{number}.jpg")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory):
    """The pictures, and what was learned of them."""
    place = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        return place, learn(fill(place / "set", 12), place / "models", name="things")


def test_a_model_knows_its_classes_in_color_and_in_gray(taught) -> None:
    _place, learned = taught
    model = str(learned.card)
    for name, photo in zip(("cat", "cup", "rocket"), CUPS_AND_CATS.values(), strict=True):
        middle = np.ascontiguousarray(photo[50:300, 60:310])
        assert opsin.classify(middle, model=model).name == name
        assert opsin.classify(middle.mean(axis=2).astype(np.uint8), model=model).name == name
    assert learned.lesson.right.mean() >= 0.8
    card = find(model).card
    assert card.labels == ("cat", "cup", "rocket")
    assert [entry.name for entry in card.outputs] == ["logits", "features", "map"]
    assert card.figures[0].value == learned.lesson.right.mean()
    assert "Apache-2.0" in card.license
    assert card.classify.temperature == learned.lesson.head.temperature
    assert not card.classify.second_look  # it has learned from gray ones


def test_the_file_answers_as_the_head_does_on_the_features(taught) -> None:
    _, learned = taught
    lesson, engine = learned.lesson, load_engine(str(learned.card))
    base = load_engine("imagenet")
    picture = np.random.default_rng(1).random((1, 3, 260, 260), dtype=np.float32)
    found = engine.run({"picture": picture})
    expected = lesson.head.logits(base.run({"picture": picture})["features"])
    assert found["logits"] == pytest.approx(expected, abs=1e-3)
    size = find(str(learned.card)).path.stat().st_size
    assert size < find("imagenet").path.stat().st_size  # the old last layer is gone


def test_the_report_shows_figures_pictures_and_maps(taught) -> None:
    _, learned = taught
    page = learned.report.read_text("utf-8")
    assert f"<b>{learned.lesson.right.mean():.1%}</b>" in page
    for words in ("Each class", "What was named what", "Where it looked", "twice as many"):
        assert words in page
    assert page.count("<img") >= 4
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing is fetched
    assert "<script" not in page


def test_a_map_is_that_of_the_class_and_bright_where_it_was_found(taught) -> None:
    _, learned = taught
    both = np.concatenate([data.chelsea()[50:250, 100:300], data.coffee()[50:250, 100:300]], axis=1)
    wide = np.concatenate([np.zeros((100, 400, 3), np.uint8), both, both[:100] * 0])
    engine = load_engine("imagenet")
    cat, cup = (activation(engine, wide, learned.lesson.head, label) for label in (0, 1))
    assert cat.shape == (260, 260, 3)
    lighter = cat.astype(int).mean(axis=2) - cup.astype(int).mean(axis=2)
    assert lighter[80:180, :120].mean() > lighter[80:180, 140:].mean()


def test_it_can_be_learned_from_a_model_that_was_learned(taught, tmp_path: Path) -> None:
    place, learned = taught
    again = learn(place / "set", tmp_path, name="again", base=str(learned.card), gray=False)
    assert again.lesson.right.mean() >= 0.8
    assert again.lesson.gray_accuracy() is None


def test_the_verb_tells_what_came_of_it(taught, tmp_path: Path, capsys) -> None:
    place, _ = taught
    words = ["learn", str(place / "set"), "--name", "mine", "-o", str(tmp_path / "a b")]
    assert main([*words, "--json", "--license", "CC0-1.0"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["classes"] == ["cat", "cup", "rocket"]
    assert told["learned_from"] + told["tested_on"] == 36
    assert set(told["recall"]) == set(told["classes"])
    assert find(told["model"]).card.license == "CC0-1.0"
    assert main(words) == 1
    assert "mine.onnx exists already. Take another --name" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "a b").iterdir()) == [
        "mine.html",
        "mine.onnx",
        "mine.toml",
    ]


def test_a_test_set_of_ones_own_is_used_and_must_fit(taught, tmp_path: Path) -> None:
    place, _ = taught
    other = fill(tmp_path / "test", 2, ("cat", "cup"))
    found = learn(place / "set", tmp_path / "one", name="mine", test=other).lesson
    assert len(found.right) == 4
    assert np.isnan(found.recalls()[2])
    (other / "cup").rename(other / "mug")
    with pytest.raises(DataError, match=r"2 pictures .* are of no class of the model: \(cat, cup"):
        learn(place / "set", tmp_path / "two", name="mine", test=other)


def wrong(folder: Path, what: str) -> None:
    match what:
        case "an empty folder":
            (folder / "dog").mkdir()
        case "only text":
            (folder / "dog").mkdir()
            (folder / "dog" / "notes.txt").write_text("of 1950")
        case "one class":
            shutil.rmtree(folder / "cup")
            shutil.rmtree(folder / "rocket")
        case "two pictures":
            for number in range(2, 8):
                (folder / "cup" / f"{number}.jpg").unlink()
        case "unreadable":
            for path in (folder / "cup").iterdir():
                path.write_bytes(b"\xff\xd8\xff no")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("an empty folder", r"dog: no picture in it\."),
        ("only text", r"dog: no picture in it \(notes\.txt\)\."),
        ("one class", r"Put the pictures of each class into a folder of its own"),
        ("two pictures", r"the class 'cup' has 2 pictures that can be read, and 3 are the least"),
        ("unreadable", r"the class 'cup' has 0 pictures that can be read"),
    ],
)
def test_pictures_that_do_not_do_are_told_first(tmp_path: Path, what: str, message: str) -> None:
    folder = fill(tmp_path / "set")
    wrong(folder, what)
    with pytest.raises(DataError, match=message):
        learn(folder, tmp_path / "out", name="mine")
    assert not (tmp_path / "out").exists()


def test_what_can_be_lived_with_is_a_doubt(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set")
    (folder / "cat" / "list.txt").write_text("cats")
    (folder / "cup" / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    shutil.copy(folder / "cat" / "1.jpg", folder / "rocket" / "9.jpg")
    opsin.open(np.full((20, 20), 9, np.uint8)).save(folder / "cup" / "tiny.png")
    doubts = learn(folder, tmp_path / "out", name="mine").lesson.doubts
    told = "\n".join(doubts)
    for words in (
        "passed over, no pictures: 1 (list.txt)",
        "passed over, cannot be read: 1 (cup/broken.jpg)",
        "smaller than 48 pixels: 1 (cup/tiny.png)",
        "nearly the same picture in two classes, of which one is wrong: 1 (cat/1.jpg and rocket/",
    ):
        assert words in told, told


def test_uneven_classes_are_a_doubt(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", 3)
    fill(folder, 40, ("cat",))
    assert any("'cat' has 40 pictures and" in one for one in survey(folder).doubts)


def test_a_picture_that_is_there_twice_is_never_held_back(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set")
    for number in range(6):
        shutil.copy(folder / "cat" / f"{number}.jpg", folder / "cat" / f"copy-{number}.jpg")
    found = survey(folder)
    for seed in range(5):
        learned, test = held_back(found, seed=seed)
        assert not any(near(test.hashes, learned.hashes, own=False))
        names = set(test.names)
        assert not any("copy" in name for name in names)
        assert len(test.labels) + len(learned.labels) == len(found.labels)
        assert set(test.labels) == {0, 1, 2}
    one, other = (held_back(found, seed=1)[1].pictures for _ in range(2))
    assert one == other


def test_features_are_kept_and_a_changed_picture_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "set", 3)
    engine, looks = load_engine("imagenet"), []
    look = features._look

    def counted(picture, *more):
        looks.append(picture.name)
        return look(picture, *more)

    monkeypatch.setattr(features, "_look", counted)
    first = features.features_of(survey(folder).pictures, engine)
    assert len(looks) == 9
    again = features.features_of(survey(folder).pictures, engine)
    assert len(looks) == 9
    assert np.allclose(first, again, rtol=1e-2, atol=1e-3)  # they are kept as float16
    features.features_of(survey(folder).pictures, engine, gray=True)
    assert len(looks) == 18
    shutil.copy(folder / "cup" / "0.jpg", folder / "cat" / "0.jpg")
    changed = features.features_of(survey(folder).pictures, engine)
    assert len(looks) == 19
    assert not np.allclose(changed[0], first[0], atol=0.01)


def test_features_of_another_network_or_another_view_are_others(tmp_path: Path) -> None:
    [picture, *_] = survey(fill(tmp_path / "set", 3)).pictures
    card = find("imagenet").card
    others = [
        replace(card, sha256="1" * 64),
        replace(card, classify=replace(card.classify, crop=0.5)),
        replace(card, classify=replace(card.classify, view="whole")),
    ]
    keys = {features._key(picture, one, gray) for one in (card, *others) for gray in (0, 1)}
    assert len(keys) == 8


def test_a_damaged_or_forbidden_cache_is_none(tmp_path: Path, cache: Path, monkeypatch) -> None:
    folder = fill(tmp_path / "set", 3)
    place = cache / "opsin" / "features"
    place.mkdir(parents=True)
    (place / "features.sqlite").write_bytes(b"no database " * 100)
    engine, pictures = load_engine("imagenet"), survey(folder).pictures
    assert all(one is not None for one in features.features_of(pictures, engine))
    with sqlite3.connect(place / "features.sqlite") as database:
        assert database.execute("SELECT count(*) FROM features").fetchone() == (9,)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "set" / "cat" / "0.jpg"))
    assert all(one is not None for one in features.features_of(pictures, engine))


def test_kept_features_that_are_damaged_within_are_made_anew(tmp_path: Path, cache: Path) -> None:
    folder = fill(tmp_path / "set", 3)
    engine, pictures = load_engine("imagenet"), survey(folder).pictures
    first = features.features_of(pictures, engine)
    kept = cache / "opsin" / "features" / "features.sqlite"
    pages = bytearray(kept.read_bytes())
    pages[4096:] = b"\xa5" * (len(pages) - 4096)
    kept.write_bytes(pages)
    again = features.features_of(pictures, engine)
    assert np.array(again) == pytest.approx(np.array(first), abs=0.01)


def test_classes_that_are_one_to_a_person_and_links_are_told(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", 3, ("cat", "Cat ", "rocket"))
    (folder / "ball").symlink_to(folder / "rocket", target_is_directory=True)
    found = survey(folder)
    assert found.classes == ("Cat ", "cat", "rocket")
    assert "classes that may be one, but for case or blanks: ('Cat ' and 'cat')" in found.doubts
    assert "passed over, links to folders, put the folders there: 1 (ball)" in found.doubts


def test_names_that_are_no_text_are_learned_from_too(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", 4)
    os.rename(folder / "cat" / "0.jpg", os.fsencode(folder / "cat") + b"/caf\xe9.jpg")
    found = learn(folder, tmp_path, name="mine").lesson
    assert len(found.learned.color) + len(found.right) == 12


@pytest.mark.parametrize("name", ["BAD/NAME", "../up", "", "x" * 65, "default.toml"])
def test_names_that_no_model_can_have_are_told_first(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="a model cannot be called"):
        learn(tmp_path / "nowhere", tmp_path, name=name)


def test_a_base_without_features_is_refused(taught, models: Path, tmp_path: Path) -> None:
    from conftest import write_tiny_classifier

    place, _ = taught
    write_tiny_classifier(models)
    with pytest.raises(ModelError, match="'shades' gives no 'features' to learn from"):
        learn(place / "set", tmp_path, name="mine", base="shades")


@given(st.integers(2, 4), st.integers(0, 1000))
def test_a_head_tells_groups_of_points_apart(classes: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 8)
    middles = 6 * np.eye(classes, 5) + 30  # far from 0, where the bias counts
    points = (middles[labels] + chance.normal(0, 0.5, (len(labels), 5))).astype(np.float32)
    found = head.fit(points, labels, np.arange(len(labels)))
    assert (found.logits(points).argmax(axis=1) == labels).mean() > 0.9
    assert found.weight.shape == (classes, 5)


def test_a_picture_in_color_and_in_gray_is_never_in_two_folds() -> None:
    chance = np.random.default_rng(0)
    points = np.repeat(chance.normal(0, 1, (60, 40)).astype(np.float32), 2, axis=0)
    labels = np.repeat(chance.integers(0, 2, 60), 2)  # nothing to learn but by heart
    apart = head.fit(points, labels, np.repeat(np.arange(60), 2))
    together = head.fit(points, labels, np.arange(120))
    sure = [
        head.log_loss(one.logits(points) / one.temperature, labels) for one in (apart, together)
    ]
    assert (
        sure[0] > 1.5 * sure[1]
    )  # who has seen a picture's twin believes what it learned by heart


def test_the_temperature_is_that_of_the_numbers() -> None:
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (4000, 3)).astype(np.float32)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([chance.choice(3, p=one / one.sum()) for one in shares.astype(float)])
    assert head.temperature_of(logits, labels) == pytest.approx(1, abs=0.12)
    assert head.temperature_of(5 * logits, labels) == pytest.approx(5, abs=0.6)


def test_twice_as_many_is_told_only_where_it_helps() -> None:
    assert head.twice_as_many([(10, 0.5), (20, 0.6), (40, 0.55), (80, 0.5)]) is None
    assert head.twice_as_many([(10, 0.5)]) is None
    assert head.twice_as_many([(6, 0.5), (6, 0.6), (6, 0.7)]) is None  # as of very few pictures
    assert head.twice_as_many([(100, 0.6), (200, 0.8)]) == pytest.approx(0.9)


def test_a_lesson_counts_by_what_pictures_show_and_what_they_were_called(taught) -> None:
    _, learned = taught
    lesson = learned.lesson
    all_cats = np.tile(np.float32([0.8, 0.1, 0.1]), (len(lesson.right), 1))
    wrong = dataclasses.replace(lesson, probabilities=all_cats)
    counts = np.bincount(lesson.test.survey.labels)
    assert wrong.confusion().tolist() == [[count, 0, 0] for count in counts]
    assert wrong.recalls().tolist() == [1, 0, 0]
    html = page(wrong, load_engine("imagenet"), title="things")
    assert f"<td>100.0%<td>{counts[0] / counts.sum():.1%}\n" in html  # found, right when named


def test_a_lesson_is_of_its_pictures_in_color_and_in_gray(taught) -> None:
    _, learned = taught
    lesson = learned.lesson
    assert not np.allclose(lesson.learned.color, lesson.learned.gray, atol=0.1)
    _, _, groups = lesson.learned.rows()
    color, gray = np.split(groups, 2)
    assert np.array_equal(color, gray)  # one picture
    assert lesson.curve[-1][0] == len(lesson.learned.color)
    logits = lesson.head.logits(lesson.test.color)
    assert lesson.probabilities == pytest.approx(softmax(logits / lesson.head.temperature))
    mirrored = replace(find("imagenet").card.classify, mirror=True)
    base = replace(find("imagenet").card, classify=mirrored)
    words = dict.fromkeys(("name", "license", "training_data"), "x")
    card = card_with_head(base, lesson.head, **words, labels=lesson.classes, figures=())
    assert not card.classify.mirror  # the temperature is that of one look


def test_another_seed_holds_back_others(tmp_path: Path) -> None:
    found = survey(fill(tmp_path / "set"))
    assert len({tuple(held_back(found, seed=seed)[1].names) for seed in range(5)}) > 1


def test_pictures_to_test_on_that_were_learned_from_are_a_doubt(tmp_path: Path) -> None:
    found = survey(fill(tmp_path / "set", 3))
    told = "\n".join(doubts_about(found, found))
    assert "the same as one that was learned from, so that the figures are too good: 9" in told


def test_the_temperature_is_that_of_the_strength_that_was_chosen(monkeypatch) -> None:
    chance = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 30)
    points = (labels[:, None] * 0.5 + chance.normal(0, 1, (60, 20))).astype(np.float32)
    first = head.fit(points, labels, np.arange(60))
    monkeypatch.setattr(head, "STRENGTHS", head.STRENGTHS[::-1])
    again = head.fit(points, labels, np.arange(60))
    assert (again.strength, again.temperature) == (first.strength, first.temperature)


def test_a_folder_without_pictures_is_one_sentence(tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    words = ["learn", str(tmp_path / "empty"), "--name", "q", "-o", str(tmp_path)]
    assert main(words) == 1
    assert "empty: no picture in it. Name a folder" in capsys.readouterr().err
    good = str(fill(tmp_path / "set", 3))
    assert main(["learn", good, "--test", *words[1:]]) == 1
    assert "empty: no picture in it. Name a folder" in capsys.readouterr().err
    assert main(["learn", good + "s", *words[2:]]) == 1
    assert "sets: no such file or folder." in capsys.readouterr().err


def learn_wrongly(folder: Path, *more: str) -> int:
    return main(["learn", str(folder), *more])


def test_what_cannot_become_a_model_is_told_before_anything_is_learned(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    folder = fill(tmp_path / "set", 3)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was learned")

    monkeypatch.setattr("opsin.recognition.learn.features_of", never)
    (tmp_path / "file").write_text("in its place")
    for words, said in (
        (["--name", "default"], "opsin itself has a model 'default'. Take another --name."),
        (["--name", "imagenet"], "opsin itself has a model 'imagenet'."),
        (["--name", "imagenet/all"], "The folder is named with -o."),
        (["--name", "mine", "-o", str(tmp_path / "file")], "cannot make files in this folder"),
    ):
        assert learn_wrongly(folder, *words) == 1
        assert said in capsys.readouterr().err
    assert learn_wrongly(folder, "--name", "mine", "--seed", "9" * 20) == 2
    (folder / "cat").rename(folder / "two\nlines")
    assert learn_wrongly(folder, "--name", "mine", "-o", str(tmp_path / "out")) == 1
    assert "its name must be one line of text" in capsys.readouterr().err
    os.rename(folder / "two\nlines", os.fsencode(folder) + b"/caf\xe9")
    assert learn_wrongly(folder, "--name", "mine", "-o", str(tmp_path / "out")) == 1
    assert "its name must be one line of text" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_a_place_for_what_is_kept_it_goes_on_and_says_so(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    (tmp_path / "file").write_text("in its place")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    words = ["learn", str(fill(tmp_path / "set")), "--name", "mine", "-o", str(tmp_path / "out")]
    assert main([*words, "--no-gray", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.count("going on without what was kept") == 1
    assert json.loads(out)["gray_accuracy"] is None


def test_the_one_class_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one class \(cat\)"):
        survey(fill(tmp_path / "set", 3, ("cat",)))
