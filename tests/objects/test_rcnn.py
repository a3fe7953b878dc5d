"""Fast and Faster R-CNN: what is drawn to learn from, what is proposed, what each answer costs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from opsin.objects.networks import fast_rcnn, faster_rcnn, parts  # noqa: E402
from opsin.objects.networks.fast_rcnn import FastRCNN, shaken, windows_on  # noqa: E402
from opsin.objects.networks.faster_rcnn import PROPOSALS, FasterRCNN, anchors_on  # noqa: E402

THING = [20.0, 20.0, 60.0, 60.0]
SURE = 9.0


@pytest.fixture(scope="module")
def faster() -> FasterRCNN:
    torch.manual_seed(0)
    return FasterRCNN(2, size=96, width=8).eval()


@pytest.fixture(scope="module")
def fast() -> FastRCNN:
    torch.manual_seed(0)
    return FastRCNN(2, size=96, width=8).eval()


def test_boxes_are_matched_with_what_they_share_most() -> None:
    found = torch.tensor([THING, [20, 20, 60, 50], [0, 0, 9, 9], [0, 0, 0, 0], [70, 70, 80, 80]])
    things = torch.tensor([[0.0, 0, 1, 1], THING, [66, 66, 90, 90]])
    thing, shared = parts.matched(found, things, torch.tensor([-1, 1, -2]))
    assert thing[:2].tolist() == [1, 1]
    assert shared.tolist() == pytest.approx([1, 0.75, 0, -1, -1])  # no area; not judged


def test_every_thing_has_an_anchor_of_its_own() -> None:
    found = torch.tensor([[0.0, 0, 30, 30], [0, 0, 10, 10], [50, 50, 60, 60]])
    things = torch.tensor([[0.0, 0, 40, 40], [4, 4, 5, 5], [90, 90, 95, 95]])
    kinds = torch.tensor([0, 1, 0])
    thing, shared = parts.matched(found, things, kinds, at_least_one=True)
    assert shared.tolist() == [1, 1, 0]
    assert thing[:2].tolist() == [0, 1]


def test_no_more_than_its_share_is_drawn_of_things() -> None:
    torch.manual_seed(0)
    on = torch.arange(100) < 40
    first, rest = parts.drawn(on, ~on, 32, share=0.25)
    assert (len(first), len(rest)) == (8, 24)
    assert (first < 40).all()
    assert (rest >= 40).all()
    assert len(set(rest.tolist())) == 24
    first, rest = parts.drawn(torch.arange(100) < 3, torch.arange(100) >= 50, 32, share=0.25)
    assert (len(first), len(rest)) == (3, 29)


def test_deltas_cost_their_square_when_small_and_themselves_when_large() -> None:
    found = torch.tensor([[0.05, 0, 0, 0], [0, 0, 0, 1.0]])
    cost = float(parts.box_loss(found, torch.zeros(2, 4), 4))
    assert cost == pytest.approx((0.5**2 / 2 + (5 - 0.5)) / 4)


def test_a_region_has_a_row_for_each_class_with_its_own_score() -> None:
    regions = torch.tensor([THING, [0, 0, 0, 0]])
    logits = torch.tensor([[1.0, 2.0, 3.0], [9.0, 0.0, 0.0]])
    deltas = torch.zeros(2, 2, 4)
    deltas[0, 1, 0] = 0.5
    rows, scores, origins = parts.rows_by_class(logits, deltas, regions)
    shares = logits[0].softmax(0)
    assert rows[:2].tolist() == [THING, [40, 20, 80, 60]]
    assert scores[0].tolist() == pytest.approx([float(shares[0]), 0])
    assert scores[1].tolist() == pytest.approx([0, float(shares[1])])
    assert scores[2:].abs().sum() == 0  # what has no area is nothing
    assert origins[:2].tolist() == [THING, THING]


def test_nine_anchors_a_position() -> None:
    found = anchors_on(96)
    assert found.shape == (9 * (12**2 + 6**2 + 3**2), 4)
    sides = (found[:, 2:] - found[:, :2]).prod(dim=1).sqrt()
    assert sorted({round(float(one)) for one in sides}) == [24, 40, 48, 64, 80, 96, 128, 160, 256]
    assert found[9 * 12**2 :][0, :2].tolist() == pytest.approx(
        [8 - 24 * 2**0.5, 8 - 24 / 2**0.5], abs=1e-3
    )


def test_proposals_are_the_best_that_are_apart(faster: FasterRCNN) -> None:
    likely = torch.full((len(faster.anchors),), -9.0)
    moved = torch.zeros(len(faster.anchors), 4)
    moved[7], likely[7] = torch.tensor([10.0, 10, 50, 50]), 2.0
    moved[8], likely[8] = torch.tensor([10.0, 10, 50, 49]), 3.0
    moved[9], likely[9] = torch.tensor([60.0, 60, 150, 150]), 1.0
    found = faster.best(likely, moved)
    assert found.shape == (PROPOSALS, 4)
    assert found[:2].tolist() == [[10, 10, 50, 49], [60, 60, 96, 96]]
    assert found[2:].abs().sum() == 0


class Mean(nn.Module):
    def forward(self, cells: Tensor) -> Tensor:
        return cells.mean(dim=1, keepdim=True)


def test_the_map_fits_the_size_of_a_proposal(
    faster: FasterRCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = [torch.full((2, 8, 96 // stride, 96 // stride), float(stride)) for stride in (8, 16, 32)]
    maps = [torch.stack([one[0] * 0, one[1]]) for one in maps]
    for name, layer in (("head", nn.Identity()), ("classes", Mean())):
        monkeypatch.setattr(faster, name, layer)
    monkeypatch.setattr(faster, "places", nn.Identity())
    sides = torch.tensor([20.0, 50, 60, 90, 95])
    regions = torch.stack([sides * 0, sides * 0, sides, sides], dim=1)
    logits, _ = faster.looked_at(maps, 1, regions)
    assert logits[:, 0].tolist() == pytest.approx([8, 8, 16, 16, 16])
    wide = torch.tensor([[-100.0, -100, 200, 200]])
    far = parts.roi_align(maps[2][1:], wide, scale=1 / 32, side=7).mean()
    assert float(faster.looked_at(maps, 1, wide)[0]) == pytest.approx(float(far))


def test_anchors_that_are_right_cost_least(faster: FasterRCNN) -> None:
    things, kinds = torch.tensor([THING]), torch.tensor([1])
    _, shared = parts.matched(faster.anchors, things, kinds, at_least_one=True)
    right = torch.where(shared >= 0.7, SURE, -SURE)
    moved = things.expand(len(faster.anchors), 4)

    def cost(likely: Tensor, moved: Tensor) -> dict[str, float]:
        torch.manual_seed(0)
        found = faster._of_anchors(likely, moved, things, kinds)
        return {name: float(value) for name, value in found.items()}

    assert cost(right, moved) == pytest.approx({"proposal": 0, "proposal box": 0}, abs=1e-3)
    assert cost(-right, moved)["proposal"] > 1
    assert cost(right, moved + 20)["proposal box"] > 0.05
    between = torch.where((shared >= 0.3) & (shared < 0.7), SURE, right)
    assert cost(between, moved)["proposal"] < 1e-3  # not judged


def test_regions_that_are_right_cost_least(
    faster: FasterRCNN, fast: FastRCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    things, kinds = torch.tensor([THING]), torch.tensor([1])
    regions = torch.tensor([THING, [18, 22, 62, 58], [60, 60, 90, 90], [15, 15, 40, 90]])

    def cost(kind: int, none: int, move: float) -> list[dict[str, float]]:
        def looked_at(*given: object) -> tuple[Tensor, Tensor]:
            chosen = given[-1]
            assert isinstance(chosen, Tensor)
            on = parts.iou(chosen, things)[:, 0] >= 0.5
            logits = torch.zeros(len(chosen), 3)
            logits[torch.arange(len(chosen)), torch.where(on, kind, none)] = SURE
            deltas = torch.full((len(chosen), 2, 4), 7.0)  # of the class that it is not
            deltas[:, 1] = parts.encode(things, chosen) + move
            return logits, deltas

        torch.manual_seed(0)
        found = []
        for network in (faster, fast):
            monkeypatch.setattr(network, "looked_at", looked_at)
        found.append(faster.of_proposals([], 0, regions, things, kinds))
        found.append(fast._of_regions(torch.zeros(1), regions, things, kinds))
        return [{name: float(value) for name, value in one.items()} for one in found]

    for one in cost(1, 2, 0.0):
        assert one == pytest.approx({"class": 0, "box": 0}, abs=1e-3)
    assert all(one["class"] > 1 for one in cost(0, 2, 0.0))
    assert all(one["class"] > 1 for one in cost(1, 1, 0.0))
    assert all(one["box"] > 0.5 for one in cost(1, 2, 0.3))


@settings(max_examples=50)
@given(st.integers(0, 2**16))
def test_a_window_lies_near_every_thing_that_is_not_small(seed: int) -> None:
    torch.manual_seed(seed)
    windows = windows_on(96)
    assert windows.min() >= 0
    assert windows.max() <= 96
    across = 0.2 + 0.75 * torch.rand(20, 1)
    ratio = torch.exp((torch.rand(20, 1) * 2 - 1) * torch.tensor(2.0).log() / 2)
    sides = torch.cat([across * ratio, across / ratio], dim=1).clamp(max=1) * 96
    corner = torch.rand(20, 2) * (96 - sides)
    shared = parts.iou(torch.cat([corner, corner + sides], dim=1), windows).amax(dim=1)
    assert (shared >= 0.5).all()


def test_boxes_near_a_thing_are_near_it() -> None:
    torch.manual_seed(0)
    found = shaken(torch.tensor([THING, [0, 0, 10, 20]]))
    assert len(found) == 2 * fast_rcnn.SHAKEN
    assert (found[::2] - torch.tensor(THING)).abs().max() <= 0.2 * 40
    assert (found[1::2] - torch.tensor([0, 0, 10, 20])).abs()[:, 0].max() <= 0.2 * 10
    assert len({tuple(one) for one in found.tolist()}) == len(found)


def test_fast_rcnn_looks_where_it_is_told(fast: FastRCNN) -> None:
    picture = 255 * torch.rand(1, 3, 96, 96)
    regions = torch.tensor([THING, [0, 0, 96, 96]])
    boxes, scores, origins = fast(picture, regions)
    assert boxes.shape == origins.shape == (1, 4, 4)
    assert scores.shape == (1, 4, 2)
    assert origins[0, ::2].tolist() == regions.tolist()
    assert fast(picture)[0].shape == (1, 2 * len(fast.windows), 4)


@pytest.mark.parametrize("kind", [FasterRCNN, FastRCNN])
def test_it_learns_where_nothing_is(kind: type[FasterRCNN | FastRCNN]) -> None:
    network = kind(2, size=96, width=8)
    nothing = torch.zeros(1, 1, 4), torch.tensor([[-1]])
    found = network.losses(torch.zeros(1, 3, 96, 96), *nothing)
    assert all(torch.isfinite(one) for one in found.values())
    torch.stack(list(found.values())).sum().backward()
    assert network.classes.bias.grad is not None
    assert network.classes.bias.grad[2] < 0  # "none" is to become likelier


def test_the_strides_are_those_of_the_maps() -> None:
    assert faster_rcnn.STRIDES == (8, 16, 32)
    network = FastRCNN(1, size=96, width=8)
    assert network.map(torch.zeros(1, 3, 96, 96)).shape == (1, 8, 6, 6)


@pytest.mark.parametrize("kind", [FasterRCNN, FastRCNN])
def test_a_picture_on_which_nothing_may_be_judged_costs_nothing(
    kind: type[FasterRCNN | FastRCNN],
) -> None:
    crowd = torch.tensor([[[-500.0, -500, 600, 600]]]), torch.tensor([[-2]])
    found = kind(2, size=96, width=8).losses(torch.zeros(1, 3, 96, 96), *crowd)
    assert all(float(one.detach()) == 0 for one in found.values())
    torch.stack(list(found.values())).sum().backward()  # a step goes on
