"""A photograph being worked on: seen at once, kept in a file, made again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.cli import main
from opsin.colorization import touchup
from opsin.colorization.touchup import Touchup, read_saved

SAMPLES = Path(__file__).parents[2] / "samples"
POINTS = [(150, 300, "#2040a0")]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.jpg"
    path.write_bytes((SAMPLES / "astronaut.jpg").read_bytes())
    return path


@pytest.fixture
def summer(tmp_path: Path) -> Path:
    """A photograph in color, to be a reference."""
    return opsin.colorize(SAMPLES / "coffee.jpg").save(tmp_path / "summer.png")


def test_at_first_it_is_what_colorize_makes(scan: Path) -> None:
    work = Touchup(scan)
    whole = work.picture()
    assert np.array_equal(whole.pixels, opsin.colorize(scan).pixels)
    assert b"opsin:Request" in (whole.metadata.xmp or b"")
    assert np.array_equal(work.confidence(), opsin.confidence(scan))


def test_changes_are_those_of_colorize_and_the_rest_stays(scan: Path) -> None:
    work = Touchup(scan)
    work.change(points=POINTS)
    work.change(vividness=0.8)
    wanted = opsin.colorize(scan, points=POINTS, vividness=0.8)
    assert np.array_equal(work.picture().pixels, wanted.pixels)
    work.change(points=(), palette=["#3c7a3c", "#d8b48c"], strength=0.5)
    wanted = opsin.colorize(scan, vividness=0.8, palette=["#3c7a3c", "#d8b48c"], strength=0.5)
    assert np.array_equal(work.picture().pixels, wanted.pixels)
    work.change(palette=(), model="classifier-decoder", size=160)
    wanted = opsin.colorize(scan, vividness=0.8, model="classifier-decoder", size=160)
    assert np.array_equal(work.picture().pixels, wanted.pixels)


def test_a_strength_alone_is_a_change_and_counts(scan: Path) -> None:
    work = Touchup(scan)
    plain = work.picture(128).pixels.astype(int)
    moved = []
    for strength in (0, 0.25, 1):
        work.change(palette=["#1f4e9e"], strength=strength)
        moved.append(np.abs(work.picture(128).pixels - plain).mean())
    assert moved[0] == 0
    assert moved[2] > 1.3 * moved[1] > 3
    work.change(strength=0.25)
    assert np.abs(work.picture(128).pixels - plain).mean() == pytest.approx(moved[1])


def test_a_reference_may_be_a_photograph(scan: Path, summer: Path) -> None:
    work = Touchup(scan)
    work.change(palette=summer)
    wanted = opsin.colorize(scan, palette=summer)
    assert np.array_equal(work.picture().pixels, wanted.pixels)


def test_the_network_runs_only_for_what_it_is_given(scan: Path, monkeypatch) -> None:
    runs = []
    plain = touchup.run_engines
    monkeypatch.setattr(
        touchup, "run_engines", lambda *one, **more: runs.append(1) or plain(*one, **more)
    )
    work = Touchup(scan)
    work.picture(300)
    for vividness in (0.2, 0.7):
        work.change(vividness=vividness)
        work.picture(300)
        work.picture(200)
        work.suggest(5, 5)
    assert len(runs) == 1
    work.change(points=POINTS)
    work.picture(300)
    assert len(runs) == 2
    work.change(vividness=0.3)  # what a point asks for depends on it
    assert len(runs) == 3


def test_what_is_looked_at_is_the_picture_made_smaller(scan: Path) -> None:
    work = Touchup(scan)
    work.change(points=POINTS)
    small, whole = work.picture(256), work.picture()
    assert (small.height, small.width) == (256, 256)
    shrunk = whole.pixels.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small.pixels).mean() < 3
    assert work.picture(5000).pixels.shape == whole.pixels.shape
    assert work.confidence(256).shape == (256, 256)


def test_sixteen_bits_and_transparency_are_for_the_end() -> None:
    light = (np.linspace(0, 65535, 96 * 128).reshape(96, 128)).astype(np.uint16)
    work = Touchup(light)
    assert work.picture(100).pixels.dtype == np.uint8
    assert work.picture().pixels.dtype == np.uint16


def test_of_a_damaged_photograph_the_part_that_is_there(scan: Path) -> None:
    scan.write_bytes(scan.read_bytes()[: scan.stat().st_size // 2])
    photo = opsin.open(scan, damaged=True)
    work = Touchup(photo)
    rows, _ = photo.metadata.there
    small = work.picture(256).pixels.astype(int)
    colored = np.ptp(small, axis=2).max(axis=1) > 8
    assert colored[: rows.stop // 2 - 2].mean() > 0.9
    assert not colored[rows.stop // 2 + 2 :].any()


def test_what_is_suggested_is_what_opsin_suggests(scan: Path) -> None:
    work = Touchup(scan)
    assert work.suggest(150, 300, count=3) == opsin.suggest(scan, 150, 300, count=3)
    with pytest.raises(opsin.WrongCallError):
        work.suggest(600, 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"vividness": 1.5}, "vividness must be a number from 0 .* got 1.5"),
        ({"vividness": "much"}, "vividness must be a number from 0 .* got 'much'"),
        ({"strength": -0.1}, "strength must be a number from 0 to 1, got -0.1"),
        ({"points": [(9999, 3, "#000000")]}, "outside of the photograph"),
        ({"points": [(-1, 3, "#000000")]}, "points must be .* on the photograph"),
        ({"points": [(1, 3, "red")]}, "a color must be"),
        ({"points": [(1, 3, ("a", 2, 3))]}, "a color must be"),
        ({"points": [(None, 3, "#ff0000")]}, "a point must be .x, y, color., got .None"),
        ({"points": [5]}, "a point must be .x, y, color., got 5"),
        ({"points": 5}, "points must be a list of .x, y, color., got 5"),
        ({"palette": ["#12345"]}, "a color must be"),
        ({"palette": [("a", "b", "c")]}, "a color must be"),
        ({"palette": 5}, "a palette must be 313 shares, .* got int"),
        ({"reference": 5}, "reference must be a photograph, or .* got int"),
        ({"reference": ["#12345f"]}, "reference must be a photograph, or .* got list"),
        ({"words": 5}, "words must be a text of at most 1000 letters, got 5"),
        ({"size": 0}, "size must be a whole number of pixels from 64 to 2048, got 0"),
        ({"size": 99.5}, "size must be a whole number"),
        ({"model": ""}, "model must be the name of a model, got ''"),
        ({"model": 5}, "model must be the name of a model, got 5"),
    ],
)
def test_what_cannot_be_changes_nothing(scan: Path, change: dict, told: str) -> None:
    work = Touchup(scan)
    work.change(points=POINTS)
    before = work.request
    with pytest.raises(ValueError, match=told):
        work.change(**change)
    assert work.request == before
    assert work.picture(64).width == 64


def test_a_palettes_photograph_that_is_not_there_changes_nothing(scan: Path) -> None:
    work = Touchup(scan)
    with pytest.raises(opsin.PhotoError, match=r"nobody\.jpg: no such file"):
        work.change(palette="nobody.jpg")
    assert work.request.palette == ()


def test_an_unknown_model_changes_nothing(scan: Path) -> None:
    work = Touchup(scan)
    with pytest.raises(opsin.ModelError, match="unknown model 'nobody'"):
        work.change(model="nobody")
    assert work.request.model == "default"


def test_the_file_makes_the_same_picture_again(scan: Path, tmp_path: Path, capsys) -> None:
    work = Touchup(scan)
    work.change(points=POINTS, vividness=0.7, palette=["#3c7a3c", "#d8b48c"], strength=0.25)
    path = work.save(tmp_path / "scan.opsin.json")
    assert json.loads(path.read_text())["photograph"] == "scan.jpg"
    again = Touchup.load(path)
    assert again.request == work.request
    assert np.array_equal(again.picture().pixels, work.picture().pixels)
    target = tmp_path / "out.png"
    assert main(["colorize", str(scan), "-o", str(target), "--touchup", str(path)]) == 0
    assert np.array_equal(opsin.open(target).pixels, work.picture().pixels)
    work.change(points=())
    work.save(path)  # one of these may be replaced
    assert read_saved(path).request.points == ()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    scan.rename(elsewhere / "scan.jpg")
    with pytest.raises(opsin.DataError, match=r"'scan\.jpg' does not lie beside it"):
        Touchup.load(path)
    assert Touchup.load(path, elsewhere / "scan.jpg").request == work.request


def test_no_other_file_is_replaced(scan: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.json"
    other.write_text("{}")
    with pytest.raises(opsin.SaveError, match="already there, and holds something else"):
        Touchup(scan).save(other)
    assert other.read_text() == "{}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1",
        b'{"opsin": 2, "request": {"model": "default"}}',
        b"[" * 100_000,
        b'{"opsin": 1, "request": {"model": "default", "vividness": 2}}',
    ],
)
def test_a_file_of_something_else_is_a_sentence(scan, tmp_path, capsys, content: bytes) -> None:
    path = tmp_path / "x.opsin.json"
    path.write_bytes(content)
    assert main(["colorize", str(scan), "-o", str(tmp_path / "o.jpg"), "--touchup", str(path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"opsin: {path}: is no touched-up photograph's file")
    assert err.count("\n") == 1
    assert not (tmp_path / "o.jpg").exists()


def test_a_touchup_says_its_points_itself(scan: Path, tmp_path: Path, capsys) -> None:
    path = Touchup(scan).save(tmp_path / "scan.opsin.json")
    for more in (
        ["--point", "1,1,#ff0000"],
        ["--palette", "#ff0000"],
        ["--reference", str(scan)],
        ["--vividness", "0.5"],
        ["--model", "default"],
        ["--size", "128"],
        ["--strength", "1"],
        ["--matching", "1"],
    ):
        assert main(["colorize", str(scan), "--touchup", str(path), *more]) == 2
        assert f"reference and words to take. Give it without {more[0]}." in capsys.readouterr().err


def test_a_touchup_of_another_photograph_is_told(scan: Path, tmp_path: Path, capsys) -> None:
    work = Touchup(scan)
    work.change(points=POINTS)
    path = work.save(tmp_path / "scan.opsin.json")
    assert Touchup.load(path).notes == ()
    assert main(["colorize", str(scan), "-o", str(tmp_path / "o.jpg"), "--touchup", str(path)]) == 0
    assert "another file" not in capsys.readouterr().err
    scan.write_bytes((SAMPLES / "rocket.jpg").read_bytes())
    assert Touchup.load(path).notes == (touchup.OTHER,)
    assert main(["colorize", str(scan), "-o", str(tmp_path / "p.jpg"), "--touchup", str(path)]) == 0
    assert f"opsin: {path}: {touchup.OTHER}." in capsys.readouterr().err


def test_what_is_read_is_not_written_to(scan: Path, tmp_path: Path, capsys) -> None:
    reference = tmp_path / "summer.png"
    opsin.colorize(SAMPLES / "coffee.jpg").save(reference)
    before = reference.read_bytes()
    words = ["colorize", str(scan), "--reference", str(reference), "-o", str(reference)]
    assert main([*words, "--overwrite"]) == 2
    assert "or of what is read for them; it would be overwritten" in capsys.readouterr().err
    words = ["background", str(scan), "--replace", str(reference), "-o", str(reference)]
    assert main([*words, "--overwrite"]) == 2
    assert reference.read_bytes() == before


def test_a_black_and_white_reference_has_no_colors(scan: Path, capsys) -> None:
    gray = str(SAMPLES / "coffee.jpg")
    assert main(["colorize", str(scan), "--reference", gray]) == 2
    assert f"--reference {gray}: it is black and white" in capsys.readouterr().err
    with pytest.raises(ValueError, match="it is black and white"):
        Touchup(scan).change(palette=gray)


def test_a_palette_that_is_typed_has_so_many_colors(scan: Path, tmp_path: Path, capsys) -> None:
    words = ["colorize", str(scan), "-o", str(tmp_path / "out.png"), "--palette"]
    assert main([*words, ",".join(["#3c7a3c"] * 3000)]) == 2
    assert capsys.readouterr().err.startswith("opsin: --palette: 3,000 colors. Give at most 64")
    assert main([*words, ",".join(["#3c7a3c"] * 65)]) == 2
    assert main([*words, ",".join(["#3c7a3c"] * 64)]) == 0


def test_a_palette_or_a_reference_on_the_command_line(scan, summer, tmp_path, capsys) -> None:
    out = tmp_path / "out.png"
    words = ["colorize", str(scan), "-o", str(out), "--overwrite"]
    assert main([*words, "--palette", "3c7a3c, #d8b48c", "--strength", "0.5"]) == 0
    wanted = opsin.colorize(scan, palette=["#3c7a3c", "#d8b48c"], strength=0.5)
    assert np.array_equal(opsin.open(out).pixels, wanted.pixels)
    assert main([*words, "--reference", str(summer)]) == 0
    wanted = opsin.colorize(scan, palette=summer, reference=summer)
    assert np.array_equal(opsin.open(out).pixels, wanted.pixels)
    again = tmp_path / "again.png"
    assert main(["again", str(out), "-o", str(again)]) == 0
    assert np.array_equal(opsin.open(again).pixels, wanted.pixels)
    assert main(["again", str(out), "-o", str(again), "--overwrite", "--strength", "0.3"]) == 0
    wanted = opsin.colorize(scan, palette=summer, strength=0.3, reference=summer)
    assert np.array_equal(opsin.open(again).pixels, wanted.pixels)
    capsys.readouterr()
    assert main([*words, "--strength", "0.5"]) == 2
    assert (
        "--strength: of what? Give --reference, --palette or --samples" in capsys.readouterr().err
    )
    assert main(words) == 0
    assert main(["again", str(out), "-o", str(again), "--overwrite", "--strength", "0.3"]) == 1
    assert "was made without a palette" in capsys.readouterr().err
    assert main([*words, "--palette", "#ff0000", "--reference", str(scan)]) == 2
    assert "Give one" in capsys.readouterr().err
    assert main([*words, "--palette", "red"]) == 2
    assert "'red' is no color. Write #RRGGBB" in capsys.readouterr().err
    assert main([*words, "--reference", str(tmp_path / "none.jpg")]) == 1
    assert "none.jpg: no such file" in capsys.readouterr().err
    assert main([*words, "--reference", ""]) == 2
    assert "--reference: an empty name" in capsys.readouterr().err


def test_a_file_that_an_editor_has_marked_is_read(scan: Path, tmp_path: Path) -> None:
    path = Touchup(scan).save(tmp_path / "scan.opsin.json")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_saved(path).photograph == "scan.jpg"


def test_a_palette_of_too_few_shares_is_the_files_fault(scan: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "scan.opsin.json"
    path.write_text('{"opsin": 1, "request": {"model": "default", "palette": [0.1, 0.2]}}')
    assert main(["colorize", str(scan), "--touchup", str(path)]) == 1
    told = capsys.readouterr().err
    assert told == f"opsin: {path}: its palette must be 313 shares, and has 2.\n"


def test_a_point_left_of_the_photograph_is_told_to_be_outside(scan: Path, capsys) -> None:
    assert main(["colorize", str(scan), "--point", "-1,5,#a03020"]) == 1
    assert "outside" in capsys.readouterr().err
