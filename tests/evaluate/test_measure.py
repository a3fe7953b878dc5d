import tarfile

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.color import rgb_to_lab
from opsin.colorization.prior import MEAN_COLOR
from opsin.errors import DataError, ModelError
from opsin.evaluate.colorization.ceiling import ceiling, shrink
from opsin.evaluate.colorization.measure import evaluate, measure
from opsin.evaluate.colorization.scores import truth_of
from opsin.sets.pictures import read


@pytest.fixture(scope="module")
def pictures():
    return [
        ("a", data.coffee()[::5, ::5]),
        ("b", data.astronaut()[::6, ::6]),
        ("c", data.chelsea()[::4, ::4]),
    ]


@pytest.fixture
def tar(pictures, tmp_path):
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w") as archive:
        for name, rgb in reversed(pictures):
            archive.add(opsin.open(rgb).save(tmp_path / f"{name}.png"), f"{name}.png")
    return path


def test_the_answer_is_compared_with_plain_ones_and_the_best_possible(pictures):
    report = measure(pictures, lambda light: {"blue": np.full((*light.shape, 2), -20, np.float32)})
    assert [row.system for row in report.rows] == ["gray", "mean color", "blue", "ceiling"]
    assert report.pictures == ("a", "b", "c")
    error = {row.system: row.figures["delta_e"].value for row in report.rows}
    assert error["ceiling"] < error["gray"] < error["blue"]
    assert report["gray"].figures["colorfulness_relative"].value == -1
    assert all(len(row.scores) == 3 for row in report.rows)


def test_several_answers_may_come_from_one_call(pictures):
    calls = []

    def answers(light):
        calls.append(light.shape)
        plain = np.zeros((*light.shape, 2), np.float32)
        return {f"{amount}": plain + amount for amount in (0, 5, 10)}

    report = measure(pictures, answers, threads=1)
    assert len(calls) == 3
    assert report["0"].scores == report["gray"].scores


def test_threads_change_nothing(pictures):
    assert measure(pictures, threads=1).rows == measure(pictures, threads=3).rows


def test_the_mean_color_is_the_stated_one(pictures):
    seen = []
    measure(pictures[:1], on_picture=seen.append)
    found = rgb_to_lab(seen[0].pixels["mean color"] / 255)[..., 1:]
    assert np.median(found.reshape(-1, 2), axis=0) == pytest.approx(MEAN_COLOR, abs=0.5)


def test_the_ceiling_of_one_color_is_that_color():
    truth = truth_of(np.zeros((64, 96, 3), np.uint8) + np.uint8([180, 90, 60]))
    ab = ceiling(truth, size=64, stride=4)
    assert ab == pytest.approx(truth.ab, abs=1e-2)


def test_shrinking_averages_areas():
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    assert shrink(values, (2, 3)).tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    # three pixels 0 1 2 to two: 0 and half of 1, half of 1 and 2
    assert shrink(values[:1, :3], (1, 2))[0] == pytest.approx([1 / 3, 5 / 3])
    assert shrink(np.ones((50, 70, 2), np.float32), (13, 9)) == pytest.approx(1)


def test_models_are_measured_from_a_tar_at_several_settings(models, tar):
    report = evaluate(tar, model="tiny", vividness=(0, 1))
    assert report.pictures == ("a.png", "b.png", "c.png")
    assert [row.system for row in report.rows][2:4] == ["tiny 0", "tiny 1"]
    colors = [report[name].figures["colorfulness"].value for name in ("tiny 0", "tiny 1")]
    assert 0 < colors[0] < colors[1]
    assert report.provenance["models"][0]["name"] == "tiny"
    assert len(report.provenance["models"][0]["sha256"]) == 64


def test_the_answer_is_that_of_colorize(models, tar):
    seen = []
    evaluate(tar, model="tiny", limit=1, on_picture=seen.append)
    truth = seen[0].truth
    gray = np.repeat(seen[0].pixels["gray"][..., :1], 3, axis=2)
    expected = opsin.colorize(gray, model="tiny").pixels
    difference = np.abs(expected.astype(int) - seen[0].pixels["tiny 0.5"])
    assert truth.name == "a.png"
    assert np.percentile(difference, 99) <= 3  # the true L* was rounded to 8 bits for colorize


