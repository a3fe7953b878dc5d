"""Shared by all tests: tiny models that answer at once, and real photographs as files."""

from __future__ import annotations

import hashlib
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import settings

from opsin.colorization.bins import BINS
from opsin.formats.vips import vips
from opsin.interrupt import SIGNALS
from opsin.models.card import (
    Card,
    Classify,
    Colorize,
    Input,
    Output,
    map_shape,
    read_card,
    write_card,
)

vips()  # before a test imports pyvips itself: warnings handled in Python can abort the process

settings.register_profile("opsin", deadline=None)  # a busy machine is not a failure
settings.load_profile("opsin")


def pytest_configure() -> None:
    """What `nohup` or a script's `&` starts ignores signals, and so would all that a test starts
    and then stops by one. A handler, though it does nothing, is not handed down."""
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            own = signal.default_int_handler if number == signal.SIGINT else lambda *_: None
            signal.signal(number, own)


INPUTS = (
    Input(name="light", shape=(1, 1, "H", "W"), unit="L*"),
    Input(name="hints", shape=(1, 3, "H", "W"), unit="a*b* and mask", optional=True),
    Input(name="condition", shape=(1, 313), unit="share", optional=True),
)

OUTPUTS = {
    "bins": (Output(name="logits", shape=map_shape(313, 4)),),
    "ab": (Output(name="ab", shape=map_shape(2, 4)),),
}
VIVIDNESS = ((1.0, 0.8), (1.0, 1.0), (0.9, 1.2))


def write_tiny_model(
    folder: Path, name: str = "tiny", *, colors: float = 1.0, answer: str = "bins"
) -> Path:
    """A network that paints dark parts blue and light ones orange, and obeys hints; its card.

    `colors` = 0 gives no chroma at all, and nan no answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = _graph(colors, answer)
    (folder / f"{name}.onnx").write_bytes(data)
    card = Card(
        name=name,
        version="1",
        task="colorize",
        network="tiny",
        file=f"{name}.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        license="Apache-2.0",
        paper="none",
        training_data="none",
        size=64,
        multiple=32,
        inputs=INPUTS if answer == "bins" else INPUTS[:1],
        outputs=OUTPUTS[answer],
        colorize=Colorize(answer=answer, vividness=VIVIDNESS if answer == "bins" else ()),
    )
    write_card(card, folder / f"{name}.toml")
    return folder / f"{name}.toml"


def with_thumbnail(folder: Path, name: str) -> Path:
    """A model that also sees the whole photograph in a square of 32 pixels; its card."""
    from onnx import TensorProto, helper

    def value(name: str, shape: list[object]) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("AveragePool", ["light"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("GlobalAveragePool", ["thumbnail"], ["mean"]),
        helper.make_node("Sub", ["small", "mean"], ["a"]),
        helper.make_node("Concat", ["a", "small"], ["ab"], axis=1),
    ]
    inputs = [value("light", [1, 1, "H", "W"]), value("thumbnail", [1, 1, 32, 32])]
    graph = helper.make_graph(nodes, name, inputs, [value("ab", [1, 2, "h", "w"])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = bytes(model.SerializeToString())
    path = write_tiny_model(folder, name, answer="ab")
    card = msgspec.structs.replace(
        read_card(path),
        sha256=hashlib.sha256(data).hexdigest(),
        inputs=(INPUTS[0], Input(name="thumbnail", shape=(1, 1, 32, 32), unit="L*")),
    )
    path.with_suffix(".onnx").write_bytes(data)
    write_card(card, path)
    return path


def write_tiny_classifier(
    folder: Path,
    name: str = "shades",
    *,
    labels: tuple[str, ...] = ("dark", "bright"),
    channels: int = 3,
    side: int = 32,
    **table: object,
) -> Path:
    """A network that tells dark pictures from bright ones, the left of the square alone; its card.

    More labels than two are never likely. `table` is what its card says of how it classifies.
    """
    from onnx import TensorProto, helper, numpy_helper

    shape = [1, channels, side, side]
    weight = np.zeros((len(labels), *shape[1:]), np.float32)
    weight[0, ..., : side // 2], weight[1, ..., : side // 2] = -1, 1
    weight *= 16 / (channels * side * (side // 2))
    bias = np.array([8, -8, *[-20] * (len(labels) - 2)], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["picture"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
        ],
        name,
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(labels)])],
        [
            numpy_helper.from_array(weight.reshape(len(labels), -1), "weight"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = bytes(model.SerializeToString())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(data)
    card = Card(
        name=name,
        version="1",
        task="classify",
        network="tiny",
        file=f"{name}.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        license="Apache-2.0",
        paper="none",
        training_data="none",
        size=side,
        labels=labels,
        inputs=(Input(name="picture", shape=tuple(shape), unit="sRGB, 0 to 1"),),
        outputs=(Output(name="logits", shape=(1, len(labels))),),
        classify=Classify(**table),
    )
    write_card(card, folder / f"{name}.toml")
    return folder / f"{name}.toml"


def _graph(colors: float, answer: str) -> bytes:
    from onnx import TensorProto, checker, helper, numpy_helper

    def constant(name: str, values: object) -> object:
        return numpy_helper.from_array(np.asarray(values, np.float32), name)

    # what is wanted: a* = 0, b* = 0.6 (L* - 50), and the hint on top; bins by their distance to it
    spread = 15.0**2 if answer == "bins" else 1.0
    toward = BINS if answer == "bins" else np.eye(2, dtype=np.float32)
    count = len(toward)
    weight = colors * toward / spread
    nearness = (toward**2).sum(axis=1) / (2 * spread) if answer == "bins" else 0
    light = helper.make_tensor_value_info("light", TensorProto.FLOAT, [1, 1, "H", "W"])
    hints = helper.make_tensor_value_info("hints", TensorProto.FLOAT, [1, 3, "H", "W"])
    condition = helper.make_tensor_value_info("condition", TensorProto.FLOAT, [1, 313])
    out = "logits" if answer == "bins" else "ab"
    output = helper.make_tensor_value_info(out, TensorProto.FLOAT, [1, count, "h", "w"])
    pool = {"kernel_shape": [4, 4], "strides": [4, 4]}
    nodes = [
        helper.make_node("AveragePool", ["light"], ["mean"], **pool),
        helper.make_node("Conv", ["mean", "of_light", "bias"], ["plain"]),
    ]
    initializers = [
        constant("of_light", 0.6 * weight[:, 1:, None, None]),
        constant("bias", -30 * weight[:, 1] - nearness),
    ]
    if answer == "bins":
        of_hints = np.concatenate([weight, np.zeros((count, 1), np.float32)], axis=1)
        nodes += [
            helper.make_node("AveragePool", ["hints"], ["given"], **pool),
            helper.make_node("Conv", ["given", "of_hints"], ["hinted"]),
            helper.make_node("Reshape", ["condition", "shape"], ["wanted"]),
            helper.make_node("Add", ["plain", "hinted"], ["sum"]),
            helper.make_node("Add", ["sum", "wanted"], [out]),
        ]
        initializers += [
            constant("of_hints", of_hints[..., None, None]),
            numpy_helper.from_array(np.array([1, 313, 1, 1]), "shape"),
        ]
    else:
        nodes[-1].output[0] = out
    graph = helper.make_graph(
        nodes, "tiny", [light, hints, condition][: len(nodes) // 2], [output], initializers
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept for another time lies with this process's tests, not in the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's models folder, with the model `tiny` in it."""
    folder = tmp_path / "models"
    write_tiny_model(folder)
    monkeypatch.setenv("OPSIN_MODELS", str(folder))
    return folder


