import numpy as np
import pytest

import opsin
from opsin.drawing.sheet import GAP
from opsin.evaluate.sheet import sheet


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
