import json

import pytest

from opsin.cli import main


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("opsin.evaluate.speed.TWELVE_MEGAPIXELS", (60, 80))
    monkeypatch.setattr("opsin.evaluate.speed.ONE_MEGAPIXEL", (30, 40))
    monkeypatch.setattr("opsin.evaluate.speed.SMALL", (48, 64))


def test_every_part_gives_figures_as_json(models, capsys):
    assert main(["bench", "--model", "tiny", "--runs", "1", "--count", "3", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    coloring, answers = ["network", "photo", "cold", "memory", "folder"], list(figures)[5:]
    assert list(figures) == [*coloring, "classify", "faces", "detect"]
    assert {"total", "decode", "network", "upsampling", "encode"} <= set(figures["photo"])
    assert figures["folder"]["photos"] == 3
    assert figures["folder"]["coding_per_second"] > figures["folder"]["per_second"]
    for part in answers:
        assert figures[part]["photos"] == 3
        assert figures[part]["warm"] < figures[part]["cold"]
        assert figures[part]["per_second"] < 3 / figures[part]["warm"]
    coding = figures["photo"]["decode"] + figures["photo"]["encode"]
    assert figures["photo"]["over_coding"] == pytest.approx(figures["photo"]["total"] / coding)
    figures["cold"].pop("import")  # a difference of two times, of noise where nothing is quiet
    assert all(value > 0 for part in figures.values() for value in part.values())


def test_a_part_of_it_is_a_table(models, capsys):
    assert main(["bench", "network", "--model", "tiny", "--runs", "1"]) == 0
    assert " ms" in capsys.readouterr().out


def test_an_unknown_part_is_refused(models, capsys):
    assert main(["bench", "sound"]) == 2
    assert "unknown part 'sound'. Parts: network, photo" in capsys.readouterr().err


def test_networks_of_every_kind_are_timed_and_ensembles(models, capsys):
    from conftest import with_thumbnail

    with_thumbnail(models, "thumb")
    for model in ("thumb", "tiny,thumb"):
        assert main(["bench", "network", "photo", "--model", model, "--runs", "1", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["network"]["network"] > 0


@pytest.mark.parametrize("content", [None, b"", b"no photograph", "folder"])
def test_a_photo_that_cannot_be_read_is_one_line(models, tmp_path, capsys, content):
    path = tmp_path / "photo.jpg"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    assert main(["bench", "photo", "--photo", str(path), "--model", "tiny"]) == 1
    said = capsys.readouterr().err
    assert str(path) in said
    assert said.count("\n") == 1


def test_an_unknown_model_stops_at_once(models, capsys):
    assert main(["bench", "--model", "tiny,huge"]) == 1
    assert capsys.readouterr().err.startswith("opsin: unknown model 'huge'")


def test_another_classifier_is_timed(monkeypatch, models, capsys):
    asked = []
    monkeypatch.setattr("opsin.classify", lambda photo, model: asked.append(model))
    monkeypatch.setattr(
        "opsin.evaluate.speed._command", lambda *words: asked.append(words[2]) or (1.0, 1.0)
    )
    bench = ["bench", "classify", "--runs", "1", "--count", "1"]
    assert main([*bench, "--classifier", "gender"]) == 0
    assert set(asked) == {"gender"}
    assert main([*bench, "--classifier", "picodet-s"]) == 1
    assert "picodet-s' does not classify" in capsys.readouterr().err
