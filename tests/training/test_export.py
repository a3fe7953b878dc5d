"""What is written as ONNX is the network that torch has, or nothing is written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from opsin.errors import ModelError  # noqa: E402
from opsin.models.engine import runtime  # noqa: E402
from opsin.training.export import export_onnx, read_weights, store_bytes, to_bytes  # noqa: E402

FREE = {"light": {2: "H", 3: "W"}, "ab": {2: "H", 3: "W"}}


class Frozen(nn.Module):
    """Multiplies by its input's mean, which tracing takes for a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 1)

    def forward(self, light: torch.Tensor) -> torch.Tensor:
        return self.layer(light) * float(light.mean())


def pictures() -> list[dict[str, torch.Tensor]]:
    return [{"light": torch.full((1, 1, 8, 8), 1.0)}, {"light": torch.full((1, 1, 8, 16), 5.0)}]


def test_a_graph_that_answers_otherwise_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(b"the one before")
    with pytest.raises(ModelError, match=r"differs from torch's answer by 0\.\d+ .*Nothing was wr"):
        export_onnx(Frozen(), pictures(), path, output="ab", axes=FREE)
    assert path.read_bytes() == b"the one before"
    assert [file.name for file in tmp_path.iterdir()] == ["network.onnx"]


def test_weights_are_stored_in_half_and_come_back_by_their_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 2, 3))
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] = 1e6  # more than half precision can hold
        network[2].weight[:, 0] = 0
    path = tmp_path / "network.onnx"
    pairs = export_onnx(network, pictures(), path, output="ab", axes=FREE)
    for ours, stored in pairs:
        assert np.abs(ours - stored).max() < 0.01 * np.ptp(ours)
    assert path.stat().st_size < 2 * 1900 + 4 * 66 + 3000
    found = read_weights(SimpleNamespace(read=path.read_bytes, path=path))  # type: ignore[arg-type]
    for name, weight in network.state_dict().items():
        kept = weight.clamp(-65504, 65504).numpy()
        assert found[name].numpy() == pytest.approx(kept, rel=1e-3, abs=1e-6), name


def test_weights_of_8_bits_are_smaller_and_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.Conv2d(64, 2, 3, padding=1))
    paths = [tmp_path / name for name in ("half.onnx", "bytes.onnx")]
    pairs = [
        export_onnx(network, pictures(), path, output="ab", axes=FREE, store=store)
        for path, store in zip(paths, (None, store_bytes), strict=True)
    ]
    sizes = [path.stat().st_size for path in paths]
    assert sizes[1] < 0.75 * sizes[0]
    for torchs, stored in pairs[1]:
        assert np.abs(torchs - stored).max() < 0.02 * np.abs(torchs).max()
    stored = SimpleNamespace(read=paths[1].read_bytes, path=paths[1])
    found = read_weights(stored)  # type: ignore[arg-type]
    for name, weight in network.state_dict().items():
        assert found[name].shape == weight.shape
        assert (found[name] - weight).abs().max() <= weight.abs().max() / 127


def test_a_network_may_give_several_tensors(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, light: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return light.mean(dim=1, keepdim=True), light * 2

    path = tmp_path / "two.onnx"
    export_onnx(Two(), pictures(), path, output="ab", others=["double"], axes=FREE)
    session = runtime().InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["ab", "double"]


def test_each_channel_has_its_own_scale() -> None:
    weights = np.random.default_rng(0).normal(0, 1, (2, 64)).astype(np.float32)
    weights[0] /= 1000
    rounded, scale = to_bytes(weights)
    assert (np.abs(rounded * scale - weights).max(axis=1) < 0.1 * np.abs(weights).max(axis=1)).all()
