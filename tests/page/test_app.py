"""What the page is answered: pictures as `opsin.Touchup` makes them, undo, files to keep."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.colorization.touchup import OTHER
from opsin.page import limits
from opsin.page.app import Application
from page.asking import SAMPLES, Browser, parted

POINTS = [[150, 300, "#2040a0"]]


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)


def as_shown(work: opsin.Touchup, side: int = 1400) -> np.ndarray:
    return pixels(work.picture(side).encode("jpeg"))


def test_an_upload_is_answered_with_its_first_colors(browser: Browser) -> None:
    answer = browser.open("astronaut.jpg", side=300)
    assert answer.status_code == 201
    document, jpeg = parted(answer)
    assert (document["name"], document["width"], document["height"]) == ("astronaut.jpg", 512, 512)
    assert document["model"] == "default"
    assert (document["undo"], document["redo"]) == (0, 0)
    assert np.array_equal(pixels(jpeg), as_shown(opsin.Touchup(SAMPLES / "astronaut.jpg"), 300))


def test_changes_are_those_of_a_touchup(browser: Browser) -> None:
    at = browser.opened()
    work = opsin.Touchup(SAMPLES / "astronaut.jpg")
    for change in (
        {"points": POINTS},
        {"vividness": 0.8},
        {"palette": ["#3c7a3c", "#d8b48c"], "strength": 0.5},
    ):
        answer = browser.change(at, **change)
        work.change(**change)
        document, jpeg = parted(answer)
        assert np.array_equal(pixels(jpeg), as_shown(work))
        assert {key: document[key] for key in change if key != "palette"} == {
            key: value for key, value in change.items() if key != "palette"
        }
    assert document["palette"] == {"colors": ["#3c7a3c", "#d8b48c"]}
    document, _ = parted(browser.change(at, palette=[]))
    assert document["palette"] is None


def test_another_model(browser: Browser) -> None:
    models = {one["name"]: one for one in browser.begin().json()["models"]}
    assert models["color-bins"] == {"name": "color-bins", "points": True, "palette": True}
    assert not models["classifier-decoder"]["points"]
    assert "yunet" not in models
    at = browser.opened()
    work = opsin.Touchup(SAMPLES / "astronaut.jpg")
    work.change(model="classifier-decoder")
    _, jpeg = parted(browser.change(at, model="classifier-decoder"))
    assert np.array_equal(pixels(jpeg), as_shown(work))


def test_undo_and_redo(browser: Browser) -> None:
    at = browser.opened()
    first = parted(browser.client.get(at))[1]
    second = parted(browser.change(at, points=POINTS))[1]
    browser.change(at, palette=["#ff0000"])
    assert first != second
    document, jpeg = parted(browser.client.post(f"{at}/undo"))
    assert jpeg == second
    assert (document["undo"], document["redo"], document["palette"]) == (1, 1, None)
    for _ in range(2):  # the second has nothing to undo
        document, jpeg = parted(browser.client.post(f"{at}/undo"))
        assert jpeg == first
        assert (document["undo"], document["redo"], document["points"]) == (0, 2, [])
    document, jpeg = parted(browser.client.post(f"{at}/redo"))
    assert jpeg == second
    document, _ = parted(browser.change(at, vividness=0.9))  # what was undone is no more
    assert (document["undo"], document["redo"]) == (2, 0)


def test_a_gesture_is_undone_at_once(browser: Browser) -> None:
    at = browser.opened()
    browser.change(at, vividness=0.1, gesture="a")
    for value in (0.2, 0.3, 0.4):
        document, _ = parted(browser.change(at, vividness=value, gesture="b"))
    assert (document["vividness"], document["undo"]) == (0.4, 2)
    document, _ = parted(browser.client.post(f"{at}/undo"))
    assert document["vividness"] == 0.1
    for value in (0.5, 0.6):
        document, _ = parted(browser.change(at, vividness=value))
    assert document["undo"] == 3
    document, _ = parted(browser.change(at, vividness=0.6))
    assert document["undo"] == 3  # nothing has changed


def test_only_so_many_steps_are_kept(browser: Browser, monkeypatch) -> None:
    monkeypatch.setattr("opsin.page.opened.MOST_STEPS", 3)
    at = browser.opened()
    for value in (0.1, 0.2, 0.3, 0.4, 0.6):
        document, _ = parted(browser.change(at, vividness=value))
    assert document["undo"] == 3
    for _ in range(4):
        document, _ = parted(browser.client.post(f"{at}/undo"))
    assert document["vividness"] == 0.2


def test_a_reference_lends_its_palette_and_its_places(browser: Browser) -> None:
    at = browser.opened()
    gray = (SAMPLES / "coffee.jpg").read_bytes()
    answer = browser.client.post(f"{at}/reference", params={"name": "coffee.jpg"}, content=gray)
    assert answer.status_code == 422
    assert "it is black and white" in answer.text
    data = opsin.colorize(gray).encode("png")
    work = opsin.Touchup(SAMPLES / "astronaut.jpg")
    work.change(palette=data, reference=data)
    answer = browser.client.post(f"{at}/reference", params={"name": "coffee.jpg"}, content=data)
    document, jpeg = parted(answer)
    assert (document["palette"], document["matching"]) == ({"reference": "coffee.jpg"}, 1)
    assert np.array_equal(pixels(jpeg), as_shown(work))
    document, jpeg = parted(browser.change(at, matching=0.5))
    work.change(matching=0.5)
    assert document["matching"] == 0.5
    assert np.array_equal(pixels(jpeg), as_shown(work))
    document, jpeg = parted(browser.change(at, palette=["#3c7a3c"]))
    work.change(palette=["#3c7a3c"], reference="")
    assert (document["palette"], document["matching"]) == ({"colors": ["#3c7a3c"]}, None)
    assert np.array_equal(pixels(jpeg), as_shown(work))
    document, _ = parted(browser.client.post(f"{at}/undo"))
    assert (document["palette"], document["matching"]) == ({"reference": "coffee.jpg"}, 0.5)
    document, _ = parted(browser.change(at, answer=2))
    assert (document["palette"], document["matching"]) == ({"answer": 2}, None)


@pytest.mark.parametrize("palette", [["#3c7a3c"], []])
def test_what_counts_little_does_so_until_it_is_taken_away(browser: Browser, palette: list) -> None:
    at = browser.opened("cat.jpg")
    data = opsin.colorize(SAMPLES / "coffee.jpg").encode("png")
    params = {"name": "coffee.jpg"}
    browser.client.post(f"{at}/reference", params=params, content=data)
    browser.change(at, strength=0, matching=0.5)
    document, jpeg = parted(browser.change(at, palette=palette))
    assert document["strength"] == 1
    work = opsin.Touchup(SAMPLES / "cat.jpg")
    work.change(palette=palette)
    assert np.array_equal(pixels(jpeg), as_shown(work))
    document, _ = parted(browser.client.post(f"{at}/reference", params=params, content=data))
    assert (document["strength"], document["matching"]) == (1, 1)
    browser.change(at, palette=["#3c7a3c"])
    browser.change(at, strength=0.3)
    document, _ = parted(browser.change(at, palette=["#3c7a3c", "#d8b48c"]))
    assert document["strength"] == 0.3
    document, _ = parted(browser.change(at, palette=[]))
    assert document["strength"] == 1
    document, _ = parted(browser.client.post(f"{at}/undo"))
    assert document["strength"] == 0.3


def test_the_places_of_settings_can_be_taken_back(browser: Browser, tmp_path) -> None:
    at = browser.opened("cat.jpg")
    work = opsin.Touchup(SAMPLES / "cat.jpg")
    work.change(reference=opsin.colorize(SAMPLES / "coffee.jpg"))
    saved = work.save(tmp_path / "cat.opsin.json")
    answer = browser.client.post(
        f"{at}/touchup", params={"name": saved.name}, content=saved.read_bytes()
    )
    document, _ = parted(answer)
    assert (document["palette"], document["matching"]) == ({"file": saved.name}, 1)
    document, _ = parted(browser.change(at, palette=[]))
    assert (document["palette"], document["matching"]) == (None, None)


def test_settings_open_no_file_of_the_server(browser: Browser, tmp_path) -> None:
    name = str(opsin.open(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "hers.png"))
    at = browser.opened("cat.jpg")
    saved = {"opsin": 1, "request": {"model": "default", "reference": name}}
    answer = browser.client.post(f"{at}/touchup", content=json.dumps(saved).encode())
    assert answer.status_code == 422
    assert "its reference must be" in answer.text


def test_colors_in_words(browser: Browser) -> None:
    at = browser.opened("photographer.jpg")
    said = "brown coat, red umbrella"
    document, jpeg = parted(browser.change(at, words=said))
    work = opsin.Touchup(SAMPLES / "photographer.jpg")
    work.change(words=said)
    assert np.array_equal(pixels(jpeg), as_shown(work))
    assert document["words"] == said
    assert document["notes"] == ["red umbrella: no umbrella found"]
    answer = browser.change(at, words="red frobnicate")
    assert answer.status_code == 422
    assert "'frobnicate' is no thing" in answer.json()["error"]
    document, _ = parted(browser.change(at, words=""))
    assert (document["words"], document["notes"], document["undo"]) == ("", [], 2)
    document, _ = parted(browser.client.post(f"{at}/undo"))
    assert document["words"] == said


def test_several_answers_to_take_one_of(browser: Browser) -> None:
    at = browser.opened("coffee.jpg")
    browser.change(at, points=[[300, 50, "#804020"]])
    plain = parted(browser.client.get(at, params={"side": 240}))
    found = browser.client.get(f"{at}/answers").json()["answers"]
    known = opsin.samples(SAMPLES / "coffee.jpg", 6)
    assert [one["number"] for one in found] == [1, 2, 3, 4, 5, 6]
    assert [one["share"] for one in found] == [one.share for one in known]
    assert browser.client.get(f"{at}/answers/1", params={"side": 240}).content == plain[1]
    shown = browser.client.get(f"{at}/answers/3", params={"side": 240}).content
    assert parted(browser.client.get(at, params={"side": 240})) == plain  # nothing was changed
    document, _ = parted(browser.change(at, answer=3))
    assert (document["palette"], document["strength"]) == ({"answer": 3}, 0.5)
    assert parted(browser.client.get(at, params={"side": 240}))[1] == shown
    work = opsin.Touchup(SAMPLES / "coffee.jpg")
    work.change(points=[(300, 50, "#804020")], palette=known[2].palette, strength=0.5)
    assert np.array_equal(pixels(shown), as_shown(work, 240))
    document, _ = parted(browser.change(at, strength=0.8))
    assert (document["palette"], document["strength"]) == ({"answer": 3}, 0.8)
    document, _ = parted(browser.change(at, answer=1))
    assert (document["palette"], document["strength"]) == (None, 1)
    document, _ = parted(browser.change(at, answer=2, strength=0.7))
    assert (document["palette"], document["strength"]) == ({"answer": 2}, 0.7)
    document, _ = parted(browser.change(at, answer=2, palette=["#ff0000"]))
    assert document["palette"] == {"colors": ["#ff0000"]}
    document, _ = parted(browser.client.post(f"{at}/undo"))
    assert document["palette"] == {"answer": 2}


def test_answers_that_there_are_not(browser: Browser) -> None:
    at = browser.opened("cat.jpg")
    assert browser.client.get(f"{at}/answers/7").status_code == 422
    assert browser.change(at, answer=7).status_code == 422
    browser.change(at, model="classifier-decoder")
    answer = browser.client.get(f"{at}/answers")
    assert answer.status_code == 422
    assert "has one answer alone" in answer.text


def test_suggestions_confidence_and_what_it_was(browser: Browser) -> None:
    at = browser.opened()
    work = opsin.Touchup(SAMPLES / "astronaut.jpg")
    colors = browser.client.get(f"{at}/suggest", params={"x": 150, "y": 300}).json()["colors"]
    assert colors == [one.document() for one in work.suggest(150, 300)]
    sure = pixels(browser.client.get(f"{at}/confidence", params={"side": 256}).content)
    assert np.abs(sure[..., 0] - work.confidence(256) * 255).mean() < 3
    before = pixels(browser.client.get(f"{at}/before", params={"side": 256}).content)
    assert before.shape == (256, 256, 3)
    assert np.array_equal(before, pixels(work.original(256).encode("jpeg")))
    thumbnail = pixels(browser.client.get(f"{at}/thumbnail").content)
    assert max(thumbnail.shape) == 120
    assert np.ptp(thumbnail, axis=2).max() > 20


def test_the_download_keeps_what_the_photograph_was(browser: Browser) -> None:
    light = np.linspace(0, 65535, 96 * 128).reshape(96, 128).astype(np.uint16)
    scan = opsin.open(light)
    data = scan.encode("tiff")
    at = browser.opened("Großmutter 1.TIFF", data)
    browser.change(at, vividness=0.9)
    answer = browser.client.get(f"{at}/download")
    disposition = answer.headers["content-disposition"]
    assert disposition == "attachment; filename*=UTF-8''Gro%C3%9Fmutter%201-color.TIFF"
    kept = opsin.open(answer.content)
    assert (kept.depth, kept.metadata.format, kept.is_gray) == (16, "tiff", False)
    assert np.array_equal(kept.pixels, opsin.colorize(data, vividness=0.9).pixels)
    assert b'"vividness":0.9' in kept.metadata.xmp.replace(b"&quot;", b'"')
    assert "Großmutter 1.TIFF".encode() in kept.metadata.xmp


def test_a_photograph_of_a_format_that_cannot_be_kept_becomes_png(browser: Browser) -> None:
    file = io.BytesIO()
    Image.new("L", (64, 48), 90).save(file, "BMP")
    at = browser.opened("scan.bmp", file.getvalue())
    answer = browser.client.get(f"{at}/download")
    assert answer.headers["content-disposition"].endswith("scan-color.png")
    assert opsin.open(answer.content).metadata.format == "png"


def test_settings_are_kept_and_loaded(browser: Browser, tmp_path) -> None:
    at = browser.opened()
    browser.change(at, points=POINTS, vividness=0.7, palette=["#3c7a3c"])
    wanted = parted(browser.client.get(at))[1]
    saved = browser.client.get(f"{at}/touchup")
    assert saved.headers["content-disposition"].endswith("astronaut.opsin.json")
    assert json.loads(saved.content)["photograph"] == "astronaut.jpg"
    path = tmp_path / "astronaut.opsin.json"
    path.write_bytes(saved.content)
    work = opsin.Touchup.load(path, SAMPLES / "astronaut.jpg")
    assert np.array_equal(as_shown(work), pixels(wanted))
    other = browser.opened()
    answer = browser.client.post(
        f"{other}/touchup", params={"name": path.name}, content=saved.content
    )
    document, jpeg = parted(answer)
    assert jpeg == wanted
    assert document["points"] == POINTS
    assert document["palette"] == {"file": path.name}


def test_settings_of_another_photograph_are_told(browser: Browser) -> None:
    at = browser.opened()
    browser.change(at, points=POINTS)
    saved = browser.client.get(f"{at}/touchup").content
    assert parted(browser.client.post(f"{at}/touchup", content=saved))[0]["notes"] == []
    other = browser.opened("coffee.jpg")
    document, _ = parted(browser.client.post(f"{other}/touchup", content=saved))
    assert (document["points"], document["notes"]) == (POINTS, [OTHER])
    document, _ = parted(browser.change(other, vividness=0.8))
    assert document["notes"] == [OTHER]
    document, _ = parted(browser.change(other, points=[[9, 9, "#ff0000"]]))
    assert document["notes"] == []
    for step in ("undo", "undo"):
        document, _ = parted(browser.client.post(f"{other}/{step}"))
        assert document["notes"] == [OTHER]
    document, _ = parted(browser.client.post(f"{other}/undo"))
    assert (document["points"], document["notes"]) == ([], [])


def test_reloading_the_page_loses_nothing(browser: Browser) -> None:
    at = browser.opened()
    wanted = parted(browser.change(at, points=POINTS))
    [document] = browser.begin().json()["photographs"]
    assert document == wanted[0]
    assert parted(browser.client.get(at)) == wanted


def test_what_is_closed_is_gone(browser: Browser) -> None:
    at = browser.opened()
    other = browser.opened("coffee.jpg")
    assert browser.client.delete(at).status_code == 204
    assert browser.client.get(at).status_code == 404
    assert browser.client.get(other).status_code == 200
    assert len(browser.begin().json()["photographs"]) == 1


def test_pixels_that_were_let_go_come_back(browser: Browser, monkeypatch) -> None:
    monkeypatch.setattr(limits, "PIXELS_KEPT", 300_000)  # one of them
    first = browser.opened()
    wanted = parted(browser.change(first, points=POINTS))
    session = browser.application.sessions.find(browser.client.cookies["opsin"])
    opened = session.photographs[first.rpartition("/")[2]]
    assert opened.held == 512 * 512
    browser.opened("coffee.jpg")
    assert opened.held == 0
    assert parted(browser.client.get(first)) == wanted
    assert opened.held == 512 * 512


def test_photographs_of_the_command_line_are_there_at_once() -> None:
    given = [SAMPLES / "coffee.jpg", SAMPLES / "cat.jpg"]
    browser = Browser(Application(given=given))
    with browser.client:
        photographs = browser.begin().json()["photographs"]
        assert [one["name"] for one in photographs] == ["coffee.jpg", "cat.jpg"]
        document, jpeg = parted(browser.client.get(f"/api/photographs/{photographs[0]['id']}"))
    assert np.array_equal(pixels(jpeg), as_shown(opsin.Touchup(given[0])))
    assert document["width"] == 600


def test_a_damaged_photograph_is_taken_only_when_asked_for(browser: Browser) -> None:
    whole = (SAMPLES / "astronaut.jpg").read_bytes()
    half = whole[: len(whole) // 2]
    answer = browser.open("half.jpg", half)
    assert (answer.status_code, answer.json()["code"]) == (422, "damaged")
    document, _ = parted(browser.open("half.jpg", half, damaged=1))
    assert any("missing" in note for note in document["notes"])


@pytest.mark.parametrize("name", ["/", "/static/main.js", "/static/page.css", "/static/icon.svg"])
def test_the_pages_own_files(browser: Browser, name: str) -> None:
    answer = browser.client.get(name)
    kind = {"/": "text/html", ".js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kind[name[-3:]])
    assert answer.content
