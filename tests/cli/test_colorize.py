import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import opsin
from opsin.cli import main
from opsin.models.engine import DEVICES, devices


def colorize(*arguments):
    return main(["colorize", "--model", "tiny", *map(str, arguments)])


def process(*arguments, **options):
    command = [sys.executable, "-m", "opsin", "colorize", "--model", "tiny", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **(pipes | options))


def report(capsys):
    return json.loads(capsys.readouterr().out)


def names(folder="."):
    return sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())


def test_a_photograph_gets_a_color_picture_beside_it_and_stays_as_it_was(folder, scan, capsys):
    path = scan.save("Oma & Opa, 1931 ä.jpg")
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert colorize(path) == 0
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert not opsin.open("Oma & Opa, 1931 ä-color.jpg").is_gray
    assert "Oma & Opa, 1931 ä.jpg -> Oma & Opa, 1931 ä-color.jpg (" in capsys.readouterr().err


def test_the_command_gives_the_picture_that_python_gives(folder, scan):
    scan.save("a.tif")
    assert colorize("a.tif", "--vividness", 0.8, "--size", 96) == 0
    ours = opsin.colorize("a.tif", model="tiny", vividness=0.8, size=96)
    assert np.array_equal(opsin.open("a-color.tif").pixels, ours.pixels)


def test_a_folder_keeps_its_structure(folder, scan, capsys):
    for name in ("in/a.png", "in/x y/ö.png", "in/x y/z/c.tif"):
        scan.save(name)
    Path("in/notes.txt").touch()
    assert colorize("in", "-o", "out") == 0
    assert names("out") == ["out/a-color.png", "out/x y/z/c-color.tif", "out/x y/ö-color.png"]
    assert "3 colorized in" in capsys.readouterr().err


def test_what_exists_is_skipped_and_counted(folder, scan, capsys):
    scan.save("a.png")
    scan.save("b.png")
    assert colorize("a.png") == 0
    old = Path("a-color.png").stat().st_mtime_ns
    assert colorize(".") == 0
    assert "1 colorized in" in (said := capsys.readouterr().err)
    assert "1 skipped, colored already (--overwrite does it again, also with" in said
    assert Path("a-color.png").stat().st_mtime_ns == old
    assert colorize(".", "--overwrite") == 0
    assert Path("a-color.png").stat().st_mtime_ns != old


def test_a_bad_file_is_reported_and_passed_over(folder, scan, capsys):
    scan.save("a.png")
    Path("bad.jpg").write_bytes(b"no picture")
    scan.save("z.png")
    assert colorize(".") == 1
    assert names() == ["a-color.png", "a.png", "bad.jpg", "z-color.png", "z.png"]
    said = capsys.readouterr().err
    assert "opsin: bad.jpg: " in said
    assert "2 colorized" in said
    assert "1 failed" in said


def test_json_tells_what_became_of_each(folder, scan, capsys):
    scan.save("a.png")
    Path("b.jpg").write_bytes(b"")
    scan.save("c.png")
    scan.save("c-color.png")
    assert colorize(".", "--json", "--compare") == 1
    document = report(capsys)
    assert (document["done"], document["skipped"], document["failed"], document["left"]) == (
        2,
        0,
        1,
        0,
    )
    a, b, c = sorted(document["files"], key=lambda entry: entry["input"])
    assert (a["input"], a["output"], a["compare"]) == ("a.png", "a-color.png", "a-compare.jpg")
    assert a["seconds"] > 0
    assert (b["status"], b["output"]) == ("failed", None)
    assert b["error"]
    assert c["status"] == "done"  # its comparison was missing


def test_the_confidence_picture_is_white_where_it_is_sure(folder, astronaut):
    """By the default model: what it is sure of is white, what it is not is black."""
    opsin.open(astronaut[:256, :256]).save("a.png")
    assert main(["colorize", "a.png", "--confidence"]) == 0
    sure = opsin.confidence("a.png")
    drawn = opsin.open("a-confidence.png").pixels[..., 0]
    assert (drawn[sure >= 0.8] == 255).all()
    assert (drawn[sure <= 0.2] == 0).all()
    assert drawn.max() == 255
    assert drawn.min() < 40
    order = np.argsort(sure, axis=None)
    assert (np.diff(drawn.ravel()[order].astype(int)) >= 0).all()


