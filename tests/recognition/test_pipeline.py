"""What is on a photograph, through the public door: by the shipped model and by tiny ones."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import write_tiny_classifier, write_tiny_model
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

import opsin
from opsin.errors import ModelError, WrongCallError
from opsin.models.card import read_card
from opsin.recognition.pipeline import picture_of, softmax

DARK = np.full((60, 40, 3), 20, np.uint8)
BRIGHT = 255 - DARK

# ImageNet has no plain "cat": tabby, tiger and Egyptian cat are what a cat at home can be
KNOWN = [
    ("chelsea", {"tabby", "tiger cat", "Egyptian cat"}),
    ("coffee", {"espresso", "cup", "coffee mug"}),
    ("rocket", {"missile", "projectile", "drilling platform", "crane (machine)"}),
]


@pytest.mark.parametrize(("picture", "names"), KNOWN)
@pytest.mark.parametrize("gray", [False, True])
def test_the_shipped_model_names_photographs_in_color_and_gray(picture, names, gray):
    pixels = getattr(data, picture)()
    if gray:
        pixels = opsin.Photo(pixels.astype(np.uint8)).pixels.mean(axis=2).astype(np.uint8)
    found = opsin.classify(pixels)
    assert found.name in names
    assert sum(share for name, share in found.top() if name in names) > 0.5


def test_probabilities_are_of_all_labels_in_order_and_sum_to_one():
    found = opsin.classify(data.chelsea())
    assert len(found.labels) == len(set(found.labels)) == 1000
    assert float(found.probabilities.sum()) == pytest.approx(1, abs=1e-5)
    top = found.top(1000)
    assert [share for _, share in top] == sorted(found.probabilities.tolist(), reverse=True)
    assert found.document(2) == [
        {"name": name, "probability": round(share, 6)} for name, share in top[:2]
    ]


def test_a_gray_photograph_is_looked_at_twice_unless_told_otherwise():
    gray = data.coffee().mean(axis=2).astype(np.uint8)
    once = opsin.classify(gray, second_look=False)
    again = opsin.classify(opsin.colorize(gray), second_look=False)
    twice = opsin.classify(gray)
    assert np.abs(once.probabilities - again.probabilities).max() > 0.01
    mean = (once.probabilities + again.probabilities) / 2
    assert np.abs(twice.probabilities - mean).max() < 0.05  # the small copy is colored, not this
    assert np.abs(twice.probabilities - once.probabilities).max() > 0.005
    color = data.coffee()
    same = opsin.classify(color, second_look=True).probabilities
    assert np.array_equal(same, opsin.classify(color, second_look=False).probabilities)


def test_a_network_is_given_red_green_and_blue_or_gray_in_0_to_1(models):
    red = np.zeros((40, 40, 3), np.uint8) + np.uint8([255, 51, 0])
    for channels, expected in ((3, [1, 0.2, 0]), (1, [0.299 + 0.2 * 0.587])):
        path = write_tiny_classifier(models, "seen", channels=channels)
        planes = picture_of(red, read_card(path))
        assert planes.shape == (1, channels, 32, 32)
        assert planes.mean(axis=(0, 2, 3)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_sees_the_middle_or_all_of_it(models, channels):
    wide = np.concatenate([DARK, DARK, BRIGHT, BRIGHT, DARK, DARK], axis=1)  # 60 high, 240 wide
    write_tiny_classifier(models, channels=channels, crop=0.5)
    middle = opsin.classify(wide, model="shades")
    write_tiny_classifier(models, "all", channels=channels, view="whole")
    whole = opsin.classify(wide, model="all")
    assert middle.name == "bright"
    assert whole.top(1)[0] == ("dark", pytest.approx(1 / (1 + np.exp(-16 * 0.23)), abs=0.1))


def test_the_mirror_image_counts_half(models):
    half = np.concatenate([DARK, BRIGHT], axis=1)[:40]
    write_tiny_classifier(models)
    write_tiny_classifier(models, "both", mirror=True)
    assert opsin.classify(half, model="shades").top(1)[0][1] > 0.99
    found = opsin.classify(half, model="both")
    assert found.probabilities == pytest.approx([0.5, 0.5], abs=0.01)


def test_two_looks_are_the_mean_of_probabilities(models):
    half = np.concatenate([DARK, DARK + 115], axis=1)[:40]
    write_tiny_classifier(models)
    write_tiny_classifier(models, "both", mirror=True)
    looks = [opsin.classify(one, model="shades") for one in (half, half[:, ::-1].copy())]
    found = opsin.classify(half, model="both").probabilities
    assert found == pytest.approx(np.mean([one.probabilities for one in looks], axis=0), abs=1e-3)


def test_the_temperature_makes_probabilities_milder_and_no_other_name(models):
    pixels = np.full((40, 40), 150, np.uint8)
    write_tiny_classifier(models)
    write_tiny_classifier(models, "mild", temperature=4.0)
    sharp, mild = (opsin.classify(pixels, model=name) for name in ("shades", "mild"))
    odds = [np.log(p[1] / p[0]) for p in (sharp.probabilities, mild.probabilities)]
    assert odds[0] == pytest.approx(4 * odds[1], rel=1e-3)
    assert odds[1] > 0


def test_an_ensemble_is_the_mean_over_the_same_labels(models):
    write_tiny_classifier(models)
    write_tiny_classifier(models, "mild", temperature=4.0)
    pixels = np.full((40, 40), 150, np.uint8)
    parts = [opsin.classify(pixels, model=name).probabilities for name in ("shades", "mild")]
    both = opsin.classify(pixels, model="shades,mild")
    assert both.probabilities == pytest.approx(np.mean(parts, axis=0))
    assert [card.name for card in both.cards] == ["shades", "mild"]
    write_tiny_classifier(models, "other", labels=("dark", "light"))
    with pytest.raises(ModelError, match="'shades' and 'other' have other labels"):
        opsin.classify(pixels, model="shades,other")


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (700, 2), (33, 31)], ids=lambda shape: f"{shape[0]}x{shape[1]}"
)
def test_photographs_of_any_shape_have_names(models, shape):
    write_tiny_classifier(models, crop=0.9)
    assert opsin.classify(np.full(shape, 250, np.uint8), model="shades").name == "bright"


def test_deep_transparent_and_damaged_photographs_have_names(models, tmp_path):
    write_tiny_classifier(models)
    deep = np.full((40, 40, 4), 60000, np.uint16)
    assert opsin.classify(deep, model="shades").name == "bright"
    path = tmp_path / "cut.jpg"
    opsin.open(np.concatenate([BRIGHT] * 8)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    photo = opsin.open(path, damaged=True)  # what is missing is gray, and not looked at
    assert opsin.classify(photo, model="shades").name == "bright"


def test_a_model_of_another_task_is_refused(models):
    with pytest.raises(ModelError, match="does not classify: its task is 'colorize'"):
        opsin.classify(DARK, model="tiny")
    write_tiny_classifier(models)
    with pytest.raises(ModelError, match="does not colorize: its task is 'classify'"):
        opsin.colorize(DARK, model="shades")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("dark", "dark")}, "two or more names"),
        ({"channels": 2}, r"of the shape \[1, 3, S, S\] or \[1, 1, S, S\]"),
    ],
)
def test_cards_that_fit_no_classifier_are_refused(tmp_path, change, message):
    with pytest.raises(ModelError, match=message):
        write_tiny_classifier(tmp_path, **change)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("size = 32", "size = 64", r"`size` must be 32, the side of its input"),
        ("sRGB, 0 to 1", "sRGB, 0 to 255", r"`unit` of `picture` must be 'sRGB, 0 to 1'"),
        ("multiple = 1", "multiple = 32", r"`multiple` must be 1 or left out"),
        ("[1, 3, 32, 32]", "[1, 3, 32, 64]", r"of the shape \[1, 3, S, S\]"),
    ],
)
def test_a_card_that_says_what_nobody_does_is_refused(models, before, after, message):
    path = write_tiny_classifier(models)
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(ModelError, match=message):
        opsin.classify(DARK, model="shades")


def test_task_and_table_go_together(models):
    path = write_tiny_classifier(models)
    path.write_text(path.read_text().replace('task = "classify"', 'task = "brightness"'))
    with pytest.raises(ModelError, match=r"task 'classify' and a table \[classify\] go together"):
        opsin.classify(DARK, model="shades")
    card = write_tiny_model(models, "colors")
    card.write_text(card.read_text().replace('task = "colorize"', 'task = "classify"'))
    with pytest.raises(ModelError, match="go together"):
        opsin.classify(DARK, model="colors")


@given(st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=9), st.floats(-20, 20))
def test_softmax_keeps_the_order_and_does_not_mind_a_shift(logits, shift):
    shares = softmax(np.array(logits, np.float32))
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert (np.diff(shares[np.argsort(logits)]) >= -1e-7).all()
    shifted = softmax(np.array(logits, np.float32) + np.float32(shift))
    assert shifted == pytest.approx(shares, abs=1e-4)


def test_a_wrong_call_is_told() -> None:
    scan = np.zeros((40, 40), np.uint8)
    with pytest.raises(ValueError, match="count must be 1 or more"):
        opsin.classify(scan).top(0)
    with pytest.raises(WrongCallError, match="by its name, got NoneType"):
        opsin.classify(scan, model=None)
