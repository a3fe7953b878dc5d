"""Do the tests notice? Puts deliberate errors into the source, one at a time, and runs the tests.

    python benchmarks/mutations.py                        # each error against its own tests
    python benchmarks/mutations.py --all                  # each against the whole suite
    python benchmarks/mutations.py --only data --jobs 2   # those whose kind, file or name has it

The errors stand in `mutations.toml`: a file, a text in it, what it becomes, and the tests that
should notice. Each is made in a scratch copy of the tree, never in the tree itself. An error is
killed if a test fails that passes without it, or if they hang for ten minutes; it survives if all
pass. What was found is kept in `runs/mutations.json` until the file, the error
or its tests change, so a run that was stopped goes on where it was; `--fresh` begins anew.

It needs Linux or macOS. The exit code is 0 if none survives, 1 if some do, 2 if the table is out
of date: a text that is not in its file exactly once, or tests that are not there or fail without
an error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "mutations.toml"
RESULTS = ROOT / "runs" / "mutations.json"
OUTPUT = "pytest.txt"
LONGEST = 600  # seconds that the tests of one error may take

# Processes are forked from one that has loaded what is large and not tested here.
WARM = get_context("forkserver")
WARM.set_forkserver_preload(
    ["torch", "torch._dynamo", "pytest", "skimage.data", "skimage.color", "PIL.Image"]
)


class Mutation(NamedTuple):
    """A deliberate error."""

    kind: str
    name: str
    """What is wrong with it, in words."""
    file: str
    """Below `src/opsin`."""
    old: str
    new: str
    tests: tuple[str, ...]
    """Below `tests`: files, or single tests as pytest names them."""

    @property
    def path(self) -> str:
        return f"src/opsin/{self.file}"


def main() -> int:
    """Runs what is asked for; the exit code."""
    options = _options()
    table = [one for one in read_table() if options.only in f"{one.kind} {one.path} {one.name}"]
    stale = [problem for one in table if (problem := out_of_date(one))]
    print("".join(f"out of date: {problem}\n" for problem in stale), end="")
    table = [one for one in table if not out_of_date(one)]
    if options.all:
        table = [one._replace(tests=("",)) for one in table]
    known = {} if options.fresh or not RESULTS.exists() else json.loads(RESULTS.read_text())
    keys = {one: key_of(one) for one in table}
    todo = [one for one in table if keys[one] not in known]
    print(f"{len(table)} errors, {len(table) - len(todo)} of them known from before", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutations-") as scratch:
        trees = [copy_tree(Path(scratch) / str(number)) for number in range(options.jobs)]
        for one, seen, seconds in try_all(todo, trees):
            if seen is None:
                stale.append(one.name)
                print(
                    f"unknown  {seconds:4.0f} s  {one.kind}: {one.name}: its tests fail without it"
                )
                continue
            known[keys[one]] = seen
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(known, indent=1))
            word = "killed  " if seen else "SURVIVED"
            print(f"{word} {seconds:4.0f} s  {one.kind}: {one.name}  {seen}", flush=True)
    tried = [one for one in table if keys[one] in known]
    survivors = [one for one in tried if not known[keys[one]]]
    tell(tried, survivors)
    return 2 if stale else 1 if survivors else 0


def read_table() -> list[Mutation]:
    """All deliberate errors."""
    rows = tomllib.loads(TABLE.read_text("utf-8"))["error"]
    return [Mutation(**{**row, "tests": tuple(row["tests"])}) for row in rows]


def out_of_date(one: Mutation) -> str:
    """Why an error cannot be made any more, or nothing."""
    path = ROOT / one.path
    found = path.read_text("utf-8").count(one.old) if path.is_file() else 0
    if found != 1:
        return f"{one.path}: {one.name}: its text is there {found} times"
    for test in one.tests:
        if not (ROOT / "tests" / test.split("::")[0]).exists():
            return f"{one.path}: {one.name}: tests/{test} is not there"
    return ""


def key_of(one: Mutation) -> str:
    """Changes with all that the result depends on: the error, its file and its tests."""
    files = [ROOT / one.path]
    for test in one.tests:
        path = ROOT / "tests" / test.split("::")[0]
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    digest = hashlib.sha256(repr(one).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def try_all(
    todo: Sequence[Mutation], trees: Sequence[Path]
) -> Iterator[tuple[Mutation, str | None, float]]:
    """Makes each error in one of the scratch trees; which test saw it (`seen_by`), and seconds."""
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def attempt(one: Mutation) -> tuple[Mutation, str | None, float]:
        tree, began = free.get(), time.monotonic()
        try:
            return one, seen_by(one, tree), time.monotonic() - began
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        for future in as_completed([pool.submit(attempt, one) for one in todo]):
            yield future.result()


def seen_by(one: Mutation, tree: Path) -> str | None:
    """Makes the error in a scratch tree and takes it back; the test that failed, or "".

    None if that test fails without the error too: it says nothing of it.
    """
    file = tree / one.path
    text = file.read_text("utf-8")
    file.write_text(text.replace(one.old, one.new), "utf-8")
    try:
        code, output = run_tests(tree, one.tests, LONGEST)
    except TimeoutError:
        return "(hangs)"
    finally:
        file.write_text(text, "utf-8")
    if code == 0:
        return ""
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    test = failed[0].split(" - ")[0].split(maxsplit=1)[1].removeprefix("tests/") if failed else ""
    return (test or "(ended)") if pass_without((test,) if test else one.tests, tree) else None


@cache
def pass_without(tests: tuple[str, ...], tree: Path) -> bool:
    """Whether tests pass in a tree in which there is no error."""
    return run_tests(tree, tests, None)[0] == 0


def run_tests(tree: Path, tests: Sequence[str], limit: float | None) -> tuple[int, str]:
    """The exit code and the output of pytest in a tree, stopped at the first failure.

    `TimeoutError` if it takes longer than `limit` seconds.
    """
    cache = tree / "cache"
    shutil.rmtree(cache, ignore_errors=True)  # what an error has put there is wrong
    process = WARM.Process(target=_pytest, args=(tree, tests))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError
    return process.exitcode or 0, (tree / OUTPUT).read_text("utf-8", "replace")


def _pytest(tree: Path, tests: Sequence[str]) -> None:
    """Runs pytest in a process of its own, in which nothing of opsin has been imported yet."""
    with open(tree / OUTPUT, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(tree)
    os.environ |= {
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_CACHE_HOME": str(tree / "cache"),
    }
    sys.path.insert(0, str(tree / "src"))
    sys.dont_write_bytecode = True  # a file changed twice in a second looks unchanged
    # Behind a shell's & both are ignored, and with them what tests do with Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    import pytest

    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    os._exit(pytest.main([*options, *(f"tests/{test}" for test in tests)]))


def copy_tree(tree: Path) -> Path:
    """A copy of what git knows of, or would, as it stands in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def tell(table: Sequence[Mutation], survivors: Sequence[Mutation]) -> None:
    """Prints what became of all, and those that no test saw."""
    tried, lived = Counter(one.kind for one in table), Counter(one.kind for one in survivors)
    print("\nkind, errors, survivors")
    for kind, count in tried.items():
        print(f"{kind:12} {count:3} {lived[kind]:3}")
    print(f"{'all':12} {len(table):3} {len(survivors):3}")
    for one in survivors:
        print(f"survived: {one.path}: {one.name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="a word in their kind, file or name")
    parser.add_argument("--all", action="store_true", help="run the whole suite for each")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--fresh", action="store_true", help="forget what was found before")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
