import numpy as np
import pytest
from conftest import write_tiny_model

import opsin
from opsin.color import rgb_to_lab
from opsin.drawing.sheet import GAP
from opsin.errors import DataError, ModelError, SaveError
from opsin.evaluate.colorization.compare import Outcome, caption, compare, named
from opsin.evaluate.colorization.measure import evaluate


@pytest.fixture
def cat(tmp_path):
    """A small photograph in color."""
    from skimage import data

    return opsin.open(data.chelsea()[::4, ::4]).save(tmp_path / "photos" / "cat.png")


@pytest.fixture
def scan(tmp_path, gray_photo):
    """A small photograph without colors."""
    return opsin.open(gray_photo[::4, ::4]).save(tmp_path / "photos" / "scan.png")


def test_the_figures_are_those_of_evaluate(models, cat):
    write_tiny_model(models, "other", colors=0.6)
    report = evaluate(cat, model=["tiny", "tiny,other"])
    [found] = compare(cat, models=["tiny", "tiny,other"]).photographs
    assert found.tone == "color"
    for name in ("tiny", "tiny,other"):
        expected, one = report[f"{name} 0.5"].scores[0], found[name]
        assert (one.psnr, one.delta_e) == (expected["psnr"], expected["delta_e"])
        assert one.colorfulness == expected["colorfulness"]
    assert found["photograph"].colorfulness == report["gray"].scores[0]["colorfulness_true"]
    assert found["gray"].psnr == report["gray"].scores[0]["psnr"]
    assert found["gray"].colorfulness == 0


def test_the_mean_color_shows_a_tint(models, cat):
    [found] = compare(cat, models="tiny").photographs
    lab = rgb_to_lab(opsin.open(cat).pixels / np.float32(255))
    assert found["photograph"].mean_ab == pytest.approx(lab[..., 1:].mean(axis=(0, 1)), abs=1e-3)
    assert found["gray"].mean_ab == pytest.approx((0, 0), abs=0.1)
    assert abs(found["tiny"].mean_ab[0]) < 3  # the tiny model knows blue and orange only


def test_a_photograph_without_colors_has_no_truth(models, scan):
    [found] = compare(scan, models="tiny").photographs
    assert found.tone == "gray"
    assert found["tiny"].psnr is None
    assert found["tiny"].delta_e is None
    assert found["tiny"].colorfulness > 5


def test_sepia_is_no_truth_and_is_colorized_from_its_light(models, tmp_path, gray_photo):
    sepia = (gray_photo[::3, ::3, None] * [1.0, 0.85, 0.65]).astype(np.uint8)
    path = opsin.open(sepia).save(tmp_path / "sepia.png")
    [found] = compare(path, models="tiny").photographs
    assert (found.tone, found["tiny"].psnr) == ("toned", None)


def test_a_row_has_the_photograph_its_gray_and_every_answer(models, cat, scan, tmp_path):
    out = tmp_path / "out.png"
    found = compare(cat.parent, out, models=["tiny", "default", "tiny,default"], cell=100)
    assert found.pages == (out,)
    pixels = opsin.open(out).pixels.astype(int)
    assert pixels.shape[1] == 5 * 100 + 6 * GAP
    cells = [pixels[GAP : GAP + 66, GAP + k * 108 : GAP + k * 108 + 100] for k in range(5)]
    colors = [np.ptp(one, axis=2).max() for one in cells]
    assert colors[1] == 0
    assert min(colors[0], *colors[2:]) > 15
    assert [one.name for one in found.photographs] == ["cat.png", "scan.png"]
    assert [one.system for one in found.photographs[0].figures] == [
        "photograph",
        "gray",
        "tiny",
        "default",
        "tiny,default",
    ]


def test_many_photographs_fill_pages(models, cat, scan, tmp_path):
    found = compare(cat.parent, tmp_path / "out.png", models="tiny", cell=64, rows=1)
    assert [path.name for path in found.pages] == ["out.png", "out-2.png"]


def test_all_are_all_models_once(models):
    write_tiny_model(models, "other")
    every = ["color-bins", "classifier-decoder", "other", "tiny"]  # the default first
    assert named("all") == every
    assert named(["tiny", "all", "tiny,other"]) == ["tiny", *every[:-1], "tiny,other"]


def test_several_amounts_of_vividness_are_told_apart(models, cat):
    [found] = compare(cat, models="tiny", vividness=(0, 1)).photographs
    assert 0 < found["tiny 0"].colorfulness < found["tiny 1"].colorfulness
    assert found["tiny 0"].milliseconds == found["tiny 1"].milliseconds > 0


