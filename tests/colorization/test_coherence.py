"""One surface, one color: what the drawing together of an answer does, and what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import opsin
from opsin.colorization.coherence import coherent
from opsin.colorization.decode import decode
from opsin.colorization.pipeline import colors_of, run_model
from opsin.models.engine import load_engine

SAMPLES = Path(__file__).parents[2] / "samples"
EVEN = np.full((16, 20), 0.5, np.float32)
RED = np.array([30, 20], np.float32)


def stained() -> tuple[Any, Any]:
    """A gray wall with a weak red stain on it, and beside it, much darker, a red curtain."""
    ab, light = np.zeros((16, 20, 2), np.float32), np.full((16, 20), 70, np.float32)
    ab[5:9, 4:8] = RED / 6
    ab[:, 14:], light[:, 14:] = RED, 30
    return ab, light


def test_a_stain_fades_and_what_lies_beyond_an_edge_keeps_its_color() -> None:
    ab, light = stained()
    done = coherent(ab, light, EVEN, 60.0)
    wall = done[:, :14]
    assert wall.std(axis=(0, 1)).max() < 0.35 * ab[:, :14].std(axis=(0, 1)).max()
    assert wall.mean(axis=(0, 1)) == pytest.approx(ab[:, :14].mean(axis=(0, 1)), abs=0.2)
    assert done[:, 14:] == pytest.approx(ab[:, 14:], abs=0.1)


@pytest.mark.parametrize("across", [False, True])
def test_sure_cells_lend_their_color_and_the_way_round_does_not_matter(across: bool) -> None:
    ab, light = stained()
    entropy = EVEN.copy()
    entropy[5:9, 4:8] = 0.1
    if across:
        ab, light, entropy = ab.transpose(1, 0, 2), light.T, entropy.T
    held = coherent(ab, light, entropy, 60.0)
    even = coherent(ab, light, np.full_like(entropy, 0.5), 60.0)
    stain = entropy < 0.3
    assert np.linalg.norm(held[stain].mean(axis=0)) > 2 * np.linalg.norm(even[stain].mean(axis=0))


@given(
    st.integers(1, 9), st.integers(1, 9), st.floats(-100, 100, width=32), st.floats(0, 1, width=32)
)
def test_one_color_stays_one_color_whatever_the_size(
    height: int, width: int, color: float, entropy: float
) -> None:
    ab = np.full((height, width, 2), color, np.float32)
    light = np.random.default_rng(1).uniform(0, 100, (height, width)).astype(np.float32)
    done = coherent(ab, light, np.full((height, width), entropy, np.float32), 60.0)
    assert done == pytest.approx(ab, abs=0.02)


@given(st.integers(0, 1000))
def test_no_color_is_stronger_than_the_strongest_answered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ab = rng.normal(0, 20, (7, 8, 2)).astype(np.float32)
    light, entropy = rng.uniform(40, 50, (7, 8)), rng.uniform(0, 1, (7, 8))
    done = coherent(ab, light.astype(np.float32), entropy.astype(np.float32), 60.0)
    for channel in (0, 1):
        most = np.abs(ab[..., channel]).max()
        assert np.abs(done[..., channel]).max() <= 1.05 * most


def test_the_last_of_a_row_is_no_neighbor_of_the_first_of_the_next() -> None:
    ab, light = np.zeros((2, 6, 2), np.float32), np.full((2, 6), 50, np.float32)
    light[1] = 90
    ab[0, 5], light[1, 0] = 3, 50  # alike, but at opposite sides
    light[0, :5], light[0, 0] = 10, 90
    done = coherent(ab, light, np.full((2, 6), 0.5, np.float32), 60.0)
    assert done[1, 0] == pytest.approx([0, 0], abs=0.01)


def test_decoding_needs_the_lightness_for_it() -> None:
    with pytest.raises(ValueError, match=r"L\* of each position"):
        decode(np.zeros((313, 2, 2), np.float32), coherence=10.0)


def test_the_default_gives_the_saucer_fewer_colors_than_it_would_without() -> None:
    [output] = run_model(opsin.open(SAMPLES / "coffee.jpg"))
    decoding = load_engine("default").card.colorize
    assert decoding is not None
    assert decoding.coherence > 0
    temperature, gain = decoding.vividness[1]
    alone = decode(
        output.raw,
        temperature=temperature,
        gain=gain,
        contrast=decoding.contrast,
        restraint=decoding.restraint,
    )[0]
    saucer = np.s_[17:30, 16:23]  # of 56 x 84 cells: its left half, with the stain
    together = colors_of([output]).ab[saucer].reshape(-1, 2)
    spread = [one.std(axis=0).max() for one in (together, alone[saucer].reshape(-1, 2))]
    assert spread[0] < 0.7 * spread[1]
