import numpy as np
import pytest

from opsin.errors import DataError
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


def test_a_file_that_is_no_network_is_named(tmp_path):
    pytest.importorskip("torch")
    from opsin.evaluate.features import load

    for name in ("a.safetensors", "b.pt"):
        path = tmp_path / name
        path.write_bytes(b"no network")
        with pytest.raises(DataError, match=rf"{name}: not a feature network"):
            load(path)


def test_lite0_gives_1280_numbers(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from opsin.evaluate.features import Lite0, load

    state = {}
    for ours, value in Lite0().state_dict().items():
        *place, layer, kind = ours.removeprefix("encoder.").split(".")
        if layer == "last":
            state[f"_fc.{kind}"] = value
            continue
        first = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
        inner = {
            "widen": ("_expand_conv", "_bn0"),
            "depthwise": ("_depthwise_conv", "_bn1"),
            "narrow": ("_project_conv", "_bn2"),
        }
        conv, norm = (first | inner)[layer]
        before = f"_blocks.{place[1]}." if place else ""
        if kind == "weight":
            state[f"{before}{conv}.weight"] = value
        else:
            for name in ("weight", "running_var"):
                state[f"{before}{norm}.{name}"] = torch.ones_like(value)
            for name in ("bias", "running_mean"):
                state[f"{before}{norm}.{name}"] = torch.zeros_like(value)
    save_file(state, tmp_path / "lite0.safetensors")
    features = load(tmp_path / "lite0.safetensors")
    found = features(np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8))
    assert found.shape == (1280,)
    assert np.isfinite(found).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tracing, here only
def test_torchscript_takes_the_pixels_as_they_are(tmp_path):
    torch = pytest.importorskip("torch")
    from opsin.evaluate.features import load

    class Mean(torch.nn.Module):
        def forward(self, rgb):
            return rgb.float().mean(dim=(2, 3))

    traced = torch.jit.trace(Mean(), torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    traced.save(tmp_path / "mean.pt")
    features = load(tmp_path / "mean.pt")
    assert features(np.zeros((5, 6, 3), np.uint8) + np.uint8([1, 2, 3])).tolist() == [1, 2, 3]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_network_that_gives_no_features_is_an_error(tmp_path):
    torch = pytest.importorskip("torch")
    from opsin.evaluate.features import load

    class Fails(torch.nn.Module):
        def __init__(self, way: str):
            super().__init__()
            self.way = way

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            if self.way == "shape":
                return picture.float() @ torch.zeros(1, 1)
            if self.way == "axes":
                return picture.float()
            return picture.float().mean((1, 2, 3)).unsqueeze(0) / 0

    for way in ("shape", "axes", "infinite"):
        torch.jit.script(Fails(way)).save(str(tmp_path / "network.pt"))
        features = load(tmp_path / "network.pt")
        with pytest.raises(DataError, match=r"network\.pt: gives no (finite )?features of"):
            features(np.full((8, 8, 3), 9, np.uint8))
