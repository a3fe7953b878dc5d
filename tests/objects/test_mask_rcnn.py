"""Mask R-CNN: what is true in a proposal, what a mask costs, what is told."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import Tensor  # noqa: E402

from opsin.objects.networks.mask_rcnn import CELLS, TOLD, MaskRCNN, shapes_in  # noqa: E402

SIDE = 2 * CELLS
THING = torch.tensor([[20.0, 20, 76, 76]])
SURE = 9.0


@pytest.fixture(scope="module")
def network() -> MaskRCNN:
    torch.manual_seed(0)
    return MaskRCNN(2, size=96, width=8).eval()


def left_half(count: int = 1) -> Tensor:
    shape = torch.zeros(count, 56, 56)
    shape[:, :, :28] = 1
    return shape


def test_a_things_own_box_shows_its_shape() -> None:
    found = shapes_in(THING, THING, left_half(), SIDE)[0]
    assert found[:, :14].min() == 1
    assert found[:, 14:].max() == 0


@given(st.floats(0, 30), st.floats(60, 96), st.floats(0, 50), st.floats(60, 96))
def test_what_is_true_in_a_region_lies_where_the_thing_lies(
    x1: float, x2: float, y1: float, y2: float
) -> None:
    region = torch.tensor([[x1, y1, x2, y2]])
    found = shapes_in(region, THING, left_half(), SIDE)[0] >= 0.5
    steps = (torch.arange(SIDE) + 0.5) / SIDE
    x, y = x1 + (x2 - x1) * steps, y1 + (y2 - y1) * steps
    near = 0.51  # half a cell of the thing's shape, where it goes from one to the other
    inside_x, outside_x = (x > 20 + near) & (x < 48 - near), (x < 20 - near) | (x > 48 + near)
    inside_y, outside_y = (y > 20 + near) & (y < 76 - near), (y < 20 - near) | (y > 76 + near)
    assert found[inside_y][:, inside_x].all()
    assert not found[outside_y].any()
    assert not found[:, outside_x].any()


def cost(
    network: MaskRCNN, logits: Tensor, shapes: Tensor, monkeypatch: pytest.MonkeyPatch
) -> float:
    """Of masks (C, 28, 28), the same for each proposal."""
    torch.manual_seed(0)
    monkeypatch.setattr(
        network, "masks", lambda maps, number, boxes: logits.expand(len(boxes), -1, -1, -1)
    )
    maps = [torch.zeros(1, 8, 96 // stride, 96 // stride) for stride in (8, 16, 32)]
    found = network.of_proposals(maps, 0, THING, THING, torch.tensor([1]), shapes)
    assert set(found) == {"class", "box", "mask"}
    return float(found["mask"])


def test_only_the_mask_of_the_true_class_is_judged(
    network: MaskRCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = torch.full((SIDE, SIDE), -SURE)
    right[:, :14] = SURE
    shapes = left_half()
    assert cost(network, torch.stack([-right, right]), shapes, monkeypatch) < 1e-3
    assert cost(network, torch.stack([right, -right]), shapes, monkeypatch) > SURE - 0.1
    half = torch.stack([right, torch.full_like(right, SURE)])
    assert cost(network, half, shapes, monkeypatch) == pytest.approx(SURE / 2, abs=0.01)
    unknown = torch.full_like(shapes, -1)
    assert cost(network, torch.stack([right, -right]), unknown, monkeypatch) == 0


def test_the_best_of_each_class_are_told(network: MaskRCNN) -> None:
    boxes = torch.tensor([[0.0, 0, 40, 40], [0, 0, 40, 40], [0, 0, 40, 38], [50, 50, 90, 90]])
    scores = torch.tensor([[0.6, 0], [0, 0.7], [0.9, 0], [0, 0.2]])
    kept, sure, origins = network.told(boxes, scores, boxes + 1)
    assert kept.shape == origins.shape == (TOLD, 4)
    assert sure[:3].flatten().tolist() == pytest.approx([0.9, 0, 0, 0.7, 0, 0.2])
    assert kept[:3].tolist() == [[0, 0, 40, 38], [0, 0, 40, 40], [50, 50, 90, 90]]
    assert (origins[:3] == kept[:3] + 1).all()
    assert sure[3:].abs().sum() == 0


def test_a_box_has_the_mask_of_its_own_class(
    network: MaskRCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = torch.stack([torch.full((SIDE, SIDE), -SURE), torch.full((SIDE, SIDE), SURE)])
    monkeypatch.setattr(
        network, "masks", lambda maps, number, boxes: each.expand(len(boxes), -1, -1, -1)
    )
    with torch.no_grad():
        boxes, scores, _, masks = network(255 * torch.rand(1, 3, 96, 96))
    assert masks.shape == (1, TOLD, SIDE, SIDE)
    assert boxes.min() >= 0
    assert boxes.max() <= 96
    there = scores[0].amax(dim=1) > 0
    kinds = scores[0].argmax(dim=1)
    assert torch.equal(masks[0, there, 0, 0] > 0.5, kinds[there] == 1)


def test_small_boxes_are_looked_at_on_the_finest_map(network: MaskRCNN) -> None:
    maps = [torch.full((1, 8, 96 // one, 96 // one), float(one)) for one in (8, 16, 32)]
    sides = torch.tensor([20.0, 90, 150, 170, 300, 320])
    boxes = torch.stack([sides * 0, sides * 0, sides, sides], dim=1)
    cells = network.cells(maps, 0, boxes, CELLS, 224.0)
    assert cells[:, 0, 0, 0].tolist() == pytest.approx([8, 8, 8, 16, 16, 32])
