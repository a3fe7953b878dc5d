"""The parts of the page's JavaScript that need no browser; run where there is Node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import opsin.page.static

STATIC = Path(opsin.page.static.__file__).parent
NODE = shutil.which("node")


@pytest.mark.skipif(not NODE, reason="there is no Node")
def test_what_needs_no_browser(tmp_path: Path) -> None:
    for script in STATIC.glob("*.js"):
        shutil.copy(script, tmp_path)
    shutil.copy(Path(__file__).parent / "scripts.js", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    done = subprocess.run(
        [NODE, tmp_path / "scripts.js"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all is well\n"


def test_each_word_that_is_used_is_there_in_both_languages() -> None:
    table = (STATIC / "words.js").read_text("utf-8")
    english, german = (
        re.findall(r'(?:^|[{\s,])"?([a-zA-Z.]+)"?: "', part)
        for part in re.split(r"^  de: \{$", table, flags=re.MULTILINE)
    )
    assert english == german
    used = set(re.findall(r'data-(?:word|label)="(\w+)"', (STATIC / "index.html").read_text()))
    for script in STATIC.glob("*.js"):
        used |= set(re.findall(r'\bword\("(\w+)"', script.read_text("utf-8")))
    assert used - set(english) == set()
    assert len(used) > 40


def test_each_element_that_a_script_takes_is_on_the_page() -> None:
    listed = re.findall(r'\bid="(\w+)"', (STATIC / "index.html").read_text("utf-8"))
    ids = set(listed)
    assert len(ids) == len(listed)
    for script in STATIC.glob("*.js"):
        taken = set(
            re.findall(r'(?<![.\w])(?:get|click|chosen|slider|set)\("(\w+)"', script.read_text())
        )
        assert taken <= ids, script.name
