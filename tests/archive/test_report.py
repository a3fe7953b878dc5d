"""The page of a run: what it shows, what it leaves out, and what it never does."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.archive.report import Report
from opsin.archive.result import Result
from opsin.cli import main


@pytest.fixture
def scan(gray_photo):
    return opsin.open(gray_photo[::2, ::2])


def colorize(*arguments):
    return main(["colorize", "--model", "tiny", *map(str, arguments)])


class Page(HTMLParser):
    """Figures, links, pictures and rows of a page; fails where something would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.figures: list[str] = []
        self.links: list[str] = []
        self.pictures: list[opsin.Photo] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        assert tag not in ("script", "link", "iframe")
        if tag == "figure":
            self.figures.append(values["class"])
        if tag == "a":
            self.links.append(values["href"])
        if tag == "img":
            kind, data = values["src"].split(",")
            assert (kind, bool(values["alt"])) == ("data:image/jpeg;base64", True)
            self.pictures.append(opsin.open(base64.b64decode(data)))


def test_the_page_shows_before_and_after_and_what_failed(folder, scan, astronaut):
    scan.save("in/a & b.png")
    opsin.open(astronaut).save("in/color.jpg")
    sepia = scan.pixels * np.array([1, 0.8, 0.6])
    opsin.open(sepia.astype(np.uint8)).save("in/sepia.png")
    Path("in/<bad>.jpg").write_bytes(b"no picture")
    assert colorize("in", "-o", "out", "--report", "out/page.html") == 1
    text = Path("out/page.html").read_text("utf-8")
    page = Page(text)
    assert sorted(page.figures) == ["color", "gray", "toned"]
    assert len(page.pictures) == 6
    assert max(max(one.width, one.height) for one in page.pictures) == 160
    assert np.ptp(page.pictures[0].pixels.astype(int), axis=2).max() < 12
    assert np.ptp(page.pictures[1].pixels.astype(int), axis=2).max() > 30
    assert page.links[0] == "a%20%26%20b-color.png"
    assert "in/&lt;bad&gt;.jpg<td>not a photograph" in text
    assert "3 done · 1 failed" in text
    assert "<mark>toned</mark>" in text
    assert "color-scheme: light dark" in text


def test_a_later_run_shows_what_was_done_before(folder, scan):
    scan.save("a.png")
    assert colorize("a.png") == 0
    scan.save("b.png")
    for _ in range(2):  # the page of an earlier run is replaced
        assert colorize(".", "--report", "page.html") == 0
    text = Path("page.html").read_text("utf-8")
    assert (len(Page(text).pictures), text.count("skipped: exists")) == (4, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.png", "end the name with .html"), ("mine.html", "is no such report")],
)
def test_a_page_replaces_nothing_else(folder, scan, capsys, name, message):
    scan.save("a.png")
    Path("mine.html").write_text("<p>mine")
    before = Path(name).read_bytes()
    assert colorize("a.png", "--report", name) == 2
    assert message in capsys.readouterr().err
    assert Path(name).read_bytes() == before
    assert not Path("a-color.png").exists()


def test_a_page_that_cannot_be_written_is_refused_before_the_first_photograph(folder, scan, capsys):
    scan.save("a.png")
    Path("file").touch()
    assert colorize("a.png", "--report", "file/page.html") == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("a-color.png").exists()


def test_what_is_too_much_is_left_out_and_counted(folder, monkeypatch):
    monkeypatch.setattr("opsin.archive.report.MOST_ROWS", 2)
    monkeypatch.setattr("opsin.archive.report.MOST_FAILURES", 3)
    report = Report("page.html", title="Many")
    for number in range(9):
        report.add(Result(f"{number}.jpg", "done"))
        report.add(Result(f"{number}.jpg", "done"))  # a row of its own it has already
        report.add(Result(f"bad{number}.jpg", "failed", error="broken"))
    text = report.write({"done": 9, "failed": 9}, seconds=75, stopped=False).read_text("utf-8")
    assert (text.count("<figure"), text.count("<td>broken")) == (2, 3)
    assert re.findall(r"(\d) more are left out", text) == ["6", "7"]
    assert "9 done · 9 failed · 1 min 15 s" in text


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_stopped_run_leaves_its_page(folder, scan):
    for number in range(300):
        scan.save(f"in/{number}.png")
    command = [sys.executable, "-m", "opsin", "colorize", "--model", "tiny", "in", "-o", "out"]
    with subprocess.Popen([*command, "--report", "page.html"], stderr=subprocess.PIPE) as process:
        limit = time.monotonic() + 60
        while not list(Path("out").glob("*.png")) and time.monotonic() < limit:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 130
    text = Path("page.html").read_text("utf-8")
    done = len(list(Path("out").glob("*.png")))
    assert f"{done} done" in text
    assert "stopped before the end" in text
    assert len(Page(text).figures) == done
