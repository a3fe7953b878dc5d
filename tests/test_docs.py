"""What is written about opsin is true: its examples run, and each verb has help and a page.

Blocks that are marked `sh` or `python` are run, in a folder where small pictures stand for those
that they name. `NOT_RUN` lists the commands that are left out, and why.
"""

from __future__ import annotations

import doctest
import importlib
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import av
import pytest
from conftest import write_tiny_model
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from skimage import data as skimage_data
from typer.main import get_command

import opsin
from opsin import cli
from opsin.models import store

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NOT_RUN = {
    "git clone": "a network",
    "pip install": "a network",
    "python3 -m venv": "a minute",
    "opsin page scan.jpg": "runs until it is stopped; tests/page asks it",
    "opsin page --port": "runs until it is stopped",
    "opsin train recipes/try.toml": "two minutes; tests/training trains",
    "opsin train": "hours",
    "opsin export": "needs that run; tests/training exports",
    "opsin evaluate classify digits": "needs that run",
    "opsin inspect digits": "needs that run",
    "python3 benchmarks/mistakes": "needs that run; tests/test_mistakes makes a sheet",
}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(opsin.__path__, "opsin.")
    if not module.name.endswith("__main__")
]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    return BLOCK.findall(page.read_text(encoding="utf-8"))


PAGES = [page for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))) if blocks(page)]