def test_of_a_copy_that_is_there_it_is_said_that_it_was_left(folder, scan, capsys):
    scan.save("a.jpg")
    assert colorize("a.jpg", "--vividness", "0") == 0
    capsys.readouterr()
    before = Path("a-color.jpg").read_bytes()
    assert colorize("a.jpg", "--compare") == 0
    assert "what was there already is as it was" in capsys.readouterr().err
    assert Path("a-color.jpg").read_bytes() == before
    assert colorize("a.jpg", "--compare", "--overwrite") == 0
    assert "as it was" not in capsys.readouterr().err


def test_compare_and_confidence_are_written(folder, scan):
    scan.save("a.jpg")
    assert colorize("a.jpg", "--compare", "--confidence") == 0
    compare, confidence = opsin.open("a-compare.jpg"), opsin.open("a-confidence.png")
    assert (compare.height, compare.width) == (scan.height, 2 * scan.width + 8)
    assert b"compositeWithTrainedAlgorithmicMedia" in compare.metadata.xmp
    assert np.ptp(compare.pixels[:, : scan.width].astype(int), axis=2).max() < 20
    assert np.ptp(compare.pixels[:, -scan.width :].astype(int), axis=2).max() > 30
    assert (confidence.is_gray, confidence.width) == (True, scan.width)


def test_format_and_quality(folder, scan):
    scan.save("a.png")
    assert colorize("a.png", "--format", "jpg") == 0
    assert opsin.open("a-color.jpg").metadata.format == "jpeg"
    large = Path("a-color.jpg").stat().st_size
    assert colorize("a.png", "--format", "jpg", "--quality", 30, "--overwrite") == 0
    assert Path("a-color.jpg").stat().st_size < large


def test_what_a_format_loses_is_told(folder, scan, capsys):
    opsin.open(scan.pixels.astype(np.uint16) * 257).save("deep.png")
    assert colorize("deep.png", "--format", "jpeg", "--json") == 0
    assert any("16 bits" in note for note in report(capsys)["files"][0]["notes"])


def test_color_photographs_can_be_passed_over(folder, scan, capsys):
    from skimage import data

    opsin.open(data.chelsea()).save("color.png")
    scan.save("gray.png")
    assert colorize(".", "--skip-color") == 0
    assert names() == ["color.png", "gray-color.png", "gray.png"]
    assert "1 skipped, in color" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(folder, scan, capsys):
    scan.save("a.png")
    scan.save("b.png")
    scan.save("b-color.png")
    assert colorize(".", "--dry-run") == 0
    assert names() == ["a.png", "b-color.png", "b.png"]
    out = capsys.readouterr().out.splitlines()
    assert sorted(out) == ["a.png -> a-color.png", "b.png -> b-color.png (exists, skipped)"]


def test_mark_draws_a_mark(folder, scan):
    opsin.open(np.kron(scan.pixels[..., 0], np.ones((4, 4), np.uint8))).save("a.png")
    assert colorize("a.png", "-o", "plain.png") == 0
    assert colorize("a.png", "-o", "marked.png", "--mark") == 0
    assert not np.array_equal(opsin.open("plain.png").pixels, opsin.open("marked.png").pixels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jpg"], "opsin: none.jpg: no such file or folder.\n"),
        (["*.jpg"], "opsin: nothing matches '*.jpg'.\n"),
        (["."], "opsin: no photograph in ..\n"),
        (
            ["https://example.org/a.jpg?side=9"],
            "opsin: https://example.org/a.jpg?side=9: this is an address, and opsin works offline. "
            "Give a file on this machine.\n",
        ),
    ],
)
def test_nothing_to_do_is_one_line_and_exit_code_2(folder, arguments, message, capsys):
    assert colorize(*arguments) == 2
    assert capsys.readouterr().err == message


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only names that are text")
def test_a_name_that_is_no_text_works(folder, scan, capfdbinary):
    scan.save(os.fsdecode(b"in/gr\xfcn.png"))
    Path(os.fsdecode(b"in/b\xe4d.png")).write_bytes(b"no picture")
    assert colorize("in", "-o", "out") == 1
    assert os.listdir(b"out") == [b"gr\xfcn-color.png"]
    assert "opsin: in/b\ufffdd.png: ".encode() in capfdbinary.readouterr().err
    assert colorize("in", "-o", "out", "--json", "--overwrite") == 1
    entries = json.loads(capfdbinary.readouterr().out)["files"]
    assert sorted(os.fsencode(entry["input"]) for entry in entries)[1] == b"in/gr\xfcn.png"


