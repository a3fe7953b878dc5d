"""`opsin classify`: bars for people, JSON and tables for programs, and the archive's manners."""

from __future__ import annotations

import csv
import errno
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiny_classifier

import opsin
from opsin.cli import main


@pytest.fixture(autouse=True)
def shades(models: Path) -> None:
    write_tiny_classifier(models, labels=("dark", "bright", "never/at all"))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two photographs, a broken one, and what is none."""
    folder = tmp_path / "my scans"
    folder.mkdir()
    opsin.open(np.full((40, 40), 20, np.uint8)).save(folder / "nächt.png")
    opsin.open(np.full((40, 40), 240, np.uint8)).save(folder / "tag.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (folder / "notes.txt").write_text("of 1950")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_names_are_drawn_as_bars(scans: Path, capsys) -> None:
    assert main(["classify", str(scans / "tag.jpg"), "--model", "shades", "--top", "2"]) == 0
    out, err = capsys.readouterr()
    title, first, second = out.splitlines()
    assert title.endswith("tag.jpg")
    assert first.split() == ["bright", "████████████████████████", "100.0%"]
    assert second.split() == ["dark", "0.0%"]
    assert err.startswith("1 classified in ")


def test_a_folder_is_told_as_one_frame(scans: Path, capsys) -> None:
    assert main(["classify", str(scans), "--model", "shades", "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["done"], told["failed"], told["skipped"], told["left"]) == (2, 1, 0, 0)
    files = {Path(one["input"]).name: one for one in told["files"]}
    assert files["nächt.png"]["classes"][0] == {
        "name": "dark",
        "probability": pytest.approx(0.999998, abs=1e-5),
    }
    assert files["broken.jpg"]["error"]
    assert "classes" not in files["broken.jpg"]
    assert "broken.jpg" in err
    assert not (scans / "nächt-color.png").exists()


def test_a_table_is_written_and_a_run_goes_on_by_it(scans: Path, tmp_path: Path, capsys) -> None:
    table = tmp_path / "names.csv"
    words = ["classify", str(scans), "--model", "shades", "--top", "1", "--csv", str(table)]
    assert main(words) == 1
    told = {Path(row["input"]).name: row for row in rows(table)}
    assert told["tag.jpg"]["name 1"] == "bright"
    assert float(told["tag.jpg"]["probability 1"]) > 0.99
    assert told["broken.jpg"]["error"]
    assert not told["broken.jpg"]["name 1"]
    assert "bright" not in capsys.readouterr().out

    opsin.open(np.full((40, 40), 20, np.uint8)).save(scans / "broken.jpg")
    assert main([*words, "--json"]) == 0
    frame = json.loads(capsys.readouterr().out)
    assert (frame["done"], frame["skipped"]) == (1, 2)
    assert [Path(row["input"]).name for row in rows(table)].count("broken.jpg") == 1
    assert main(words) == 0
    assert "3 in the table already" in capsys.readouterr().err.replace("skipped, ", "")


def test_another_number_of_names_is_another_table(scans: Path, tmp_path: Path, capsys) -> None:
    table = tmp_path / "names.csv"
    words = ["classify", str(scans / "tag.jpg"), "--model", "shades", "--csv", str(table)]
    assert main([*words, "--top", "2"]) == 0
    before = table.read_bytes()
    assert main([*words, "--top", "3"]) == 1
    assert "is another table" in capsys.readouterr().err
    assert table.read_bytes() == before


def test_a_photograph_through_a_pipe(scans: Path, monkeypatch, capsys) -> None:
    class Stdin:
        buffer = io.BytesIO((scans / "tag.jpg").read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["classify", "-", "--model", "shades", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["files"]
    assert one["classes"][0]["name"] == "bright"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-", "a.jpg"], "a pipe carries one photograph"),
        (["-", "--csv", "names.csv"], "--csv: not for a pipe"),
        (["a.jpg", "--csv", ""], "--csv: give the name of a file"),
        (["a.jpg", "--csv", "-"], "--csv: give the name of a file"),
        (["nowhere.jpg"], "no such file or folder"),
        ([""], "an empty name"),
    ],
)
def test_calls_that_cannot_be_meant(words, message, capsys) -> None:
    assert main(["classify", *words]) == 2
    assert message in capsys.readouterr().err


def test_letters_that_a_terminal_lacks_are_not_needed(scans: Path, monkeypatch) -> None:
    plain = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    assert main(["classify", str(scans / "tag.jpg"), "--model", "shades"]) == 0
    plain.seek(0)
    assert "########################" in plain.read()


def test_a_model_that_does_not_classify_is_told_before_the_first(scans: Path, capsys) -> None:
    assert main(["classify", str(scans), "--model", "tiny"]) == 1
    assert "does not classify" in capsys.readouterr().err


def test_a_cluster_names_them_too_and_goes_on_by_its_manifest(
    scans: Path, tmp_path: Path, models: Path, capsys
) -> None:
    pytest.importorskip("distributed")
    words = ["classify", str(scans), "-o", str(tmp_path / "names"), "--cluster", "local"]
    words += ["--model", "shades", "--workers", "1", "--json"]
    assert main(words) == 1  # one is broken
    told = json.loads(capsys.readouterr().out)
    names = {one["input"]: one["classes"][0]["name"] for one in told["files"] if "classes" in one}
    assert names == {"n\u00e4cht.png": "dark", "tag.jpg": "bright"}
    assert (told["done"], told["failed"]) == (2, 1)
    write_tiny_classifier(models, "other")
    again = [word if word != "shades" else "other" for word in words]
    assert main(again) == 1  # other names are other work
    assert json.loads(capsys.readouterr().out)["done"] == 2


@pytest.mark.parametrize("more", [["--csv", "a.csv", "--cluster", "local"], ["-o", "names"]])
def test_a_table_and_a_folder_do_not_go_together(scans: Path, more: list[str], capsys) -> None:
    assert main(["classify", str(scans), "--model", "shades", *more]) == 2
    assert "--cluster" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "count"), [("--second-look", 1), ("--no-second-look", 0)])
def test_a_second_look_is_as_told(scans: Path, monkeypatch, capsys, word: str, count: int) -> None:
    import opsin.colorization.pipeline as pipeline

    looks, colorize = [], pipeline.colorize
    monkeypatch.setattr(
        pipeline, "colorize", lambda *one, **more: looks.append(1) or colorize(*one, **more)
    )

    class Stdin:
        buffer = io.BytesIO((scans / "tag.jpg").read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main(["classify", "-", "--model", "shades", word]) == 0
    assert len(looks) == count


def test_a_damaged_photograph_is_named_if_asked_for(scans: Path, capsys) -> None:
    path = scans / "cut.jpg"
    noise = np.random.default_rng(0).integers(200, 255, (300, 300), np.uint8)
    opsin.open(noise).save(path)
    path.write_bytes(path.read_bytes()[:-3000])
    words = ["classify", str(path), "--model", "shades"]
    assert main(words) == 1
    assert main([*words, "--damaged"]) == 0
    assert "bright" in capsys.readouterr().out


def save(path: Path, light: int = 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    opsin.open(np.full((40, 40), light, np.uint8)).save(path)
    return path


def test_two_photographs_of_one_name_are_two_lines(tmp_path: Path, monkeypatch, capsys) -> None:
    table = tmp_path / "here" / "names.csv"
    words = ["classify", "a.png", "--model", "shades", "--top", "1", "--csv", str(table)]
    for folder, light in (("here", 20), ("there", 240)):
        save(tmp_path / folder / "a.png", light)
        monkeypatch.chdir(tmp_path / folder)
        assert main(words) == 0
    told = {row["input"]: row["name 1"] for row in rows(table)}
    assert told == {"a.png": "dark", str(tmp_path / "there/a.png"): "bright"}
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main([*words[:1], "here/../there/a.png", "here", *words[2:]]) == 0
    assert "2 skipped, in the table already" in capsys.readouterr().err


def test_names_that_are_formulas_or_break_lines_are_told_safely(tmp_path: Path, capsys) -> None:
    names = ["=1+1.png", "-a.png", "@b.png", "c\rd.png", "e\nf.png", 'g",h.png', "\ri.png"]
    for name in names:
        save(tmp_path / name)
    table = tmp_path / "names.csv"
    words = ["classify", str(tmp_path), "--model", "shades", "--top", "1", "--csv", str(table)]
    assert main(words) == 0
    cells = [row["input"] for row in rows(table)]
    assert sorted(Path(cell).name for cell in cells) == sorted(names)
    assert not any(cell.startswith(("=", "-", "@", "\r")) for cell in cells)
    assert b"\nc\rd" not in table.read_bytes()
    capsys.readouterr()
    assert main(words) == 0
    assert f"{len(names)} skipped" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--model", "other"], ["--model", "shades", "--second-look"]])
def test_what_was_named_otherwise_needs_another_table(
    scans: Path, tmp_path: Path, models: Path, more: list[str], capsys
) -> None:
    write_tiny_classifier(models, "other", labels=("dark", "bright", "never/at all"))
    table = tmp_path / "names.csv"
    words = ["classify", str(scans / "tag.jpg"), "--csv", str(table)]
    assert main([*words, "--model", "shades"]) == 0
    before = table.read_bytes()
    assert main([*words, *more]) == 1
    told = capsys.readouterr().err
    assert "names.csv was made otherwise: by shades " in told
    assert "Choose another name for the table." in told
    assert table.read_bytes() == before


def test_a_table_where_nothing_can_be_written_is_one_sentence(
    scans: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    """As on a disk that may only be read: nothing is made there, and nothing removed."""

    def refuse(self, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr("opsin.files.os.replace", refuse)
    words = ["classify", str(scans / "tag.jpg"), "--model", "shades"]
    assert main([*words, "--csv", str(tmp_path / "names.csv")]) == 1
    assert "names.csv: no permission to write here" in capsys.readouterr().err
    assert main([*words, "--csv", str(scans)]) == 1
    assert "is no file of its own, but a folder" in capsys.readouterr().err


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_after_a_stop_as_many_are_told_as_are_in_the_table(
    tmp_path: Path, monkeypatch, capsys, stop: BaseException
) -> None:
    from opsin.archive import table as tables

    for number in range(12):
        save(tmp_path / "in" / f"{number}.png")
    append, lines = tables._append, []

    def stopping(file, line: bytes) -> None:
        lines.append(line)
        if len(lines) == 2 or (len(lines) > 2 and isinstance(stop, OSError)):
            raise stop
        append(file, line)

    monkeypatch.setattr(tables, "_append", stopping)
    path = tmp_path / "names.csv"
    words = ["classify", str(tmp_path / "in"), "--model", "shades", "--csv", str(path), "--json"]
    assert main(words) != 0
    told = json.loads(capsys.readouterr().out)
    assert told["done"] == len(rows(path)) < 12
    assert told["left"] == 12 - told["done"]
