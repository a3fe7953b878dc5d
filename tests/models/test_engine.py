import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import write_tiny_model

import opsin
from opsin.cli import main
from opsin.errors import ModelError
from opsin.models.card import Card, Input, Output, write_card
from opsin.models.engine import DEVICES, Engine, load_engine
from opsin.models.store import find
from opsin.models.trial import add, compare_devices


def feeds(seed=0, side=64):
    light = np.random.default_rng(seed).uniform(0, 100, (1, 1, side, side)).astype(np.float32)
    return {
        "light": light,
        "hints": np.zeros((1, 3, side, side), np.float32),
        "condition": np.zeros((1, 313), np.float32),
    }


def test_the_engine_gives_the_output_that_the_card_names(models):
    assert load_engine("tiny").run(feeds())["logits"].shape == (1, 313, 16, 16)


def test_an_engine_is_loaded_once(models):
    assert load_engine("tiny") is load_engine("tiny")
    assert load_engine("tiny", threads=1) is not load_engine("tiny", threads=2)


def test_threads_at_once_get_the_answers_of_one(models):
    engine = load_engine("tiny", threads=2)
    alone = [engine.run(feeds(seed))["logits"] for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda seed: engine.run(feeds(seed))["logits"], range(16))
        assert all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))


def test_the_inputs_are_normalized_as_the_card_says(models):
    plain = load_engine("tiny").run({**feeds(), "light": feeds()["light"] / 2 - 5})["logits"]
    card = models / "tiny.toml"
    card.write_text(card.read_text().replace("mean = 0.0\nstd = 1.0", "mean = 10.0\nstd = 2.0", 1))
    assert np.allclose(load_engine("tiny").run(feeds())["logits"], plain, atol=1e-4)


def test_a_card_that_does_not_fit_its_network_is_an_error(tmp_path):
    card = write_tiny_model(tmp_path)
    card.write_text(card.read_text().replace('name = "logits"', 'name = "colors"'))
    with pytest.raises(ModelError, match=r"outputs are \['logits'\], .*'colors' in `outputs`"):
        load_engine(str(card))


def test_an_input_that_the_card_lacks_is_an_error(tmp_path):
    card = write_tiny_model(tmp_path)
    head, hints, tail = card.read_text().partition('[[inputs]]\nname = "hints"')
    card.write_text(head + tail[tail.index("[[inputs]]") :])
    assert hints
    with pytest.raises(ModelError, match=r"its card names .* in `inputs`"):
        load_engine(str(card))


def test_a_file_that_is_no_network_is_an_error_and_prints_nothing(tmp_path, capfd):
    import hashlib

    card = write_tiny_model(tmp_path)
    old = hashlib.sha256((tmp_path / "tiny.onnx").read_bytes()).hexdigest()
    (tmp_path / "tiny.onnx").write_bytes(b"no network")
    card.write_text(card.read_text().replace(old, hashlib.sha256(b"no network").hexdigest()))
    with pytest.raises(ModelError, match="ONNX Runtime cannot load this network"):
        load_engine(str(card))
    assert capfd.readouterr() == ("", "")


def test_loading_prints_nothing(models):
    code = "from opsin.models.engine import load_engine; load_engine('tiny')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_runtime_keeps_no_device_number_and_sends_nothing(models, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = "from opsin.models.engine import load_engine; load_engine('tiny')"
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "LOCALAPPDATA": str(home)}
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **places, "ORT_DISABLE_TELEMETRY": "", "CI": ""},
        check=True,
    )
    assert list(home.rglob("*")) == []


def test_what_is_optional_may_be_left_out_and_is_zero_then(models):
    given = feeds()
    alone = load_engine("tiny").run({"light": given["light"]})["logits"]
    assert np.array_equal(alone, load_engine("tiny").run(given)["logits"])


@pytest.mark.parametrize("wrong", [{"lihgt": 1}, {"thumbnail": np.zeros((1, 1, 32, 32))}])
def test_an_input_that_no_card_names_is_a_wrong_call(models, wrong):
    with pytest.raises(ValueError, match=r"model 'tiny' takes .*must have \['light'\]"):
        load_engine("tiny").run({**feeds(), **wrong})
    with pytest.raises(ValueError, match=r"wrong or missing: \['light'\]"):
        load_engine("tiny").run({"hints": feeds()["hints"]})


