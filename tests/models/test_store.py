import pytest
from conftest import write_tiny_model

from opsin.errors import ModelError, SaveError
from opsin.models import store
from opsin.models.trial import add

PACKAGED = [
    "color-bins",
    "box-mask",
    "classifier-decoder",
    "face-reid",
    "gender",
    "gender-small",
    "imagenet",
    "mtcnn",
    "picodet-s",
    "selfie",
    "viola-jones",
    "yolox-nano",
    "yunet",
]


def test_a_model_in_the_users_folder_is_found_by_name(models):
    assert "tiny" in store.names()
    assert store.find("tiny").card.name == "tiny"


def test_a_model_is_found_by_the_path_of_its_card(tmp_path):
    assert store.find(str(write_tiny_model(tmp_path, "else"))).card.name == "else"


def test_an_unknown_model_is_an_error_with_the_names_there_are(models):
    with pytest.raises(ModelError, match=r"unknown model 'huge'\. Available: .*tiny"):
        store.find("huge")
    with pytest.raises(ModelError, match="unknown model"):
        store.find("../models/tiny")


def test_a_card_under_another_name_is_an_error(models):
    (models / "tiny.toml").rename(models / "other.toml")
    with pytest.raises(ModelError, match=r"other\.toml: .* `name` says 'tiny'"):
        store.find("other")


def test_weights_that_changed_are_an_error(models):
    with (models / "tiny.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="SHA-256"):
        store.find("tiny").read()


def test_missing_weights_are_an_error(models):
    (models / "tiny.onnx").unlink()
    with pytest.raises(ModelError, match="cannot read the weights of 'tiny'"):
        store.find("tiny").read()


def test_a_model_can_be_added_and_removed(models, tmp_path):
    card = write_tiny_model(tmp_path / "new", "fresh")
    assert add(card).path == models / "fresh.onnx"
    assert store.find("fresh").read() == (tmp_path / "new" / "fresh.onnx").read_bytes()
    store.remove("fresh")
    assert "fresh" not in store.names()
    assert sorted(path.name for path in models.iterdir()) == ["tiny.onnx", "tiny.toml"]


def test_adding_a_name_twice_is_an_error(models, tmp_path):
    with pytest.raises(ModelError, match="'tiny' exists already"):
        add(write_tiny_model(tmp_path / "new", "tiny"))


def test_a_damaged_model_is_not_added(models, tmp_path):
    card = write_tiny_model(tmp_path / "new", "fresh")
    (tmp_path / "new" / "fresh.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match="SHA-256"):
        add(card)
    assert "fresh" not in store.names()


def test_a_model_elsewhere_is_not_removed(models, tmp_path):
    card = write_tiny_model(tmp_path / "new", "fresh")
    with pytest.raises(ModelError, match="only models there can be removed"):
        store.remove(str(card))
    assert card.exists()


def test_a_folder_that_is_none_hides_no_packaged_model(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("OPSIN_MODELS", str(tmp_path / "file"))
    assert store.names() == PACKAGED
    with pytest.raises(SaveError, match="OPSIN_MODELS in the environment names another"):
        add(write_tiny_model(tmp_path / "new"))


def test_without_a_home_there_are_the_packaged_models(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("OPSIN_MODELS", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(store.Path, "home", no_home)
    assert store.names() == PACKAGED
