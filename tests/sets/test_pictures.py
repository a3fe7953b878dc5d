import io
import json
import tarfile

import numpy as np
import pytest
from skimage import data

import opsin
from opsin.cli import main
from opsin.errors import DataError
from opsin.sets import pictures
from opsin.sets.pictures import read

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
    assert main(["compare", "--plain", f"{place}:train", "-o", out, "--model", "tiny"]) == 0


def sparse(name, size):
    """A member of a tar that says it has `size` bytes, and holds none of them."""
    member = tarfile.TarInfo(name)
    member.pax_headers = {"GNU.sparse.size": str(size), "GNU.sparse.map": f"{size},0"}
    return member


def hostile(path, *names):
    """A tar with a picture, and members of 20 GB that take no place."""
    good = opsin.open(data.coffee()[::5, ::5]).encode("png")
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("good.png")
        member.size = len(good)
        tar.addfile(member, io.BytesIO(good))
        for name in names:
            tar.addfile(sparse(name, 20 << 30))
    return path


@pytest.mark.parametrize("call", [["compare", "--plain"], ["evaluate", "colorize"], ["compare"]])
def test_a_sparse_member_is_passed_over(models, tmp_path, capsys, call):
    tar = hostile(tmp_path / "set.tar", "vast.jpg")
    out = [] if "evaluate" in call else ["-o", str(tmp_path / "sheet.png")]
    assert main([*call, str(tar), "--model", "tiny", *out]) == 1
    error = capsys.readouterr().err
    assert "vast.jpg cannot be read (it is sparse in its tar" in error
    assert (tmp_path / "sheet.png").exists() or "evaluate" in call


@pytest.mark.parametrize("verb", ["compare", "pack"])
def test_a_vast_splits_file_is_one_sentence(models, tmp_path, capsys, verb):
    tar = hostile(tmp_path / "set.tar", "splits.json")
    out = str(tmp_path / ("out.tar" if verb == "pack" else "out.png"))
    assert main([verb, f"{tar}:train", "-o", out]) == 1
    assert f"opsin: {tar}: splits.json is larger than 256 MB.\n" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["compare", "pack", "evaluate"])
@pytest.mark.parametrize("kind", ["gz", "xz", "text", "empty file"])
def test_what_is_only_called_tar_is_one_sentence(models, tmp_path, capsys, verb, kind):
    tar = tmp_path / "set.tar"
    if kind in ("gz", "xz"):
        with tarfile.open(tar, f"w:{kind}") as packed:
            packed.add(hostile(tmp_path / "plain.tar"), "good.png")
    else:
        tar.write_bytes(b"" if kind == "empty file" else b"photographs " * 99)
    call = ["evaluate", "colorize"] if verb == "evaluate" else [verb]
    out = {"evaluate": [], "pack": ["-o", str(tmp_path / "out.tar")], "compare": ["-o", "x.png"]}
    assert main([*call, str(tar), *out[verb]]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"opsin: {tar}: cannot be read as a plain tar (")


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPG", ".jp2", ".dib", ".avif", ".gif"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_colorized_in_folders_is_measured_too(tmp_path, suffix, packed):
    from PIL import Image

    kind = {".jp2": "JPEG2000", ".dib": "BMP", ".avif": "AVIF", ".gif": "GIF"}.get(suffix, "JPEG")
    folder = tmp_path / "set"
    folder.mkdir()
    Image.fromarray(data.coffee()[::5, ::5]).save(folder / f"cup{suffix}", kind)
    if packed:
        with tarfile.open(tmp_path / "set.tar", "w") as tar:
            tar.add(folder, "")
    found = list(read(tmp_path / "set.tar" if packed else folder))
    assert [(name, pixels.shape) for name, pixels in found] == [(f"cup{suffix}", (80, 120, 3))]


def test_a_picture_for_which_memory_is_short_is_passed_over(folder, monkeypatch):
    real = pictures.open_photo

    def short(source):
        if "cup" in str(source):
            raise MemoryError
        return real(source)

    monkeypatch.setattr(pictures, "open_photo", short)
    told = []
    assert len(list(pictures.photos(folder, on_skip=told.append))) == 1
    assert told == [f"{folder}: cup.png cannot be read (there is not enough memory for it)"]
