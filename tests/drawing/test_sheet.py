import numpy as np
import pytest

import opsin
from opsin.drawing.pixels import fitted
from opsin.drawing.sheet import GAP, LINE, Cell, Sheet, layout, lettering
from opsin.errors import SaveError


def picture(height, width, level=90):
    return np.full((height, width, 3), level, np.uint8)


def test_pictures_shrink_into_the_square_and_keep_their_aspect():
    assert fitted(picture(200, 400), 100).shape == (50, 100, 3)
    assert fitted(picture(400, 200), 100).shape == (100, 50, 3)
    assert fitted(picture(20, 40), 100).shape == (20, 40, 3)


def test_a_page_has_room_for_pictures_captions_and_gaps():
    row = [Cell(picture(60, 100), "one"), Cell(picture(80, 100), "two\nlines")]
    found = layout([row], cell=100)
    assert found.shape == (GAP + 80 + GAP // 2 + 2 * LINE + GAP, 2 * 100 + 3 * GAP, 3)
    assert (found[GAP + 20 : GAP + 80, GAP : GAP + 100] == 90).all()  # on the base line


def test_a_page_is_nearly_square():
    rows = [[Cell(picture(75, 100), str(number))] * 2 for number in range(12)]
    height, width, _ = layout(rows, cell=100).shape
    assert 0.6 < height / width < 1.6


def test_captions_are_drawn_even_if_they_look_like_markup():
    text = lettering("a <b> & c", 120)
    assert text.shape == (LINE, 120, 3)
    assert text.min() < 100 < text.max()


def test_pages_are_numbered_from_the_second_on(tmp_path):
    with Sheet(tmp_path / "s.png", cell=50, rows=2) as pages:
        for _ in range(5):
            pages.add([Cell(picture(100, 100))])
    assert [path.name for path in pages.pages] == ["s.png", "s-2.png", "s-3.png"]
    assert opsin.open(tmp_path / "s-3.png").width == 50 + 2 * GAP


def test_a_name_without_a_format_stops_before_the_first_picture(tmp_path):
    with pytest.raises(SaveError, match="cannot tell the format"):
        Sheet(tmp_path / "sheet.doc")
