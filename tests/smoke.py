"""`make smoke`: the built package does what a stranger tries first, in an empty environment.

The wheel is built from the source distribution and from this folder: both must hold the same
files. It is installed where there is nothing else, used from another folder, and a program that
calls it is checked against its types by mypy. Everything is written below build/smoke.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "build" / "smoke"
ENVIRONMENT = PLACE / "environment"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
SCRATCH = PLACE / "scratch"
LIMIT_S = 150  # of any one command


def main() -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    for step in (build, install, answer, colorize, import_it, refuse, check_types):
        began = time.monotonic()
        step()
        print(f"{_name(step):12} {time.monotonic() - began:5.1f} s", flush=True)


def build() -> None:
    """Both wheels hold the same files; they and what is in them bear one version."""
    build = [sys.executable, "-m", "build", "--outdir"]
    run(*build, PLACE / "dist", ROOT)  # the sdist, and the wheel of it
    run(*build, PLACE / "direct", "--wheel", ROOT)
    first, second = contents(wheel("dist")), contents(wheel("direct"))
    names = sorted(first.keys() ^ second.keys())
    assert not names, f"in one of the wheels only: {names}"
    differing = [name for name, data in first.items() if second[name] != data]
    assert not differing, f"differ between the wheels: {differing}"
    assert "opsin/py.typed" in first
    missing = {f"opsin/{path}" for path in sources()} - first.keys()
    assert not missing, f"in no wheel: {sorted(missing)}"


def install() -> None:
    run(sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT)
    pip = [sys.executable, "-m", "pip", "--python", BIN / "python"]
    run(*pip, "install", "--quiet", "--disable-pip-version-check", wheel("dist"))


def answer() -> None:
    """The version, and help for every verb: none needs an extra to tell what it does."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert opsin("--version").strip() == f"opsin {version}"
    verbs = python("from opsin.cli import VERBS; print(*VERBS)").split()
    listed = opsin("--help")
    for verb in verbs:
        assert f"\n  {verb} " in listed
        assert f"Usage: opsin {verb}" in opsin(verb, "--help")


def colorize() -> None:
    samples = sorted((ROOT / "samples").glob("*.jpg"))
    told = json.loads(opsin("colorize", ROOT / "samples", "-o", "colored", "--json"))
    written = sorted((SCRATCH / "colored").iterdir())
    assert len(told["files"]) == len(written) == len(samples)
    again = json.loads(opsin("colorize", ROOT / "samples", "-o", "colored", "--json"))
    assert {file["status"] for file in again["files"]} == {"skipped"}


def import_it() -> None:
    sample = ROOT / "samples" / "cat.jpg"
    code = f"import opsin; photo = opsin.colorize({str(sample)!r}); print(photo.pixels.shape[2])"
    assert python(code).strip() == "3"
    assert python("import sys, opsin.cli; print('torch' in sys.modules)").strip() == "False"


def refuse() -> None:
    """Without the extra, training is refused in one sentence that tells what to install."""
    call = [BIN / "opsin", "train", ROOT / "recipes" / "try.toml", "--data", ROOT / "samples"]
    done = subprocess.run([*call, "-o", "run"], **surroundings())
    assert done.returncode == 1, done.stderr
    assert "pip install 'opsin[train]'" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def check_types() -> None:
    """A caller's program agrees with the types that the installed package brings along."""
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file="]
    place = ["--cache-dir", PLACE / "mypy", "--python-executable", BIN / "python"]
    run(*mypy, *place, ROOT / "tests" / "typing" / "caller.py")


def opsin(*arguments: object) -> str:
    return run(BIN / "opsin", *arguments)


def python(code: str) -> str:
    return run(BIN / "python", "-c", code)


def run(*command: object) -> str:
    """What it prints; it is run in a folder of its own, and nothing of this one is in its way."""
    done = subprocess.run([str(part) for part in command], **surroundings())
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def surroundings() -> dict[str, object]:
    own = {"PYTHONNOUSERSITE": "1", "COLUMNS": "100", "OPSIN_MODELS": str(SCRATCH / "models")}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {
        "cwd": SCRATCH,
        "env": kept | own,
        "capture_output": True,
        "text": True,
        "timeout": LIMIT_S,
    }


def wheel(folder: str) -> Path:
    return next((PLACE / folder).glob("*.whl"))


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources() -> list[str]:
    """Every file of the package that is tracked, below src/opsin."""
    tracked = run("git", "-C", ROOT, "ls-files", "src/opsin").split()
    return [name.removeprefix("src/opsin/") for name in tracked]


def _name(step: Callable[[], None]) -> str:
    return step.__name__.replace("_", " ")


if __name__ == "__main__":
    main()
