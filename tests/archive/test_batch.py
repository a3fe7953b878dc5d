"""The engine with a task of its own: brightness, which writes no picture and has a part in JSON."""

from __future__ import annotations

import errno
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import opsin
from opsin.archive.attempt import attempt
from opsin.archive.batch import run, shares
from opsin.archive.jobs import Job, plan
from opsin.archive.result import counts, frame
from opsin.archive.resume import prepare, to_do
from opsin.work import Made


@dataclass(frozen=True)
class Brightness:
    """How bright a photograph is; as text beside it, where that is wanted."""

    bright: int = 128
    skip_dark: bool = False

    def load(self, *, threads: int) -> None:
        if self.bright > 255:
            raise opsin.ModelError("nothing is as bright as that.")

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        mean = float(opsin.open(source).pixels.mean())
        part = {"brightness": {"mean": mean, "is_bright": mean > self.bright}}
        if self.skip_dark and mean < self.bright:
            return Made(skipped="dark", part=part)
        files = {role: f"{mean:.0f}".encode() for role in wanted}
        return Made(files, notes=("bright",) if mean > self.bright else (), part=part)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(5):
        opsin.open(np.full((4, 6), 50 * number, np.uint8)).save(f"in/{number}.png")
    Path("in/bad.png").write_bytes(b"no picture")
    return tmp_path


def jobs_of(*paths, **options):
    return plan(paths, **{"picture": None, **options})[0]


def test_a_task_that_writes_nothing_has_its_own_part_in_the_frame(photos):
    seen = []
    done = run(jobs_of("in"), Brightness(), on_result=seen.append)
    document = frame(done.results, left=0)
    assert (document["done"], document["failed"], document["left"], done.stopped) == (5, 1, 0, None)
    parts = {one["input"]: one.get("brightness") for one in document["files"]}
    assert parts["in/4.png"] == {"mean": 200.0, "is_bright": True}
    assert parts["in/bad.png"] is None
    assert {one["output"] for one in document["files"]} == {None}
    assert sorted(one.input for one in seen) == sorted(parts)


def test_what_writes_nothing_is_never_taken_for_done(photos):
    jobs = jobs_of("in")
    assert to_do(jobs) == ([], jobs)


def test_files_are_written_once_and_a_second_run_skips_them(photos):
    jobs = jobs_of("in", output="out/", extras={"mean": ".txt"})
    assert counts(run(jobs, Brightness()).results)["done"] == 5
    assert Path("out/3-mean.txt").read_text() == "150"
    known, left = to_do(jobs)
    assert (len(known), [job.source.name for job in left]) == (5, ["bad.png"])


def test_the_work_says_what_it_passes_over(photos):
    [result] = run([Job(Path("in/1.png"))], Brightness(skip_dark=True)).results
    assert (result.status, result.notes, result.seconds) == ("skipped", ("dark",), None)


def test_work_that_cannot_begin_stops_before_the_first_photograph(photos):
    with pytest.raises(opsin.ModelError):
        run(jobs_of("in"), Brightness(bright=999))


def test_work_can_be_sent_to_other_processes(photos):
    work = pickle.loads(pickle.dumps(Brightness(bright=10)))
    job = pickle.loads(pickle.dumps(Job(Path("in/1.png"))))
    assert attempt(work, job).notes == ("bright",)


def test_a_stop_by_the_caller_keeps_what_is_done(photos):
    def stop(_):
        raise KeyboardInterrupt

    done = run(jobs_of(*["in"]), Brightness(), workers=1, on_result=stop)
    assert done.stopped == "asked"
    assert 1 <= len(done.results) < 6


def test_a_full_disk_ends_the_run_and_no_other_error_is_taken_for_it(photos):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    assert run(jobs_of("in"), Brightness(), on_result=full).stopped == "full disk"
    with pytest.raises(OSError, match="Input/output"):
        run(jobs_of("in"), Brightness(), on_result=broken)


def test_results_are_told_in_the_callers_thread(photos):
    threads = set()
    run(jobs_of("in"), Brightness(), on_result=lambda _: threads.add(threading.get_ident()))
    assert threads == {threading.get_ident()}


class Memory:
    """A store that is no disk."""

    def __init__(self, **files: bytes) -> None:
        self.files = {Path(name): data for name, data in files.items()}

    def read(self, path: Path) -> bytes:
        return self.files[path]

    def exists(self, path: Path) -> bool:
        return path in self.files

    def write(self, path: Path, data: bytes) -> None:
        self.files[path] = data


def test_photographs_may_lie_anywhere(photos):
    store = Memory(a=Path("in/2.png").read_bytes(), b=b"no picture")
    job = Job(Path("a"), {"mean": Path("a.txt")})
    assert attempt(Brightness(), job, store=store).outputs == {"mean": "a.txt"}
    assert store.files[Path("a.txt")] == b"100"
    failed = attempt(Brightness(), Job(Path("b")), store=store)
    assert failed.error is not None
    assert "not a photograph" in failed.error


def test_a_folder_that_cannot_be_written_is_known_before_any_work(photos, monkeypatch):
    opsin.open("in/1.png").save("closed/1.png")
    jobs = jobs_of("in/1.png", "closed/1.png", extras={"mean": ".txt"})
    import tempfile

    make = tempfile.TemporaryFile

    def closed(**how):
        if Path(how["dir"]).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied")
        return make(**how)

    monkeypatch.setattr("opsin.files.tempfile.TemporaryFile", closed)
    refused, left = prepare(jobs)
    assert [result.input for result in refused] == ["closed/1.png"]
    assert "no permission to write here" in str(refused[0].error)
    assert [str(job.source) for job in left] == ["in/1.png"]
    with pytest.raises(opsin.SaveError, match="closed: no permission"):
        prepare([job for job in jobs if job.source.parent.name == "closed"])


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr("opsin.machine.cores", lambda: 4)
    assert [shares(count, 100) for count in (1, 2, 4, None)] == [(1, 4), (2, 2), (4, 1), (5, 1)]
    assert shares(None, 1) == (1, 4)  # one photograph has all threads