def test_an_unknown_model_stops_before_any_picture(models, tmp_path):
    with pytest.raises(ModelError, match="unknown model 'mine'"):
        evaluate(tmp_path / "none.tar", model=["tiny", "mine"])


def test_the_distance_in_a_feature_network_is_another_column(models, tar, tmp_path, monkeypatch):
    from opsin.evaluate import features

    monkeypatch.setattr(features, "load", lambda _: lambda pixels: pixels.mean(axis=(0, 1)))
    report = evaluate(tar, model="tiny", features=tmp_path / "some.onnx")
    figures = {row.system: row.figures["frechet"] for row in report.rows}
    assert figures["ceiling"].value < figures["gray"].value


def test_pictures_are_read_from_folders_in_the_order_of_their_names(pictures, tmp_path):
    (tmp_path / "z").mkdir()
    for name in ("z/a", "m", ".hidden"):
        opsin.open(pictures[0][1]).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    found = list(read(tmp_path))
    assert [name for name, _ in found] == ["m.png", "z/a.png"]
    assert (found[0][1] == pictures[0][1]).all()


def test_deep_and_gray_pictures_become_three_channels_of_8_bits(tmp_path):
    deep = np.full((12, 13), 257 * 200, np.uint16)
    opsin.open(deep).save(tmp_path / "deep.png")
    [(_, rgb)] = read(tmp_path / "deep.png")
    assert (rgb.shape, rgb.dtype, rgb[0, 0].tolist()) == ((12, 13, 3), np.uint8, [200, 200, 200])


def test_a_broken_picture_in_a_tar_is_named(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(tmp_path / "bad.jpg", "bad.jpg")
    with pytest.raises(DataError, match=r"photos\.tar: bad\.jpg cannot be read"):
        list(read(tmp_path / "photos.tar"))


def test_places_without_pictures_are_named(tmp_path):
    with pytest.raises(DataError, match="no pictures in it"):
        list(read(tmp_path))
    with pytest.raises(DataError, match="no such file or folder"):
        list(read([tmp_path / "none"]))
    (tmp_path / "fake.tar").write_bytes(b"no tar")
    with pytest.raises(DataError, match=r"fake\.tar: cannot be read as a plain tar"):
        list(read(tmp_path / "fake.tar"))


def test_an_unknown_system_is_a_key_error_with_those_there_are(pictures):
    with pytest.raises(KeyError, match=r"no system 'unknown'\. There are: gray, mean color"):
        measure(pictures)["unknown"]


GOLDEN = {  # they change with the shipped model only, or with how it is judged
    "gray": {"psnr": 17.1061, "ssim": 0.8639, "delta_e": 16.1873, "auc_rebalanced": 0.6272},
    "default 0.5": {  # with coherence; CIEDE2000 was 9.71 without
        "psnr": 21.6909,
        "ssim": 0.8897,
        "delta_e": 9.3268,
        "delta_e_median": 8.9575,
        "auc": 0.8593,
        "auc_rebalanced": 0.6587,
        "channel": 0.7864,
        "colorfulness": 55.0188,
        "colorfulness_relative": -0.1199,
        "colorfulness_error": 19.6203,
        "colorfulness_gap": 7.4934,
        "edge_error": 22.7149,
        "rest_error": 20.1302,
    },
    "ceiling": {"psnr": 36.6673, "delta_e": 1.5051, "edge_error": 4.0683, "rest_error": 1.3758},
}


def test_the_figures_of_the_shipped_model(tmp_path):
    for photo in (data.astronaut, data.chelsea, data.coffee):
        opsin.open(photo()[::2, ::2]).save(tmp_path / f"{photo.__name__}.png")
    report = evaluate(tmp_path)
    for system, expected in GOLDEN.items():
        found = {name: report[system].figures[name].value for name in expected}
        assert found == pytest.approx(expected, rel=2e-3)