def commands():
    """Each verb with the verbs below it, as in "models list"."""
    for verb in cli.VERBS:
        command = get_command(cli.application([verb])).commands[verb]
        for below in getattr(command, "commands", {"": command}):
            yield verb, f"{verb} {below}".strip()


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    """The files that the examples name."""
    place = tmp_path_factory.mktemp("stand-ins")
    for sample in sorted((ROOT / "samples").glob("*.jpg")):
        image = opsin.open(sample).to_pil()
        image.thumbnail((128, 128))
        for folder in ("samples", "shoebox/1950", "old-photos"):
            (place / folder).mkdir(parents=True, exist_ok=True)
            image.save(place / folder / sample.name)
        for folder in ("photos", "my-photos", "held-out-photos"):
            (place / folder).mkdir(exist_ok=True)
            opsin.colorize(image, model="classifier-decoder").save(place / folder / sample.name)
    for sample, label in {"cat": "Egyptian cat", "coffee": "espresso"}.items():
        (place / "classes" / label).mkdir(parents=True)
        shutil.copy(ROOT / "samples" / f"{sample}.jpg", place / "classes" / label)
    for folder, photo in {"cat": skimage_data.chelsea(), "cup": skimage_data.coffee()}.items():
        (place / "things" / folder).mkdir(parents=True)
        for number in range(6):
            part = photo[20 * number : 20 * number + 180, 30 * number : 30 * number + 180]
            opsin.open(part.copy()).save(place / "things" / folder / f"{number}.jpg")
    for name in ("astronaut", "admiral"):
        (place / "people" / name).mkdir(parents=True)
        for number in (1, 2):
            file = place / "people" / name / f"{name}_000{number}.jpg"
            shutil.copy(ROOT / "samples" / f"{name}.jpg", file)
    pairs = [
        "admiral\t1\t2",
        "admiral\t1\tastronaut\t1",
        "astronaut\t1\t2",
        "admiral\t2\tastronaut\t2",
    ]
    (place / "people" / "pairs.txt").write_text("\n".join(["2\t1", *pairs]))
    boxed = {
        "images": [{"id": 1, "file_name": "cat.jpg", "width": 451, "height": 300}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [39, 2, 390, 293]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    (place / "boxed").mkdir()
    shutil.copy(ROOT / "samples" / "cat.jpg", place / "boxed")
    (place / "boxed" / "instances.json").write_text(json.dumps(boxed))
    outline = [20, 60, 100, 20, 120, 128, 0, 128]
    person = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 20, 109, 108]}
    outlined = {
        "images": [{"id": 1, "file_name": "admiral.jpg", "width": 109, "height": 128}],
        "annotations": [person | {"segmentation": [outline]}],
        "categories": [{"id": 1, "name": "person"}],
    }
    (place / "outlined").mkdir()
    shutil.copy(place / "samples" / "admiral.jpg", place / "outlined")
    (place / "outlined" / "instances.json").write_text(json.dumps(outlined))
    for name in ("grandmother.jpg", "photo.jpg", "old.jpg", "scan.jpg", "scan.tif"):
        opsin.open(ROOT / "samples" / "admiral.jpg").save(place / name)
    summer = opsin.colorize(ROOT / "samples" / "coffee.jpg", model="classifier-decoder")
    summer.save(place / "summer.jpg")
    whole = (ROOT / "samples" / "astronaut.jpg").read_bytes()
    (place / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    with av.open(str(place / "street.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        page = av.VideoFrame.from_ndarray(skimage_data.astronaut()[:240, :320].copy(), "rgb24")
        film.mux(stream.encode(page))
        film.mux(stream.encode(None))
    for name in ("mine", "try"):
        write_tiny_model(place, name)
    (place / "benchmarks").mkdir()
    shutil.copy(ROOT / "benchmarks" / "labelled.py", place / "benchmarks")
    (place / "bin").mkdir()
    for name, call in {"opsin": "-m opsin", "python3": ""}.items():
        script = place / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {call} "$@"\n')
        script.chmod(0o755)
    return place


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_examples_in_pages(page, stand_ins, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(shutil.copytree(stand_ins, tmp_path / "here"))
    monkeypatch.setenv("OPSIN_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OPSIN_PEOPLE", str(tmp_path / "people.sqlite"))
    monkeypatch.setenv("PATH", f"{Path('bin').resolve()}:{os.environ['PATH']}")
    for language, code in blocks(page):
        if language == "python":
            exec(code, {})
            continue
        for line in code.splitlines():
            if not line.startswith(tuple(NOT_RUN)):
                assert run(line) == 0, f"{line}\n{capfd.readouterr().err}"


def run(line):
    """The exit code of a line for the shell; opsin alone is called here, which is quicker."""
    words = shlex.split(re.sub(r"\s+#.*", "", line))
    if words[:1] == ["opsin"] and not {"|", ">", "||", "&&"} & set(words):
        return cli.main(words[1:])
    return subprocess.run(["bash", "-euo", "pipefail", "-c", line]).returncode


def test_each_command_that_is_not_run_is_in_a_page():
    lines = [line for page in PAGES for _, code in blocks(page) for line in code.splitlines()]
    for start in NOT_RUN:
        assert any(line.startswith(start) for line in lines), start


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_the_notebook_runs(tmp_path, monkeypatch):
    notebook = json.loads((DOCS / "notebooks" / "first-photograph.ipynb").read_text("utf-8"))
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec("".join(cell["source"]), names)
    assert opsin.open("coffee-color.jpg").pixels.shape == (*names["photo"].pixels.shape[:2], 3)


def test_each_verb_has_help_and_a_page(capsys):
    for verb, command in commands():
        assert cli.main([*command.split(), "--help"]) == 0
        assert f"Usage: opsin {command}" in capsys.readouterr().out
        page = (DOCS / "commands" / f"{verb}.md").read_text("utf-8")
        assert f"```{{opsin-help}} {command}\n" in page
        assert f"\nopsin {command}" in page


def test_each_page_of_a_verb_has_its_verb():
    assert {page.stem for page in DOCS.glob("commands/*.md")} == {"index", *cli.VERBS}


def test_each_public_name_is_in_the_reference():
    page = (DOCS / "python.md").read_text("utf-8")
    for name in set(opsin.__all__) - {"__version__"}:
        home = getattr(opsin, name).__module__
        assert f":: opsin.{name}\n" in page or f":: {home}\n" in page


def test_the_changelog_begins_with_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    head = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert head[1] == version


def test_each_direct_dependency_and_each_weight_has_its_license():
    page = (DOCS / "licenses.md").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = [text for group in (project["dependencies"], *extras) for text in group]
    asked = {canonicalize_name(Requirement(text).name) for text in asked} - {"opsin"}
    assert set(re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.MULTILINE)) == asked, "make licenses"
    for card in map(store.read_card, store.PACKAGED.glob("*.toml")):
        assert f"| `{card.name}` | {card.license} |" in page, "make licenses"
