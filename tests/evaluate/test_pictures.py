import json
import tarfile

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.cli import main
from opsin.errors import DataError
from opsin.evaluate.pictures import read

SPLITS = {"train": ["sub/cät 1.png"], "val": ["cup.png"], "lost": ["dog.png", "cup.png"]}


@pytest.fixture
def folder(tmp_path):
    """Two pictures, and the splits that they are in."""
    folder = tmp_path / "set"
    opsin.open(data.chelsea()[::5, ::5]).save(folder / "sub" / "cät 1.png")
    opsin.open(data.coffee()[::5, ::5]).save(folder / "cup.png")
    (folder / "splits.json").write_text(json.dumps(SPLITS))
    return folder


@pytest.fixture(params=["folder", "tar", "tar of ./"])
def place(request, folder, tmp_path):
    """The same as a folder and as tars."""
    if request.param == "folder":
        return folder
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(folder, "." if "./" in request.param else "")
    return tmp_path / "set.tar"


def test_all_pictures_or_those_of_a_split(place):
    assert [name for name, _ in read(place)] == ["cup.png", "sub/cät 1.png"]
    (name, pixels), *rest = read(f"{place}:train")
    assert (name, rest) == ("sub/cät 1.png", [])
    assert np.array_equal(pixels, data.chelsea()[::5, ::5])
    assert [name for name, _ in read([f"{place}:val", f"{place}:train"], limit=2)] == [
        "cup.png",
        "sub/cät 1.png",
    ]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("test", "no split 'test'. Available: train, val, lost."),
        ("lost", "1 of the 2 pictures that splits.json names for 'lost' are not there, as dog.png"),
    ],
)
def test_a_split_that_cannot_be_is_an_error(place, split, message):
    with pytest.raises(DataError) as caught:
        list(read(f"{place}:{split}"))
    assert message in str(caught.value)


def test_one_picture_has_no_splits(folder):
    with pytest.raises(DataError, match=r"cup\.png: there is no splits\.json in it"):
        list(read(f"{folder / 'cup.png'}:val"))


def test_a_split_can_be_evaluated_and_put_on_a_sheet(place, models, tmp_path, capsys):
    call = ["evaluate", "colorize", f"{place}:val", "--model", "tiny", "--json"]
    assert main(call) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pictures"], found["data"]) == (1, [f"{place}:val"])
    out = str(tmp_path / "sheet.png")
    assert main(["sheet", f"{place}:train", "-o", out, "--model", "tiny"]) == 0
