"""`opsin colorize --damaged`: what is there gets its colors, the rest stays gray and is told."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.cli import main
from opsin.formats import xmp

NOTE = "the lower 39 % are missing: marked gray"


@pytest.fixture
def folder(tmp_path, models, monkeypatch, gray_photo):
    """A sound photograph, and one of which the upper 184 of 300 rows are left."""
    monkeypatch.chdir(tmp_path)
    Path("scans").mkdir()
    Image.fromarray(gray_photo).save("scans/sound.jpg")
    data = Path("scans/sound.jpg").read_bytes()
    Path("scans/cut.jpg").write_bytes(data[: int(0.66 * len(data))])
    return tmp_path


def colorize(*arguments):
    return main(["colorize", "--model", "tiny", *map(str, arguments)])


def test_without_the_option_the_error_tells_of_it(folder, capsys):
    assert colorize("scans") == 1
    error = capsys.readouterr().err
    assert "scans/cut.jpg: the picture is damaged or cut off" in error
    assert "or take it as far as it goes: --damaged" in error


def test_what_is_there_is_colored_and_the_rest_stays_gray(folder, capsys):
    assert colorize("scans/cut.jpg", "--damaged", "--format", "png") == 0
    assert f"\n  {NOTE}\n" in capsys.readouterr().err
    pixels = opsin.open("scans/cut-color.png").pixels
    assert (pixels[184:] == 128).all()
    assert np.ptp(pixels[:184], axis=2).mean() > 5
    alone = opsin.colorize(opsin.open("scans/sound.jpg").pixels[:184], model="tiny")
    np.testing.assert_array_equal(pixels[:184], alone.pixels)


def test_the_note_stands_in_the_run_and_in_the_copy(folder, capsys):
    assert colorize("scans", "--damaged", "--json", "-o", "out") == 0
    files = {Path(one["input"]).name: one for one in json.loads(capsys.readouterr().out)["files"]}
    assert files["cut.jpg"]["notes"] == [NOTE]
    assert files["sound.jpg"]["notes"] == []
    packets = {name: opsin.open(f"out/{name}-color.jpg").metadata.xmp for name in ("cut", "sound")}
    assert xmp.value(packets["cut"], xmp.OPSIN, "Damage") == NOTE
    assert xmp.value(packets["sound"], xmp.OPSIN, "Damage") is None
    assert colorize("scans", "--damaged", "-o", "out") == 0, "and both are done"
    assert "2 skipped" in capsys.readouterr().err


def test_a_copy_of_the_copy_says_it_still(folder):
    assert colorize("scans/cut.jpg", "--damaged", "-o", "copy.jpg") == 0
    assert colorize("copy.jpg", "-o", "again.jpg") == 0
    assert xmp.value(opsin.open("again.jpg").metadata.xmp, xmp.OPSIN, "Damage") == NOTE


def test_through_a_pipe(folder, monkeypatch, capsys):
    with open("scans/cut.jpg", "rb") as file:
        monkeypatch.setattr(sys, "stdin", type("In", (), {"buffer": file})())
        assert colorize("-", "--damaged", "-o", "out.png") == 0
    assert f"opsin: {NOTE}\n" in capsys.readouterr().err
    assert (opsin.open("out.png").pixels[184:] == 128).all()


def test_nothing_is_sure_where_nothing_is(folder):
    assert colorize("scans/cut.jpg", "--damaged", "--confidence", "--compare") == 0
    sure = opsin.open("scans/cut-confidence.png").pixels
    assert sure.shape == (300, 451, 1)
    assert sure[:184].max() > 0
    assert (sure[184:] == 0).all()


def test_gray_that_is_missing_does_not_make_a_toned_photograph_colored(folder, gray_photo, capsys):
    sepia = (gray_photo[..., None] * np.array([1, 0.8, 0.6])).astype(np.uint8)
    Image.fromarray(sepia).save("sepia.jpg", subsampling=0)
    data = Path("sepia.jpg").read_bytes()
    Path("sepia.jpg").write_bytes(data[: len(data) // 2])
    assert colorize("sepia.jpg", "--damaged", "--skip-color") == 0
    assert "was toned" in capsys.readouterr().err


def test_points_count_in_the_whole_photograph(folder):
    Image.open("scans/sound.jpg").save("up.bmp")
    data = Path("up.bmp").read_bytes()
    Path("up.bmp").write_bytes(data[: len(data) // 2])  # the upper half is missing
    photo = opsin.open("up.bmp", damaged=True)
    red = opsin.colorize(photo, model="tiny", points=[(225, 250, "#ff0000")]).pixels.astype(int)
    plain = opsin.colorize(photo, model="tiny").pixels.astype(int)
    change = np.abs(red - plain).sum(axis=2)
    assert abs(np.unravel_index(change.argmax(), change.shape)[0] - 250) < 40
    with pytest.raises(ValueError, match=r"point \(225, 20\) lies where the photograph is missing"):
        opsin.colorize(photo, model="tiny", points=[(225, 20, "#ff0000")])
