"""A6: the bottleneck at each training size, the judge, parameters."""

import pytest

torch = pytest.importorskip("torch")

from opsin.colorization.networks.conditional_gan import SIZES, Discriminator, Generator  # noqa: E402


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def on_meta(network: type, **options: int) -> torch.nn.Module:
    """A network without numbers, which is built at once."""
    with torch.device("meta"):
        return network(**options)


@pytest.mark.parametrize("residual", [False, True])
def test_sizes_of_the_contracting_half_at_32(residual: bool) -> None:
    with torch.no_grad():
        maps = Generator(residual=residual).features(torch.rand(2, 1, 32, 32) * 100)
    channels, sides = [64, 128, 256, 512, 512], [32, 16, 8, 4, 2]
    assert [tuple(x.shape[1:]) for x in maps] == [
        (c, s, s) for c, s in zip(channels, sides, strict=True)
    ]


@pytest.mark.parametrize("size", SIZES)
def test_the_bottleneck_is_2x2_at_each_training_size(size: int) -> None:
    light = torch.zeros(1, 1, size, size, device="meta")  # shapes without numbers
    network = on_meta(Generator, size=size)
    assert network.features(light)[-1].shape == (1, 512, 2, 2)
    assert network(light).shape == (1, 2, size, size)


def test_number_of_parameters() -> None:
    assert count(on_meta(Generator)) == 16_651_778
    assert count(on_meta(Generator, residual=True)) == 27_569_154
    assert count(on_meta(Generator, size=128)) == 41_821_698
    assert count(on_meta(Generator, size=128, residual=True)) == 62_180_354
    assert count(on_meta(Discriminator)) == 2_759_489
    assert count(on_meta(Discriminator, size=128)) == 11_150_145


@pytest.mark.parametrize("size", [32, 64])
def test_the_discriminator_gives_one_logit_a_picture_and_learns(size: int) -> None:
    torch.manual_seed(0)
    judge = Discriminator(size=size)
    light, ab = torch.rand(3, 1, size, size) * 100, torch.randn(3, 2, size, size) * 20
    logits = judge(light, ab.requires_grad_())
    assert logits.shape == (3,)
    assert judge.convs(torch.zeros(1, 3, size, size)).shape == (1, 512, 2, 2)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in judge.parameters())
    assert ab.grad is not None
    assert ab.grad.any()  # which is what the generator learns from


def test_the_discriminator_sees_the_gray_picture_and_larger_ones() -> None:
    torch.manual_seed(0)
    judge = Discriminator().eval()
    ab = torch.randn(2, 2, 64, 48)
    with torch.no_grad():
        dark, light = (
            judge(torch.zeros(2, 1, 64, 48), ab),
            judge(torch.full((2, 1, 64, 48), 90.0), ab),
        )
    assert dark.shape == (2,)
    assert not torch.allclose(dark, light)


def test_no_batch_normalization_on_pictures_and_answers() -> None:
    for network in (Generator(), Discriminator()):
        layers = [m for m in network.modules() if not list(m.children())]
        convs = [i for i, m in enumerate(layers) if "Conv" in type(m).__name__]
        normalized = [
            i + 1 < len(layers) and isinstance(layers[i + 1], torch.nn.BatchNorm2d) for i in convs
        ]
        assert normalized == [False, *[True] * (len(convs) - 2), False]


def test_dropout_comes_after_the_first_transposed_convolution_only() -> None:
    ups = on_meta(Generator, dropout=0.5).up
    dropped = [[m.p for m in up if isinstance(m, torch.nn.Dropout)] for up in ups]
    assert dropped == [[0.5], [], [], []]
    assert not any(isinstance(m, torch.nn.Dropout) for m in on_meta(Generator).modules())


def test_an_unknown_size_names_the_known() -> None:
    for network in (Generator, Discriminator):
        with pytest.raises(ValueError, match=r"unknown size 48\. Available: 32, 64, 128, 256"):
            network(size=48)
