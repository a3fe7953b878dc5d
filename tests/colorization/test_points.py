"""Where the points of a photograph lie on the picture that the network sees, and their color."""

from __future__ import annotations

import numpy as np
import pytest

import opsin
from opsin.color import rgb_to_lab
from opsin.colorization.decode import emphasized, restrained
from opsin.colorization.pipeline import SURE
from opsin.colorization.points import POINT, hint_map, settle
from opsin.models.engine import Engine, load_engine
from opsin.models.view import View


def photo(width: int = 200, height: int = 100) -> opsin.Photo:
    return opsin.open(np.full((height, width), 128, np.uint8))


def view(height: int, width: int) -> View:
    """Of a photograph of 200 x 100 pixels."""
    return View((100, 200), (height, width))


def test_a_point_is_a_small_square_of_its_color_around_its_place() -> None:
    hints = hint_map([(120, 40, "#c04020")], view(50, 100))
    rows, columns = np.nonzero(hints[2])
    assert hints.shape == (3, 50, 100)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 22, 58, 62)
    assert hints[2].sum() == POINT**2 == 25  # between the 1 and 9 across that networks learn from
    true = rgb_to_lab(np.float32([0xC0, 0x40, 0x20]) / 255)[1:]
    assert hints[:2, 20, 60] == pytest.approx(true, abs=1e-3)
    assert not hints[:, hints[2] == 0].any()


def test_points_at_the_edges_are_cut_off_there() -> None:
    hints = hint_map([(0, 0, (255, 0, 0)), (199.9, 99.9, (0, 0, 255))], view(100, 200))
    assert hints[2].sum() == 2 * 9
    assert hints[0, 0, 0] > 60
    assert hints[1, 99, 199] < -90


def test_of_points_that_overlap_the_last_counts() -> None:
    one, other = (50, 50, (255, 0, 0)), (51, 50, (0, 0, 255))
    hints = hint_map([one, other], view(100, 200))
    assert hints[1, 50, 51] < -90
    assert hints[2].max() == 1


def asked(*points: tuple[int, int, tuple[float, float]], shape: tuple[int, int]) -> np.ndarray:
    hints = np.zeros((3, *shape), np.float32)
    for y, x, color in points:
        hints[:, y - 2 : y + 3, x - 2 : x + 3] = np.array([*color, 1])[:, None, None]
    return hints


def test_the_color_at_a_point_is_the_one_asked_for_and_far_away_nothing_changes() -> None:
    ab, light = np.zeros((56, 60, 2), np.float32), np.full((224, 240), 50, np.float32)
    done = settle(ab, light, asked((40, 60, (30.0, -20.0)), shape=light.shape), stride=4)
    assert done[10, 15] == pytest.approx([30, -20], abs=1.5)
    assert np.abs(done[:, 15 + 28 :]).max() < 0.1  # half the short side away
    assert 5 < done[10, 23, 0] < 25  # it fades


def test_a_point_does_not_cross_an_edge_of_lightness() -> None:
    ab, light = np.zeros((30, 40, 2), np.float32), np.full((120, 160), 20, np.float32)
    light[:, 68:] = 80
    done = settle(ab, light, asked((40, 60, (30.0, -20.0)), shape=light.shape), stride=4)
    assert done[10, 16, 0] > 15
    assert np.abs(done[:, 17:]).max() < 0.1


def test_two_points_have_each_its_color() -> None:
    ab, light = np.zeros((30, 40, 2), np.float32), np.full((120, 160), 50, np.float32)
    both = asked((40, 30, (30.0, 0.0)), (40, 130, (0.0, 30.0)), shape=light.shape)
    done = settle(ab, light, both, stride=4)
    assert done[10, 7] == pytest.approx([30, 0], abs=1.5)
    assert done[10, 32] == pytest.approx([0, 30], abs=1.5)


@pytest.mark.parametrize("shape", [(5, 7), (4, 4), (1, 9), (121, 158)])
def test_cells_at_the_edge_count_in_part(shape: tuple[int, int]) -> None:
    height, width = (-(-side // 4) for side in shape)
    light = np.full(shape, 50, np.float32)
    hints = np.zeros((3, *shape), np.float32)
    hints[:, -1, -1] = 10, 20, 1
    done = settle(np.zeros((height, width, 2), np.float32), light, hints, stride=4)
    assert done[-1, -1] == pytest.approx([10, 20], abs=0.01)


def test_cells_at_the_edge_are_no_darker_than_their_pixels() -> None:
    ab, light = np.zeros((10, 10, 2), np.float32), np.full((37, 37), 80, np.float32)
    done = settle(ab, light, asked((30, 30, (30.0, -20.0)), shape=light.shape), stride=4)
    assert done[9, 9] == pytest.approx(done[6, 6], rel=0.1)  # as far from the point


def test_no_point_changes_nothing() -> None:
    ab = np.ones((3, 4, 2), np.float32)
    light = np.zeros((12, 16), np.float32)
    assert settle(ab, light, np.zeros((3, 12, 16), np.float32), stride=4) is ab


@pytest.mark.parametrize("vividness", [0.0, 0.5, 1.0])
def test_hints_are_weakened_by_what_the_decoding_makes_stronger(
    monkeypatch: pytest.MonkeyPatch, vividness: float
) -> None:
    seen = []
    run = Engine.run
    monkeypatch.setattr(
        Engine, "run", lambda self, feeds, **how: seen.append(feeds) or run(self, feeds, **how)
    )
    opsin.colorize(photo(), points=[(100, 50, "#c04020")], vividness=vividness)
    hints = seen[0]["hints"][0]
    there = hints[:2, hints[2] > 0].T
    decode = load_engine("default").card.colorize
    gain = np.interp(vividness, [0, 0.5, 1], [gain for _, gain in decode.vividness])
    made = emphasized(there, restrained(gain, decode.restraint, SURE), decode.contrast)
    true = rgb_to_lab(np.float32([0xC0, 0x40, 0x20]) / 255)[1:]
    assert made == pytest.approx(np.broadcast_to(true, made.shape), rel=0.01)
