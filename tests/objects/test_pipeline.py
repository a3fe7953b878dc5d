"""Things on real photographs: what, where, however large the photograph is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.errors import ModelError, WrongCallError

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize("model", ["picodet-s", "yolox-nano"])
def test_a_cat_is_where_it_is(model: str) -> None:
    found = opsin.detect(data.chelsea(), model=model)
    [cat] = [thing for thing in found if thing.name == "cat"]
    assert found[0] is cat
    assert cat.score > 0.5
    x1, y1, x2, y2 = cat.box
    assert x2 - x1 > 250
    assert y2 - y1 > 200
    assert x1 < 150 < 300 < x2


@pytest.mark.parametrize("model", ["picodet-s", "yolox-nano"])
def test_gray_and_16_bits_are_no_special_case(model: str) -> None:
    gray = (data.chelsea() @ [0.299, 0.587, 0.114]).astype(np.uint16) * 257
    names = {thing.name for thing in opsin.detect(gray, model=model)}
    assert "cat" in names


def test_small_things_of_a_large_photograph_are_seen_in_tiles() -> None:
    person = opsin.open(SAMPLES / "photographer.jpg").pixels
    small = np.repeat(person[::4, ::4], 3, axis=2) if person.shape[2] == 1 else person[::4, ::4]
    wide = np.full((1500, 2400, 3), 128, np.uint8)
    top, left = 900, 1700
    wide[top : top + small.shape[0], left : left + small.shape[1]] = small
    whole = opsin.detect(wide, levels=0, classes=["person"])
    tiles = opsin.detect(wide, levels=2, classes=["person"])
    assert len(whole) <= len(tiles)
    assert len(tiles) == 1  # seen in several tiles, told once
    x1, y1, x2, y2 = tiles[0].box
    assert left - 5 <= x1 < x2 <= left + small.shape[1] + 5
    assert top - 5 <= y1 < y2 <= top + small.shape[0] + 5


def test_thresholds_and_classes_leave_out_the_others() -> None:
    every = opsin.detect(data.chelsea(), threshold=0.05)
    sure = opsin.detect(data.chelsea(), threshold=0.5)
    assert len(every) > len(sure) >= 1
    assert all(thing.score >= 0.5 for thing in sure)
    scores = [thing.score for thing in every]
    assert scores == sorted(scores, reverse=True)
    only = opsin.detect(data.chelsea(), threshold=0.05, classes=["Cat", "dog"])
    assert {thing.name for thing in only} <= {"cat", "dog"}
    assert len(opsin.detect(data.chelsea(), classes=[])) == 0


def test_what_is_told_is_plain_and_inside() -> None:
    found = opsin.detect(data.coffee(), threshold=0.2)
    told = found.document()
    assert (told["width"], told["height"]) == (600, 400)
    for thing in told["objects"]:
        x1, y1, x2, y2 = thing["box"]
        assert 0 <= x1 < x2 <= 600
        assert 0 <= y1 < y2 <= 400
        assert set(thing) == {"name", "box", "score"}
    assert "cup" in {thing["name"] for thing in told["objects"]}


def test_drawn_and_cut_out() -> None:
    found = opsin.detect(data.chelsea())
    drawn = found.draw()
    assert drawn.pixels.shape == data.chelsea().shape
    assert (drawn.pixels != data.chelsea()).any()
    crop = found.crop(found[0])
    x1, y1, x2, y2 = found[0].box
    assert abs(crop.width - (x2 - x1)) < 2
    assert abs(crop.height - (y2 - y1)) < 2
    top, left = int(np.floor(y1)), int(np.floor(x1))
    assert (crop.pixels == data.chelsea()[top : top + crop.height, left : left + crop.width]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3, 5)])
def test_the_smallest_photographs_have_nothing(shape: tuple[int, int]) -> None:
    assert len(opsin.detect(np.zeros(shape, np.uint8))) == 0


def test_what_cannot_be_meant_is_told() -> None:
    with pytest.raises(WrongCallError, match=r"'gnome' is none of the labels of 'picodet-s'"):
        opsin.detect(data.chelsea(), classes=["cat", "gnome"])
    with pytest.raises(ModelError, match="'yunet' detects no things"):
        opsin.detect(data.chelsea(), model="yunet")
    with pytest.raises(ModelError, match="Name one"):
        opsin.detect(data.chelsea(), model="picodet-s,yolox-nano")
    with pytest.raises(ValueError, match="threshold"):
        opsin.detect(data.chelsea(), threshold=0)
    with pytest.raises(ValueError, match="levels"):
        opsin.detect(data.chelsea(), levels=6)
