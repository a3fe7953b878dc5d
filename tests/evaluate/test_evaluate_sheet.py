import numpy as np
import pytest

import opsin
from opsin.evaluate.sheet import GAP, LINE, Cell, Sheet, fit, page, sheet, written


def picture(height, width, level=90):
    return np.full((height, width, 3), level, np.uint8)


def test_pictures_shrink_into_the_square_and_keep_their_aspect():
    assert fit(picture(200, 400), 100).shape == (50, 100, 3)
    assert fit(picture(400, 200), 100).shape == (100, 50, 3)
    assert fit(picture(20, 40), 100).shape == (20, 40, 3)


def test_a_page_has_room_for_pictures_captions_and_gaps():
    row = [Cell(picture(60, 100), "one"), Cell(picture(80, 100), "two\nlines")]
    found = page([row], cell=100)
    assert found.shape == (GAP + 80 + GAP // 2 + 2 * LINE + GAP, 2 * 100 + 3 * GAP, 3)
    assert (found[GAP + 20 : GAP + 80, GAP : GAP + 100] == 90).all()  # on the base line


def test_a_page_is_nearly_square():
    rows = [[Cell(picture(75, 100), str(number))] * 2 for number in range(12)]
    height, width, _ = page(rows, cell=100).shape
    assert 0.6 < height / width < 1.6


def test_captions_are_drawn_even_if_they_look_like_markup():
    text = written("a <b> & c", 120)
    assert text.shape == (LINE, 120, 3)
    assert text.min() < 100 < text.max()


def test_pages_are_numbered_from_the_second_on(tmp_path):
    with Sheet(tmp_path / "s.png", cell=50, rows=2) as pages:
        for _ in range(5):
            pages.add([Cell(picture(100, 100))])
    assert [path.name for path in pages.written] == ["s.png", "s-2.png", "s-3.png"]
    assert opsin.open(tmp_path / "s-3.png").width == 50 + 2 * GAP


def test_photographs_without_true_colors_are_shown_at_each_setting(models, gray_photo, tmp_path):
    for name in ("a", "b"):
        opsin.open(gray_photo[::3, ::3]).save(tmp_path / "scans" / f"{name}.png")
    scans, out = tmp_path / "scans", tmp_path / "sheet.png"
    assert sheet(scans, out, model="tiny", vividness=(0.2, 0.8), cell=90) == [out]
    pixels = opsin.open(out).pixels
    assert pixels.shape[1] == 3 * 90 + 4 * GAP
    left, right = pixels[:, : 90 + GAP], pixels[:, 90 + GAP :]
    assert np.ptp(left.astype(int), axis=2).max() == 0
    assert np.ptp(right.astype(int), axis=2).max() > 20


def test_the_photograph_itself_may_be_left_out(models, gray_photo, tmp_path):
    path = opsin.open(gray_photo).save(tmp_path / "a.png")
    sheet(path, tmp_path / "sheet.png", model="tiny", original=False, cell=90)
    assert opsin.open(tmp_path / "sheet.png").width == 90 + 2 * GAP


@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_takes_the_first(models, gray_photo, tmp_path, limit):
    for number in range(4):
        opsin.open(gray_photo[::9, ::9]).save(tmp_path / f"{number}.png")
    pages = sheet(tmp_path, tmp_path / "out" / "s.png", model="tiny", rows=1, limit=limit)
    assert len(pages) == limit
