import json
import sys
from types import ModuleType

import pytest
from skimage import data

import opsin
from opsin import tasks
from opsin.cli import main
from opsin.sets.pictures import read


@pytest.fixture
def folder(models, tmp_path):
    """Two small photographs in color."""
    for name, rgb in (("cat", data.chelsea()), ("coffee", data.coffee())):
        opsin.open(rgb[::5, ::5]).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def test_a_table_has_a_row_for_each_setting_and_baseline(folder, capsys):
    assert main(["evaluate", "colorize", str(folder), "--model", "tiny", "--vividness", "0,1"]) == 0
    text = capsys.readouterr().out
    for word in ("gray", "mean color", "tiny 0", "tiny 1", "ceiling", "CIEDE2000", "AuC rare"):
        assert word in text
    assert "2 pictures" in text
    assert "…" not in text


def test_json_says_what_was_measured(folder, capsys):
    assert main(["evaluate", "colorize", str(folder), "--model", "tiny", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pictures"], found["vividness"]) == (2, [0.5])
    assert len(found["models"][0]["sha256"]) == 64
    systems = {one["system"]: one for one in found["systems"]}
    assert systems["gray"]["figures"]["colorfulness_relative"]["value"] == -1
    assert set(systems["tiny 0.5"]["figures"]["psnr"]) == {"value", "low", "high"}
    assert "scores" not in systems["gray"]


def test_json_may_hold_each_picture_and_no_nan(models, tmp_path, capsys, gray_photo):
    path = opsin.open(gray_photo[::5, ::5]).save(tmp_path / "gray.png")
    assert main(["evaluate", "colorize", str(path), "--model", "tiny", "--json", "--each"]) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    assert "NaN" not in text
    assert found["names"] == ["gray.png"]
    assert found["systems"][0]["figures"]["colorfulness_relative"]["value"] is None
    assert found["systems"][0]["scores"][0]["psnr"] == 60


def test_a_gray_photograph_leaves_a_dash_in_the_table(models, tmp_path, capsys, gray_photo):
    path = opsin.open(gray_photo[::5, ::5]).save(tmp_path / "gray.png")
    assert main(["evaluate", "colorize", str(path), "--model", "tiny"]) == 0
    text = capsys.readouterr().out
    assert " - " in text
    assert "nan" not in text


def test_figures_are_explained_and_gray_pictures_told(folder, models, tmp_path, capsys, gray_photo):
    assert main(["evaluate", "colorize", str(folder), "--model", "tiny"]) == 0
    told = capsys.readouterr()
    assert "CIEDE2000    how far colors are off, to the eye; lower is better" in told.out
    assert not told.err
    gray = opsin.open(gray_photo).save(tmp_path / "gray.png")
    assert main(["evaluate", "colorize", str(gray), "--model", "tiny"]) == 0
    assert "the pictures are gray" in capsys.readouterr().err


def test_a_contact_sheet_is_written_beside(folder, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    call = ["evaluate", "colorize", str(folder), "--model", "tiny", "--sheet", str(sheet)]
    assert main([*call, "--limit", "1"]) == 0
    photo = opsin.open(sheet)
    assert photo.width > photo.height  # one row: truth, gray, answer


@pytest.mark.parametrize("wrong", ["2", "much", "0.5,", ""])
def test_a_wrong_vividness_is_a_wrong_call(folder, capsys, wrong):
    assert main(["evaluate", "colorize", str(folder), "--vividness", wrong]) == 2
    assert "is not numbers from 0 to 1" in capsys.readouterr().err


def test_missing_data_is_one_line(models, tmp_path, capsys):
    assert main(["evaluate", "colorize", str(tmp_path / "none.tar"), "--model", "tiny"]) == 1
    assert capsys.readouterr().err.endswith("none.tar: no such file or folder.\n")


@pytest.fixture
def brightness(monkeypatch):
    """A task of somebody else: which pictures are bright."""
    from opsin.evaluate.report import Metric, report

    right = Metric("right", "right", ".0%", "higher", "pictures whose class is right")

    def evaluate(data, *, model, limit, on_picture, on_skip):
        def scored(picture):
            name, pixels = picture
            return name, {"guess": {"right": float(pixels.mean() > 100)}}, name

        return report(scored, read(data, limit=limit, on_skip=on_skip), [right], on_item=on_picture)

    module = ModuleType("brightness")
    module.evaluate = evaluate
    monkeypatch.setitem(sys.modules, "brightness", module)
    monkeypatch.setitem(tasks.ROOMS, "brightness", tasks.Room("none:none", "brightness:evaluate"))


def test_another_task_is_evaluated_by_the_same_verb(folder, brightness, capsys):
    assert main(["evaluate", "brightness", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "right        pictures whose class is right; higher is better" in text
    assert "2 pictures" in text
    assert main(["evaluate", "brightness", str(folder), "--limit", "1", "--each", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["names"] == ["cat.png"]
    assert list(found["systems"][0]["scores"][0]) == ["right"]


def test_an_unknown_task_is_a_wrong_call_with_those_there_are(capsys):
    assert main(["evaluate", "sound", "photos"]) == 2
    assert "unknown task 'sound'. Known: colorize" in capsys.readouterr().err


def test_the_tasks_are_listed(brightness, capsys):
    assert main(["evaluate", "--help"]) == 0
    text = capsys.readouterr().out
    assert "colorize" in text
    assert "brightness" in text


def test_a_picture_too_small_to_measure_is_passed_over_and_told(folder, capsys):
    opsin.open(data.coffee()[:8, :9]).save(folder / "tiny.png")
    call = ["evaluate", "colorize", str(folder), "--model", "tiny"]
    assert main(call) == 1
    told = capsys.readouterr()
    assert "2 pictures" in told.out
    assert "tiny.png: 9 x 8 pixels are too few to be measured" in told.err
    assert main([*call[:2], str(folder / "tiny.png")]) == 1
    assert capsys.readouterr().err.endswith("none of the pictures can be measured.\n")
