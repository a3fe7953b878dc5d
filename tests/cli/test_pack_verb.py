import io
import json
import tarfile

import pytest
from PIL import Image
from skimage import data

from opsin.cli import main


@pytest.fixture
def folder(tmp_path):
    """Two classes of one picture each, and a file that is no picture."""
    for name, rgb in (("cat/ä 1.png", data.chelsea()), ("cup/2.png", data.coffee())):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        Image.fromarray(rgb[::5, ::5]).save(tmp_path / "in" / name)
    (tmp_path / "in" / "cup" / "bad.jpg").write_bytes(b"no picture")
    return tmp_path / "in"


def test_pack_says_what_it_has_done(folder, tmp_path, capsys):
    out = str(tmp_path / "out.tar")
    assert main(["pack", str(folder), "-o", out, "--split", "train=0.5,val=0.5"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "out.tar: 2 pictures" in told.err
    assert "train 1, val 1; 2 first folders" in told.err
    assert "passed over, unreadable: 1 (cup/bad.jpg)" in told.err
    with tarfile.open(out) as tar:
        assert tar.getnames() == ["cat/ä 1.png", "cup/2.png", "splits.json"]


def test_pack_as_json_with_smaller_pictures(folder, tmp_path, capsys):
    out = tmp_path / "out.tar"
    call = ["pack", str(folder), "-o", str(out), "--size", "32", "--quality", "70", "--json"]
    assert main(call) == 1
    assert json.loads(capsys.readouterr().out) == {
        "path": str(out),
        "pictures": 2,
        "bytes": out.stat().st_size,
        "splits": {},
        "classes": {"cat": 1, "cup": 1},
        "unreadable": ["cup/bad.jpg"],
        "missing": [],
    }
    with tarfile.open(out) as tar:
        picture = Image.open(io.BytesIO(tar.extractfile("cup/2.jpg").read()))
    assert picture.size == (48, 32)


def test_what_exists_is_not_replaced_unless_asked(folder, tmp_path, capsys):
    (folder / "cup" / "bad.jpg").unlink()
    out = str(tmp_path / "out.tar")
    assert main(["pack", str(folder), "-o", out]) == 0
    assert main(["pack", str(folder), "-o", out]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["pack", str(folder), "-o", out, "--overwrite"]) == 0


@pytest.mark.parametrize("shares", ["train", "train=0.5", "train=0.5,val=x", "train=2,val=-1", ""])
def test_wrong_shares_are_a_wrong_call(folder, tmp_path, capsys, shares):
    call = ["pack", str(folder), "-o", str(tmp_path / "out.tar"), "--split", shares]
    assert main(call) == 2
    assert "is not shares that add up to 1" in " ".join(capsys.readouterr().err.split())


def test_nothing_to_pack_is_one_line(tmp_path, capsys):
    assert main(["pack", str(tmp_path), "-o", str(tmp_path / "out.tar")]) == 1
    assert capsys.readouterr().err == f"opsin: no picture found in {tmp_path}.\n"


def test_names_without_a_picture_are_told(folder, tmp_path, capsys):
    (folder / "cup" / "bad.jpg").unlink()
    told = {"train": ["cat/ä 1.png", "cat/gone.png"], "val": ["cup/2.png"]}
    (folder / "splits.json").write_text(json.dumps(told))
    out = str(tmp_path / "out.tar")
    assert main(["pack", str(folder), "-o", out]) == 1
    assert "named in splits.json, but not there: 1 (cat/gone.png)" in capsys.readouterr().err
    with tarfile.open(out) as tar:
        assert json.load(tar.extractfile("splits.json"))["train"] == ["cat/ä 1.png"]
