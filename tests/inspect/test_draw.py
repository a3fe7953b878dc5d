import hashlib
import sys

import numpy as np
import pytest
from conftest import write_tiny_model

import opsin
from opsin.color import light_of_pixels
from opsin.colorization.bins import BINS
from opsin.colorization.pipeline import predict
from opsin.errors import ExtraMissingError, ModelError, SaveError
from opsin.inspect.answers import Share
from opsin.inspect.draw import Stage, draw, inspect, title
from opsin.inspect.layers import Layer, chosen, graph_of, layers_of, look, place, stages
from opsin.models.engine import runtime
from opsin.models.store import find

onnx = pytest.importorskip("onnx")

SIZE = 64


@pytest.fixture(scope="module")
def cup():
    """A real photograph of 64 x 96 pixels, which the network sees as it is."""
    from skimage import data

    return opsin.open(np.ascontiguousarray(data.coffee()[40:360:5, 60:540:5]))


@pytest.fixture(scope="module")
def listed(cup):
    return layers_of(cup, size=SIZE)


def named(layers, *names):
    return [next(layer for layer in layers if layer.name == name) for name in names]


def truncated(tensor, photo, model="default"):
    """What ONNX Runtime gives for the part of the graph that ends at a tensor."""
    whole = graph_of(find(model))
    feeds = {
        "light": light_of_pixels(photo.pixels)[None, None],
        "hints": np.zeros((1, 3, photo.height, photo.width), np.float32),
        "condition": np.zeros((1, len(BINS)), np.float32),
    }
    inferred = onnx.shape_inference.infer_shapes(whole)
    part = onnx.utils.Extractor(inferred).extract_model(list(feeds), [tensor])
    session = runtime().InferenceSession(part.SerializeToString())
    needed = {entry.name for entry in session.get_inputs()}
    [found] = session.run([tensor], {name: feeds[name] for name in needed})
    return found[0]


NAMES = ("/encoder/blocks.2/Add", "/encoder/Div_4", "/attend.1/Reshape_5", "/climb.1/Relu")


def test_a_layer_gives_what_the_graph_cut_off_there_gives(cup, listed):
    wanted = named(listed, *NAMES)
    output, values = look(cup, wanted, size=SIZE)
    for layer, found in zip(wanted, values, strict=True):
        assert found.shape == layer.shape[1:]
        assert found == pytest.approx(truncated(layer.tensor, cup), abs=2e-3), layer.name
    assert np.ptp(values[0]) > 1
    assert output.raw.shape == (313, 16, 24)


def test_looking_does_not_change_the_answer(cup):
    found = inspect(cup, size=SIZE)
    colors = predict(cup, size=SIZE)
    assert found.answer.entropy == pytest.approx(colors.entropy, abs=1e-3)
    difference = np.abs(
        found.answer.colorized.pixels.astype(int) - opsin.colorize(cup, size=SIZE).pixels
    )
    assert difference.max() <= 2


def test_the_parameters_are_those_of_the_network(listed):
    torch = pytest.importorskip("torch")
    from opsin.colorization.networks.color_bins import ColorBins

    network = ColorBins()
    expected = sum(one.numel() for one in network.parameters())
    assert sum(layer.parameters for layer in listed) == expected
    [stem] = named(listed, "/encoder/stem/Conv")
    assert stem.parameters == sum(one.numel() for one in network.encoder.stem.parameters())
    assert torch.is_tensor(network.encoder.stem.weight)


def test_shapes_are_those_of_the_documented_table(listed):
    encoder = named(listed, "/encoder/Div_1", "/encoder/Div_2", "/encoder/Div_3", "/encoder/Div_4")
    assert [layer.shape for layer in encoder] == [
        (1, 24, 16, 24),
        (1, 40, 8, 12),
        (1, 112, 4, 6),
        (1, 320, 2, 3),
    ]
    attention = [layer for layer in listed if layer.name.startswith("/attend.0/mix")]
    assert {layer.drawable for layer in attention} == {False}
    assert attention[0].shape == (1, 6, 512)  # 2 x 3 positions


def test_the_stages_go_down_and_up_again(listed):
    found = stages(listed)
    heights = [layer.shape[2] for layer in found]
    assert heights == [32, 16, 8, 4, 2, 2, 4, 8, 16]
    assert [layer.name.split("/")[1].split(".")[0] for layer in found] == [
        *["encoder"] * 5,
        "attend",
        *["film"] * 3,
    ]


def test_layers_are_chosen_by_number_name_or_module(listed):
    assert len(chosen(listed, 3)) == 3
    assert chosen(listed, 3)[0] == stages(listed)[0]
    assert len(chosen(listed, 40)) == 40
    assert len(chosen(listed, 10_000)) == sum(layer.drawable for layer in listed)
    found = chosen(listed, ["/encoder/blocks.2", "encoder/stem/Conv", "/head/Conv"])
    assert [layer.name for layer in found] == [
        "/encoder/blocks.2/Add",
        "/encoder/stem/Conv",
        "/head/Conv",
    ]


@pytest.mark.parametrize("name", ["/encoder/blocks", "none", "", "/attend.0/mix"])
def test_an_unknown_layer_is_an_error(listed, name):
    with pytest.raises(ModelError, match=f"no layer '{name}' that can be drawn"):
        chosen(listed, [name])


def test_a_number_below_one_is_an_error(listed):
    with pytest.raises(ValueError, match="layers must be 1 or more, got 0"):
        chosen(listed, 0)


