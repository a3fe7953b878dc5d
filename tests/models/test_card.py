from pathlib import Path

import msgspec
import pytest
from conftest import write_tiny_model

from opsin.errors import ModelError
from opsin.models.card import Input, Output, Segment, card_to_toml, read_card, write_card
from opsin.models.store import find

EXTRA = '[[inputs]]\nname = "extra"\nshape = [1]\nunit = "m"\n[[outputs]]'


def changed(path: Path, old: str, new: str) -> Path:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return path


def test_a_card_comes_back_as_it_was_written(tmp_path):
    card = read_card(write_tiny_model(tmp_path))
    (tmp_path / "again.toml").write_text(card_to_toml(card), "utf-8")
    assert read_card(tmp_path / "again.toml") == card


def test_text_with_quotes_and_umlauts_survives(tmp_path):
    path = changed(write_tiny_model(tmp_path), 'paper = "none"', 'paper = "Über \\"Farben\\""')
    card = read_card(path)
    path.write_text(card_to_toml(card), "utf-8")
    assert read_card(path).paper == card.paper == 'Über "Farben"'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "1"', "version = 1", "Expected `str`, got `int` - at `$.version`"),
        ('license = "Apache-2.0"\n', "", "missing required field `license`"),
        ('license = "Apache-2.0"', 'licence = "x"', "unknown field `licence`"),
        ("size = 64", "size = 4", "Expected `int` >= 8 - at `$.size`"),
        ("size = 64", "size = 16", "`size` must be 32 or more"),
        ('task = "colorize"', 'task = "Sing"', "at `$.task`"),
        ('task = "colorize"', 'task = "sing"', "'colorize' and a table [colorize] go together"),
        ('name = "tiny"', 'name = "../tiny"', "at `$.name`"),
        ('file = "tiny.onnx"', 'file = "../tiny.onnx"', "at `$.file`"),
        ('sha256 = "', 'sha256 = "g', "at `$.sha256`"),
        ('name = "light"', 'name = "dark"', "`inputs` has no `light`"),
        ('name = "condition"', 'name = "hints"', "`inputs` names one input twice"),
        ('answer = "bins"', 'answer = "rgb"', "at `$.colorize.answer`"),
        ('"H/4", "W/4"', '"H/5", "W/5"', "`multiple` must be a multiple of what"),
        ('"H/4", "W/4"', '"H/4", "W/2"', 'must have the shape [1, 313, "H/2", "W/2"]'),
        ('"H/4", "W/4"', '"H/4", "W/0"', "at `$.outputs[0].shape[3]`"),
        ("[[outputs]]", EXTRA, "`extra` is no input of a colorizer"),
        ("optional = true", "optional = false", '[1, 3, "H", "W"], and be optional'),
        ("size = 64", 'size = 64\nlabels = ["cat"]', "no output has 1 numbers"),
        ("[colorize]", "[output]", "its [output] is of an older opsin"),
        ("[[1.0, 0.8]", "[[0.0, 0.8]", "at `$.colorize.vividness[0][0]`"),
        ('name = "tiny"', 'name = "default"', "`name` must not be 'default'"),
        ('name = "tiny"', "name = tiny", "not valid TOML"),
    ],
)
def test_a_wrong_card_is_an_error_that_names_the_key(tmp_path, old, new, message):
    path = changed(write_tiny_model(tmp_path), old, new)
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_card_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="cannot read this card"):
        read_card(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[0.3156, 0.4616], ", "", "at `$.recognize.places`"),
        ("[0.3156, 0.4616]", "[1.3156, 0.4616]", "at `$.recognize.places[0][0]`"),
        ("[0.3156, 0.4616]", "[0.6826, 0.4616]", "`places` must be five different ones"),
        ('channels = "bgr"', 'channels = "gray"', "at `$.recognize.channels`"),
        ('task = "recognize"', 'task = "other"', "'recognize' and a table [recognize] go together"),
        ("size = 128", "size = 112", '`inputs` must be one, of the shape ["N", 3, 112, 112]'),
        ("multiple = 1", "multiple = 32", "`multiple` must be 1 or left out"),
        ('["N", 3, 128', '["H", 3, 128', "`inputs` must be one"),
        ('shape = ["N", 256]', "shape = [1, 256]", 'must have the shape ["N", 256]'),
        ('shape = ["N", 256]', 'shape = ["N", "C"]', 'must have the shape ["N", 256]'),
        ('shape = ["N", 256]', 'shape = ["N", 1]', "must have 2 numbers or more for a face"),
        (
            "thresholds = []",
            "thresholds = [[0.001, 0.3], [0.01, 0.2]]",
            "`thresholds` must have the highest rate first",
        ),
        ("thresholds = []", "thresholds = [[2.0, 0.3]]", "at `$.recognize.thresholds"),
    ],
)
def test_a_wrong_card_of_a_recognizer_is_an_error(tmp_path, old, new, message):
    card = msgspec.structs.replace(find("face-reid").card, figures=())
    table = msgspec.structs.replace(card.recognize, thresholds=())
    path = tmp_path / "face-reid.toml"
    write_card(msgspec.structs.replace(card, recognize=table), path)
    path = changed(path, old, new)
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert message in str(caught.value)


