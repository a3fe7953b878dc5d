"""`opsin page`: where it listens, who needs a token, what is told, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import opsin
from opsin.cli import main
from opsin.errors import ModelError, WrongCallError
from opsin.page.serve import listen, warm

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize(
    ("host", "private", "token"),
    [("127.0.0.1", False, False), ("127.0.0.1", True, True), ("0.0.0.0", False, True)],
)
def test_whoever_is_not_alone_needs_a_token(host: str, private: bool, token: bool) -> None:
    place = listen(host, 0, private=private)
    with place.listening:
        assert place.listening.getsockname()[0] == host
        assert bool(place.token) == token
        name = socket.gethostname() if host == "0.0.0.0" else host
        ending = f"#token={place.token}" if token else ""
        assert place.address == f"http://{name}:{place.port}/{ending}"
    if token:
        assert len(place.token) >= 32


def test_a_port_that_is_taken(capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["page", "--port", str(port)]) == 2
    assert f"port {port} is taken. Choose another, as in --port" in capsys.readouterr().err


def test_a_host_that_is_not_here() -> None:
    with pytest.raises(WrongCallError, match=r"--host no\.such\.invalid: no such name"):
        listen("no.such.invalid", 0, private=False)
    with pytest.raises(WrongCallError, match=r"cannot listen at 192\.0\.2\.1"):
        listen("192.0.2.1", 0, private=False)


def test_nothing_to_show_is_told_and_nothing_is_started(tmp_path: Path, capsys) -> None:
    (tmp_path / "letter.jpg").write_bytes(b"Dear Ada")
    assert main(["page", str(tmp_path / "letter.jpg")]) == 1
    assert "letter.jpg: not a photograph" in capsys.readouterr().err
    (tmp_path / "torn.jpg").write_bytes((SAMPLES / "cat.jpg").read_bytes()[:9000])
    assert main(["page", str(tmp_path / "torn.jpg")]) == 1
    told = capsys.readouterr().err
    assert "drop it on the page, which opens it as far as it goes" in told
    assert "--damaged" not in told
    assert main(["page", str(tmp_path / "none.jpg")]) in (1, 2)
    for number in range(101):
        shutil.copy(SAMPLES / "cat.jpg", tmp_path / f"{number}.jpg")
    assert main(["page", str(tmp_path)]) == 2
    assert "opsin colorize does a whole folder" in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it(monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "opsin.page.serve", raising=False)
    assert main(["page"]) == 1
    assert "pip install 'opsin[page]'" in capsys.readouterr().err


def test_it_runs_until_it_is_stopped(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "cat.jpg", tmp_path)
    (tmp_path / "letter.jpg").write_bytes(b"Dear Ada")
    call = [sys.executable, "-m", "opsin", "page", str(tmp_path), "--port", "0"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        address = urlsplit(one.stdout.readline().strip())
        connection = HTTPConnection(address.netloc, timeout=60)
        body = json.dumps({"token": address.fragment.removeprefix("token=")})
        headers = {"Origin": f"http://{address.netloc}"}
        connection.request("POST", "/api/session", body, headers)
        answer = connection.getresponse()
        assert answer.status == 200
        assert [photo["name"] for photo in json.load(answer)["photographs"]] == ["cat.jpg"]
        assert f"opsin-{address.port}=" in answer.getheader("set-cookie")
        connection.close()
        one.send_signal(signal.SIGINT)
        assert one.wait(60) == 130
        told = one.stderr.read()
    assert "letter.jpg: not a photograph" in told
    assert told.endswith("Ctrl-C ends it.\nopsin: stopped.\n")
    assert "Traceback" not in told


def test_the_network_is_loaded_before_it_is_needed(monkeypatch) -> None:
    from opsin.models import engine

    engine._loaded.cache_clear()
    warm()
    asked = engine._loaded.cache_info()
    assert (asked.misses, asked.currsize) == (1, 1)
    opsin.Touchup(SAMPLES / "cat.jpg").picture(100)
    assert engine._loaded.cache_info().misses == 1
    monkeypatch.setattr("opsin.page.serve.Touchup.picture", _fails)
    warm()  # without a word


def _fails(*_: object) -> None:
    raise ModelError("damaged")
