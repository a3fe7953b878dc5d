import json

import pytest
from skimage import data

import opsin
from opsin.cli import main


@pytest.fixture
def folder(models, tmp_path, gray_photo):
    """Two small photographs, one of them in color."""
    for name, pixels in (("coffee", data.coffee()), ("old", gray_photo)):
        opsin.open(pixels[::5, ::5]).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def test_a_table_and_the_pages_are_printed(folder, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert main(["compare", str(folder), "--models", "all", "-o", str(out)]) == 0
    text = capsys.readouterr().out
    for word in ("photograph", "gray", "color-bins", "tiny", "CIEDE2000"):
        assert word in text
    assert "2 photographs; figures are means over the 1 in color." in text
    assert text.splitlines()[-1] == str(out)
    assert opsin.open(out).width > 4 * 300


def test_commas_are_columns_in_models_and_an_ensemble_in_model(folder, tmp_path, capsys):
    out = ["-o", str(tmp_path / "out.png"), "--json"]
    call = ["compare", str(folder), "--models", "tiny, default", "--model", "tiny,default", *out]
    assert main(call) == 0
    found = json.loads(capsys.readouterr().out)
    systems = [one["system"] for one in found["files"][0]["compared"]["figures"]]
    assert systems == ["photograph", "gray", "tiny", "default", "tiny,default"]


def test_json_gives_the_figures(folder, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert main(["compare", str(folder), "--models", "tiny", "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pages"] == [str(out)]
    assert [one["name"] for one in found["models"]] == ["tiny"]
    assert [one["input"] for one in found["files"]] == ["coffee.png", "old.png"]
    coffee, old = (one["compared"] for one in found["files"])
    assert (coffee["tone"], old["tone"]) == ("color", "gray")
    assert coffee["figures"][2]["delta_e"] > 0
    assert old["figures"][2]["delta_e"] is None
    assert len(old["figures"][2]["mean_ab"]) == 2
    assert found["means"][2]["milliseconds"] > 0


def test_without_names_all_models_are_shown(folder, tmp_path, capsys):
    assert main(["compare", str(folder), "-o", str(tmp_path / "out.png"), "--limit", "1"]) == 0
    assert "color-bins" in capsys.readouterr().out


def test_an_unknown_model_is_one_line_and_exit_code_1(folder, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert main(["compare", str(folder), "--models", "tiny,mine", "-o", str(out)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("opsin: unknown model 'mine'. Available:")
    assert said.count("\n") == 1
    assert not out.exists()


def test_a_wrong_vividness_is_a_wrong_call(folder, capsys):
    assert main(["compare", str(folder), "--vividness", "2"]) == 2


@pytest.mark.parametrize("plain", [[], ["--plain"]])
def test_what_cannot_be_read_is_passed_over_and_told(folder, tmp_path, capsys, plain):
    (folder / "bad.png").write_bytes(b"no picture")
    out = tmp_path / "out.png"
    call = ["compare", str(folder), "--model", "tiny", "-o", str(out), *plain]
    assert main(call) == 1
    told = capsys.readouterr()
    assert str(out) in told.out
    assert "bad.png cannot be read" in told.err
    assert main([*call, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["done"], found["failed"]) == (2, 1)
    assert found["files"][-1]["input"] == str(folder)
    assert "bad.png cannot be read" in found["files"][-1]["error"]
    assert opsin.open(out).height > 200  # both others are on it
    assert main(["compare", str(folder / "bad.png"), "-o", str(tmp_path / "none.png"), *plain]) == 1
    assert "none of the photographs can be read" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()


def test_a_plain_sheet_prints_its_pages_only(folder, tmp_path, capsys):
    out = tmp_path / "out.png"
    call = ["compare", str(folder), "--plain", "-o", str(out), "--model", "tiny", "--rows", "1"]
    assert main(call) == 0
    assert capsys.readouterr().out.split() == [str(out), str(tmp_path / "out-2.png")]


def test_figures_are_explained(folder, tmp_path, capsys):
    assert main(["compare", str(folder), "--models", "tiny", "-o", str(tmp_path / "o.png")]) == 0
    told = capsys.readouterr().out
    assert "CIEDE2000    how far colors are off, to the eye; lower is better" in told
