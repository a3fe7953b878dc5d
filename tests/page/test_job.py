"""All photographs at their full size: one after the other, stopped, gone on with, in one ZIP."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

import numpy as np
import pytest

import opsin
from opsin.page import limits
from opsin.page.opened import Opened
from opsin.page.together import FAILURES
from page.asking import SAMPLES, Browser

JOB = "/api/job"


def start(browser: Browser, like: str = "") -> None:
    answer = browser.client.post(JOB, json={"like": like.rpartition("/")[2]})
    assert answer.status_code == 202, answer.text


def ended(browser: Browser) -> dict[str, Any]:
    """What became of the job, once it has ended."""
    end = time.monotonic() + 60
    while (job := browser.client.get(JOB).json())["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    return job


def entries(browser: Browser) -> dict[str, bytes]:
    answer = browser.client.get(f"{JOB}/download")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].endswith("opsin.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The names of what is made at full size, as it is made."""
    names: list[str] = []
    plain = Opened.download

    def download(opened: Opened, *asked: Any) -> tuple[str, bytes]:
        names.append(opened.name)
        return plain(opened, *asked)

    monkeypatch.setattr(Opened, "download", download)
    return names


def test_each_as_it_is_in_one_zip(browser: Browser) -> None:
    assert browser.begin().json()["job"]["state"] == "none"
    assert browser.client.get(f"{JOB}/download").status_code == 409
    first = browser.opened("cat.jpg")
    browser.opened("coffee.jpg")
    browser.opened("cat.jpg")
    browser.change(first, vividness=0.9)
    start(browser)
    job = ended(browser)
    wanted = {"state": "done", "total": 3, "done": 3, "now": "", "failures": []}
    assert job == {**wanted, "made": 3, "left": 0}
    assert browser.begin().json()["job"] == job  # a page that is loaded anew knows
    found = entries(browser)
    assert list(found) == ["cat-color.jpg", "coffee-color.jpg", "cat-color-2.jpg"]
    assert found["cat-color.jpg"] == browser.client.get(f"{first}/download").content
    plain = opsin.open(opsin.colorize(SAMPLES / "cat.jpg").encode("jpeg"))
    assert np.array_equal(opsin.open(found["cat-color-2.jpg"]).pixels, plain.pixels)
    assert found["cat-color-2.jpg"] != found["cat-color.jpg"]


def test_all_as_one_but_for_their_points(browser: Browser) -> None:
    first = browser.opened("cat.jpg")
    second = browser.opened("coffee.jpg")
    browser.change(
        first, vividness=0.9, palette=["#3c7a3c"], strength=0.5, points=[[9, 9, "#f00000"]]
    )
    browser.change(second, vividness=0.1, points=[[300, 50, "#804020"]])
    start(browser, like=first)
    assert ended(browser)["made"] == 2
    found = entries(browser)
    wanted = opsin.colorize(
        SAMPLES / "coffee.jpg",
        vividness=0.9,
        palette=["#3c7a3c"],
        strength=0.5,
        points=[(300, 50, "#804020")],
    )
    wanted = opsin.open(wanted.encode("jpeg"))
    assert np.array_equal(opsin.open(found["coffee-color.jpg"]).pixels, wanted.pixels)
    assert found["cat-color.jpg"] == browser.client.get(f"{first}/download").content
    document = browser.begin().json()["photographs"][1]
    assert (document["vividness"], document["undo"]) == (0.1, 1)  # on the page it is as it was


def test_only_what_has_changed_is_made_anew(browser: Browser, made: list[str]) -> None:
    first = browser.opened("cat.jpg")
    browser.opened("coffee.jpg")
    start(browser)
    ended(browser)
    before = entries(browser)
    browser.change(first, vividness=0.9)
    job = browser.client.get(JOB).json()
    assert (job["made"], job["left"]) == (2, 1)
    start(browser)
    assert ended(browser)["done"] == 2
    assert made == ["cat.jpg", "coffee.jpg", "cat.jpg"]
    after = entries(browser)
    assert after["coffee-color.jpg"] == before["coffee-color.jpg"]
    assert after["cat-color.jpg"] != before["cat-color.jpg"]


