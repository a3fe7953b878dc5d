"""The parts of the search: YuNet's numbers by its formula, scales, tiles, and wrong cards."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.errors import ModelError
from opsin.faces.parts import SHARED, STEP, tiles
from opsin.faces.yunet import decode, picture_of, scales
from opsin.models.card import FaceTable, check_card
from opsin.models.store import find

TABLE = FaceTable(threshold=0.6, overlap=0.3, smallest=15, largest=400)


def test_the_numbers_are_decoded_cell_by_cell_as_the_paper_has_it() -> None:
    chance, width, height = np.random.default_rng(0), 96, 64
    output, wanted = {}, []
    for stride in (8, 16, 32):
        columns, rows = width // stride, height // stride
        for name, numbers in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            values = chance.random((1, columns * rows, numbers), np.float32) * 1.1
            output[f"{name}_{stride}"] = values
        for y in range(rows):
            for x in range(columns):
                cell = y * columns + x
                known, there, box, points = (
                    output[f"{name}_{stride}"][0, cell].tolist()
                    for name in ("cls", "obj", "bbox", "kps")
                )
                score = math.sqrt(min(known[0], 1) * min(there[0], 1))
                if score < 0.7:
                    continue
                middle = (x + box[0]) * stride, (y + box[1]) * stride
                sides = math.exp(box[2]) * stride, math.exp(box[3]) * stride
                corners = [
                    m + sign * s / 2 for sign in (-1, 1) for m, s in zip(middle, sides, strict=True)
                ]
                places = [((x if n % 2 == 0 else y) + points[n]) * stride for n in range(10)]
                wanted.append([*corners, score, *places])
    found = decode(output, width, threshold=0.7)
    assert len(wanted) > 20
    rows_found = np.column_stack([found.boxes, found.scores, found.points.reshape(-1, 10)])
    assert np.allclose(rows_found, wanted, rtol=1e-4, atol=1e-3)


def test_sides_beyond_all_photographs_are_no_overflow() -> None:
    output = {}
    for stride in (8, 16, 32):
        for name, numbers in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            output[f"{name}_{stride}"] = np.ones((1, (32 // stride) ** 2, numbers), np.float32)
        output[f"bbox_{stride}"][..., 2:] = 1000
    assert np.isfinite(decode(output, 32, threshold=0.7).boxes).all()


def test_the_network_is_given_blue_green_red_from_0_to_255_and_black_beside() -> None:
    rgb = np.zeros((20, 40, 3), np.uint8) + np.uint8([250, 100, 10])
    picture = picture_of(rgb, find("yunet").card)
    assert picture.shape == (1, 3, 32, 64)
    assert picture[0, :, 19, 39].tolist() == [10, 100, 250]
    assert picture.sum() == rgb.sum()


@given(st.integers(1, 30_000), st.floats(0.01, 3), st.integers(256, 2048))
def test_tiles_cover_a_side_are_small_enough_and_overlap(length, scale, size) -> None:
    found = list(tiles(length, scale, size))
    assert found[0][0] == 0
    assert found[-1][1] == length
    for start, end in found:
        assert 0 <= start < end <= length
        assert (end - start) * scale <= size + 2 * max(1, scale)
    for (_, end), (start, _) in itertools.pairwise(found):
        assert (end - start) * scale >= SHARED - 1e-3


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.floats(5, 500))
def test_a_face_of_each_size_is_seen_at_one_of_the_scales(height, width, min_size) -> None:
    found = list(scales(height, width, min_size, TABLE))
    assert found[0] * min_size == pytest.approx(TABLE.smallest)
    assert min(height, width) * found[-1] <= TABLE.largest
    for larger, smaller in itertools.pairwise(found):
        assert larger / smaller == pytest.approx(STEP)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"faces": None}, r"task 'faces' and a table \[faces\] go together"),
        ({"multiple": 8}, "`multiple` must be a multiple of 32"),
        ({"size": 1000}, "`multiple` must be a multiple of 32"),
        ({"inputs": ()}, "inputs"),
        ({"outputs": find("yunet").card.outputs[:-1]}, "`outputs` must have `kps_32`"),
        ({"faces": msgspec.structs.replace(TABLE, largest=20.0)}, "`largest` must be twice"),
        ({"faces": msgspec.structs.replace(TABLE, largest=600.0)}, "half of `size` or less"),
    ],
)
def test_a_card_that_finds_no_faces_is_refused(change, message) -> None:
    card = msgspec.structs.replace(find("yunet").card, **change)
    with pytest.raises(ModelError, match=message):
        check_card(card, Path("wrong.toml"))