def test_photographs_of_one_name_do_not_overwrite_each_other(folder, scan):
    scan.save("x/a.jpg")
    scan.save("y/a.jpg")
    assert colorize("x", "y", "-o", "out") == 0
    assert names("out") == ["out/a-2-color.jpg", "out/a-color.jpg"]


def test_notes_of_many_photographs_are_counted(folder, scan, capsys):
    for number in range(3):
        opsin.Photo(scan.pixels.astype("uint16") * 257).save(f"{number}.png")
    scan.save("a.png")
    assert colorize(".", "--format", "jpg") == 0
    assert (
        "  3 photographs: 16 bits reduced to 8, the most JPEG can hold" in capsys.readouterr().err
    )


def test_the_pixel_limit_can_be_raised(folder, scan, capsys):
    scan.save("a.png")
    assert colorize("a.png", "--pixel-limit", 100) == 1
    assert "--pixel-limit on the command line" in capsys.readouterr().err
    assert colorize("a.png", "--pixel-limit", scan.width * scan.height) == 0


def test_an_unknown_model_stops_before_the_first_photograph(folder, scan, capsys):
    scan.save("a.png")
    assert colorize("a.png", "--model", "huge") == 1
    assert capsys.readouterr().err.startswith("opsin: unknown model 'huge'. Available: ")


def test_a_photograph_that_gets_no_color_is_told(folder, scan, models, capsys):
    from conftest import write_tiny_model

    write_tiny_model(models, "gray", colors=0)
    scan.save("a.png")
    assert colorize("a.png", "--model", "gray") == 0
    assert "got no color" in "".join(capsys.readouterr())
    assert names() == ["a-color.png", "a.png"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_cannot_be_written_is_reported(folder, scan, capsys):
    scan.save("a.png")
    Path("out").mkdir(mode=0o500)
    assert colorize("a.png", "-o", "out") == 1
    assert "no permission" in capsys.readouterr().err


def test_a_full_disk_stops_the_run_with_the_fix(folder, scan, monkeypatch, capsys):
    for number in range(20):
        scan.save(f"{number:02}.png")

    def full(path, data):
        if Path(path).name > "05":
            raise opsin.SaveError("full") from OSError(errno.ENOSPC, "No space left on device")
        return Path(path).write_bytes(data)

    monkeypatch.setattr("opsin.archive.attempt.write_atomically", full)
    assert colorize(".", "--workers", 1) == 1
    said = capsys.readouterr().err
    assert "the disk is full; stopped after 5 of 20. Make room, or give another folder" in said
    assert len(names()) == 25


def test_a_pipe_carries_a_photograph_through(folder, scan):
    running = process("-")
    out, err = running.communicate(scan.encode("png"), timeout=60)
    assert (running.returncode, err) == (0, b"")
    photo = opsin.open(out)
    assert (photo.metadata.format, photo.is_gray, photo.width) == ("png", False, scan.width)


def test_a_pipe_may_end_in_a_file_and_begin_in_one(folder, scan):
    scan.save("a.tif")
    assert process("-", "-o", "x/b.webp").communicate(scan.encode("png"), timeout=60) == (b"", b"")
    assert opsin.open("x/b.webp").metadata.format == "webp"
    out, _ = process("a.tif", "-o", "-", "--format", "jpeg").communicate(timeout=60)
    assert opsin.open(out).metadata.format == "jpeg"


def test_a_pipe_of_rubbish_is_one_line_and_exit_code_1(folder):
    running = process("-")
    out, err = running.communicate(b"rubbish", timeout=60)
    assert (running.returncode, out, err.count(b"\n")) == (1, b"", 1)
    assert err.startswith(b"opsin: standard input: not a photograph")


def test_a_pipe_tells_what_was_changed_and_overwrites_only_when_told(folder, scan):
    deep = opsin.Photo(scan.pixels.astype("uint16") * 257).encode("png")
    out, err = process("-", "--format", "jpg").communicate(deep, timeout=60)
    assert opsin.open(out).depth == 8
    assert err == b"opsin: 16 bits reduced to 8, the most JPEG can hold\n"
    Path("b.png").write_bytes(b"old")
    running = process("-", "-o", "b.png")
    assert b"b.png: already there" in running.communicate(deep, timeout=60)[1]
    assert (running.returncode, Path("b.png").read_bytes()) == (1, b"old")
    assert process("-", "-o", "b.png", "--overwrite").communicate(deep, timeout=60)[1] == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("arguments", [["-"], ["a.png", "--json"]])
def test_a_full_stdout_is_one_line_and_exit_code_1(folder, scan, arguments):
    scan.save("a.png")
    with open("/dev/full", "wb") as full:
        running = process(*arguments, stdout=full)
        err = running.communicate(scan.encode("png"), timeout=60)[1]
    lines = [line for line in err.splitlines() if b" -> " not in line]
    text = b"opsin: standard output cannot be written (No space left on device)."
    assert (running.returncode, lines) == (1, [text])


def test_a_stdout_that_takes_little_at_once_gets_everything(monkeypatch):
    from opsin.cli import write_to_stdout

    class Narrow(io.RawIOBase):
        taken = b""

        def write(self, data):
            self.taken += bytes(data[:1000])
            return min(len(data), 1000)

    narrow = Narrow()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=narrow))
    write_to_stdout(bytes(range(256)) * 20)
    assert narrow.taken == bytes(range(256)) * 20


