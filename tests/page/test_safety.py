"""Who may ask, and how much is taken: foreign pages, other browsers, files that are too much."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from opsin.page import limits
from opsin.page.app import Application, make_app
from opsin.page.refusal import RefusedError
from opsin.page.safety import Hosts
from opsin.page.sessions import Sessions
from page.asking import HERE, PHOTOGRAPHS, SAMPLES, Browser, parted

SMALL = (SAMPLES / "cat.jpg").read_bytes()


@pytest.fixture(scope="module")
def pair():
    """Two browsers of one server; the first has a photograph open, whose address is told."""
    one = Browser()
    other = TestClient(one.client.app, base_url=HERE, headers={"origin": HERE})
    with one.client:
        one.begin()
        other.post("/api/session", json={})
        yield one, other, one.opened("cat.jpg", SMALL)


WAYS = [
    ("GET", ""),
    ("GET", "/before"),
    ("GET", "/confidence"),
    ("GET", "/thumbnail"),
    ("GET", "/suggest?x=1&y=1"),
    ("GET", "/download"),
    ("GET", "/touchup"),
    ("POST", "/change"),
    ("POST", "/undo"),
    ("POST", "/redo"),
    ("POST", "/reference"),
    ("POST", "/touchup"),
    ("DELETE", ""),
]


@pytest.mark.parametrize(("method", "way"), WAYS)
def test_nobody_else_reaches_a_photograph(pair, method, way) -> None:
    one, other, at = pair
    body = {} if method == "GET" else {"content": b"{}"}
    assert other.request(method, at + way, **body).json()["code"] == "gone"
    nobody = TestClient(one.client.app, base_url=HERE, headers={"origin": HERE})
    answer = nobody.request(method, at + way, **body)
    assert (answer.status_code, answer.json()["code"]) == (403, "session")
    forged = TestClient(
        one.client.app, base_url=HERE, headers={"origin": HERE, "cookie": "opsin=x"}
    )
    assert forged.request(method, at + way, **body).status_code == 403
    if method != "GET":
        for origin in ("http://evil.example", "null", "http://127.0.0.1:3000", ""):
            answer = one.client.request(method, at + way, headers={"origin": origin}, **body)
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign")
    else:
        for site in ("cross-site", "same-site"):
            answer = one.client.get(at + way, headers={"sec-fetch-site": site})
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign")
    assert one.client.get(f"{at}/thumbnail").status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/alive", "/nowhere"])
def test_a_foreign_name_is_refused_and_all_answers_are_signed(pair, path) -> None:
    client = pair[0].client
    foreign = client.get(path, headers={"host": "evil.example:8421"})
    assert foreign.status_code == 403
    for answer in (foreign, client.get(path)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "DENY"


def test_names_of_the_server() -> None:
    local, open_to_all = Hosts("127.0.0.1"), Hosts("0.0.0.0")
    for host in ("127.0.0.1:8421", "localhost", "LOCALHOST:1", "[::1]:8421"):
        assert local.allows(host)
    for host in ("", "evil.example", "127.0.0.1.evil.example", "a@127.0.0.1", "192.168.1.5", "127.0.0.1/x", "::1:x"):  # fmt: skip  # noqa: E501
        assert not local.allows(host)
    assert open_to_all.allows("192.168.1.5:8421")
    assert not open_to_all.allows("evil.example")
    assert Hosts("box.lan").allows("box.lan:80")
    assert all(Hosts(own).local for own in ("127.0.0.1", "::1", "localhost"))
    assert not any(Hosts(own).local for own in ("0.0.0.0", "192.168.1.5"))


def test_the_cookie_is_for_the_server_alone() -> None:
    browser = Browser(Application(cookie="opsin-8421"))
    cookie = browser.begin().headers["set-cookie"]
    assert cookie.startswith("opsin-8421=")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "set-cookie" not in browser.begin().headers  # it has one
    assert "set-cookie" not in browser.client.get("/").headers


@pytest.mark.parametrize("said", ["", "wrong", "secre", "secret ", None, 5])
def test_without_the_token_nothing_begins(said) -> None:
    browser = Browser(Application(token="secret"))
    answer = browser.begin(said)
    assert (answer.status_code, answer.json()["code"]) == (403, "token")
    for body in (b"", b"[", b'"secret"', b"[1]"):
        assert browser.client.post("/api/session", content=body).status_code == 403
    assert browser.open("cat.jpg", SMALL).status_code == 403
    assert browser.begin("secret").status_code == 200
    assert browser.begin("").status_code == 200  # the cookie says it from now on


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd",
     "/static/__init__.py", "/static/", "/api/photographs/..%2f..", "/static/main.js%00"],
)  # fmt: skip
def test_no_path_reaches_another_file(pair, path) -> None:
    assert pair[0].client.get(path).status_code in (404, 405)


@pytest.mark.parametrize("model", ["mine.toml", "/etc/passwd", "default,../x.toml", "nobody", ""])
def test_a_model_is_a_name_and_no_path(pair, model, tmp_path, monkeypatch) -> None:
    one, _, at = pair
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("")
    answer = one.change(at, model=model)
    assert answer.status_code == 422
    assert "unknown model" in answer.json()["error"]
    saved = {"opsin": 1, "request": {"model": model or " "}}
    answer = one.client.post(f"{at}/touchup", content=json.dumps(saved))
    assert answer.status_code == 422
    assert "unknown model" in answer.json()["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"vividness": 1.5},
        {"strength": -1},
        {"points": [[9999, 3, "#000000"]]},
        {"points": [[1, 3, "red"]]},
        {"points": [[1, 1, "#000000"]] * 501},
        {"palette": ["/etc/passwd"]},
        {"size": 2000},
        {"gesture": 5},
    ],
)
def test_what_cannot_be_asked_for_is_a_sentence_and_changes_nothing(pair, change) -> None:
    one, _, at = pair
    before = one.begin().json()["photographs"]
    answer = one.change(at, **change)
    assert answer.status_code == 422
    assert answer.json()["error"].endswith((".", ")"))
    assert one.begin().json()["photographs"] == before


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"hello", "not a photograph"),
        (SMALL[:2000], "damaged"),
        (b"%PDF-1.4", "PDF"),
    ],
)
def test_a_broken_upload_is_a_sentence_and_leaves_nothing(pair, data, word) -> None:
    one, *_ = pair
    disk = one.application.sessions.on_disk
    answer = one.open("old <b>.jpg", data)
    assert answer.status_code == 422
    assert "old <b>.jpg" in answer.json()["error"]
    assert word in answer.json()["error"]
    assert one.application.sessions.on_disk == disk == len(SMALL)
    assert len(one.begin().json()["photographs"]) == 1


def test_too_much_is_refused(monkeypatch) -> None:
    browser = Browser(Application(pixel_limit=200_000))
    with browser.client:
        browser.begin()
        sessions = browser.application.sessions
        answer = browser.open("astronaut.jpg")
        assert (answer.status_code, sessions.on_disk) == (422, 0)
        assert "pixel" in answer.json()["error"]
        monkeypatch.setattr("opsin.page.upload.MOST_UPLOAD", len(SMALL) - 1)
        assert browser.open("cat.jpg", SMALL).status_code == 413
        parts = (SMALL[at : at + 1000] for at in range(0, len(SMALL), 1000))  # says no length
        answer = browser.client.post(PHOTOGRAPHS, content=parts)
        assert (answer.status_code, answer.json()["code"]) == (413, "large")
        assert sessions.on_disk == 0
        monkeypatch.setattr("opsin.page.upload.MOST_UPLOAD", len(SMALL))
        at = browser.opened("cat.jpg", SMALL)
        monkeypatch.setattr(limits, "MOST_PHOTOGRAPHS", 1)
        assert browser.open("cat.jpg", SMALL).json()["code"] == "many"
        monkeypatch.setattr(limits, "MOST_PHOTOGRAPHS", 9)
        monkeypatch.setattr(limits, "MOST_IN_ALL", 1)
        assert browser.open("cat.jpg", SMALL).json()["code"] == "full"
        monkeypatch.setattr(limits, "MOST_IN_ALL", 9)
        monkeypatch.setattr(limits, "MOST_ON_DISK", len(SMALL) + 5)
        assert browser.open("cat.jpg", SMALL).json()["code"] == "large"
        assert sessions.on_disk == len(SMALL)
        assert browser.client.post(f"{at}/change", content=bytes(2 << 20)).status_code == 413
        browser.application.turns._most = 0
        answer = browser.client.get(at)
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        assert browser.client.delete(at).status_code == 204
        assert sessions.on_disk == 0


def test_names_of_uploads_are_names(pair) -> None:
    one, *_ = pair
    answer = one.open("../../a\\b/e\nvil\u202e.jpg", SMALL)
    document = parted(answer)[0]
    assert document["name"] == "evil.jpg"
    assert one.client.delete(f"{PHOTOGRAPHS}/{document['id']}").status_code == 204


def test_sessions_end_and_their_files_with_them() -> None:
    now = [0.0]
    browser = Browser(Application(sessions=Sessions(clock=lambda: now[0])))
    sessions = browser.application.sessions
    with browser.client:
        browser.begin()
        at = browser.opened("cat.jpg", SMALL)
        opened = sessions.find(browser.client.cookies["opsin"]).find(at.rpartition("/")[2])
        now[0] = limits.IDLE - 1
        assert browser.client.get("/api/alive").status_code == 204
        now[0] += limits.IDLE - 1
        sessions.sweep()
        assert browser.client.get("/api/alive").status_code == 204
        now[0] += limits.IDLE + 1
        assert browser.client.get("/api/alive").json()["code"] == "session"
        sessions.sweep()
        assert (len(sessions), sessions.on_disk) == (0, 0)
        assert opened._file.closed
        browser.begin()
        browser.opened("cat.jpg", SMALL)
    assert (len(sessions), sessions.on_disk) == (0, 0)  # the server has stopped


def test_only_so_many_sessions(monkeypatch) -> None:
    monkeypatch.setattr(limits, "MOST_SESSIONS", 2)
    sessions = Sessions()
    first, second = sessions.begin(), sessions.begin()
    first.photographs["x"] = object()  # type: ignore[assignment]
    monkeypatch.setattr(sessions, "_is_over", lambda session: False)
    third = sessions.begin()  # in the place of the second, which has nothing open
    assert sessions.find(first.id) is first
    with pytest.raises(RefusedError, match="earlier run, or was idle"):
        sessions.find(second.id)
    third.photographs["x"] = object()  # type: ignore[assignment]
    with pytest.raises(RefusedError, match="Too many people"):
        sessions.begin()


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    client = TestClient(make_app(Application(), Hosts("127.0.0.1")), base_url=HERE)
    page = client.get("/").text
    assert "style=" not in page
    assert "onclick" not in page
    assert page.count("<script") == 1
    assert "http" not in page
    assert client.get("/static/main.js").headers["content-type"].startswith("text/javascript")