def test_means_are_over_those_in_color(models, cat, scan):
    both = compare([cat, scan], models="tiny")
    alone = compare(cat, models="tiny")
    assert [one.psnr for one in both.means()] == [one.psnr for one in alone.means()]
    assert both.means()[2].colorfulness == both.photographs[0]["tiny"].colorfulness
    gray = compare(scan, models="tiny").means()
    assert [one.psnr for one in gray] == [None] * 3


def test_a_large_photograph_is_made_smaller(models, tmp_path):
    path = opsin.open(np.tile(np.arange(250, dtype=np.uint8), (1700, 1))).save(tmp_path / "a.png")
    out = tmp_path / "out.png"
    compare(path, out, models="tiny", cell=2000)
    assert opsin.open(out).height < 1600 + 100


def test_captions_say_what_is_known():
    known = Outcome("fusion", 31.4, (3.2, -8.7), psnr=21.96, delta_e=10.21, milliseconds=24.4)
    assert caption(known).split("\n") == [
        "fusion",
        "PSNR 22.0 dB  CIEDE2000 10.2",
        "CF 31  mean a* +3 b* -9  24 ms",
    ]
    assert caption(Outcome("photograph", 0, (0, 0))) == ""


def test_the_photograph_is_never_overwritten(models, cat):
    before = cat.read_bytes()
    with pytest.raises(SaveError, match=r"cat\.png is one of the photographs"):
        compare([cat], cat.parent / "." / "cat.png", models="tiny")
    with pytest.raises(SaveError, match=r"cat\.png is one of the photographs"):
        compare(cat.parent, cat, models="tiny")
    assert cat.read_bytes() == before


def test_an_unknown_model_or_path_is_an_error(models, tmp_path):
    with pytest.raises(ModelError, match="unknown model 'mine'"):
        compare(tmp_path / "none", models=["tiny", "mine"])
    with pytest.raises(DataError, match="none: no such file or folder"):
        compare(tmp_path / "none", models="tiny")


def test_an_unknown_system_is_a_key_error_with_those_there_are(models, cat):
    with pytest.raises(KeyError, match=r"no system 'unknown'\. There are: .*tiny"):
        compare(cat, models="tiny").photographs[0]["unknown"]


def test_a_plain_sheet_is_for_looking(models, scan, tmp_path):
    out = tmp_path / "sheet.png"
    found = compare(scan, out, models="tiny", vividness=(0.2, 0.8), cell=90, plain=True)
    assert (found.pages, found.photographs[0].figures, found.means()) == ((out,), (), [])
    pixels = opsin.open(out).pixels.astype(int)
    assert pixels.shape[1] == 3 * 90 + 4 * GAP
    left, right = pixels[:, : 90 + GAP], pixels[:, 90 + GAP :]
    assert np.ptp(left, axis=2).max() == 0
    assert np.ptp(right, axis=2).max() > 20


def test_a_plain_sheet_shows_what_colorize_gives(models, scan, tmp_path):
    compare(scan, tmp_path / "sheet.png", models="tiny", plain=True, original=False)
    expected = opsin.colorize(scan, model="tiny").pixels
    height, width, _ = expected.shape
    pixels = opsin.open(tmp_path / "sheet.png").pixels
    assert np.array_equal(pixels[GAP : GAP + height, GAP : GAP + width], expected)


@pytest.mark.parametrize("plain", [True, False])
def test_the_photograph_itself_may_be_left_out(models, scan, tmp_path, plain):
    out = tmp_path / "sheet.png"
    compare(scan, out, models="tiny", plain=plain, original=False, cell=90)
    columns = 1 if plain else 2  # its gray stays
    assert opsin.open(out).width == columns * 90 + (columns + 1) * GAP


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("limit", [1, 3])
def test_a_limit_takes_the_first(models, gray_photo, tmp_path, limit, plain):
    for number in range(4):
        opsin.open(gray_photo[::9, ::9]).save(tmp_path / f"{number}.png")
    out = tmp_path / "out" / "s.png"
    found = compare(tmp_path, out, models="tiny", rows=1, limit=limit, plain=plain)
    assert len(found.pages) == limit


def test_a_photograph_too_small_to_measure_is_passed_over_but_shown_plain(models, cat, tmp_path):
    opsin.open(np.zeros((8, 9, 3), np.uint8)).save(cat.parent / "tiny.png")
    skipped = []
    found = compare(cat.parent, models="tiny", on_skip=skipped.append)
    assert [one.name for one in found.photographs] == ["cat.png"]
    assert "tiny.png: 9 x 8 pixels are too few to be measured" in skipped[0]
    with pytest.raises(DataError, match=r"tiny\.png: 9 x 8 pixels are too few"):
        compare(cat.parent, models="tiny")
    assert len(compare(cat.parent, models="tiny", plain=True).photographs) == 2
