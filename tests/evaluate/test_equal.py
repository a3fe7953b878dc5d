"""Systems at equal colorfulness: the gain is found, used and told."""

import json
import tarfile

import numpy as np
import pytest

import opsin
from opsin.cli import main
from opsin.colorization.decode import decode
from opsin.colorization.pipeline import colors_of, run_model
from opsin.errors import DataError
from opsin.evaluate.colorization.equal import GAINS, gain_for, gains_of, scaled
from opsin.evaluate.colorization.measure import evaluate, measure


@pytest.fixture(scope="module")
def pictures():
    from skimage import data

    cup = np.ascontiguousarray(data.coffee()[40:360:5, 60:540:5])
    return [("cup", cup), ("dark", cup[:, ::-1] // 2)]


@pytest.fixture
def tar(pictures, tmp_path):
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w") as archive:
        for name, rgb in pictures:
            archive.add(opsin.open(rgb).save(tmp_path / f"{name}.png"), f"{name}.png")
    return path


def pale_and_strong(light):
    slope = (light[..., None] - 50) * np.float32([0.2, -0.1])
    return {"pale": slope, "strong": 3 * slope}


def colors(report, name):
    return report[name].figures["colorfulness"].value


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_all_have_the_share_of_the_true_colorfulness(pictures, share):
    gains = gains_of(pictures, pale_and_strong, share)
    assert gains["pale"] == pytest.approx(3 * gains["strong"], rel=0.03)
    report = measure(pictures, scaled(pale_and_strong, gains))
    for name in ("pale", "strong"):
        relative = report[name].figures["colorfulness_relative"].value
        assert 1 + relative == pytest.approx(share, rel=0.03)


def test_what_has_no_color_cannot_be_made_colorful(pictures):
    with pytest.raises(DataError, match=r"gray: no gain .* Choose another share"):
        gains_of(pictures, lambda light: {"gray": np.zeros((*light.shape, 2), np.float32)}, 0.5)


def test_a_gain_takes_the_place_of_the_models_own(models, tar):
    one, double, usual = (
        evaluate(tar, model=["tiny", "color-bins"], vividness=1, gain=gain)
        for gain in (0.5, 1, None)
    )
    for name in ("tiny 1", "color-bins 1"):
        assert colors(double, name) == pytest.approx(2 * colors(one, name), rel=0.1)
        assert colors(usual, name) > 1.1 * colors(double, name)  # their own are 1.4 and more
    assert double.provenance["gain"] == 1


def test_at_a_gain_of_ones_own_nothing_else_is_made_stronger(pictures):
    [output] = run_model(opsin.open(pictures[0][1]))
    temperature = output.card.colorize.vividness[1][0]
    plain = decode(output.raw, temperature=temperature, gain=1.2)[0]
    assert colors_of([output], gain=1.2).ab == pytest.approx(plain)


def test_the_command_tells_the_gains(models, tar, capsys):
    line = ("evaluate", "colorize", str(tar), "--model", "tiny", "--model", "color-bins")
    assert main([*line, "--colorfulness", "0.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(found["gains"]) == ["color-bins 0.5", "tiny 0.5"]
    rows = {row["system"]: row["figures"]["colorfulness"]["value"] for row in found["systems"]}
    assert rows["tiny 0.5"] == pytest.approx(rows["color-bins 0.5"], rel=0.03)
    assert main([*line, "--colorfulness", "0.5"]) == 0
    shown = capsys.readouterr().out
    assert "a*b* multiplied to have 50% of the true colorfulness: tiny 0.5 " in shown
    assert main([*line, "--colorfulness", "9"]) != 0
    assert "Choose another share" in capsys.readouterr().err


def test_colors_that_the_gamut_takes_back_at_last_have_a_gain_all_the_same():
    curve = np.interp(GAINS, [0, 8, 16], [0, 40, 30])
    gain = gain_for([curve], 35)
    assert gain < 8
    assert np.interp(gain, GAINS, curve) == pytest.approx(35)


def test_the_gain_is_that_of_the_pictures_that_are_measured(models, tar):
    report = evaluate(tar, model="tiny", colorfulness=0.5, limit=1)
    relative = report["tiny 0.5"].figures["colorfulness_relative"].value
    assert 1 + relative == pytest.approx(0.5, rel=0.03)
