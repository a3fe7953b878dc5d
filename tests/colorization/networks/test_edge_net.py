"""EdgeNet: it starts by changing nothing, sees 9x9 pixels, and can draw color to an edge of L*."""

import pytest

torch = pytest.importorskip("torch")

from opsin.colorization.networks.edge_net import EdgeNet  # noqa: E402


def test_it_starts_by_changing_nothing() -> None:
    ab = (40 * torch.randn(2, 2, 12, 20)).clamp(-110, 110)
    assert torch.equal(EdgeNet()(torch.rand(2, 1, 12, 20) * 100, ab), ab)


def test_number_of_parameters() -> None:
    assert sum(p.numel() for p in EdgeNet().parameters()) == 19_970


def test_a_pixel_is_decided_by_the_nine_by_nine_around_it() -> None:
    torch.manual_seed(0)
    network = EdgeNet()
    torch.nn.init.normal_(network.change.weight, std=1e-3)  # far from the bounds
    light = torch.rand(1, 1, 21, 21) * 100
    light.requires_grad_()
    network(light, torch.zeros(1, 2, 21, 21))[0, 0, 10, 10].backward()
    rows = light.grad[0, 0].any(dim=1).nonzero().flatten().tolist()
    assert rows == list(range(6, 15))


def test_colors_stay_within_reach() -> None:
    network = EdgeNet()
    torch.nn.init.constant_(network.change.bias, 5.0)
    assert network(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4)).max() == 110


def test_a_color_that_leaks_over_an_edge_is_drawn_back() -> None:
    """Squares of two grays, the bright side red; what it is given leaks three pixels too far."""
    torch.manual_seed(0)
    network = EdgeNet()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    column = torch.arange(24).expand(24, 24)

    def scene(edge: int) -> tuple[torch.Tensor, ...]:
        light, truth = torch.where(column < edge, 70.0, 30.0), torch.where(column < edge, 40.0, 0.0)
        leaked = torch.where(column < edge + 3, 40.0, 0.0)
        colors = [torch.stack([a, 0 * a])[None] for a in (leaked, truth)]
        return light[None, None], *colors

    for step in range(60):
        light, leaked, truth = scene(6 + step % 9)
        loss = (network(light, leaked) - truth).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    light, leaked, truth = scene(15)
    with torch.no_grad():
        after = (network(light, leaked) - truth).abs().mean()
    assert after < (leaked - truth).abs().mean() / 2
