"""PicoDet in torch: the maps are those that the packaged detector computes."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from opsin.backbones.picodet import WIDTH, PicoDet, packaged  # noqa: E402
from opsin.models.engine import runtime  # noqa: E402
from opsin.models.store import find  # noqa: E402

STORED = {  # the graph's names of maps at 1/8, 1/16 and 1/32, and of those upon them
    "hardswish_14.tmp_0": "hardswish_38.tmp_0",
    "hardswish_22.tmp_0": "hardswish_42.tmp_0",
    "hardswish_30.tmp_0": "hardswish_46.tmp_0",
}


@pytest.fixture(scope="module")
def network() -> PicoDet:
    network = PicoDet()
    network.load_state_dict(packaged())
    return network.eval()


def test_its_maps_are_those_of_the_packaged_detector(network: PicoDet) -> None:
    model = onnx.load_from_string(find("picodet-s").read())
    names = [name for pair in STORED.items() for name in pair]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(one, 1, None) for one in names)
    session = runtime().InferenceSession(model.SerializeToString())
    rgb = np.ascontiguousarray(data.chelsea()[:208, :208].repeat(2, 0).repeat(2, 1))
    planes = rgb.transpose(2, 0, 1)[None].astype(np.float32)
    told = session.run(names, {"picture": np.ascontiguousarray(planes[:, ::-1])})
    with torch.no_grad():
        maps = network(torch.from_numpy(planes))
    for found, plain, tower in zip(maps, told[::2], told[1::2], strict=True):
        assert found.shape[1] == 2 * WIDTH
        np.testing.assert_allclose(found[:, :WIDTH], plain, atol=1e-3)
        np.testing.assert_allclose(found[:, WIDTH:], tower, atol=1e-3)


def test_pictures_of_other_sizes_have_smaller_maps(network: PicoDet) -> None:
    with torch.no_grad():
        maps = network(torch.zeros(2, 3, 64, 96))
    assert [tuple(one.shape) for one in maps] == [
        (2, 192, 8, 12),
        (2, 192, 4, 6),
        (2, 192, 2, 3),
    ]
    assert [one.shape[1] for one in maps] == network.channels


def test_it_stays_as_it_is_if_it_is_frozen() -> None:
    network = PicoDet()
    assert all(one.requires_grad for one in network.parameters())
    network.freeze(1)
    assert not any(one.requires_grad for one in network.parameters())