def test_a_detector_may_tell_masks_too(tmp_path):
    both = masking()
    write_card(both, tmp_path / "both.toml")
    assert read_card(tmp_path / "both.toml") == both


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"N", 28, 28', '"N", 28, 14', '`outputs` must have `masks` of the shape [1, "N", 28, 28]'),
        ('name = "masks"', 'name = "mask"', "`outputs` must have `masks` of the shape"),
        (
            'classes = ["person"]',
            'classes = ["dog"]',
            "the `classes` of [segment] must be `labels`",
        ),
        ("margins = [0.0]", "margins = [0.1]", "`margins` and `mirror` left out"),
        ("mirror = false", "mirror = true", "`margins` and `mirror` left out"),
        ('task = "segment"', 'task = "detect"', "'segment' and a table [segment] go together"),
        ('name = "boxes"', 'name = "places"', "`outputs` must have `boxes` of the shape"),
    ],
)
def test_a_wrong_card_of_a_detector_with_masks_is_an_error(tmp_path, old, new, message):
    path = tmp_path / "both.toml"
    write_card(masking(), path)
    changed(path, old, new)
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("shape = [1, 4]", "shape = [1, 5]", "`box` must have the shape [1, 4], and `kind`"),
        ("shape = [1, 2]", "shape = [1, 3]", "as many numbers as there are `classes`"),
        ('classes = ["cat", "cup"]', 'classes = ["cat"]', "as there are `classes`"),
        ('classes = ["cat", "cup"]', 'classes = ["cup", "Cup"]', "name 'cup' more than once"),
        ('name = "kind"', 'name = "sort"', "`inputs` must be `picture`, with `box` and `kind`"),
        ("3, 256, 256", "3, 256, 224", "[1, 3, 256, 256], as `size` says"),
    ],
)
def test_a_wrong_card_of_a_mask_network_that_is_told_a_box_is_an_error(tmp_path, old, new, message):
    path = tmp_path / "told.toml"
    write_card(masking_a_box(), path)
    assert read_card(path) == masking_a_box()
    changed(path, old, new)
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("inputs", ["picture", "crops"])
def test_a_detector_may_be_told_where_to_look(tmp_path, inputs):
    card = looking(inputs)
    write_card(card, tmp_path / "told.toml")
    assert read_card(tmp_path / "told.toml") == card


@pytest.mark.parametrize(
    ("inputs", "old", "new", "message"),
    [
        ("picture", "proposals = 60", "proposals = 0", "must have `regions` if `proposals` in"),
        ("picture", 'name = "regions"', 'name = "places"', "must have `regions` if `proposals`"),
        ("picture", '["R", 4]', '["R", 5]', '`regions` must have the shape ["R", 4]'),
        ("picture", "3, 416, 416", "3, 416, 400", "[1, 3, 416, 416], as `size` says"),
        ("crops", '["R", 3, 96, 96]', '["R", 3, 96, 64]', '`crops` must have the shape ["R", 3'),
        ("crops", '["R", 3, 96, 96]', '["N", 3, 96, 96]', '`crops` must have the shape ["R", 3'),
        ("crops", '["R", 3, 96, 96]', '["R", 3, "S", "S"]', "must have sides of some pixels"),
        ("crops", 'name = "crops"', 'name = "parts"', "or `regions` and `crops`"),
    ],
)
def test_a_wrong_card_of_a_detector_that_is_told_where_to_look_is_an_error(
    tmp_path, inputs, old, new, message
):
    path = tmp_path / "told.toml"
    write_card(looking(inputs), path)
    changed(path, old, new)
    with pytest.raises(ModelError) as caught:
        read_card(path)
    assert message in str(caught.value)


def looking(inputs):
    """The card of a detector that is told regions of a picture, or shown each on its own."""
    card = find("picodet-s").card
    crops = Input(name="crops", shape=("R", 3, 96, 96), unit="sRGB")
    first = crops if inputs == "crops" else card.inputs[0]
    regions = Input(name="regions", shape=("R", 4), unit="pixels")
    table = msgspec.structs.replace(card.detect, proposals=60)
    return msgspec.structs.replace(card, inputs=(first, regions), detect=table)


def masking():
    """The card of a detector that also tells the pixels of what it finds."""
    card = find("picodet-s").card
    masks = Output(name="masks", shape=(1, "N", 28, 28))
    return msgspec.structs.replace(
        card,
        task="segment",
        labels=("person",),
        outputs=(card.outputs[0], Output(name="scores", shape=(1, "N", 1)), masks),
        segment=Segment(classes=("person",)),
        figures=(),
    )


def masking_a_box():
    """The card of a mask network that is told where a thing is, and what."""
    card = find("selfie").card
    picture = Input(name="picture", shape=(1, 3, 256, 256), unit="sRGB, 0 to 1")
    box = Input(name="box", shape=(1, 4), unit="shares")
    kind = Input(name="kind", shape=(1, 2), unit="shares")
    table = msgspec.structs.replace(card.segment, classes=("cat", "cup"))
    return msgspec.structs.replace(card, inputs=(picture, box, kind), segment=table, figures=())