def test_padding_is_left_out(gray_photo):
    scan = opsin.open(gray_photo[:70, :90])
    found = inspect(scan, size=70, layers=["/encoder/stem/Conv", "/encoder/Div_4", "/head/Conv"])
    assert [stage.layer.shape[2:] for stage in found.stages] == [(48, 48), (3, 3), (24, 24)]
    assert [stage.values.shape[1:] for stage in found.stages] == [(35, 45), (3, 3), (18, 23)]


def test_a_small_model_without_modules_is_drawn_too(models, gray_photo, tmp_path):
    out = tmp_path / "page.png"
    found = inspect(gray_photo, out, model="tiny")
    assert [stage.layer.name for stage in found.stages] == ["mean", "plain", "sum", "logits"]
    assert found.parameters == 313 + 313 + 313 * 3
    assert opsin.open(out).width > 1000


def test_a_network_that_answers_with_ab_has_no_colors_to_list(models, gray_photo):
    card = write_tiny_model(models, "plain", answer="ab")
    found = inspect(gray_photo, model=str(card))
    assert (found.answer.entropy, found.answer.colors) == (None, ())
    assert draw(found).shape[2] == 3


def test_the_colors_are_the_distribution_s_mean(cup):
    found = inspect(cup, size=SIZE)
    assert len(found.answer.colors) == 313
    assert sum(one.share for one in found.answer.colors) == pytest.approx(1, abs=1e-4)
    shares = [one.share for one in found.answer.colors]
    assert shares == sorted(shares, reverse=True)
    a, b = np.sum([np.multiply(one.ab, one.share) for one in found.answer.colors], axis=0)
    assert a > 3  # a brown table and a red cup
    assert b > 1


def stage(values):
    layer = Layer("x", "Conv", (1, *values.shape), 0, True, "x", 0)
    return Stage(layer, values.astype(np.float32))


def test_figures_of_a_stage():
    values = np.zeros((4, 5, 6))
    values[1] = 7  # says the same everywhere, like 0 and 3
    values[2] = np.arange(30).reshape(5, 6)
    found = stage(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std())
    assert found.dead == 0.75
    assert found.strongest(2)[0] == 2


def test_every_channel_is_drawn_from_its_least_to_its_most(cup):
    found = inspect(cup, layers=["/encoder/stem"], size=SIZE)
    few, many = draw(found, channels=3), draw(found, channels=30)
    assert few.dtype == np.uint8
    assert len(many) > len(few) + 2 * 60
    [one] = found.stages
    assert len(set(one.strongest(30))) == 30


def test_the_page_shows_the_likeliest_color(cup):
    found = inspect(cup, size=SIZE, layers=1)
    assert isinstance(found.answer.colors[0], Share)
    page = draw(found).astype(int)
    assert (np.ptp(page, axis=2) > 30).mean() > 0.02  # the answer and the colors


def test_the_photograph_is_never_overwritten(models, gray_photo, tmp_path):
    path = opsin.open(gray_photo[::4, ::4]).save(tmp_path / "a.png")
    with pytest.raises(SaveError, match=r"a\.png is one of the photographs"):
        inspect(path, path, model="tiny")


def test_without_onnx_the_extra_is_named(monkeypatch, cup):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExtraMissingError, match=r"pip install 'opsin\[train\]'"):
        inspect(cup)


def test_an_ensemble_is_not_one_network(cup):
    with pytest.raises(ModelError, match="'default,default' is an ensemble: look into one"):
        inspect(cup, model="default,default")


def test_titles_say_where_a_stage_lies_and_what_its_numbers_stand_for(astronaut):
    found = inspect(astronaut[::2, ::2], size=64)
    titles = [title(found, stage).splitlines() for stage in found.stages]
    ways = ("on the way down", "at the bottom, where the picture is smallest", "on the way up")
    seen = [way for first, _ in titles for way in ways if f"{way}:" in first]
    assert list(dict.fromkeys(seen)) == list(ways)
    assert titles[0][0].endswith(" channels of 32 x 32, each number for 2 x 2 pixels")
    assert titles[1][0].startswith("encoder, after block 2, on the way down: 24 channels")
    assert all(
        stage.layer.name in second for stage, (_, second) in zip(found.stages, titles, strict=True)
    )


def test_a_network_whose_inner_names_are_no_text_is_one_sentence(tmp_path, astronaut):
    card = write_tiny_model(tmp_path, answer="ab")
    network = card.with_suffix(".onnx").read_bytes()
    changed = network.replace(b"mean", b"\x80ean")
    hashes = [hashlib.sha256(data).hexdigest() for data in (network, changed)]
    card.with_suffix(".onnx").write_bytes(changed)
    card.write_text(card.read_text().replace(*hashes))
    with pytest.raises(ModelError, match=r"tiny\.onnx: not a network in ONNX"):
        inspect(astronaut, model=str(card))


def layers_named(*names):
    return [Layer(name, "Relu", (1, 8, 4, 4), 0, True, name, 0) for name in names]


def test_a_place_is_the_modules_around_in_words():
    layers = layers_named(
        "/decoder/climb/climb.6/Relu", "/decoder/Tanh", "/hint_enter/Conv", "/Add_8", "plain"
    )
    found = [place(layers, layer) for layer in layers]
    assert found == ["decoder, climb 6", "decoder", "hint enter", "", ""]


def test_what_lies_between_blocks_is_after_the_one_before():
    layers = layers_named("/e/blocks.1/Add", "/e/Div", "/e/blocks.2/Add", "/e/Div_1", "/e/out/Conv")
    found = [place(layers, layer) for layer in layers]
    assert found == ["e, block 1", "e, after block 1", "e, block 2", "e, after block 2", "e, out"]