def test_a_pipe_takes_one_photograph(folder, scan, capsys):
    scan.save("a.png")
    assert colorize("-", "a.png") == 2
    assert colorize("-", "--json") == 2
    assert "a pipe carries one" in capsys.readouterr().err


def test_500_tiny_files(folder, capsys):
    for number in range(500):
        pixels = np.full((4, 5), number % 256, np.uint8)
        opsin.open(pixels).save(f"in/{number % 7}/{number}.png")
    assert colorize("in", "-o", "out", "--json") == 0
    assert report(capsys)["done"] == 500
    assert len(names("out")) == 500


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_far_it_got_and_goes_on(folder, gray_photo, how, capsys):
    large = opsin.open(np.tile(gray_photo, (2, 2)))
    for number in range(60):
        large.save(f"in/{number:02}.jpg")
    running = process("in", "-o", "out")
    _wait_for(lambda: len(list(Path("out").glob("*-color.jpg"))) >= 3)
    running.send_signal(how)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    done = len(names("out"))
    assert (
        f"opsin: stopped after {done} of 60. The same command again goes on there." in err.decode()
    )
    assert 3 <= done < 60
    assert all(opsin.open(path).width == large.width for path in names("out"))
    assert colorize("in", "-o", "out", "--json") == 0
    document = report(capsys)
    assert (document["done"], document["skipped"]) == (60 - done, done)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_leaves_no_half_picture(folder, gray_photo):
    large = opsin.open(np.tile(gray_photo, (2, 2)))
    for number in range(40):
        large.save(f"in/{number:02}.jpg")
    running = process("in")
    _wait_for(lambda: len(list(Path("in").glob("*-color.jpg"))) >= 3)
    running.kill()
    running.communicate(timeout=60)
    assert all(opsin.open(path).width == large.width for path in Path("in").glob("*-color.jpg"))
    assert colorize("in") == 0
    assert len(list(Path("in").glob("*-color*"))) == 40


def _wait_for(condition, *, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_device_that_is_not_there_is_one_sentence(folder, scan, capsys):
    scan.save("a.png")
    missing = next(device for device in DEVICES if device not in devices())
    for device in ("gpu", missing):  # no such word; not of this machine
        assert colorize("a.png", "--device", device) == 1
        error = capsys.readouterr().err
        assert error.startswith("opsin: ")
        assert f"'{device}'" in error
        assert "There are: cpu" in error
        assert error.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["a.png"]
    assert colorize("a.png", "--device", "cpu") == 0
