import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import write_tiny_model

from opsin.errors import ModelError
from opsin.models.engine import load_engine


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
    with pytest.raises(ModelError, match=r"outputs are \['logits'\], .*'colors' in `output.name`"):
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