def test_stopped_and_gone_on_with(browser: Browser, made: list[str], monkeypatch) -> None:
    for name in ("cat.jpg", "coffee.jpg", "rocket.jpg"):
        browser.opened(name)
    plain = Opened.download
    told: list[str] = []

    def download(opened: Opened, *asked: Any) -> tuple[str, bytes]:
        if not told:  # while the first is under way
            told.append(browser.client.get(JOB).json()["now"])
            assert browser.client.delete(JOB).json()["state"] == "running"
        return plain(opened, *asked)

    monkeypatch.setattr(Opened, "download", download)
    start(browser)
    job = ended(browser)
    assert told == ["cat.jpg"]
    assert (job["state"], job["done"], job["total"], job["made"]) == ("stopped", 1, 3, 1)
    assert list(entries(browser)) == ["cat-color.jpg"]
    start(browser)
    job = ended(browser)
    assert (job["state"], job["made"]) == ("done", 3)
    assert made == ["cat.jpg", "coffee.jpg", "rocket.jpg"]


def test_what_cannot_be_made_is_told_and_the_others_come(browser: Browser) -> None:
    at = browser.opened("cat.jpg")
    browser.opened("coffee.jpg")
    session = browser.application.sessions.find(browser.client.cookies["opsin"])
    opened = session.photographs[at.rpartition("/")[2]]
    opened.let_go()
    opened._file.truncate(2000)
    start(browser)
    job = ended(browser)
    assert (job["state"], job["done"], job["made"]) == ("done", 2, 1)
    [failure] = job["failures"]
    assert (failure["name"], failure["code"]) == ("cat.jpg", "damaged")
    found = entries(browser)
    assert list(found) == ["coffee-color.jpg", FAILURES]
    assert found[FAILURES].decode() == f"cat.jpg: {failure['error']}\n"


def test_a_full_disk_ends_it_and_nothing_is_lost(browser: Browser, monkeypatch) -> None:
    browser.opened("cat.jpg")
    browser.opened("coffee.jpg")
    held = browser.application.sessions.on_disk
    size = len(opsin.colorize(SAMPLES / "cat.jpg").encode("jpeg"))
    monkeypatch.setattr(limits, "MOST_ON_DISK", held + size + 5000)
    start(browser)
    job = ended(browser)
    assert (job["state"], job["made"]) == ("done", 1)
    assert [one["code"] for one in job["failures"]] == ["large"]
    monkeypatch.setattr(limits, "MOST_ON_DISK", held)
    at = browser.begin().json()["photographs"][0]["id"]
    browser.change(f"/api/photographs/{at}", vividness=0.1)
    start(browser)
    job = ended(browser)
    assert (job["state"], job["done"], job["made"]) == ("stopped", 1, 0)
    assert browser.application.sessions.on_disk == held


def test_what_is_closed_is_not_in_it_and_takes_no_room(browser: Browser) -> None:
    at = browser.opened("cat.jpg")
    other = browser.opened("coffee.jpg")
    start(browser)
    ended(browser)
    sessions = browser.application.sessions
    session = sessions.find(browser.client.cookies["opsin"])
    files = [one.made.file for one in session.photographs.values()]
    browser.client.delete(at)
    assert files[0].closed
    assert list(entries(browser)) == ["coffee-color.jpg"]
    browser.client.delete(other)
    assert files[1].closed
    assert sessions.on_disk == 0


def test_of_nobody_else(browser: Browser) -> None:
    browser.opened("cat.jpg")
    start(browser)
    ended(browser)
    browser.client.cookies.clear()
    for path in (JOB, f"{JOB}/download"):
        assert browser.client.get(path).status_code == 403
    assert browser.client.post(JOB, json={}).status_code == 403
    assert browser.client.delete(JOB).status_code == 403
    browser.begin()
    assert browser.client.get(JOB).json()["state"] == "none"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"like": 3}', b'{"all": ""}', b"[" * 9000])
def test_a_wrong_word_begins_nothing(browser: Browser, body: bytes) -> None:
    assert browser.client.post(JOB, content=body).status_code == 422
    assert browser.client.post(JOB, json={"like": "nobody"}).status_code == 404
    assert browser.client.get(JOB).json()["state"] == "none"
