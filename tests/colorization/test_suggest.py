"""What could it be? Likely colors of a place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import opsin
from opsin.cli import main
from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS, nearest_bins
from opsin.colorization.suggest import APART, likely, shares_at

SAMPLES = Path(__file__).parents[2] / "samples"


def lab_of(color: str) -> np.ndarray:
    return rgb_to_lab(np.array(list(bytes.fromhex(color[1:])), np.float32) / 255)


def bin_at(a: float, b: float) -> int:
    return int(nearest_bins(np.float32([a, b])))


def test_an_orange_suit_may_also_be_blue() -> None:
    found = opsin.suggest(SAMPLES / "astronaut.jpg", 150, 300)
    assert 2 <= len(found) <= 5
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)
    assert sum(one.share for one in found) <= 1 + 1e-5
    first = lab_of(found[0].color)
    assert first[1] > 30
    assert any(lab_of(one.color)[2] < -10 for one in found)


def test_skin_is_skin_and_as_light_as_the_photograph() -> None:
    photo = opsin.open(SAMPLES / "astronaut.jpg")
    [first, *_] = opsin.suggest(photo, 230, 100)
    lightness, a, b = lab_of(first.color)
    own = rgb_to_lab(np.repeat(photo.pixels[90:111, 220:241], 3, 2)[..., :3] / np.float32(255))
    assert lightness == pytest.approx(float(own[..., 0].mean()), abs=8)
    assert 5 < a < 30
    assert 8 < b < 40


def test_two_colors_are_told_with_their_shares() -> None:
    shares = np.zeros(313, np.float32)
    shares[bin_at(40, 20)], shares[bin_at(0, -40)], shares[bin_at(10, -40)] = 0.6, 0.3, 0.1
    (red, most), (blue, less) = likely(shares, 5)
    assert red.tolist() == [40, 20]
    assert most == pytest.approx(0.6)
    assert blue.tolist() == pytest.approx([2.5, -40])
    assert less == pytest.approx(0.4)
    assert len(likely(shares, 1)) == 1


def test_a_color_that_is_hardly_likely_is_not_offered() -> None:
    shares = np.zeros(313, np.float32)
    shares[bin_at(0, 0)], shares[bin_at(60, 0)] = 0.985, 0.015
    assert len(likely(shares, 5)) == 1
    shares[bin_at(0, 0)], shares[bin_at(60, 0)] = 0.975, 0.025
    assert len(likely(shares, 5)) == 2


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_shares_fall_and_no_color_counts_twice(seed: int, count: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.full(313, 0.05)).astype(np.float32)
    found = likely(shares, count)
    assert 1 <= len(found) <= count
    told = [share for _, share in found]
    assert told == sorted(told, reverse=True)
    assert sum(told) <= 1 + 1e-5
    for color, share in found:
        near = np.linalg.norm(BINS - color, axis=1) <= 2 * APART
        assert share <= shares[near].sum() + 1e-5


def test_a_place_is_seen_with_its_neighbors_at_the_edges_too() -> None:
    logits = np.zeros((313, 4, 5), np.float32)
    logits[7, 0, 0] = 100
    assert shares_at(logits, 0, 0)[7] == pytest.approx(0.25 + 0.75 / 313, abs=1e-4)
    assert shares_at(logits, 1, 1)[7] == pytest.approx(1 / 9 + 8 / 9 / 313, abs=1e-4)
    assert shares_at(logits, 0, 2)[7] == pytest.approx(1 / 313, abs=1e-5)
    assert shares_at(logits, 9, 9).sum() == pytest.approx(1, abs=1e-4)


def test_the_place_asked_for_is_looked_at() -> None:
    photo = SAMPLES / "astronaut.jpg"
    suit, flag = (opsin.suggest(photo, *place)[0] for place in ((150, 300), (60, 40)))
    assert np.linalg.norm(lab_of(suit.color)[1:] - lab_of(flag.color)[1:]) > 5


@pytest.mark.parametrize("place", [(-1, 5), (512, 5), (5, 512), (5, -0.1)])
def test_a_place_outside_is_a_wrong_call(place: tuple[float, float]) -> None:
    with pytest.raises(opsin.WrongCallError, match="is outside of the photograph, which has 512"):
        opsin.suggest(SAMPLES / "astronaut.jpg", *place)


def test_on_the_command_line(capsys) -> None:
    photo = str(SAMPLES / "astronaut.jpg")
    assert main(["suggest", photo, "150,300", "--count", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["input"] == photo
    own = opsin.suggest(photo, 150, 300, count=2)
    assert told["colors"] == [one.document() for one in own]
    assert main(["suggest", photo, "150,300"]) == 0
    assert own[0].color in capsys.readouterr().out
    assert main(["suggest", photo, "150"]) == 2
    assert "write X,Y, as in 120,300" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["-1,300", "-1.5,-3", "150,-3", "1500,300"])
def test_a_place_outside_is_told_so_and_is_no_option(place: str, capsys) -> None:
    photo = str(SAMPLES / "astronaut.jpg")
    assert main(["suggest", photo, place, "--count", "2"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"opsin: ({place.replace(',', ', ')}) is outside of the photograph")
    assert told.count("\n") == 1


def test_an_option_that_there_is_not_stays_one(capsys) -> None:
    assert main(["suggest", str(SAMPLES / "astronaut.jpg"), "1,1", "--cuont", "3"]) == 2
    assert "No such option: --cuont" in capsys.readouterr().err


def test_a_network_with_one_answer_has_nothing_to_suggest(capsys) -> None:
    words = ["suggest", str(SAMPLES / "cat.jpg"), "5,5", "--model", "classifier-decoder"]
    assert main(words) == 1
    assert "gives one color alone" in capsys.readouterr().err
