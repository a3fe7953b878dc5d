"""What the server says of files is there in German, too."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import opsin.page.static
from opsin.colorization.touchup import OTHER
from opsin.page import limits
from opsin.page.app import Application
from page.asking import SAMPLES, Browser, parted

TABLE = (Path(opsin.page.static.__file__).parent / "sentences.js").read_text("utf-8")
GERMAN = re.findall(r'^  \[/(.+)/, "(.+)"\],$', TABLE, flags=re.MULTILINE)
CAT = (SAMPLES / "cat.jpg").read_bytes()


def in_german(sentence: str) -> str:
    """As the page says it."""
    for pattern, german in GERMAN:
        if found := re.search(pattern, sentence):
            return re.sub(r"\$(\d)", lambda part: found[int(part[1])], german)
    raise AssertionError(f"English alone: {sentence}")


def test_each_pattern_is_read_and_fills_in_what_it_says() -> None:
    assert len(GERMAN) == TABLE.count("\n  [/") > 30
    for pattern, german in GERMAN:
        assert pattern.startswith("^"), pattern
        assert pattern.endswith("$"), pattern
        assert re.compile(pattern).groups == len(set(re.findall(r"\$\d", german))), pattern
        assert re.search("[a-zäöü]", german)


def scan(kind: str = "PNG", mode: str = "L", **words: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").convert(mode).save(file, kind, **words)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("letter.jpg", b"Dear Ada", "kein Foto"),
        ("nothing.jpg", b"", "leer"),
        ("book.pdf", b"%PDF-1.4 " + bytes(600), "nicht lesen"),
        ("raw.cr2", b"II*\0\x10\0\0\0CR" + bytes(600), "Rohdatei|raw file"),
        ("large.png", scan(), "256 x 256 Pixel"),
    ],
)
def test_why_a_file_is_not_opened(name: str, data: bytes, told: str) -> None:
    browser = Browser(Application(pixel_limit=50_000))
    with browser.client:
        browser.begin()
        answer = browser.open(name, data)
    assert answer.status_code == 422
    said = in_german(answer.json()["error"])
    assert re.search(told, said)
    assert said.startswith(f"{name}: ")


def test_a_file_of_which_nothing_is_left(browser: Browser) -> None:
    answer = browser.open("torn.jpg", CAT[:700], damaged=1)
    assert "so beschädigt" in in_german(answer.json()["error"])


def test_no_room(browser: Browser, monkeypatch) -> None:
    assert "Noch ist nichts" in in_german(browser.client.get("/api/job/download").json()["error"])
    at = browser.opened("cat.jpg")
    monkeypatch.setattr(limits, "MOST_ON_DISK", len(CAT))
    assert "mehr wird nicht" in in_german(browser.open("cat.jpg").json()["error"])
    monkeypatch.setattr(limits, "MOST_PHOTOGRAPHS", 1)
    assert in_german(browser.open("cat.jpg").json()["error"]).startswith("1 Fotos sind offen")
    monkeypatch.setattr(limits, "MOST_PHOTOGRAPHS", 9)
    monkeypatch.setattr(limits, "MOST_IN_ALL", 1)
    assert "Zu viele Menschen" in in_german(browser.open("cat.jpg").json()["error"])
    browser.client.delete(at)
    assert "nicht offen" in in_german(browser.client.get(at).json()["error"])


def refusals(browser: Browser) -> Iterator[object]:
    at = browser.opened("cat.jpg")
    upload = {"params": {"name": "cat.jpg"}}
    yield browser.client.post(f"{at}/reference", **upload, content=CAT)
    hidden = opsin.open(np.full((64, 64, 4), (200, 40, 40, 0), np.uint8)).encode("png")
    yield browser.client.post(f"{at}/reference", **upload, content=hidden)
    many = ",".join(['[1, 1, "#ff0000"]'] * 501)
    saved = f'{{"opsin": 1, "request": {{"model": "default", "points": [{many}]}}}}'
    yield browser.client.post(f"{at}/touchup", **upload, content=saved.encode())
    yield browser.change(at, model="nobody")
    for words in ("red", "a dress,", "red frobnicate", "red dog cat", "purpley sky"):
        yield browser.change(at, words=words)
    yield browser.change(at, words=",".join(["red dress"] * 21))
    browser.change(at, model="classifier-decoder")
    yield browser.change(at, points=[[1, 1, "#ff0000"]])
    yield browser.change(at, palette=["#ff0000"])
    yield browser.client.get(f"{at}/answers")


def test_what_cannot_be_asked_for(browser: Browser) -> None:
    said = []
    for answer in refusals(browser):
        assert answer.status_code == 422
        said.append(in_german(answer.json()["error"]))
    assert len(set(said)) == 13


def test_wrong_settings_are_told_in_the_pages_own_words(browser: Browser) -> None:
    at = browser.opened("cat.jpg")
    answer = browser.client.post(f"{at}/touchup", params={"name": "a.json"}, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (422, "settings")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (scan(mode="CMYK", kind="JPEG"), "CMYK in sRGB umgewandelt"),
        (
            scan(kind="GIF", save_all=True, append_images=[Image.new("L", (256, 256))]),
            "das erste von 2",
        ),
        (CAT[: len(CAT) // 2], r"die unteren \d+ % fehlen"),
        (scan(mode="RGB", kind="JPEG", exif=b"Exif\0\0nothing"), "beschädigte EXIF"),
    ],
)
def test_notes(browser: Browser, data: bytes, told: str) -> None:
    document, _ = parted(browser.open("scan.jpg", data, damaged=1))
    assert any(re.search(told, in_german(note)) for note in document["notes"])


def test_notes_of_colors(browser: Browser) -> None:
    sepia = np.asarray(Image.open(SAMPLES / "cat.jpg").convert("RGB")) * [1.0, 0.85, 0.6]
    colors = opsin.colorize(SAMPLES / "coffee.jpg", vividness=1).encode("png")
    page = opsin.open(np.full((64, 64), 250, np.uint8)).encode("png")
    toned = opsin.open(sepia.astype(np.uint8)).encode("png")
    document, _ = parted(browser.change(browser.opened("cat.jpg"), words="red umbrella"))
    assert "nicht gefunden" in in_german(document["notes"][0])
    assert "von einem anderen Foto" in in_german(OTHER)
    told = ("getönt", "war in Farbe", "bekam keine Farbe")
    for data, word in zip((toned, colors, page), told, strict=True):
        document, _ = parted(browser.open("scan.png", data))
        assert any(word in in_german(note) for note in document["notes"])
