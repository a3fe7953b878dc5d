"""What `opsin inspect` shows of networks that name things, and of the kernels of any network."""

import json
import shutil

import numpy as np
import pytest
from conftest import write_tiny_classifier
from msgspec.structs import replace

import opsin
from opsin.cli import main
from opsin.errors import ModelError, WrongCallError
from opsin.inspect.draw import draw, inspect
from opsin.inspect.tiles import TILE, kernel
from opsin.models.card import write_card
from opsin.models.store import find

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize("model", ["imagenet", "gender", "gender-small"])
def test_the_answer_is_that_of_one_look(astronaut, model):
    found = inspect(astronaut, model=model, layers=1)
    expected = opsin.classify(astronaut, model=model, second_look=False)
    assert found.answer.classes.probabilities == pytest.approx(expected.probabilities, abs=1e-3)
    size = found.answer.card.size
    assert found.answer.picture.shape[1:] == found.answer.seen_hw == (size, size)


def test_the_mirror_image_is_not_what_is_drawn(astronaut, tmp_path):
    model = find("gender-small")
    shutil.copy(model.path, tmp_path)
    seen = []
    for mirror in (False, True):
        table = replace(model.card.classify, mirror=mirror)
        write_card(replace(model.card, classify=table), tmp_path / "mine.toml")
        [stage] = inspect(astronaut, model=str(tmp_path / "mine.toml"), layers=1).stages
        seen.append(stage.values)
    assert seen[0] == pytest.approx(seen[1])


def test_a_network_without_convolutions_has_an_answer_all_the_same(astronaut, tmp_path):
    card = str(write_tiny_classifier(tmp_path))
    found = inspect(astronaut, tmp_path / "page.png", model=card)
    assert (found.stages, found.answer.classes.name) == (
        (),
        opsin.classify(astronaut, model=card).name,
    )
    assert (
        main(["inspect", str(tmp_path / "page.png"), "--model", card, "-o", f"{tmp_path}/2.png"])
        == 0
    )


def test_stages_go_down_to_the_last_convolution(astronaut):
    found = inspect(astronaut, model="gender")
    heights = [stage.layer.shape[2] for stage in found.stages]
    assert heights == sorted(heights, reverse=True)
    assert found.stages[-1].layer.name == "/layers.7/Relu"
    assert found.parameters == 1_310_794


def test_parameters_stored_in_8_bits_are_counted(astronaut):
    found = inspect(astronaut, model="imagenet", layers=1)
    assert round(found.parameters / 1e6, 1) == 6.1
    assert not any(layer.operator == "Mul" and layer.parameters for layer in found.layers)


def test_the_page_of_a_classifier(astronaut, tmp_path, capsys):
    path = opsin.open(astronaut).save(tmp_path / "astronaut.png")
    page = tmp_path / "page.png"
    call = ["inspect", str(path), "--model", "imagenet", "--kernels", "-o", str(page)]
    assert main(call) == 0
    text = capsys.readouterr().out
    assert "%" in text
    assert "/encoder/blocks.3/Add" in text
    assert opsin.open(page).width > 1000
    assert main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kernels"] == [{"name": "/encoder/stem/Conv", "shape": [32, 3, 3, 3]}]
    assert len(found["classes"]) == 5
    assert found["seen"] == [260, 260]
    assert main([*call, "--list"]) == 0
    assert "6,063,024 parameters." in capsys.readouterr().out


def test_kernels_are_the_weights_of_the_first_convolution_or_of_those_named(astronaut):
    pytest.importorskip("torch")
    from opsin.backbones.efficientnet import EfficientNet, folded, imagenet_weights

    network = EfficientNet("lite2", colors=3)
    network.load_state_dict(folded(imagenet_weights("lite2"), colors=3))
    [first] = inspect(astronaut, model="imagenet", kernels=True).kernels
    expected = network.encoder.stem.weight.detach().numpy()
    assert first.weights == pytest.approx(
        expected, abs=float(np.abs(expected).max() / 100)
    )  # 8 bits
    assert first.color
    [named] = inspect(astronaut, model="gender", kernels=True, layers=["layers.2/conv"]).kernels
    assert (named.layer.name, named.color) == ("/layers.2/conv/Conv", False)


def test_kernels_of_a_colorizer_have_a_place_on_its_page(astronaut):
    without, found = (
        inspect(astronaut, size=64, layers=1, kernels=kernels) for kernels in (False, True)
    )
    assert found.kernels[0].weights.shape == (32, 1, 3, 3)
    assert len(draw(found)) > len(draw(without)) + 2 * TILE


def test_a_kernel_is_drawn_about_gray():
    weights = np.zeros((1, 3, 3), np.float32)
    weights[0, 0, 0], weights[0, 2, 2] = 2, -1
    drawn = kernel(weights, color=False)
    assert drawn.shape == (TILE, TILE, 3)
    assert [int(drawn[at, at, 0]) for at in (0, TILE // 2, TILE - 1)] == [255, 128, 64]
    red = kernel(np.stack([weights[0], 0 * weights[0], 0 * weights[0]]), color=True)
    assert red[0, 0].tolist() == [255, 128, 128]


def test_a_kernel_of_several_inputs_has_a_picture_for_each():
    weights = np.ones((5, 3, 3), np.float32)
    weights[4] = -1
    drawn = kernel(weights, color=False)[..., 0]
    scale = TILE // 11  # 3 beside each other, with a line between
    assert drawn.shape == (7 * scale, 11 * scale)
    assert drawn[5 * scale, [0, 5 * scale, 9 * scale]].tolist() == [255, 0, 255]


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"model": "yunet"}, ModelError, "'yunet' is for the task 'faces': opsin inspect looks"),
        (
            {"model": "gender", "size": 64},
            WrongCallError,
            "--size is for colorizers: 'gender' sees",
        ),
        ({"model": "gender", "kernels": True, "layers": ["MaxPool"]}, ModelError, "no kernels"),
    ],
)
def test_what_cannot_be_shown_is_said(astronaut, options, kind, said):
    with pytest.raises(kind, match=said):
        inspect(astronaut, **options)
