import json

import pytest

from opsin.cli import main


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("opsin.evaluate.speed.TWELVE_MEGAPIXELS", (60, 80))
    monkeypatch.setattr("opsin.evaluate.speed.ONE_MEGAPIXEL", (30, 40))


def test_every_part_gives_figures_as_json(models, capsys):
    assert main(["bench", "--model", "tiny", "--runs", "1", "--count", "3", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert list(figures) == ["network", "photo", "cold", "memory", "folder"]
    assert {"total", "decode", "network", "upsampling", "encode"} <= set(figures["photo"])
    assert figures["folder"]["photos"] == 3
    figures["cold"].pop("import")  # a difference of two times, of noise where nothing is quiet
    assert all(value > 0 for part in figures.values() for value in part.values())


def test_a_part_of_it_is_a_table(models, capsys):
    assert main(["bench", "network", "--model", "tiny", "--runs", "1"]) == 0
    assert " ms" in capsys.readouterr().out


def test_an_unknown_part_is_refused(models, capsys):
    assert main(["bench", "sound"]) == 2
    assert "unknown part 'sound'. Parts: network, photo" in capsys.readouterr().err
