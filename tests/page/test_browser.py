"""The page in a real browser, where there is Chromium with its driver; else it is passed over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import opsin
from page.driver import CHROMIUM, DRIVER, Chromium

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no Chromium")
SAMPLES = Path(__file__).parents[2] / "samples"
CONTROL, DELETE, LEFT, RIGHT, ENTER = "\ue009", "\ue017", "\ue012", "\ue014", "\ue007"
HOME = "\ue011"
PHOTO = "document.getElementById('after').naturalWidth"
POINTS = "document.querySelectorAll('#points li').length"
SWATCHES = "document.querySelectorAll('#swatches button').length"
QUIET = "document.getElementById('busy').hidden"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    call = [sys.executable, "-m", "opsin", "page", "--port", "0"]
    own = {**os.environ, "OPSIN_MODELS": str(tmp_path_factory.mktemp("models"))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(call, **pipes, text=True, env=own) as one:
        yield one.stdout.readline().strip()
        one.terminate()


@pytest.fixture
def window(server: str, tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(tmp_path / "profile") as found:
        found.open(server)
        found.until("document.getElementById('choose').textContent")
        yield found
        assert found.log() == [], "the console has complaints"


def sheet(window: Chromium) -> list[float]:
    return window.run(
        "const b = document.getElementById('sheet').getBoundingClientRect();"
        "return [b.x, b.y, b.width, b.height]"
    )


def color_at(window: Chromium, x: float, y: float) -> list[int]:
    """The color of the picture that is shown, at a share of its sides."""
    return window.run(
        "const i = document.getElementById('after'); const c = document.createElement('canvas');"
        "c.width = i.naturalWidth; c.height = i.naturalHeight; const d = c.getContext('2d');"
        "d.drawImage(i, 0, 0);"
        "return [...d.getImageData(arguments[0] * c.width, arguments[1] * c.height, 1, 1).data]",
        x,
        y,
    )[:3]


def test_a_photograph_is_touched_up(window: Chromium, tmp_path: Path) -> None:
    window.upload("#files", SAMPLES / "astronaut.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET}")
    left, top, width, height = sheet(window)
    before = color_at(window, 0.3, 0.6)
    window.pointer((left + 0.3 * width, top + 0.6 * height))
    window.until(f"{SWATCHES} > 1")
    window.run("const c = document.getElementById('color'); c.value = '#2040c0';"
               "c.dispatchEvent(new Event('input'))")  # fmt: skip
    window.until(f"{POINTS} === 1 && !document.getElementById('undo').disabled && {QUIET}")
    red, _, blue = color_at(window, 0.3, 0.6)
    assert blue > red + 40
    assert before[2] < before[0] + 40
    mark = (left + 0.3 * width, top + 0.6 * height)
    window.pointer(mark, (mark[0] + 40, mark[1]), (mark[0] + 80, mark[1]))
    label = "document.querySelector('#marks button').style.left"
    moved = 100 * (0.3 + 80 / width)
    assert float(window.run(f"return {label}").rstrip("%")) == pytest.approx(moved, abs=1)
    window.until(QUIET)
    window.keys("z", held=CONTROL)  # the drag was one step
    window.until(f"Math.abs(parseFloat({label}) - 30) < 1")
    window.keys("z", held=CONTROL)
    window.until(f"{POINTS} === 0")
    window.keys("y", held=CONTROL)
    window.until(f"{POINTS} === 1 && {QUIET}")
    window.run("location.reload()")
    window.until(f"{POINTS} === 1 && {PHOTO} > 0 && {QUIET}")
    red, _, blue = color_at(window, 0.3, 0.6)
    assert blue > red + 40
    window.run("document.querySelector('#points li button').click()")
    window.until("document.querySelector('#marks button[aria-pressed=true]')")
    window.keys(DELETE)
    window.until(f"{POINTS} === 0 && {QUIET}")
    window.run("document.getElementById('stage').focus()")
    window.keys(RIGHT, ENTER)
    window.until(f"{SWATCHES} > 1")
    answer = window.run("return fetch(document.getElementById('download').href)"
                        ".then((one) => one.blob()).then((one) => one.size)")  # fmt: skip
    assert answer > 10_000


def test_a_slider_never_queues_and_the_newest_wins(window: Chromium) -> None:
    window.upload("#files", SAMPLES / "coffee.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET}")
    asked = window.run(
        "const plain = window.fetch; let asked = [];"
        "window.fetch = (path, how) => { if (path.includes('/change')) asked.push(how.body);"
        "  return plain(path, how); };"
        "const s = document.getElementById('vividness');"
        "for (let at = 0; at < 40; at += 1) {"
        "  s.value = at / 50; s.dispatchEvent(new Event('input'));"
        "  await new Promise((done) => setTimeout(done, 5)); }"
        "while (!document.getElementById('busy').hidden)"
        "  await new Promise((done) => setTimeout(done, 20));"
        "return asked.map((one) => JSON.parse(one).vividness)"
    )
    assert len(asked) < 40
    assert asked == sorted(asked)
    assert asked[-1] == 0.78
    assert window.run("return document.getElementById('amount').textContent") == "78 %"
    window.run("document.getElementById('undo').click()")
    window.until("document.getElementById('amount').textContent === '50 %'")


def test_a_slider_says_what_its_photograph_has(window: Chromium) -> None:
    window.upload("#files", SAMPLES / "cat.jpg", SAMPLES / "coffee.jpg")
    window.until(f"document.querySelectorAll('#tabs img').length === 2 && {QUIET}")
    shown = "(s => [+s.value, document.getElementById('{}').textContent])"
    shown = f"{shown}(document.getElementById('{{}}'))"
    vividness, strength = shown.format("amount", "vividness"), shown.format("much", "strength")
    at = "const b = document.getElementById('{}').getBoundingClientRect();"
    at += "return [b.x + 0.75 * b.width, b.y + b.height / 2]"
    window.pointer(window.run(at.format("vividness")))  # it gets the focus by this
    window.until(f"!document.getElementById('undo').disabled && {QUIET}")
    value, said = window.run(f"return {vividness}")
    assert value == pytest.approx(0.75, abs=0.03)
    assert said == f"{round(100 * value)} %"
    window.keys("z", held=CONTROL)
    window.until(f"document.getElementById('undo').disabled && {QUIET}")
    assert window.run(f"return {vividness}") == [0.5, "50 %"]
    window.keys(*[LEFT] * 20)
    window.until(f"!document.getElementById('undo').disabled && {QUIET}")
    assert window.run(f"return {vividness}") == [0.3, "30 %"]
    window.run("document.querySelector('#tabs button').click()")
    window.until(f"document.getElementById('after').alt === 'cat.jpg' && {QUIET}")
    assert window.run(f"return {vividness}") == [0.5, "50 %"]
    window.run("const c = document.getElementById('wanted'); c.value = '#a04020';"
               "c.dispatchEvent(new Event('change'))")  # fmt: skip
    window.until(f"!document.getElementById('counts').hidden && {QUIET}")
    window.run("document.getElementById('strength').focus()")
    window.keys(*[LEFT] * 5)
    window.until(f"{strength}[1] === '95 %' && {QUIET}")
    window.keys("z", held=CONTROL)
    window.until(f"{QUIET} && !document.getElementById('redo').disabled")
    value, said = window.run(f"return {strength}")
    assert value > 0.95
    assert said == f"{round(100 * value)} %"


def test_a_reference_has_a_slider_for_its_places(window: Chromium, tmp_path: Path) -> None:
    other = opsin.colorize(SAMPLES / "coffee.jpg").save(tmp_path / "other.png")
    window.upload("#files", SAMPLES / "cat.jpg")
    window.until(f"document.querySelectorAll('#tabs img').length === 1 && {QUIET}")
    hidden = "document.getElementById('places').hidden"
    assert window.run(f"return {hidden}")
    window.upload("#referencefile", other)
    window.until(f"!{hidden} && {QUIET}")
    shown = "document.getElementById('alikeness').textContent"
    assert window.run(f"return {shown}") == "100 %"
    window.run("document.getElementById('matching').focus()")
    window.keys(*[LEFT] * 5)
    window.until(f"{shown} === '95 %' && {QUIET}")
    window.run("document.getElementById('matching').focus()")
    window.keys(HOME)
    window.until(f"{shown} === '0 %' && {QUIET}")
    assert not window.run(f"return {hidden}")
    window.run("document.getElementById('clear').click()")
    window.until(f"{hidden} && {QUIET}")
    window.upload("#referencefile", other)
    window.until(f"!{hidden} && {QUIET}")
    slider = "document.getElementById('matching').value"
    assert (window.run(f"return {shown}"), window.run(f"return {slider}")) == ("100 %", "1")
    window.run("document.getElementById('undo').click()")
    window.until(f"{hidden} && {QUIET}")


def test_colors_instead_of_a_reference_count_again(window: Chromium, tmp_path: Path) -> None:
    other = opsin.colorize(SAMPLES / "coffee.jpg").save(tmp_path / "other.png")
    window.upload("#files", SAMPLES / "cat.jpg")
    window.until(f"document.querySelectorAll('#tabs img').length === 1 && {QUIET}")
    window.upload("#referencefile", other)
    window.until(f"!document.getElementById('counts').hidden && {QUIET}")
    shown = "document.getElementById('much').textContent"
    window.run("document.getElementById('strength').focus()")
    window.keys(HOME)
    window.until(f"{shown} === '0 %' && {QUIET}")
    window.run("const c = document.getElementById('wanted'); c.value = '#a04020';"
               "c.dispatchEvent(new Event('change'))")  # fmt: skip
    window.until(f"document.getElementById('places').hidden && {QUIET}")
    slider = "document.getElementById('strength').value"
    assert (window.run(f"return {shown}"), window.run(f"return {slider}")) == ("100 %", "1")


def test_many_files_are_colored_into_one_zip(window: Chromium, tmp_path: Path) -> None:
    letter, torn = tmp_path / "letter.jpg", tmp_path / "torn.jpg"
    letter.write_bytes(b"Dear Ada")
    torn.write_bytes((SAMPLES / "cat.jpg").read_bytes()[:9000])
    hidden = "document.getElementById('{}').hidden"
    window.upload("#files", SAMPLES / "cat.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET}")
    assert window.run(f"return {hidden.format('many')}")
    window.upload("#files", letter, torn, SAMPLES / "coffee.jpg")
    window.until("document.querySelectorAll('#tabs img').length === 2 && " + QUIET)
    said = window.run("return document.querySelector('#message span').textContent").split("\n")
    assert [line.partition(":")[0] for line in said] == ["letter.jpg", "torn.jpg"]
    window.run("document.getElementById('allthesame').click()")
    window.until("document.querySelectorAll('#tabs img').length === 3 && " + QUIET)
    assert window.run(f"return {hidden.format('message')}")
    window.run("document.getElementById('run').click()")
    window.until(f"!{hidden.format('all')}")
    assert window.run("return document.getElementById('all').textContent").split()[1] == "3"
    assert window.run(f"return {hidden.format('missing')}")
    start = window.run(
        "return fetch(document.getElementById('all').href).then((one) => one.text())"
        ".then((text) => text.slice(0, 2))"
    )
    assert start == "PK"
    window.keys("[")
    window.until(f"document.getElementById('after').alt === 'coffee.jpg' && {QUIET}")
    window.run(
        "const s = document.getElementById('vividness'); s.value = 0.9;"
        "s.dispatchEvent(new Event('input'))"
    )
    window.until(f"!{hidden.format('missing')} && {QUIET}")
    missing = window.run("return document.getElementById('missing').textContent")
    assert missing.split("“")[1].split("”")[0] == window.run(
        "return document.getElementById('run').textContent"
    )
    window.run("location.reload()")
    window.until(f"{PHOTO} > 0 && {QUIET} && !{hidden.format('missing')}")
    assert not window.run(f"return {hidden.format('all')}")
    assert all("422" in line for line in window.log())


def test_colors_in_words(window: Chromium) -> None:
    window.upload("#files", SAMPLES / "photographer.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET}")
    before = color_at(window, 0.2, 0.45)
    said = "document.getElementById('said')"
    window.run(f"{said}.focus()")
    window.keys(*"red coat, blue umbrella", ENTER)
    window.until(f"document.querySelectorAll('#notes li').length === 1 && {QUIET}")
    now = color_at(window, 0.2, 0.45)
    assert now[0] - now[2] > before[0] - before[2] + 10
    window.run(f"{said}.value = 'red frobnicate'; {said}.dispatchEvent(new Event('change'))")
    window.until("document.querySelector('#message span').textContent.includes('frobnicate')")
    assert window.run(f"return {said}.value") == "red frobnicate"  # to be mended
    window.run("document.getElementById('undo').click()")
    window.until(f"{said}.value === '' && {QUIET}")
    assert any("422" in line for line in window.log())


def test_one_of_several_answers_is_taken(window: Chromium) -> None:
    window.upload("#files", SAMPLES / "coffee.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET}")
    before = color_at(window, 0.5, 0.4)
    window.run("document.getElementById('several').click()")
    there = (
        "[...document.querySelectorAll('#answers img')].filter((one) => one.naturalWidth).length"
    )
    window.until(f"{there} === 6 && {QUIET}")
    pressed = "document.querySelector('#answers button:nth-child({})').ariaPressed === 'true'"
    assert window.run(f"return {pressed.format(1)}")
    window.run("document.querySelectorAll('#answers button')[2].click()")
    window.until(f"{pressed.format(3)} && {QUIET}")
    assert color_at(window, 0.5, 0.4) != before
    assert window.run("return document.getElementById('much').textContent") == "50 %"
    window.run("document.getElementById('undo').click()")
    window.until(f"{pressed.format(1)} && {QUIET}")
    assert color_at(window, 0.5, 0.4) == before


def test_what_is_dropped_is_known_by_what_and_where_it_is(window: Chromium) -> None:
    drop = (
        "const [where, name, parts] = arguments; const data = new DataTransfer();"
        "data.items.add(new File(parts === null ? [await (await fetch("
        "document.getElementById('download').href)).blob()] : parts, name));"
        "document.querySelector(where).dispatchEvent("
        "new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))"
    )
    window.upload("#files", SAMPLES / "cat.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET}")
    saved = '{"opsin": 1, "request": {"model": "default", "points": [[9, 9, "#ff0000"]]}}'
    window.run(drop, "#stage", "cat.opsin.json", [saved])
    window.until(f"{POINTS} === 1 && {QUIET}")
    window.run(drop, "aside", "other.jpg", None)
    window.until(f"document.getElementById('from').textContent.includes('other.jpg') && {QUIET}")
    assert window.run("return document.querySelectorAll('#tabs button').length") == 1
    window.run(drop, "#stage", "third.jpg", None)
    window.until(f"document.querySelectorAll('#tabs button').length === 2 && {QUIET}")
    assert window.run("return document.getElementById('after').alt") == "third.jpg"
    assert window.run(f"return {POINTS}") == 0


def test_those_that_cannot_be_open_are_named(window: Chromium, tmp_path: Path) -> None:
    window.upload("#files", SAMPLES / "cat.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET} && document.querySelectorAll('#tabs img').length")
    window.run(  # as the server answers once a hundred are open
        "document.getElementById('tabs').style.maxWidth = '120px'; const plain = window.fetch;"
        "const full = { code: 'many', error: '100 photographs are open. Close one first.' };"
        "window.fetch = (path, how) => path.includes('=3.jpg')"
        "  ? Promise.resolve(new Response(JSON.stringify(full), { status: 413 }))"
        "  : plain(path, how)"
    )
    tall = sheet(window)[3]
    names = [f"{number}.jpg" for number in range(1, 6)]
    for name in names:
        shutil.copy(SAMPLES / "cat.jpg", tmp_path / name)
    window.upload("#files", *(tmp_path / name for name in names))
    message = "document.querySelector('#message span').textContent"
    said = window.until(f"{QUIET} && {message}.includes('Close one') && {message}")
    assert said.split("\n") == [
        "3.jpg: 100 photographs are open. Close one first.",
        "Not opened either: 4.jpg, 5.jpg.",
    ]
    assert window.run(
        "const a = document.getElementById('tabs').getBoundingClientRect();"
        "const b = document.querySelector('#tabs [aria-current=true]').getBoundingClientRect();"
        "return b.left >= a.left - 1 && b.right <= a.right + 1"
    )
    room = window.run("return document.getElementById('stage').clientHeight")
    assert sheet(window)[3] <= room + 1  # the message takes room; all is still seen
    assert sheet(window)[3] < tall
    if folder := os.environ.get("OPSIN_SCREENSHOTS"):
        window.screenshot(Path(folder) / "many.png")


def test_a_broken_file_is_a_message(window: Chromium, tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_bytes(b"Dear Ada")
    window.upload("#files", tmp_path / "letter.jpg")
    message = "document.querySelector('#message span').textContent"
    said = window.until(f"{message}.includes('letter.jpg:') && {message}")
    assert "not a photograph" in said
    assert window.run("return document.getElementById('work').hidden")
    assert any("422" in line for line in window.log())


def test_two_windows_see_their_own(window: Chromium, server: str, tmp_path: Path) -> None:
    window.upload("#files", SAMPLES / "cat.jpg")
    window.until(f"{PHOTO} > 0 && {QUIET}")
    at = window.run("return document.getElementById('download').href")
    with Chromium(tmp_path / "other", width=400) as other:
        other.open(server)
        other.until("document.getElementById('choose').textContent")
        assert other.run("return document.querySelectorAll('#tabs button').length") == 0
        assert other.run(f"return fetch('{at}').then((one) => one.status)") == 404


def test_german_phone_and_dark(server: str, tmp_path: Path) -> None:
    with Chromium(tmp_path / "profile", width=500, height=900) as window:
        window.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark"}],
        )
        window.open(server)
        window.run("localStorage.setItem('language', 'de'); location.reload()")
        window.until("document.documentElement.lang === 'de'")
        window.upload("#files", SAMPLES / "admiral.jpg")
        window.until(f"{PHOTO} > 0 && {QUIET}")
        assert window.run("return document.getElementById('undo').textContent") == "Rückgängig"
        assert window.run("return document.body.scrollWidth <= window.innerWidth")
        paper = window.run("return getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(22, 25, 28)"
        if folder := os.environ.get("OPSIN_SCREENSHOTS"):
            window.screenshot(Path(folder) / "phone.png")
