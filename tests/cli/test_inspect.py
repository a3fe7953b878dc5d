import json

import pytest

import opsin
from opsin.cli import main

pytest.importorskip("onnx")


@pytest.fixture
def scan(models, tmp_path, gray_photo):
    return opsin.open(gray_photo[::4, ::4]).save(tmp_path / "scan.png")


def test_the_page_is_written_and_its_layers_printed(scan, tmp_path, capsys):
    out = tmp_path / "page.png"
    call = ["inspect", str(scan), "--size", "64", "-o", str(out), "--layers", "3"]
    assert main(call) == 0
    text = capsys.readouterr().out
    for word in ("layer", "shape", "dead", "/encoder/", " x "):
        assert word in text
    assert text.splitlines()[-1] == str(out)
    assert opsin.open(out).width > 1000


def test_layers_are_listed_with_shapes_and_parameters(scan, tmp_path, capsys):
    assert main(["inspect", str(scan), "--size", "64", "--list"]) == 0
    text = capsys.readouterr().out
    assert "4,786,841 parameters." in text
    assert "/attend.0/query_key_value/MatMul" in text
    marked = [line for line in text.splitlines() if " * " in line]
    assert len(marked) == 9
    assert not (tmp_path / "inspect.png").exists()


def test_the_list_as_json(scan, capsys):
    assert main(["inspect", str(scan), "--model", "tiny", "--list", "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in layers if one["drawn"]] == ["mean", "plain", "sum", "logits"]
    assert sum(one["parameters"] for one in layers) == 313 * 5


def test_json_gives_the_figures(scan, tmp_path, capsys):
    out = tmp_path / "page.png"
    call = ["inspect", str(scan), "--model", "tiny", "-o", str(out), "--json"]
    assert main(call) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["page"]) == ("tiny", str(out))
    layer = found["layers"][0]
    assert layer["shape"] == [1, 1, 16, 24]
    assert layer["strongest"] == [0]
    assert layer["dead"] == 0
    assert len(found["colors"]) == 12
    assert 0 < found["entropy"] < 1


def test_named_layers(scan, tmp_path, capsys):
    out = ["-o", str(tmp_path / "page.png"), "--size", "64", "--json"]
    names = "/encoder/stem,/climb.1"
    assert main(["inspect", str(scan), "--layers", names, "--channels", "5", *out]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert [one["name"] for one in layers] == ["/encoder/stem/Conv", "/climb.1/Add_2"]
    assert len(layers[0]["strongest"]) == 5


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--layers", "/none"], 1, "opsin: no layer '/none' that can be drawn."),
        (["--model", "huge"], 1, "opsin: unknown model 'huge'. Available:"),
        (["--layers", "0"], 2, "--layers must be 1 or more, or names."),
    ],
)
def test_what_is_wrong_is_said_in_a_line(scan, tmp_path, capsys, options, code, said):
    out = tmp_path / "page.png"
    assert main(["inspect", str(scan), "--size", "64", "-o", str(out), *options]) == code
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_an_ensemble_has_a_page_for_each_network(scan, tmp_path, capsys):
    out = tmp_path / "page.png"
    call = ["inspect", str(scan), "--model", "tiny,classifier-decoder", "--size", "64"]
    assert main([*call, "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["model"] for one in found] == ["tiny", "classifier-decoder"]
    names = ["page-classifier-decoder.png", "page-tiny.png"]
    assert sorted(path.name for path in tmp_path.glob("page*")) == names
    assert main([*call, "--list"]) == 0
    assert capsys.readouterr().out.count(" parameters.") == 2


def test_an_unknown_member_stops_before_any_page(scan, tmp_path, capsys):
    out = tmp_path / "page.png"
    assert main(["inspect", str(scan), "--model", "tiny,huge", "-o", str(out)]) == 1
    assert "unknown model 'huge'" in capsys.readouterr().err
    assert not list(tmp_path.glob("page*"))
