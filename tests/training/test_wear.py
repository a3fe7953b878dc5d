"""Each kind of wear and each film by itself, seen on pictures that show that kind alone.

`wear` draws its kinds by chance, so each is looked for in 400 worn copies: how many of them show
it, and how strongly. The shares asked for are wide: other kinds hide some, and chance does.
"""

from __future__ import annotations

import numpy as np
import pytest
from skimage import color, data

from opsin.training.augment import film_gray, luminance_gray, wear

COPIES = 400


def worn(gray: np.ndarray) -> np.ndarray:
    gray = gray.astype(np.float32)
    return np.stack([wear(gray.copy(), np.random.default_rng(seed)) for seed in range(COPIES)])


def share(shown: np.ndarray) -> float:
    return float(np.mean(shown))


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A part of a photograph; no value of it is one of 8 bits."""
    gray = color.rgb2gray(data.astronaut())[100:164, 100:164]
    return gray.astype(np.float32) * np.float32(0.9) + np.float32(0.0431)


@pytest.fixture(scope="module")
def flat() -> np.ndarray:
    return worn(np.full((48, 48), 0.5))


@pytest.fixture(scope="module")
def edge() -> np.ndarray:
    """A black half and a white one."""
    return worn((np.arange(48) >= 24)[None].repeat(48, axis=0))


def halves(copies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The usual gray of each copy's left third and of its right one."""
    left, right = copies[:, :, :16], copies[:, :, -16:]
    return np.median(left, axis=(1, 2)), np.median(right, axis=(1, 2))


def test_most_copies_are_worn_and_keep_what_they_show(photo: np.ndarray) -> None:
    copies = worn(photo)
    assert share(np.abs(copies - photo).max(axis=(1, 2)) < 1e-6) < 0.1
    alike = [np.corrcoef(copy.ravel(), photo.ravel())[0, 1] for copy in copies]
    assert np.min(alike) > 0.8
    assert np.median(alike) > 0.98


def test_some_have_grain(flat: np.ndarray) -> None:
    grain = np.diff(flat, axis=2).std(axis=(1, 2))
    assert 0.25 < share(grain > 0.004) < 0.5
    assert 0.02 < grain.max() < 0.12


def test_grain_is_strongest_in_the_midtones() -> None:
    bands = worn(np.repeat([0.02, 0.5, 0.98], 16)[None].repeat(48, axis=0))
    noise = np.diff(bands, axis=1).std(axis=1) + 1e-4  # down a column: of grain alone
    black, middle, white = (noise[:, k : k + 8].mean(axis=1) for k in (4, 20, 36))
    grainy = middle > 0.01
    assert share(grainy) > 0.2
    assert np.median(middle[grainy] / black[grainy]) > 1.5
    assert np.median(middle[grainy] / white[grainy]) > 1.5


def test_some_are_unevenly_lit(flat: np.ndarray) -> None:
    corners = [flat[:, y : y + 12, x : x + 12].mean(axis=(1, 2)) for y in (0, 36) for x in (0, 36)]
    drift = np.ptp(corners, axis=0)
    assert 0.15 < share(drift > 0.03) < 0.4
    assert 0.1 < drift.max() < 0.6


def test_some_have_faded_to_gray_at_both_ends(edge: np.ndarray) -> None:
    black, white = halves(edge)
    assert 0.28 < share(white - black < 0.95) < 0.5
    assert share(black > 0.05) > 0.15
    assert share(white < 0.95) > 0.15
    assert black.max() < 0.35
    assert white.min() > 0.65


@pytest.mark.parametrize("across", [True, False])
def test_some_are_out_of_focus(edge: np.ndarray, across: bool) -> None:
    """The edge between black and white is soft, whichever way it goes."""
    if not across:
        edge = worn((np.arange(48) >= 24)[:, None].repeat(48, axis=1)).transpose(0, 2, 1)
    black, white = halves(edge)
    columns = np.median(edge, axis=1)
    height = (columns - black[:, None]) / (white - black)[:, None]
    between = ((height > 0.1) & (height < 0.9))[:, 20:28].sum(axis=1)
    assert 0.12 < share(between > 0) < 0.35
    assert 2 <= between.max() <= 5  # pixels


def test_some_are_printed_hard() -> None:
    """0.2 between two grays becomes 0.3 at most, which no other kind of wear does."""
    copies = worn(np.where(np.arange(48) < 24, 0.4, 0.6)[None].repeat(48, axis=0))
    dark, light = (
        np.median(copies[:, :, part], axis=(1, 2)) for part in (np.s_[4:20], np.s_[28:44])
    )
    assert 0.05 < share(light - dark > 0.23) < 0.2
    assert (light - dark).max() < 0.36


def test_some_have_darker_midtones_and_some_lighter() -> None:
    """Fading and hard printing keep 0.5 halfway between 0.2 and 0.8; a gamma does not."""
    stripes = np.tile(np.repeat([0.2, 0.5, 0.8], 8), 4)[None].repeat(48, axis=0)
    found = worn(stripes).mean(axis=1).reshape(COPIES, 4, 3, 8)[..., 3:5].mean(axis=(1, 3))
    halfway = (found[:, 1] - found[:, 0]) / (found[:, 2] - found[:, 0])
    assert 0.07 < share(halfway < 0.48) < 0.25
    assert 0.07 < share(halfway > 0.52) < 0.25


def test_some_were_kept_as_jpegs(photo: np.ndarray) -> None:
    """Those have 8 bits, and steps between their blocks of 8 pixels."""
    copies = worn(photo)
    packed = np.abs(copies * 255 - np.round(copies * 255)).max(axis=(1, 2)) < 1e-3
    assert 0.2 < share(packed) < 0.42
    steps = np.abs(np.diff(copies, axis=2)).mean(axis=1)
    inside = np.delete(steps, np.s_[7::8], axis=1).mean(axis=1)
    between = steps[:, 7::8].mean(axis=1) / inside
    assert np.median(between[packed]) > 1.3 * np.median(between[~packed])


@pytest.mark.parametrize(
    ("rgb", "darker", "lighter"),
    [((0.9, 0.1, 0.1), (0.18, 0.36), (0.05, 0.2)), ((0.1, 0.1, 0.9), (0.03, 0.15), (0.35, 0.55))],
)
def test_films_see_too_little_red_and_too_much_blue(
    rgb: tuple[float, float, float], darker: tuple[float, float], lighter: tuple[float, float]
) -> None:
    """Against their luminance; about half of the films see them nearly as an eye does."""
    patch = np.full((1, 1, 3), rgb, np.float32)
    seen = np.array([film_gray(patch, np.random.default_rng(seed)) for seed in range(500)])[:, 0, 0]
    true = float(luminance_gray(patch)[0, 0])
    assert darker[0] < share(seen < true - 0.1) < darker[1]
    assert lighter[0] < share(seen > true + 0.1) < lighter[1]