def write_classifier(folder):
    """A network of another task, with two outputs: how bright the thirds of a picture are."""
    from onnx import TensorProto, helper

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["probability"], axes=[1, 2], keepdims=0),
        helper.make_node("Identity", ["picture"], ["map"]),
    ]
    outputs = [value("probability", [1, 3]), value("map", [1, "H", "W", 3])]
    graph = helper.make_graph(nodes, "c", [value("picture", [1, "H", "W", 3])], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = bytes(model.SerializeToString())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "light-of-color.onnx").write_bytes(data)
    card = Card(
        name="light-of-color",
        version="1",
        task="brightness",
        network="mean",
        file="light-of-color.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        license="Apache-2.0",
        paper="none",
        training_data="none",
        size=64,
        labels=("red", "green", "blue"),
        inputs=(Input(name="picture", shape=(1, "H", "W", 3), unit="sRGB"),),
        outputs=(
            Output(name="probability", shape=(1, 3)),
            Output(name="map", shape=(1, "H", "W", 3)),
        ),
    )
    write_card(card, folder / "light-of-color.toml")
    return folder / "light-of-color.toml"


def test_a_model_of_any_task_with_labels_and_two_outputs(models, tmp_path):
    model = add(write_classifier(tmp_path / "new"))
    assert model.card.labels == ("red", "green", "blue")
    picture = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    found = load_engine("light-of-color").run({"picture": picture})
    assert found["probability"] == pytest.approx(picture.mean(axis=(1, 2)), abs=1e-5)
    assert np.array_equal(found["map"], picture)
    with pytest.raises(ModelError, match="does not colorize: its task is 'brightness'"):
        opsin.colorize(picture[0, ..., 0], model="light-of-color")


def test_an_output_that_is_not_as_the_card_promises(models, tmp_path):
    card = write_classifier(tmp_path / "new")
    head, mark, tail = card.read_text().rpartition('[1, "H", "W", 3]')
    card.write_text(f'{head}[1, "H/2", "N", 3]{tail}')
    assert mark
    engine = load_engine(str(card))
    with pytest.raises(ModelError, match=r"shape \(1, 20, 30, 3\), .* promises \(1, 10, None, 3\)"):
        engine.run({"picture": np.zeros((1, 20, 30, 3), np.float32)})


def test_devices_that_are_not_there_are_named_with_the_package(models, monkeypatch):
    from opsin.models import engine

    assert "cpu" in engine.devices()
    monkeypatch.setattr(engine, "devices", lambda: ["cpu", "coreml"])
    with pytest.raises(
        ModelError, match=r"'cuda' is not in this .*There are: cpu, coreml\. .*onnxruntime-gpu"
    ):
        load_engine("tiny", device="cuda")
    with pytest.raises(ModelError, match=r"unknown device 'abacus'\. There are: cpu, coreml\."):
        opsin.colorize(np.zeros((8, 8), np.uint8), model="tiny", device="abacus")


def test_a_device_that_is_known_and_does_not_work_is_an_error(models, monkeypatch):
    from opsin.models import engine

    real = engine.runtime()

    def session(data, options, *, providers, enable_fallback):
        """As where a provider's libraries are missing: the next one is taken."""
        return real.InferenceSession(data, options, providers=providers[1:])

    fake = SimpleNamespace(InferenceSession=session, SessionOptions=real.SessionOptions)
    monkeypatch.setattr(engine, "runtime", lambda: fake)
    monkeypatch.setattr(engine, "devices", lambda: list(engine.DEVICES))
    with pytest.raises(ModelError, match=r"device 'openvino' does not work on this machine"):
        load_engine("tiny", device="openvino")


def test_a_device_is_compared_with_the_cpu(models, monkeypatch, capsys):
    assert main(["models", "check", "tiny", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith("tiny: works. cpu differs from the CPU by 0.00%")
    run = Engine.run

    def drifting(self, inputs, outputs=()):
        found = run(self, inputs, outputs)
        off = np.float32(1.05 if self.device == "far" else 1)
        return {name: values * off for name, values in found.items()}

    monkeypatch.setitem(DEVICES, "far", DEVICES["cpu"])
    monkeypatch.setattr(Engine, "run", drifting)
    with pytest.raises(ModelError, match=r"'tiny': device 'far' answers otherwise .* by 5\.0 ?%"):
        compare_devices(find("tiny"), "far")
