import numpy as np
import pytest
from conftest import write_tiny_model

import opsin
from opsin.colorization import upsample
from opsin.colorization.pipeline import predict
from opsin.errors import ModelError
from opsin.evaluate.colorization import candidates
from opsin.evaluate.colorization.compare import compare
from opsin.evaluate.colorization.measure import evaluate
from opsin.models.engine import Engine


@pytest.fixture
def runs(monkeypatch):
    """The names of the networks, each time that one is run."""
    names = []
    run = Engine.run

    def counted(self, inputs, **how):
        names.append(self.card.name)
        return run(self, inputs, **how)

    monkeypatch.setattr(Engine, "run", counted)
    return names


def test_a_network_is_run_once_for_all_its_settings(models, gray_photo, runs):
    write_tiny_model(models, "other")
    chosen = candidates.candidates(["tiny", "other"], (0, 0.5, 1))
    found = candidates.runs(opsin.open(gray_photo), chosen)
    assert [one.candidate.label for one in found] == [one.label for one in chosen]
    assert runs == ["tiny", "other"]


def test_evaluate_and_a_plain_sheet_run_it_once_a_picture(models, astronaut, tmp_path, runs):
    path = opsin.open(astronaut[::8, ::8]).save(tmp_path / "a.png")
    evaluate(path, model="tiny", vividness=(0, 0.5, 1))
    compare(path, tmp_path / "sheet.png", models="tiny", vividness=(0, 1), plain=True)
    assert runs == ["tiny", "tiny"]


def test_the_answers_are_those_of_each_setting_alone(models):
    light = np.linspace(5, 95, 60 * 80, dtype=np.float32).reshape(60, 80)
    chosen = candidates.candidates(["tiny", "tiny,color-bins"], (0.2, 0.9))
    found = candidates.systems_of(chosen)(light)
    for model, vividness in (("tiny", 0.2), ("tiny", 0.9), ("tiny,color-bins", 0.9)):
        alone = predict(candidates.gray_photo(light), model=model, vividness=vividness, threads=1)
        expected = upsample.upsample(alone.ab, alone.light, light)
        assert np.array_equal(found[f"{model} {vividness}"], expected)


def test_an_ensemble_is_one_system(models, astronaut, tmp_path):
    path = opsin.open(astronaut[::8, ::8]).save(tmp_path / "a.png")
    report = evaluate(path, model=["tiny,default", "tiny"])
    assert [row.system for row in report.rows][2:4] == ["tiny,default 0.5", "tiny 0.5"]
    assert [one["name"] for one in report.provenance["models"]] == ["tiny", "color-bins"]


def test_an_unknown_member_stops_before_any_picture(models):
    with pytest.raises(ModelError, match="unknown model 'mine'"):
        candidates.systems_of(candidates.candidates("tiny,mine", 0.5))
