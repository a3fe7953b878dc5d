"""A pipe obeys the same options as files do."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import opsin
from opsin.cli import main


@pytest.fixture
def piped(models, tmp_path, monkeypatch, gray_photo):
    """What `opsin colorize - -o NAME` with more options does: its exit code and the picture."""
    monkeypatch.chdir(tmp_path)
    scan = opsin.open(gray_photo[:120, :160])
    number = 0

    def run(*options, name="out.png"):
        nonlocal number
        number += 1
        stdin = SimpleNamespace(buffer=io.BytesIO(scan.encode("png")), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stdin)
        path = Path(f"{number}-{name}")
        arguments = ["colorize", "-", "-o", str(path), "--model", "tiny", *map(str, options)]
        return main(arguments), path

    return scan, run


@pytest.mark.parametrize("options", [{"vividness": 0.9}, {"vividness": 0.0}, {"size": 96}])
def test_vividness_and_size_are_those_told(piped, options):
    scan, run = piped
    code, path = run(*(text for key, value in options.items() for text in (f"--{key}", value)))
    expected = opsin.colorize(scan, model="tiny", **options)
    plain = opsin.colorize(scan, model="tiny")
    assert code == 0
    assert np.array_equal(opsin.open(path).pixels, expected.pixels)
    assert not np.array_equal(plain.pixels, expected.pixels)


def test_the_pixel_limit_is_that_told(piped, capsys):
    scan, run = piped
    pixels = scan.width * scan.height
    code, path = run("--pixel-limit", pixels - 1)
    assert (code, path.exists()) == (1, False)
    assert "over the limit" in capsys.readouterr().err
    code, path = run("--pixel-limit", pixels)
    assert (code, path.exists()) == (0, True)


def test_quality_and_the_mark_are_those_told(piped):
    _, run = piped
    (_, coarse), (_, fine) = run("--quality", 20, name="q.jpg"), run("--quality", 95, name="q.jpg")
    assert 2 * coarse.stat().st_size < fine.stat().st_size
    (_, plain), (_, marked) = run(), run("--mark")
    changed = (opsin.open(plain).pixels != opsin.open(marked).pixels).any(axis=2)
    assert changed[60:, 80:].any()
    assert not changed[:60].any()


def test_the_format_is_that_told(piped):
    _, run = piped
    assert opsin.open(run("--format", "webp", name="out")[1]).metadata.format == "webp"
