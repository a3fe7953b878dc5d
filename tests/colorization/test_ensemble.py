import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import write_tiny_model

import opsin
from opsin.cli import main
from opsin.color import rgb_to_lab
from opsin.colorization.ensemble import Grid, cards, mean
from opsin.colorization.pipeline import confidence_map, predict, run_model
from opsin.models.card import Card, Colorize, Input, Output, map_shape, write_card
from opsin.models.store import members


def write_pooling_model(folder, name, *, size, stride):
    """A network that answers a* = 0, b* = L* - 50, each averaged over its cells; its card."""
    from onnx import TensorProto, helper, numpy_helper

    sides = {"light": (1, 1, "H", "W"), "ab": (1, 2, "h", "w")}
    light, ab = (
        helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in sides.items()
    )
    pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
    nodes = [
        helper.make_node("AveragePool", ["light"], ["mean"], **pool),
        helper.make_node("Conv", ["mean", "weight", "bias"], ["ab"]),
    ]
    weight = np.array([0, 1], np.float32).reshape(2, 1, 1, 1)
    constants = {"weight": weight, "bias": np.array([0, -50], np.float32)}
    initializers = [numpy_helper.from_array(values, key) for key, values in constants.items()]
    graph = helper.make_graph(nodes, name, [light], [ab], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = model.SerializeToString()
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(data)
    card = Card(
        name=name,
        version="3",
        task="colorize",
        network="pooling",
        file=f"{name}.onnx",
        sha256=hashlib.sha256(data).hexdigest(),
        license="Apache-2.0",
        paper="none",
        training_data="none",
        size=size,
        multiple=16,
        inputs=(Input(name="light", shape=(1, 1, "H", "W"), unit="L*"),),
        outputs=(Output(name="ab", shape=map_shape(2, stride)),),
        colorize=Colorize(answer="ab"),
    )
    write_card(card, folder / f"{name}.toml")


def centroid(amount, cells):
    """Where the amounts (h, w) lie, as shares of the photograph's sides."""
    weights = amount / amount.sum()
    rows = weights.sum(axis=1) @ (np.arange(amount.shape[0]) + 0.5)
    columns = weights.sum(axis=0) @ (np.arange(amount.shape[1]) + 0.5)
    return rows / cells[0], columns / cells[1]


def test_names_are_split_at_commas_unless_they_are_a_file(models, tmp_path):
    assert members("tiny") == ["tiny"]
    assert members("tiny, default") == ["tiny", "default"]
    card = write_tiny_model(tmp_path / "a,b", "third")
    assert members(str(card)) == [str(card)]
    assert [card.name for card in cards("tiny,default")] == ["tiny", "color-bins"]


def test_a_model_with_itself_gives_its_own_answer(models, gray_photo):
    alone = predict(opsin.open(gray_photo), model="tiny")
    twice = predict(opsin.open(gray_photo), model="tiny,tiny")
    assert np.array_equal(alone.ab, twice.ab)
    assert np.array_equal(alone.entropy, twice.entropy)
    assert np.array_equal(
        opsin.colorize(gray_photo, model="tiny").pixels,
        opsin.colorize(gray_photo, model="tiny,tiny").pixels,
    )


def test_the_answer_is_the_mean_where_the_grids_are_one(models, gray_photo):
    write_tiny_model(models, "strong", colors=1.3)
    photo = opsin.open(gray_photo)
    one, two = (predict(photo, model=name) for name in ("tiny", "strong"))
    both = predict(photo, model="tiny,strong")
    assert both.ab == pytest.approx((one.ab + two.ab) / 2, abs=1e-4)
    assert both.entropy == pytest.approx((one.entropy + two.entropy) / 2, abs=1e-6)


# 90 x 130 is seen as 64 x 92, 96 x 139 or 61 x 88: no side but 64 is a multiple of all strides
@pytest.mark.parametrize("other", [(64, 2), (64, 8), (96, 4), (96, 16), (61, 8), (61, 1)])
def test_colors_stay_in_register_where_sizes_and_strides_differ(models, other):
    scan = np.full((90, 130), 119, np.uint8)
    scan[50:70, 85:115] = 255
    write_pooling_model(models, "a", size=64, stride=4)
    write_pooling_model(models, "b", size=other[0], stride=other[1])
    for model in ("a", "b", "a,b", "b,a"):
        colors = predict(opsin.open(scan), model=model)
        assert colors.ab.shape[:2] == tuple(np.ceil(colors.view.cells))
        b = colors.ab[..., 1] - np.median(colors.ab[..., 1])
        found = np.multiply(centroid(b, colors.view.cells), scan.shape)
        assert found == pytest.approx((60, 100), abs=0.6), model  # pixels; a cell has 6 or more


def test_the_finest_grid_is_the_ensemble_s(models, gray_photo):
    write_pooling_model(models, "coarse", size=128, stride=16)
    write_pooling_model(models, "fine", size=64, stride=2)
    photo = opsin.open(gray_photo)
    both, fine = (predict(photo, model=name) for name in ("coarse,fine", "fine"))
    assert (both.view.stride, both.ab.shape) == (2, fine.ab.shape)
    assert np.array_equal(both.light, fine.light)


@pytest.mark.parametrize("size", [64, 80])
def test_a_size_is_for_all_members(models, gray_photo, size):
    write_pooling_model(models, "a", size=64, stride=4)
    write_pooling_model(models, "b", size=128, stride=4)
    outputs = run_model(opsin.open(gray_photo), model="a,b", size=size)
    assert [min(one.light.shape) for one in outputs] == [size, size]


# A linear function goes through bilinear interpolation as it is, up to the outermost centers.
@pytest.mark.parametrize("coarse", [(5.0, 7.0), (4.3, 6.9), (2.5, 3.1), (10.2, 11.9)])
def test_a_ramp_over_the_photograph_is_the_same_ramp_on_every_grid(coarse):
    def ramp(cells):
        h, w = (int(np.ceil(count)) for count in cells)
        rows, columns = (np.arange(h) + 0.5) / cells[0], (np.arange(w) + 0.5) / cells[1]
        return Grid(np.float32(3 * rows[:, None] - 2 * columns), cells)

    fine = ramp((10.25, 12.0))
    found = mean([fine, ramp(coarse)], fine)
    edge = int(np.ceil(max(0.5 * fine.cells[axis] / coarse[axis] for axis in (0, 1))))
    inner = slice(edge, -edge)
    assert found[inner, inner] == pytest.approx(fine.values[inner, inner], abs=1e-5)


def test_the_result_names_all_its_models(models, gray_photo):
    write_pooling_model(models, "pool", size=64, stride=4)
    xmp = opsin.colorize(gray_photo, model="tiny,pool").metadata.xmp
    assert b"tiny 1 + pool 3" in xmp


def test_confidence_is_the_mean_and_lies_where_the_photograph_has_it(models):
    write_tiny_model(models, "larger")
    card = models / "larger.toml"
    card.write_text(card.read_text().replace("size = 64", "size = 90"))
    scan = np.full((90, 130), 128, np.uint8)
    scan[30:60, 70:100] = 255
    sure = opsin.confidence(scan, model="tiny,larger")
    change = np.abs(sure - np.median(sure))
    rows, columns = change.sum(axis=1) @ np.arange(90), change.sum(axis=0) @ np.arange(130)
    assert (rows / change.sum(), columns / change.sum()) == pytest.approx((44.5, 84.5), abs=1)


def test_one_that_does_not_say_how_sure_it_is_leaves_none(models, gray_photo):
    write_pooling_model(models, "pool", size=64, stride=4)
    colors = predict(opsin.open(gray_photo), model="tiny,pool")
    assert colors.entropy is None
    with pytest.raises(opsin.ModelError, match="'pool' does not say how sure it is"):
        confidence_map(colors, 10, 10)


def test_points_go_to_those_that_take_them(models):
    write_pooling_model(models, "pool", size=64, stride=4)
    scan = np.full((128, 192), 119, np.uint8)
    scan[::2] += 4
    points = [(48, 64, "#c04020")]

    def red(model):
        pixels = opsin.colorize(scan, model=model, points=points).pixels
        return rgb_to_lab(pixels / np.float32(255))[64, 48, 1]

    assert red("tiny,pool") == pytest.approx(red("tiny") / 2, abs=2)
    with pytest.raises(opsin.ModelError, match="model 'pool,pool' takes no points"):
        red("pool,pool")


def test_an_unknown_member_is_named(models, gray_photo):
    with pytest.raises(opsin.ModelError, match=r"unknown model 'none'\. Available: "):
        opsin.colorize(gray_photo, model="tiny,none")


def test_callers_at_once_get_the_answers_of_one(models, gray_photo):
    write_pooling_model(models, "pool", size=80, stride=8)
    photos = [np.roll(gray_photo, shift, axis=1) for shift in range(0, 80, 10)]

    def pixels(photo):
        return opsin.colorize(photo, model="tiny,pool", threads=1).pixels

    alone = [pixels(photo) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(pixels, photos)
        assert all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))


def test_the_command_line_takes_names_with_commas(models, gray_photo, tmp_path, capsys):
    write_tiny_model(models, "strong", colors=1.3)
    scan = opsin.open(gray_photo[::3, ::3]).save(tmp_path / "scan.png")
    assert main(["colorize", str(scan), "--model", "tiny,strong", "--confidence"]) == 0
    expected = opsin.colorize(scan, model="tiny,strong").pixels
    assert np.array_equal(opsin.open(tmp_path / "scan-color.png").pixels, expected)
    assert (tmp_path / "scan-confidence.png").exists()
    assert main(["colorize", str(scan), "--model", "tiny,none", "--overwrite"]) == 1
    assert "unknown model 'none'" in capsys.readouterr().err
