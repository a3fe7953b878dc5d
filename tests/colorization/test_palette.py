"""A palette: which colors are wanted in a picture, and how often."""

import numpy as np
import pytest

import opsin
from opsin.color import rgb_to_lab
from opsin.colorization.bins import BINS, histogram
from opsin.colorization.palette import shares_of
from opsin.drawing.pixels import resized
from opsin.errors import ModelError

BLUE = np.float32([10, -50])


def mean_ab(pixels: np.ndarray) -> np.ndarray:
    return rgb_to_lab(pixels.astype(np.float32) / 255)[..., 1:].mean(axis=(0, 1))


@pytest.fixture(scope="module")
def gray(coffee: np.ndarray) -> np.ndarray:
    return coffee.mean(axis=2).astype(np.uint8)


def test_the_shares_of_a_photograph_are_those_of_its_surface() -> None:
    postcard = np.zeros((80, 100, 3), np.uint8)
    postcard[:, :25] = (200, 40, 40)
    shares = shares_of(postcard)
    assert shares.shape == (313,)
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    assert shares[np.abs(BINS - [60, 40]).sum(axis=1).argmin()] == pytest.approx(0.25, abs=0.02)


def test_what_is_transparent_of_a_photograph_counts_for_nothing(astronaut: np.ndarray) -> None:
    alpha = np.full((512, 512, 1), 255, np.uint8)
    alpha[100:300, 301:] = 0
    by_green, by_white = (
        shares_of(np.dstack([np.where(alpha > 0, astronaut, np.uint8(hidden)), alpha]))
        for hidden in ((0, 200, 0), (255, 255, 255))
    )
    assert np.array_equal(by_green, by_white)
    seen = resized(alpha, 64, 64)[..., 0] > 127
    wanted = rgb_to_lab(resized(astronaut, 64, 64)[seen] / np.float32(255))[..., 1:]
    assert np.abs(by_green - histogram(wanted)).sum() < 0.15


def test_beside_what_is_transparent_a_color_is_itself() -> None:
    postcard = np.full((256, 256, 3), (200, 40, 40), np.uint8)
    alpha = np.full((256, 256), 255, np.uint8)
    alpha[:, ::8] = alpha[:, 1::8] = 0
    assert np.array_equal(shares_of(np.dstack([postcard, alpha])), shares_of(postcard))


def test_colors_move_toward_the_palette(gray: np.ndarray) -> None:
    shares = np.exp(-((BINS - BLUE) ** 2).sum(axis=1) / 200)
    plain = mean_ab(opsin.colorize(gray).pixels)
    moved = mean_ab(opsin.colorize(gray, palette=shares).pixels)
    assert np.linalg.norm(moved - BLUE) < np.linalg.norm(plain - BLUE) - 5


def test_a_photograph_may_be_the_palette(gray: np.ndarray, astronaut: np.ndarray) -> None:
    blue = np.broadcast_to(np.uint8([40, 60, 150]), (60, 60, 3)).copy()
    by_blue, by_red = (
        mean_ab(opsin.colorize(gray, palette=palette).pixels) for palette in (blue, blue[..., ::-1])
    )
    assert by_blue[1] < by_red[1] - 3


@pytest.mark.parametrize("wrong", [np.zeros(313), -np.ones(313), np.full(313, np.nan), [0.0] * 313])
def test_shares_that_are_none_are_a_wrong_call(gray: np.ndarray, wrong: object) -> None:
    with pytest.raises(ValueError, match="a palette must be 313 shares"):
        opsin.colorize(gray, palette=wrong)


def test_a_model_that_takes_no_palette_says_so(gray: np.ndarray) -> None:
    with pytest.raises(ModelError, match="'classifier-decoder' takes no palette"):
        opsin.colorize(gray, palette=np.ones(313), model="classifier-decoder")


def test_a_copy_made_again_has_its_palette(tmp_path, gray: np.ndarray) -> None:
    copy = tmp_path / "c.png"
    shares = np.random.default_rng(0).random(313)
    opsin.open(gray).save(tmp_path / "p.png")
    opsin.colorize(opsin.open(tmp_path / "p.png"), palette=shares).save(copy)
    again = opsin.again(copy)
    assert np.array_equal(again.pixels, opsin.open(copy).pixels)


@pytest.mark.parametrize("each", [0.001, 1.0])
def test_shares_of_any_sum_are_brought_to_one(each: float) -> None:
    assert shares_of(np.full(313, each)).sum() == pytest.approx(1, abs=0.01)


def test_colors_are_a_palette_with_their_neighbors_and_paler_ones() -> None:
    lab = rgb_to_lab(np.array([[160, 32, 32], [32, 32, 160]], np.float32) / 255)[:, 1:]
    shares = shares_of(["#a02020", (32, 32, 160)])
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    near = [np.linalg.norm(BINS - color, axis=1) < 15 for color in lab]
    assert all(0.1 < shares[one].sum() < 0.5 for one in near)
    paler = [np.linalg.norm(BINS - color / 2, axis=1) < 12 for color in lab]
    assert all(shares[one].sum() > 0.08 for one in paler)
    assert shares[np.linalg.norm(BINS, axis=1) < 8].sum() < 0.05
    assert shares[BINS[:, 1] > 0].sum() == pytest.approx(0.5, abs=0.05)  # each counts the same


@pytest.mark.parametrize("colors", [[], ["#12345"], ["red"], [(1, 2)], [(1, 2, 300)]])
def test_what_is_no_color_is_no_palette(colors: list) -> None:
    with pytest.raises(ValueError, match=r"a palette of colors needs|a color must be"):
        shares_of(colors)
