"""A2: what the decoder sees, what is trained, and why its pictures have a single color."""

import pytest

torch = pytest.importorskip("torch")

from opsin.colorization.networks.classifier_decoder import ClassifierDecoder  # noqa: E402


def test_sizes_at_the_decoder() -> None:
    light = torch.zeros(1, 1, 64, 96)
    with torch.no_grad():
        assert ClassifierDecoder().seen(light).shape == (1, 320, 2, 3)
        seen = ClassifierDecoder(variant="probabilities").seen(light, torch.randn(1, 1000))
    assert seen.shape == (1, 1000, 8, 12)
    assert torch.allclose(seen.sum(dim=1), torch.ones(1, 8, 12))


@pytest.mark.parametrize(
    ("variant", "count", "trained"),
    [("map", 3_449_858, 511_314), ("probabilities", 685_394, 685_394)],
)
def test_number_of_parameters(variant: str, count: int, trained: int) -> None:
    parameters = list(ClassifierDecoder(variant=variant).parameters())
    assert sum(p.numel() for p in parameters) == count
    assert sum(p.numel() for p in parameters if p.requires_grad) == trained


def test_the_classifier_is_frozen_unless_wished_otherwise() -> None:
    assert not any(p.requires_grad for p in ClassifierDecoder().classifier.parameters())
    trained = ClassifierDecoder(train_classifier=True)
    assert all(p.requires_grad for p in trained.classifier.parameters())


def test_probabilities_alone_give_a_single_color_away_from_the_borders() -> None:
    torch.manual_seed(0)
    network = ClassifierDecoder(variant="probabilities").eval()
    with torch.no_grad():
        ab = network.small(torch.rand(1, 1, 80, 80) * 100, torch.randn(1, 1000))
    inner = ab[..., 14:-14, 14:-14].flatten(2)  # no zero padding in reach
    assert inner.std(dim=2).max() < 1e-4
    assert inner.abs().max() > 1e-2


def test_errors_say_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"unknown variant 'x'\. Available: map, probabilities"):
        ClassifierDecoder(variant="x")
    with pytest.raises(ValueError, match="train_classifier needs variant 'map'"):
        ClassifierDecoder(variant="probabilities", train_classifier=True)
    with pytest.raises(ValueError, match=r"needs features: a classifier's answer \(B, 1000\)"):
        ClassifierDecoder(variant="probabilities")(torch.zeros(1, 1, 8, 8))
