"""A5: the two-size trick, sizes at the named points, classes, ablations."""

import pytest

torch = pytest.importorskip("torch")

from opsin.colorization.networks.global_local import GlobalLocal  # noqa: E402


@pytest.fixture(scope="module")
def network() -> GlobalLocal:
    torch.manual_seed(0)
    return GlobalLocal(6).eval()


def test_sizes_at_the_named_points(network: GlobalLocal) -> None:
    light, thumbnail = torch.zeros(1, 1, 64, 96), torch.zeros(1, 1, 224, 224)
    with torch.no_grad():
        assert network.low(thumbnail).shape == (1, 512, 28, 28)
        assert network.global_map(thumbnail).shape == (1, 512, 7, 7)
        summary = network.summary(thumbnail)
        assert summary.shape == (1, 512)
        assert network.features(light).shape == (1, 256, 8, 12)
        assert network.fused(light, summary).shape == (1, 512, 8, 12)
        assert network.logits(summary).shape == (1, 6)


@pytest.mark.parametrize(
    ("options", "count"), [({}, 42_309_448), ({"use_global": False}, 6_320_450)]
)
def test_number_of_parameters(options: dict, count: int) -> None:
    assert sum(p.numel() for p in GlobalLocal(6, **options).parameters()) == count


def test_both_is_forward_and_classify(network: GlobalLocal) -> None:
    light, thumbnail = torch.rand(1, 1, 16, 24) * 100, torch.rand(1, 1, 224, 224) * 100
    with torch.no_grad():
        ab, logits = network.both(light, thumbnail)
        assert torch.equal(ab, network(light, thumbnail))
        assert torch.equal(logits, network.classify(thumbnail))


def test_the_class_loss_trains_the_shared_layers() -> None:
    torch.manual_seed(0)
    network = GlobalLocal(3, global_size=32)
    logits = network.classify(torch.rand(4, 1, 32, 32) * 100)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    for part in (network.low, network.whole.convs, network.whole.dense, network.whole.classes):
        assert all(p.grad is not None and p.grad.any() for p in part.parameters())
    assert all(p.grad is None for p in network.middle.parameters())


def test_the_whole_photograph_changes_the_colors(network: GlobalLocal) -> None:
    light = torch.rand(1, 1, 16, 16) * 100
    with torch.no_grad():
        dark = network(light, torch.zeros(1, 1, 224, 224))
        noisy = network(light, torch.rand(1, 1, 224, 224) * 100)
    assert (dark - noisy).abs().max() > 1e-4


def test_without_the_global_branch_no_thumbnail_and_no_classes() -> None:
    network = GlobalLocal(6, use_global=False).eval()
    with torch.no_grad():
        assert network.fused(torch.zeros(1, 1, 16, 16), None).shape == (1, 256, 2, 2)
    with pytest.raises(ValueError, match="no global branch, so no classes"):
        network.classify(torch.zeros(1, 1, 224, 224))


def test_errors_say_what_is_missing() -> None:
    with pytest.raises(ValueError, match="global_size must be a multiple of 32, got 100"):
        GlobalLocal(6, global_size=100)
    with pytest.raises(ValueError, match=r"needs a thumbnail \(B, 1, 32, 32\)"):
        GlobalLocal(6, global_size=32)(torch.zeros(1, 1, 8, 8))
