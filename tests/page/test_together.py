"""All photographs of a session in one ZIP."""

from __future__ import annotations

import io
import zipfile

import numpy as np

import opsin
from opsin.page.together import FAILURES
from page.asking import SAMPLES, Browser


def entries(browser: Browser) -> dict[str, bytes]:
    answer = browser.client.get("/api/download")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith("opsin.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_that_is_open_as_it_is_now(browser: Browser) -> None:
    first = browser.opened("cat.jpg")
    browser.opened("coffee.jpg")
    browser.opened("cat.jpg")
    browser.change(first, vividness=0.9)
    found = entries(browser)
    assert list(found) == ["cat-color.jpg", "coffee-color.jpg", "cat-color-2.jpg"]
    single = browser.client.get(f"{first}/download").content
    assert found["cat-color.jpg"] == single
    plain = opsin.open(opsin.colorize(SAMPLES / "cat.jpg").encode("jpeg"))
    assert np.array_equal(opsin.open(found["cat-color-2.jpg"]).pixels, plain.pixels)
    assert found["cat-color-2.jpg"] != single


def test_what_cannot_be_made_is_told_and_the_others_come(browser: Browser) -> None:
    at = browser.opened("cat.jpg")
    browser.opened("coffee.jpg")
    session = browser.application.sessions.find(browser.client.cookies["opsin"])
    session.photographs[at.rpartition("/")[2]]._file.close()
    found = entries(browser)
    assert list(found) == ["coffee-color.jpg", FAILURES]
    assert found[FAILURES] == b"cat.jpg: This photograph is not open.\n"


def test_of_nobody_else(browser: Browser) -> None:
    browser.client.cookies.clear()
    assert browser.client.get("/api/download").status_code == 403