@pytest.fixture(scope="session")
def gray_photo() -> np.ndarray:
    """A real photograph without its colors, uint8 (300, 451)."""
    from skimage import color, data

    return (color.rgb2gray(data.chelsea()) * 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A real photograph in color, uint8 (512, 512, 3)."""
    from skimage import data

    return np.asarray(data.astronaut())


@pytest.fixture(scope="session")
def coffee() -> np.ndarray:
    """A real photograph in color, uint8 (400, 600, 3)."""
    from skimage import data

    return np.asarray(data.coffee())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server of S3 on the loopback, which those who look for S3 find."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        patch.setenv(name, value)
    yield f"http://{host}:{port}"
    patch.undo()
    server.stop()


@pytest.fixture
def s3(s3_server: str) -> str:
    """The address of a new bucket that keeps all versions of what is put there."""
    import boto3

    bucket = f"box-{secrets.token_hex(4)}"
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return f"s3://{bucket}"


@pytest.fixture(scope="module")
def processes(s3_server: str) -> Iterator[Any]:
    """A cluster of two worker processes; a task has two tries."""
    import logging

    from distributed import LocalCluster

    with (
        pytest.MonkeyPatch().context() as patch,
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
            scheduler_kwargs={
                "allowed_failures": 1,
                "dashboard": False,
                "dashboard_address": "127.0.0.1:0",
            },
        ) as cluster,
    ):
        patch.syspath_prepend(str(Path(__file__).parent / "archive"))
        yield cluster


@pytest.fixture(scope="module")
def threads() -> Iterator[Any]:
    """A cluster within this process: its workers see what lies in memory."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        yield cluster


@pytest.fixture
def folder(models, tmp_path, monkeypatch):
    """An empty folder to work in."""
    path = tmp_path / "work"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def scan(gray_photo):
    """A small gray photograph."""
    import opsin

    return opsin.open(gray_photo[::4, ::4])


@pytest.fixture(autouse=True)
def _signals_are_as_they_were() -> Iterator[None]:
    """A test that leaves Ctrl-C ignored or lost would change what the tests after it see."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    after = {one: signal.getsignal(one) for one in before}
    assert after == before, "the test left a signal's handler changed"
