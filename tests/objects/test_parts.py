"""What detectors are built of: the same in torch, in NumPy and in ONNX Runtime."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from opsin import boxes  # noqa: E402
from opsin.models.engine import runtime  # noqa: E402
from opsin.objects.networks import parts  # noqa: E402


def regions(count: int, seed: int, *, least: float = -30, span: float = 260) -> Tensor:
    """Boxes within and beyond a picture of 240 x 192 pixels."""
    torch.manual_seed(seed)
    corner = torch.rand(count, 2) * span + least
    return torch.cat([corner, corner + 1 + torch.rand(count, 2) * 150], dim=1)


class Called(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *given: Tensor) -> Tensor:
        return self.function(*given)


def exported(
    function: Callable[..., Tensor], *given: Tensor, rows: Sequence[int]
) -> Callable[..., np.ndarray]:
    """The function in ONNX Runtime, traced on what is given; inputs `rows` may be of any length."""
    names = [f"in{number}" for number in range(len(given))]
    graph = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's notes on constants
        torch.onnx.export(
            Called(function),
            given,
            graph,
            input_names=names,
            dynamic_axes={f"in{number}": {0: "N"} for number in rows},
            opset_version=17,
            dynamo=False,
        )
    session = runtime().InferenceSession(graph.getvalue(), providers=["CPUExecutionProvider"])
    return lambda *others: session.run(
        None, {name: one.numpy() for name, one in zip(names, others, strict=True)}
    )[0]


@pytest.mark.parametrize("pooled", [parts.roi_align, parts.roi_pool])
def test_regions_are_pooled_as_onnx_runtime_does(pooled: Callable[..., Tensor]) -> None:
    maps = torch.randn(1, 6, 12, 15)

    def ours(maps: Tensor, found: Tensor) -> Tensor:
        return pooled(maps, found, scale=1 / 16, side=7)

    theirs = exported(ours, maps, regions(4, 0), rows=[1])
    for seed, count in ((1, 60), (2, 1)):
        found = regions(count, seed)
        np.testing.assert_allclose(ours(maps, found), theirs(maps, found), atol=1e-4)
    assert ours(maps, regions(0, 3)).shape == (0, 6, 7, 7)


def test_suppression_keeps_what_onnx_runtime_does() -> None:
    def ours(found: Tensor, scores: Tensor) -> Tensor:
        return parts.best_of(found, scores, most=0.3, limit=12)

    theirs = exported(ours, regions(5, 0), torch.rand(5), rows=[0, 1])
    for seed in range(5):
        found, scores = regions(80, seed, span=120), torch.rand(80)
        assert ours(found, scores).tolist() == theirs(found, scores).tolist()
        assert len(ours(found, scores)) <= 12


def test_aligned_regions_are_exact_on_a_slope() -> None:
    """Of a map that rises evenly, the mean of a cell is the map's height at its middle."""
    x, y = torch.meshgrid(torch.arange(20.0), torch.arange(16.0), indexing="xy")
    maps = torch.stack([x, y])[None] + 0.5  # in pixels of the map, whose first middle is at 0.5
    found = torch.tensor([[16.0, 24.0, 112.0, 88.0]])
    pooled = parts.roi_align(maps, found, scale=1 / 8, side=4)[0]
    middle = (torch.arange(4) + 0.5) / 4
    np.testing.assert_allclose(pooled[0], (2 + 12 * middle).expand(4, 4), atol=1e-4)
    np.testing.assert_allclose(pooled[1], (3 + 8 * middle)[:, None].expand(4, 4), atol=1e-4)


def test_a_pooled_cell_is_the_largest_number_in_it() -> None:
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 3, 5], maps[0, 0, 6, 6] = 7.0, 9.0
    pooled = parts.roi_pool(maps, torch.tensor([[16.0, 16.0, 48.0, 40.0]]), scale=1 / 8, side=2)
    assert pooled[0, 0].tolist() == [[0.0, 7.0], [0.0, 0.0]]  # rows 2 to 5, columns 2 to 6


@pytest.mark.parametrize("pooled", [parts.roi_align, parts.roi_pool])
def test_what_is_pooled_teaches_the_map(pooled: Callable[..., Tensor]) -> None:
    maps = torch.randn(1, 2, 10, 10, requires_grad=True)
    pooled(maps, torch.tensor([[16.0, 16.0, 48.0, 48.0]]), scale=1 / 8, side=2).sum().backward()
    assert maps.grad is not None
    assert maps.grad[0, 0].sum() == pytest.approx(4)
    assert maps.grad[0, :, 7:].abs().sum() == 0


@settings(max_examples=20)
@given(st.integers(0, 2**16))
def test_boxes_in_torch_are_those_in_numpy(seed: int) -> None:
    found, others = regions(5, seed), regions(5, seed + 1)
    np.testing.assert_allclose(
        parts.encode(found, others), boxes.encode(found, others), rtol=1e-3, atol=1e-4
    )
    deltas = torch.randn(5, 4)
    np.testing.assert_allclose(
        parts.decode(deltas, others), boxes.decode(deltas, others), rtol=1e-4, atol=1e-2
    )
    np.testing.assert_allclose(parts.iou(found, others), boxes.iou(found, others), atol=1e-5)


def test_boxes_that_are_apart_are_the_worse_the_farther() -> None:
    one = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    others = torch.tensor(
        [[0.0, 0.0, 10.0, 10.0], [5, 0, 15, 10], [10, 0, 20, 10], [30, 0, 40, 10]]
    )
    found = parts.giou(one.expand(4, 4), others).tolist()
    assert found == pytest.approx([1, 1 / 3, 0, -0.5])


def test_a_box_cannot_grow_without_end() -> None:
    one = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    assert torch.isfinite(parts.decode(torch.full((1, 4), 500.0), one)).all()
    assert torch.isfinite(parts.encode(torch.zeros(1, 4), torch.zeros(1, 4))).all()


def test_a_coarse_level_is_seen_in_the_fine_ones() -> None:
    torch.manual_seed(0)
    pyramid = parts.Pyramid([4, 6], 8).eval()
    fine, coarse = torch.zeros(1, 4, 8, 8), torch.zeros(1, 6, 4, 4)
    plain = pyramid([fine, coarse])
    assert [tuple(one.shape) for one in plain] == [(1, 8, 8, 8), (1, 8, 4, 4)]
    changed = pyramid([fine, coarse + torch.randn(1, 6, 4, 4)])
    assert not torch.equal(plain[0], changed[0])
    other = pyramid([fine + torch.randn(1, 4, 8, 8), coarse])
    assert torch.equal(plain[1], other[1])


def test_channels_of_all_sizes_count_alike() -> None:
    torch.manual_seed(0)
    layer = parts.evened(2).train()
    maps = torch.randn(4, 2, 9, 9) * torch.tensor([30.0, 0.1])[:, None, None] + 7
    even = layer(maps)
    np.testing.assert_allclose(even.mean(dim=(0, 2, 3)), [0, 0], atol=1e-4)
    np.testing.assert_allclose(even.std(dim=(0, 2, 3)), [1, 1], atol=1e-2)
    for _ in range(150):
        layer(maps)
    one = layer.eval()(maps[:1])  # what was seen in training holds for a picture alone
    np.testing.assert_allclose(one, even[:1], atol=0.1)
    assert all(value.is_floating_point() for value in layer.state_dict().values())
    pyramid = parts.Pyramid([2], 8).train()
    seen: list[Tensor] = []
    pyramid.lateral[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    pyramid([maps])
    np.testing.assert_allclose(seen[0].std(dim=(0, 2, 3)), [1, 1], atol=1e-2)
