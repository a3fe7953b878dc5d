"""A1, and what all networks from A1 to A6 have in common."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from opsin.backbones.classifiers import Lite  # noqa: E402
from opsin.colorization.networks.classifier_decoder import ClassifierDecoder  # noqa: E402
from opsin.colorization.networks.color_bins import ColorBins  # noqa: E402
from opsin.colorization.networks.colorizer import Small  # noqa: E402
from opsin.colorization.networks.conditional_gan import Generator  # noqa: E402
from opsin.colorization.networks.edge_net import GeneratorWithEdgeNet  # noqa: E402
from opsin.colorization.networks.encoder_decoder import EncoderDecoder  # noqa: E402
from opsin.colorization.networks.fusion import Fusion, FusionWithClassifier  # noqa: E402
from opsin.colorization.networks.global_local import GlobalLocal  # noqa: E402
from opsin.training.export import export_onnx  # noqa: E402

# name -> how to build it, and the shape of what it is given beside L*
NETWORKS: dict[str, tuple[Callable, tuple[int, ...]]] = {
    "encoder_decoder": (EncoderDecoder, ()),
    "classifier_decoder": (lambda: ClassifierDecoder(train_classifier=True), ()),
    "classifier_decoder, frozen": (ClassifierDecoder, ()),
    "classifier_decoder, probabilities": (
        lambda: ClassifierDecoder(variant="probabilities"),
        (1000,),
    ),
    "fusion": (Fusion, (1000,)),
    "fusion, faces": (lambda: Fusion(variant="faces"), (1000,)),
    "fusion, project": (lambda: Fusion(variant="project", fused="softmax"), (1000,)),
    "fusion with classifier": (lambda: FusionWithClassifier(Fusion(), Lite()), (1, 224, 224)),
    "global_local": (lambda: GlobalLocal(6, global_size=64), (1, 64, 64)),
    "global_local, no global": (lambda: GlobalLocal(6, use_global=False), ()),
    "global_local, no batch norm": (
        lambda: GlobalLocal(6, global_size=64, batch_norm=False),
        (1, 64, 64),
    ),
    "conditional_gan": (Generator, ()),
    "conditional_gan, residual": (lambda: Generator(residual=True), ()),
    "conditional_gan, edge net": (lambda: GeneratorWithEdgeNet(Generator()), ()),
}
EVERY = pytest.mark.parametrize("name", NETWORKS)


def build(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name][0]()


def inputs(name: str, height: int, width: int, *, batch: int = 2) -> list[torch.Tensor]:
    shape = NETWORKS[name][1]
    light = torch.rand(batch, 1, height, width) * 100
    if not shape:
        return [light]
    return [light, torch.rand(batch, *shape) * (100 if len(shape) > 1 else 1)]


def vivid(network: torch.nn.Module) -> torch.nn.Module:
    """The network with an answer far from its first, near gray, so that mistakes would show."""
    for part in network.modules():
        for name in ("color", "change"):
            if isinstance(getattr(part, name, None), torch.nn.Conv2d):
                torch.nn.init.normal_(getattr(part, name).weight, std=0.1)
    return network


@EVERY
def test_answers_in_full_size_and_every_parameter_learns(name: str) -> None:
    network = vivid(build(name))
    height, width = network.multiple, 3 * network.multiple
    ab = network(*inputs(name, height, width))
    assert ab.shape == (2, 2, height, width)
    assert torch.isfinite(ab).all()
    assert ab.abs().max() <= 128
    ab.square().mean().backward()
    trained = {n: p for n, p in network.named_parameters() if p.requires_grad}
    without = {n for n, p in trained.items() if p.grad is None or not p.grad.any()}
    assert trained
    assert {n for n in without if ".classes." not in n} == set()


@EVERY
def test_small_is_the_answer_before_the_last_enlargement(name: str) -> None:
    network = vivid(build(name)).eval()
    given = inputs(name, 2 * network.multiple, network.multiple, batch=1)
    with torch.no_grad():
        small, full = network.small(*given), network(*given)
    assert small.shape == (1, 2, *(side // network.stride for side in given[0].shape[2:]))
    blocks = small.repeat_interleave(network.stride, 2).repeat_interleave(network.stride, 3)
    assert torch.equal(full, blocks)


@EVERY
def test_starts_near_gray(name: str) -> None:
    network = build(name)
    with torch.no_grad():
        ab = network(*inputs(name, network.multiple, network.multiple))
    assert ab.square().mean().sqrt() < 10  # Lab units


@EVERY
def test_onnx_agrees_at_another_size_than_the_traced_one(name: str, tmp_path: Path) -> None:
    network = vivid(build(name))
    step = network.multiple
    names = ["light", "beside"][: 1 + bool(NETWORKS[name][1])]
    examples = [
        dict(zip(names, inputs(name, *size, batch=1), strict=True))
        for size in ((step, 2 * step), (3 * step, step))
    ]
    axes = {"light": {2: "H", 3: "W"}, "ab": {2: "h", 3: "w"}}
    pairs = export_onnx(Small(network), examples, tmp_path / "network.onnx", output="ab", axes=axes)
    for (ours, stored), given in zip(pairs, examples, strict=True):  # weights are stored in half
        assert ours.shape[2:] == tuple(side // network.stride for side in given["light"].shape[2:])
        np.testing.assert_allclose(stored, ours, atol=0.02 * np.abs(ours).max())


def test_what_a_network_is_given_is_what_it_takes() -> None:
    light = torch.rand(2, 1, 64, 96) * 100
    for network in (GlobalLocal(3, global_size=32), GlobalLocal(3, use_global=False), ColorBins()):
        given = network.given(light)
        assert list(given) == [entry.name for entry in network.inputs]
        assert torch.isfinite(network(**given)).all()
        assert all(not given[entry.name].any() for entry in network.inputs if entry.optional)
    assert list(given) == ["light", "hints", "condition"]


def test_decoder_sees_an_eighth_of_the_picture() -> None:
    network = EncoderDecoder().eval()
    with torch.no_grad():
        assert network.features(torch.zeros(1, 1, 224, 224)).shape == (1, 256, 28, 28)


def test_number_of_parameters() -> None:
    assert sum(p.numel() for p in EncoderDecoder().parameters()) == 6_322_130
