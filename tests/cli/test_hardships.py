"""What happens to archives: bad files, files of others, links, pipes, kills, closed streams."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import opsin
import opsin.colorization.pipeline  # before a test replaces what it imports
from opsin import files
from opsin.archive.jobs import plan
from opsin.cli import main

MODEL = ["colorize", "--model", "tiny"]
linux = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links as POSIX has them")


@pytest.fixture
def other(gray_photo):
    return opsin.open(gray_photo[::4, ::4][::-1].copy())


def colorize(*arguments):
    return main([*MODEL, *map(str, arguments)])


@pytest.mark.parametrize(
    "error", [OverflowError("far"), RecursionError(), TypeError(), KeyError(1)]
)
def test_no_photograph_ends_a_run(folder, scan, capsys, monkeypatch, error):
    for name in ("a.png", "b.png", "c.png"):
        scan.save(name)
    read = opsin.photo.open

    def fail(path, **options):
        if Path(path).name == "b.png":
            raise error
        return read(path, **options)

    monkeypatch.setattr("opsin.photo.open", fail)
    assert colorize(".", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["done"], document["failed"]) == (2, 1)
    [failed] = [entry for entry in document["files"] if entry["status"] == "failed"]
    assert failed["input"] == "b.png"
    assert f"mistake in opsin ({type(error).__name__}" in failed["error"]


def test_memory_that_is_not_enough_for_one_is_told_of_that_one(folder, scan, capsys, monkeypatch):
    scan.save("a.png")

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("opsin.colorization.pipeline.predict", fail)
    assert colorize("a.png") == 1
    error = capsys.readouterr().err
    assert "a.png: there is not enough memory for it (0 megapixels). Try --workers 1" in error


def test_the_same_name_of_another_box_is_not_taken_for_done(folder, scan, other, capsys):
    scan.save("box1/scan001.jpg")
    other.save("box2/scan001.jpg")
    assert colorize("box1", "-o", "both") == 0
    before = Path("both/scan001-color.jpg").read_bytes()
    assert colorize("box2", "-o", "both") == 1
    said = capsys.readouterr().err
    assert "box2/scan001.jpg: " in said
    assert "was made from another photograph" in said
    assert Path("both/scan001-color.jpg").read_bytes() == before
    assert colorize("box1", "-o", "both") == 0
    assert "1 skipped" in capsys.readouterr().err
    assert colorize("box2", "-o", "both", "--overwrite") == 0
    assert Path("both/scan001-color.jpg").read_bytes() != before


@pytest.mark.parametrize("format", ["jpg", "png", "tif", "webp", "avif"])
def test_a_copy_says_which_file_it_was_made_from(folder, scan, other, format):
    scan.save("a.png")
    assert colorize("a.png", "--format", format) == 0
    assert colorize("a.png", "--format", format) == 0
    other.save("a.png", overwrite=True)
    assert colorize("a.png", "--format", format) == 1


def test_an_origin_behind_much_metadata_is_found(tmp_path):
    from opsin.formats.xmp import ORIGIN

    origin = b"0123456789abcdef" * 2
    path = tmp_path / "a"
    for words in (b"<opsin:Origin>%b</opsin:Origin>", b'opsin:Origin="%b"'):
        path.write_bytes(bytes(200_000) + words % origin + bytes(200_000))
        assert files.find_in_file(path, ORIGIN) == origin
    path.write_bytes(b"")
    assert files.find_in_file(path, ORIGIN) is None


def test_a_comparison_asked_for_later_leaves_the_color_picture_alone(folder, scan):
    scan.save("a.png")
    assert colorize("a.png", "--vividness", 0.1) == 0
    retouched = opsin.open("a-color.png")
    pixels = retouched.pixels.copy()
    pixels[:20] = (250, 20, 20)
    opsin.photo.replace(retouched, pixels=pixels).save("a-color.png", overwrite=True)
    before = Path("a-color.png").read_bytes()
    assert colorize("a.png", "--compare", "--confidence", "--vividness", 1) == 0
    assert Path("a-color.png").read_bytes() == before
    compared = opsin.open("a-compare.jpg").pixels.astype(int)
    assert (compared[5, -30] - (250, 20, 20)).max() < 60  # as it is, not as it would be now
    assert Path("a-confidence.png").exists()


def test_only_what_is_missing_is_written(folder, scan):
    scan.save("a.png")
    assert colorize("a.png", "--compare") == 0
    times = {name: Path(name).stat().st_mtime_ns for name in ("a-color.png", "a-compare.jpg")}
    assert colorize("a.png", "--compare", "--confidence") == 0
    assert {name: Path(name).stat().st_mtime_ns for name in times} == times


def test_a_name_too_long_for_its_copy_fails_alone_and_each_time(folder, scan, capsys):
    long = "ä" * 123 + "aa.png"  # 252 bytes
    scan.save(long)
    scan.save("b.png")
    for _ in range(2):
        assert colorize(".") == 1
        assert "name is too long" in capsys.readouterr().err
    assert Path("b-color.png").exists()


@linux
@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root reads all")
def test_a_folder_that_cannot_be_read_is_told_and_passed_over(folder, scan, capsys):
    scan.save("a.png")
    closed = folder / "lost+found"
    closed.mkdir(mode=0)
    try:
        assert colorize(".") == 1
    finally:
        closed.chmod(0o700)
    assert Path("a-color.png").exists()


def test_folders_that_cannot_be_read_are_results(folder, scan, capsys, monkeypatch):
    scan.save("a.png")
    walk = os.walk

    def closed(top, onerror=None):
        onerror(PermissionError(13, "Permission denied", "disk/lost+found"))
        yield from walk(top)

    monkeypatch.setattr("opsin.archive.jobs.os.walk", closed)
    assert colorize(".", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    errors = {entry["input"]: entry["error"] for entry in document["files"]}
    assert "cannot read this folder" in errors["disk/lost+found"]
    assert errors["a.png"] is None


@linux
def test_pipes_and_devices_in_a_folder_are_no_photographs(folder, scan):
    scan.save("d/a.png")
    os.mkfifo("d/pipe.jpg")
    Path("d/zero.jpg").symlink_to("/dev/zero")
    Path("d/link.jpg").symlink_to("a.png")
    jobs, _ = plan(["d"])
    assert sorted(job.source.name for job in jobs) == ["a.png", "link.jpg"]
    with pytest.raises(opsin.errors.PhotoError, match="this is a device"):
        opsin.open("/dev/zero")


@linux
def test_links_in_circles_are_not_walked(folder, scan):
    scan.save("l/deep/a.jpg")
    Path("l/self").symlink_to(".")
    Path("l/up").symlink_to("../l")
    for pattern in ("l/**/*.jpg", "l", "**/?.jpg", "l/**"):
        jobs, _ = plan([pattern])
        assert [str(job.source) for job in jobs] == ["l/deep/a.jpg"], pattern


def test_stars_match_as_in_a_shell(folder, scan):
    for name in ("a.jpg", "x/b.jpg", "x/y/c.jpg", "x/y/d.png"):
        scan.save(name)

    def found(pattern):
        return sorted(str(job.source) for job in plan([pattern])[0])

    assert found("**/*.jpg") == ["a.jpg", "x/b.jpg", "x/y/c.jpg"]
    assert found("x/**/*.jpg") == ["x/b.jpg", "x/y/c.jpg"]
    assert found("x/*.jpg") == ["x/b.jpg"]
    assert found("**/y/*") == ["x/y/c.jpg", "x/y/d.png"]


@linux
@pytest.mark.parametrize("link", ["symlink", "hard link", "folder"])
def test_the_original_is_not_reached_through_a_link(folder, scan, capsys, link):
    scan.save("in/photo.jpg")
    before = Path("in/photo.jpg").read_bytes()
    target = Path("link.jpg")
    if link == "symlink":
        target.symlink_to("in/photo.jpg")
    elif link == "hard link":
        os.link("in/photo.jpg", target)
    else:
        Path("also").symlink_to("in")
        target = Path("also/photo.jpg")
    assert colorize("in/photo.jpg", "-o", target, "--overwrite") == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert Path("in/photo.jpg").read_bytes() == before


def test_what_a_killed_run_left_is_removed_and_no_more(folder, scan, tmp_path):
    scan.save("a.png")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    token, host = "0123456789abcdef", files._host()
    dead = Path(f".opsin-{host}-{ended.pid}-{token}.part")
    mine = Path(f".opsin-{host}-{os.getpid()}-{token}.part")
    elsewhere = Path(f".opsin-00000000-{ended.pid}-{token}.part")
    old, foreign = Path(f".opsin-{token}.part"), Path(".opsin-notes.part")
    for path in (dead, mine, elsewhere, old, foreign):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(foreign, (0, 0))
    assert colorize("a.png") == 0
    assert [path.exists() for path in (dead, mine, elsewhere, old, foreign)] == [
        False,
        True,
        True,
        False,
        True,
    ]


def test_an_output_folder_that_cannot_be_written_is_told_before_the_work(
    folder, scan, capsys, monkeypatch
):
    scan.save("a.png")
    scan.save("b.png")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("opsin.files.tempfile.TemporaryFile", full)
    assert colorize(".", "-o", "out") == 1
    assert capsys.readouterr().err.count("the disk is full") == 1
    assert not list(Path("out").iterdir())


@pytest.mark.parametrize(
    "option", [["--skip-color"], ["--workers", "2"], ["--dry-run"], ["--json"], ["--compare"]]
)
def test_what_a_pipe_cannot_do_is_refused_by_name(folder, option, capsys):
    assert main([*MODEL, "-", *option]) == 2
    assert f"{option[0]}: not in a pipe" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["w/", "."])
def test_a_pipe_into_a_folder_asks_for_a_name(folder, target, capsys):
    assert main([*MODEL, "-", "-o", target]) == 2
    assert "Give the name of a file" in capsys.readouterr().err


def test_a_photograph_instead_of_a_verb_is_told_what_to_type(folder, scan, capsys):
    scan.save("Oma Else.jpg")
    assert main(["Oma Else.jpg"]) == 2
    assert "opsin colorize 'Oma Else.jpg'" in capsys.readouterr().err


@linux
@pytest.mark.parametrize(("redirection", "code"), [(">&-", 0), ("<&-", 0), ("2>&-", 0)])
def test_closed_streams_do_no_harm(folder, scan, redirection, code):
    scan.save("a.png")
    command = f'"{sys.executable}" -m opsin colorize --model tiny a.png {redirection}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert Path("a-color.png").exists()


@linux
def test_a_pipe_to_a_closed_stdout_fails_with_a_word(folder, scan):
    scan.save("a.png")
    command = f'"{sys.executable}" -m opsin colorize --model tiny - < a.png >&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "standard output cannot be written" in done.stderr


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_every_polite_stop_ends_with_a_whole_report(folder, scan, number):
    for index in range(400):
        scan.save(f"in/{index}.png")
    command = [sys.executable, "-m", "opsin", *MODEL, "in", "-o", "out", "--json", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        limit = time.monotonic() + 60
        while not list(Path("out").glob("*.png")) and time.monotonic() < limit:
            time.sleep(0.02)
        process.send_signal(number)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    document = json.loads(out)
    assert document["done"] == len(list(Path("out").glob("*.png"))) > 0
    assert document["left"] > 0


def test_fingerprints_tell_files_apart(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
    path = tmp_path / "a"
    path.write_bytes(noise)
    assert files.fingerprint_of(path) == files.fingerprint(noise)
    for changed in (noise[:-1], b"x" + noise[1:], noise[:-1] + b"x", noise + b"\0"):
        assert files.fingerprint(changed) != files.fingerprint(noise)
    for short in (b"", b"a", noise[:70_000]):
        path.write_bytes(short)
        assert files.fingerprint_of(path) == files.fingerprint(short)


@pytest.mark.parametrize("kind", ["words", "nothing", "smaller"])
def test_what_is_no_picture_of_this_photograph_is_not_taken_for_done(folder, scan, capsys, kind):
    scan.save("a.png")
    target = Path("a-color.png")
    if kind == "smaller":
        Image.new("L", (9, 7)).save(target)
    else:
        target.write_text("precious" if kind == "words" else "")
    before = target.read_bytes()
    assert colorize("a.png") == 1
    assert "exists and was not made from this photograph" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert colorize("a.png", "--overwrite") == 0


def test_a_copy_without_its_xmp_is_taken_for_done(folder, scan, capsys):
    scan.save("a.png")
    assert colorize("a.png") == 0
    with Image.open("a-color.png") as image:
        pixels = np.asarray(image)
    Image.fromarray(pixels).save("a-color.png")  # as other programs do
    assert colorize("a.png") == 0
    assert "1 skipped" in capsys.readouterr().err


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_nothing_is_written_through_what_is_no_file(folder, scan, other, capsys, kind, overwrite):
    scan.save("a.png")
    other.save("other.png")
    before = Path("other.png").read_bytes()
    target = Path("a-color.png")
    if kind in ("link", "dangling"):
        target.symlink_to("other.png" if kind == "link" else "nowhere/b.png")
    elif kind == "folder":
        target.mkdir()
    else:
        os.mkfifo(target)
    assert colorize("a.png", *overwrite) == 1
    assert "a-color.png is " in capsys.readouterr().err
    assert Path("other.png").read_bytes() == before
    assert not Path("nowhere").exists()


def test_an_empty_name_is_not_the_current_folder(folder, scan, capsys):
    scan.save("a.png")
    assert colorize("") == 2
    assert "type a dot" in capsys.readouterr().err
    assert not Path("a-color.png").exists()
