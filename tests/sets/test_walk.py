"""One walk for all: whatever a folder holds, every verb finds the same pictures in it."""

import os
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skimage import data

import opsin
from opsin.archive.jobs import plan
from opsin.cli import main
from opsin.errors import DataError, PhotoError
from opsin.sets.listing import list_pictures
from opsin.sets.pack import pack
from opsin.sets.pictures import photos
from opsin.sets.sources import sources
from opsin.sets.walk import is_picture, walk

linux = pytest.mark.skipif(sys.platform != "linux", reason="pipes and links as Linux has them")
SQUARE = np.ascontiguousarray(data.immunohistochemistry()[:64, -64:])  # of no evaluation


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """Three pictures, and much that is none."""
    folder = tmp_path / "set"
    for name in ("b.png", "sea/ä 1.JPG", "sea/deep/c.tif"):
        opsin.open(SQUARE).save(folder / name)
    for name in (".hidden.png", ".trash/d.png", "sea/._b.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"no picture")
    return folder


NAMES = ["b.png", "sea/deep/c.tif", "sea/ä 1.JPG"]


def skipped(place, why):
    raise AssertionError(f"{place}: {why}")


def every_verb(folder, out):
    """What each of them finds: colorize, evaluate and its like, train, pack."""
    jobs, _ = plan([str(folder)])
    packed = out / "packed.tar"
    pack(folder, packed, overwrite=True)
    with tarfile.open(packed) as tar:
        members = tar.getnames()
    return [
        sorted(job.source.relative_to(folder).as_posix() for job in jobs),
        sorted(name for name, _ in photos(folder)),
        sorted(Path(one.path).relative_to(folder).as_posix() for one in train(folder)),
        sorted(members),
    ]


def train(folder):
    return list_pictures([folder]).pictures


def test_every_verb_finds_the_same_pictures(folder, tmp_path):
    assert every_verb(folder, tmp_path) == [NAMES] * 4


@linux
def test_no_verb_follows_links_in_circles_or_waits_for_a_pipe(folder, tmp_path):
    (folder / "self").symlink_to(".")
    (folder / "sea" / "up").symlink_to("..")
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    assert every_verb(folder, tmp_path) == [NAMES] * 4


def test_a_tar_of_a_folder_holds_the_same_pictures(folder, tmp_path):
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        tar.add(folder, ".")
    assert [name for name, _ in photos(tmp_path / "whole.tar")] == NAMES
    assert len(train(tmp_path / "whole.tar")) == 3


def test_a_folder_means_its_pictures_and_the_tars_in_it(folder):
    with tarfile.open(folder / "more-0.tar", "w") as tar:
        tar.add(folder / "b.png", "d.png")
    assert [name for name, _ in photos(folder)] == [*NAMES, "d.png"]
    listing = list_pictures([folder])
    assert (len(listing.pictures), listing.group_names) == (4, ["set", "more"])


def test_one_picture_can_be_trained_on_and_packed(folder, tmp_path):
    assert [one.name for one in train(folder / "b.png")] == ["b.png"]
    assert pack(folder / "b.png", tmp_path / "out.tar").pictures == 1


PARTS = st.text(st.sampled_from("ab.~é *["), min_size=1, max_size=4).filter(
    lambda part: part.strip(".") and part == part.strip()
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sets(st.lists(PARTS, min_size=1, max_size=3).map("/".join), min_size=1, max_size=6))
def test_exactly_what_is_not_hidden_is_found(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("tree")
    files = set()
    for name in names:
        file = folder / f"{name}.png"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        except OSError:  # a file has the folder's name
            continue
        files.add(f"{name}.png")
    found = [path.relative_to(folder).as_posix() for path in walk(folder, skipped)]
    shown = {name for name in files if not any(part[0] == "." for part in name.split("/"))}
    assert (sorted(found), len(set(found))) == (sorted(shown), len(found))
    assert all(is_picture(name) == (name in shown) for name in files)


def closed(monkeypatch, folder):
    """As if nobody may look into one folder; root may look into any."""
    scandir = os.scandir

    def refused(place):
        if Path(place) == folder:
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr("opsin.sets.walk.os.scandir", refused)


def test_a_folder_that_cannot_be_read_is_told_by_every_verb(
    folder, tmp_path, models, capsys, monkeypatch
):
    closed(monkeypatch, folder / "sea")
    told = f"{folder / 'sea'}: cannot read this folder (Permission denied)."
    for verb in (["compare", "--plain"], ["compare"], ["evaluate", "colorize"]):
        out = [] if "evaluate" in verb else ["-o", str(tmp_path / "out.png")]
        assert main([*verb, str(folder), "--model", "tiny", *out]) == 1, verb
        assert told in capsys.readouterr().err, verb
    assert main(["pack", str(folder), "-o", str(tmp_path / "out.tar")]) == 1
    assert f"passed over, unreadable: 1 ({folder / 'sea'})" in capsys.readouterr().err
    assert list_pictures([folder]).unreadable == (str(folder / "sea"),)
    with pytest.raises(DataError, match="cannot read this folder"):
        list(photos(folder))


def test_an_unreadable_picture_does_not_end_an_evaluation(folder, models, capsys):
    (folder / "cut.jpg").write_bytes(opsin.open(SQUARE).encode("jpeg")[:500])
    call = ["evaluate", "colorize", str(folder), "--model", "tiny", "--json"]
    assert main([*call, "--colorfulness", "0.001"]) == 1  # nothing the tiny model can do
    assert main(call) == 1
    said = capsys.readouterr()
    assert '"pictures": 3' in said.out
    assert said.err.count("cut.jpg cannot be read") == 1
    assert list_pictures([folder]).unreadable == ("cut.jpg",)


def test_if_none_can_be_read_the_reason_is_told(tmp_path, models, capsys):
    (tmp_path / "cut.jpg").write_bytes(opsin.open(SQUARE).encode("jpeg")[:500])
    for verb in (["compare", "--plain"], ["compare"], ["evaluate", "colorize"]):
        assert main([*verb, str(tmp_path / "cut.jpg"), "--model", "tiny"]) == 1
        assert "cut.jpg cannot be read" in capsys.readouterr().err, verb


@linux
@pytest.mark.parametrize("verb", ["colorize", "compare", "evaluate", "pack"])
def test_a_pipe_that_nobody_writes_to_is_refused(tmp_path, models, capsys, verb):
    os.mkfifo(tmp_path / "pipe.jpg")
    call = ["evaluate", "colorize"] if verb == "evaluate" else [verb]
    model = [] if verb == "pack" else ["--model", "tiny"]
    out = {"pack": "out.tar", "compare": "out.png"}.get(verb)
    output = ["-o", str(tmp_path / out)] if out else []
    assert main([*call, str(tmp_path / "pipe.jpg"), *model, *output]) == 1
    said = capsys.readouterr().err
    assert ("pipe.jpg" if verb == "pack" else "a pipe that nobody writes to") in said
    assert "Traceback" not in said


@linux
def test_a_pipe_that_somebody_writes_to_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = opsin.open(SQUARE).encode("png")
    writer = threading.Thread(target=lambda: pipe.write_bytes(content))
    writer.start()
    while True:  # until the writer waits for us
        try:
            photo = opsin.open(pipe)
            break
        except PhotoError:
            time.sleep(0.01)
    writer.join()
    assert np.array_equal(photo.pixels, SQUARE)


@linux
def test_what_a_shell_substitutes_is_read(tmp_path):
    opsin.open(SQUARE).save(tmp_path / "a.png")
    code = "import sys, opsin; print(opsin.open(sys.argv[1]))"
    line = f'"{sys.executable}" -c "{code}" <(sleep 0.2; cat "{tmp_path / "a.png"}")'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert "64 x 64, color" in done.stdout


def test_sources_say_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        list(sources(tmp_path / "gone.tar", skipped))
