"""YOLO: which cell answers for what, and what its answers mean."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from opsin.objects.networks.yolo import Yolo, boxes_of, grid, responsible  # noqa: E402

CELLS = grid(128)  # 16 x 16 cells of 8 pixels, 8 x 8 of 16, 4 x 4 of 32


def answering(*boxes: list[float]) -> list[list[float]]:
    """The cells that answer for each thing, as boxes."""
    given = torch.tensor([boxes])
    there = torch.ones(given.shape[:2], dtype=torch.bool)
    found = responsible(CELLS, given, there)[0]
    return [CELLS[found == number].tolist() for number in range(len(boxes))]


def test_the_grids_cover_the_picture_once_each() -> None:
    assert len(CELLS) == 16**2 + 8**2 + 4**2
    for first, last, side in ((0, 256, 8), (256, 320, 16), (320, 336, 32)):
        part = CELLS[first:last]
        assert (part[:, 2:] - part[:, :2] == side).all()
        assert len({tuple(one) for one in part.tolist()}) == len(part)
        assert part.min() == 0
        assert part.max() == 128
    assert CELLS[1].tolist() == [8, 0, 16, 8]


def test_a_thing_is_answered_for_by_the_cells_about_its_middle() -> None:
    [cells] = answering([22.0, 22, 62, 62])  # 40 pixels: the grid of 8; its middle is at 42, 42
    assert sorted(cells)[0] == [32, 32, 40, 40]
    assert len(cells) == 9
    [cells] = answering([42.0, 42, 46, 46])  # smaller than a cell: its own alone
    assert cells == [[40, 40, 48, 48]]


@pytest.mark.parametrize(("side", "stride"), [(64, 8), (65, 16), (127, 16), (130, 32), (400, 32)])
def test_the_grid_fits_the_size(side: float, stride: int) -> None:
    [cells] = answering([60 - side / 2, 60 - side / 2, 60 + side / 2, 60 + side / 2])
    assert {x2 - x1 for x1, _, x2, _ in cells} == {stride}


def test_of_two_things_the_smaller_one_has_the_cell() -> None:
    large, small = answering([16.0, 16, 64, 64], [32.0, 32, 48, 48])
    assert len(small) == 4
    assert len(large) == 12
    assert not [cell for cell in small if cell in large]


def test_distances_are_in_cells_from_the_center() -> None:
    cell = torch.tensor([[32.0, 16, 48, 32]])
    assert boxes_of(torch.tensor([[1.0, 0, 2, 0.5]]), cell).tolist() == [[24, 24, 72, 32]]


def test_answers_that_are_right_cost_least(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Yolo(2, size=128, width=8)
    boxes = torch.tensor([[[20.0, 20, 60, 60], [0, 0, 0, 0], [70, 70, 120, 120]]])
    labels = torch.tensor([[1, -1, -2]])
    mine = responsible(CELLS, boxes, labels >= 0)[0] == 0

    def cost(score: float, places: torch.Tensor, elsewhere: float = -9.0) -> dict[str, float]:
        logits = torch.full((1, len(CELLS), 2), elsewhere)
        logits[0, mine, 1] = score
        monkeypatch.setattr(network, "answers", lambda picture: (logits, places[None]))
        found = network.losses(torch.zeros(1), boxes, labels)
        return {name: float(value) for name, value in found.items()}

    right = boxes[0, 0].expand(len(CELLS), 4)
    best = cost(9.0, right)
    assert best["box"] == pytest.approx(0, abs=1e-5)
    assert best["class"] < 0.01
    assert cost(-9.0, right)["class"] > 1
    assert cost(9.0, right + 10)["box"] > 0.3
    assert cost(9.0, right + 10)["class"] > best["class"]  # so sure of a box that is off
    assert cost(9.0, right, elsewhere=2.0)["class"] > 1


def test_what_is_not_judged_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Yolo(2, size=128, width=8)
    boxes = torch.tensor([[[64.0, 64, 128, 128]]])
    logits = torch.full((1, len(CELLS), 2), -12.0)
    center = (CELLS[:, :2] + CELLS[:, 2:]) / 2
    logits[0, (center > 64).all(dim=1)] = 5.0
    monkeypatch.setattr(network, "answers", lambda picture: (logits, torch.zeros(1, len(CELLS), 4)))
    costs = {
        label: float(network.losses(torch.zeros(1), boxes, torch.tensor([[label]]))["class"])
        for label in (-2, -1)
    }
    assert costs[-2] < 0.01
    assert costs[-1] > 10


def test_blue_comes_first() -> None:
    torch.manual_seed(0)
    network = Yolo(1, size=64, width=8)
    seen: list[torch.Tensor] = []
    network.encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    picture = torch.zeros(1, 3, 64, 64)
    picture[:, 0] = 200  # blue
    boxes, scores, cells = network.eval()(picture)
    assert seen[0][0, :, 0, 0].tolist() == [0, 0, 200]
    assert boxes.shape == cells.shape == (1, 84, 4)
    assert scores.shape == (1, 84, 1)
    assert float(scores.detach().max()) == pytest.approx(0.01, abs=1e-3)
