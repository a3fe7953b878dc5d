import json

from conftest import write_tiny_model

from opsin.cli import main


def test_models_are_listed_shown_added_and_removed(models, tmp_path, capsys):
    card = write_tiny_model(tmp_path / "new", "fresh")
    assert main(["models", "add", str(card)]) == 0
    assert main(["models", "list"]) == 0
    assert main(["models", "show", "fresh"]) == 0
    assert main(["models", "remove", "fresh"]) == 0
    out = capsys.readouterr().out
    assert "fresh: added" in out
    assert 'license = "Apache-2.0"' in out
    assert "fresh: removed" in out


def test_models_as_json(models, capsys):
    assert main(["models", "list", "--json"]) == 0
    assert "tiny" in [card["name"] for card in json.loads(capsys.readouterr().out)]
    assert main(["models", "show", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["shape"][2:] == ["H/4", "W/4"]


def test_an_unknown_model_is_one_line_and_exit_code_1(models, capsys):
    assert main(["models", "show", "huge"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("opsin: unknown model 'huge'. Available:")
    assert said.count("\n") == 1


def test_a_narrow_terminal_cuts_no_name_off(models, monkeypatch, capsys):
    write_tiny_model(models, "a-model-with-a-very-long-name")
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 40
