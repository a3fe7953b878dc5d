from pathlib import Path

import pytest
from conftest import write_tiny_model

from opsin.errors import ModelError
from opsin.models.card import card_to_toml, read_card


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
        ("size = 64", "size = 4", "Expected `int` >= 32 - at `$.size`"),
        ('task = "colorize"', 'task = "sing"', "at `$.task`"),
        ('name = "tiny"', 'name = "../tiny"', "at `$.name`"),
        ('file = "tiny.onnx"', 'file = "../tiny.onnx"', "at `$.file`"),
        ('sha256 = "', 'sha256 = "g', "at `$.sha256`"),
        ('name = "light"', 'name = "dark"', "at `$.inputs[0].name`"),
        ('name = "light"', 'name = "hints"', "`inputs` has no `light`"),
        ('name = "condition"', 'name = "hints"', "`inputs` names one input twice"),
        ('kind = "bins"', 'kind = "rgb"', "at `$.output.kind`"),
        ("stride = 4", "stride = 5", "`multiple` must be a multiple of `output.stride`"),
        ("[[1.0, 0.8]", "[[0.0, 0.8]", "at `$.decode.vividness[0][0]`"),
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
