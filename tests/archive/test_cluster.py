"""Many photographs on many processes: nothing lost, nothing written twice, nothing half."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("distributed")
pytest.importorskip("s3fs")

from cluster_work import Copying

from opsin.archive import cluster
from opsin.archive.cluster import State, run
from opsin.archive.jobs import job_by_name
from opsin.archive.portion import Order
from opsin.archive.stores import Entry, Store, open_store
from opsin.errors import DataError, WrongCallError
from opsin.files import fingerprint


def box(folder: Store, count: int, **others: bytes) -> list[str]:
    """Photographs, each of other bytes, in a few folders; their names."""
    made = {f"{number % 3}/{number:03d}.jpg": b"photo %d" % number for number in range(count)}
    made |= {f"{name}.jpg": data for name, data in others.items()}
    for name, data in made.items():
        folder.create(name, data)
    return sorted(made)


def states(target: Path) -> dict[str, tuple[int, int, bytes]]:
    """Of each picture in a folder what would be another if it had been written again."""
    return {
        path.relative_to(target).as_posix(): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
            path.read_bytes(),
        )
        for path in target.rglob("*.jpg")
    }


def lines(order: Order, state: State) -> dict[str, Any]:
    found = {line["input"]: line for line in order.manifest().lines(state.name)}
    assert len(found) == len(list(order.manifest().lines(state.name)))  # one line a photograph
    return found


def test_each_photograph_gets_its_picture_and_its_line(threads: Any, tmp_path: Path) -> None:
    source = open_store(str(tmp_path / "in"))
    names = box(source, 40, bad=b"bad", scan=b"another")
    source.create("scan.bmp", b"a bitmap")
    order = Order(Copying(), source.url, str(tmp_path / "out"))
    told: list[str] = []
    state = run(
        order, threads.scheduler_address, on_progress=lambda bad: told.extend(map(str, bad))
    )
    assert state.counts == {"done": 42, "failed": 1}
    assert state.total == 43
    assert len(told) == 1
    assert "not a photograph" in told[0]
    found = lines(order, state)
    assert sorted(found) == sorted([*names, "scan.bmp"])
    assert found["bad.jpg"]["error"] == "not a photograph."
    assert found["0/000.jpg"]["output"] == "0/000-color.jpg"
    assert found["0/000.jpg"]["bytes"] == 7
    pictures = {path.name for path in (tmp_path / "out").rglob("*-color.*")}
    assert {"scan-color.jpg", "scan-bmp-color.png"} <= pictures
    assert len(pictures) == 42


def test_what_lies_in_memory_is_done(threads: Any) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    box(open_store("memory://scans"), 9)
    state = run(Order(Copying(), "memory://scans", "memory://out"), threads.scheduler_address)
    assert state.counts == {"done": 9}
    assert open_store("memory://out").exists("0/003-color.jpg")


def test_the_scheduler_holds_few_tasks(
    threads: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "MOST", 4)
    monkeypatch.setattr(cluster, "LEAST", 4)
    box(open_store(str(tmp_path / "in")), 120)
    held = []
    run(
        Order(Copying(), str(tmp_path / "in"), str(tmp_path / "out")),
        threads.scheduler_address,
        on_progress=lambda _: held.append(len(threads.scheduler.tasks)),
    )
    assert len(held) == 30
    assert max(held) <= 2 * 4  # two threads, what is next, and what has just ended


def test_a_second_run_goes_by_the_manifest(threads: Any, tmp_path: Path) -> None:
    source = open_store(str(tmp_path / "in"))
    box(source, 20, bad=b"bad")
    order = Order(Copying(), source.url, str(tmp_path / "out"))
    run(order, threads.scheduler_address)
    before = states(tmp_path / "out")
    (tmp_path / "out/0/000-color.jpg").unlink()  # it was done; who wants it again says so
    (tmp_path / "in/bad.jpg").write_bytes(b"mended")
    source.create("new.jpg", b"new")
    state = run(order, threads.scheduler_address)
    assert state.counts == {"skipped": 20, "done": 2}
    assert sorted(lines(order, state)) == ["bad.jpg", "new.jpg"]
    after = states(tmp_path / "out")
    assert after.keys() - before.keys() == {"bad-color.jpg", "new-color.jpg"}
    assert all(before[name] == after[name] for name in after.keys() & before.keys())
    assert not (tmp_path / "out/0/000-color.jpg").exists()


def test_pictures_without_a_line_are_found_and_not_written_again(
    threads: Any, tmp_path: Path
) -> None:
    box(open_store(str(tmp_path / "in")), 20)
    order = Order(Copying(), str(tmp_path / "in"), str(tmp_path / "out"))
    run(order, threads.scheduler_address)
    before = states(tmp_path / "out")
    shutil.rmtree(tmp_path / "out/.opsin")
    (tmp_path / "out/1/001-color.jpg").unlink()
    state = run(order, threads.scheduler_address)
    assert state.counts == {"skipped": 19, "done": 1}
    after = states(tmp_path / "out")
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == ["1/001-color.jpg"]


def test_the_picture_of_another_photograph_stays(threads: Any, tmp_path: Path) -> None:
    for folder, data in (("box", b"one"), ("other box", b"another")):
        open_store(str(tmp_path / folder)).create("scan.jpg", data)
    target = str(tmp_path / "out")
    run(Order(Copying(), str(tmp_path / "box"), target), threads.scheduler_address)
    before = states(tmp_path / "out")
    order = Order(Copying(), str(tmp_path / "other box"), target)
    state = run(order, threads.scheduler_address)
    assert state.counts == {"failed": 1}
    assert "was not made from this photograph" in lines(order, state)["scan.jpg"]["error"]
    assert states(tmp_path / "out") == before


def test_a_target_within_the_source_is_no_source(threads: Any, tmp_path: Path) -> None:
    source = open_store(str(tmp_path))
    names = box(source, 10)
    before = states(tmp_path)
    for target in (str(tmp_path / "colored"), str(tmp_path)):  # and beside the photographs
        for counts in ({"done": 10}, {"skipped": 10}):
            order = Order(Copying(), str(tmp_path), target)
            assert run(order, threads.scheduler_address).counts == counts
    after = states(tmp_path)
    assert {name: after[name] for name in names} == before
    assert len(after) == 30


def test_a_source_that_goes_away_ends_the_run(threads: Any, tmp_path: Path) -> None:
    box(open_store(str(tmp_path / "in")), 60)
    shutil.copytree(tmp_path / "in", tmp_path / "kept")

    def unplug(_: object) -> None:
        if (tmp_path / "in").exists():
            (tmp_path / "in").rename(tmp_path / "unplugged")

    order = Order(Copying(0.002), str(tmp_path / "in"), str(tmp_path / "out"))
    with pytest.raises(DataError, match=r"in: there is no such folder"):
        run(order, threads.scheduler_address, on_progress=unplug)
    before = states(tmp_path / "out")
    (tmp_path / "unplugged").rename(tmp_path / "in")
    state = run(order, threads.scheduler_address)
    assert state.counts["done"] + len(before) == 60
    assert states(tmp_path / "out").items() >= before.items()


def test_workers_that_are_killed_cost_nothing(processes: Any, s3: str) -> None:
    """S3 keeps all versions of an object: the number of times that it was written."""
    import boto3

    names = box(open_store(f"{s3}/in"), 30)
    order = Order(Copying(0.01), f"{s3}/in", f"{s3}/out")
    pids = workers_of(processes)[:1]

    def kill(_: object) -> None:
        while pids:
            os.kill(pids.pop(), signal.SIGKILL)

    state = run(order, processes.scheduler_address, on_progress=kill)
    assert not pids
    assert sum(state.counts.values()) == 30
    assert not state.counts["failed"]
    assert sorted(lines(order, state)) == names
    bucket = s3.removeprefix("s3://")
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    found = client.list_object_versions(Bucket=bucket, Prefix="out/")["Versions"]
    written = sorted(version["Key"] for version in found if version["Key"].endswith("-color.jpg"))
    assert written == sorted(f"out/{name.removesuffix('.jpg')}-color.jpg" for name in names)
    for name in names:
        data = open_store(f"{s3}/in").read(name)
        made = open_store(f"{s3}/out").read(name.replace(".jpg", "-color.jpg"))
        assert made == data + f'opsin:Origin="{fingerprint(data)}"'.encode()


def test_a_photograph_that_kills_is_found_and_the_others_are_done(
    processes: Any, tmp_path: Path
) -> None:
    names = box(open_store(str(tmp_path / "in")), 7, killer=b"kill")
    order = Order(Copying(), str(tmp_path / "in"), str(tmp_path / "out"))
    state = run(order, processes.scheduler_address)
    found = lines(order, state)
    assert sorted(found) == names
    assert [name for name in names if found[name]["status"] == "failed"] == ["killer.jpg"]
    assert "have died" in found["killer.jpg"]["error"]
    assert len(states(tmp_path / "out")) == 7
    parts = tmp_path / "out/.opsin/parts"
    assert not list(parts.iterdir())


def workers_of(processes: Any) -> list[int]:
    from distributed import Client

    processes.wait_for_workers(2)
    with Client(processes, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_a_scheduler_that_is_restarted_costs_nothing(tmp_path: Path) -> None:
    names = box(open_store(str(tmp_path / "in")), 60)
    order = Order(Copying(0.01), str(tmp_path / "in"), str(tmp_path / "out"))
    place = str(tmp_path / "scheduler.json")
    with Deployment(place, tmp_path) as deployment:
        told = []

        def restart(_: object) -> None:
            told.append(1)
            if len(told) == 2:
                deployment.restart()

        state = run(order, place, on_progress=restart)
    assert sum(state.counts.values()) == 60
    assert not state.counts["failed"]
    assert {line["input"] for line in order.manifest().lines()} == set(names)
    assert len(states(tmp_path / "out")) == 60


class Deployment:
    """A scheduler and a worker as somebody would start them, on a port of their own."""

    def __init__(self, place: str, folder: Path) -> None:
        import socket

        self.place, self.folder = place, folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = str(probe.getsockname()[1])
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Deployment:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        address = ["--host", "127.0.0.1", "--port", self.port, "--no-dashboard"]
        ends = ["--nworkers", "1", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self._spawn("scheduler", *address, "--scheduler-file", self.place)
        self._spawn("worker", f"tcp://127.0.0.1:{self.port}", "--host", "127.0.0.1", *ends)
        until = time.monotonic() + 30
        while not os.path.exists(self.place) and time.monotonic() < until:
            time.sleep(0.05)

    def restart(self) -> None:
        self.stop()
        os.unlink(self.place)
        self.start()

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.running.clear()

    def _spawn(self, *words: str) -> None:
        paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        self.running.append(
            subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )


def test_a_local_cluster_listens_to_this_machine_only(tmp_path: Path) -> None:
    box(open_store(str(tmp_path / "in")), 4)
    before, heard = listening(), set()
    order = Order(Copying(), str(tmp_path / "in"), str(tmp_path / "out"))
    state = run(order, "local", workers=1, on_progress=lambda _: heard.update(listening() - before))
    assert state.counts == {"done": 4}
    assert {host for host, _ in heard} == {"127.0.0.1"}
    assert listening() <= before


def listening() -> set[tuple[str, int]]:
    """The hosts and ports on which this process and its children listen."""
    import psutil

    own = psutil.Process()
    return {
        (place.laddr.ip, place.laddr.port)
        for process in (own, *own.children(recursive=True))
        for place in process.net_connections("inet")
        if place.status == psutil.CONN_LISTEN
    }


def test_where_nobody_answers_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT", 0.2)
    order = Order(Copying(), str(tmp_path), str(tmp_path / "out"))
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(WrongCallError, match=rf"^--cluster {address}: no scheduler of Dask"):
            run(order, address)


@given(st.integers(0, 3000), st.integers(1, 40))
def test_portions_hold_each_photograph_once_and_few_names_are_ahead(
    count: int, threads: int
) -> None:
    read = taken = 0

    def entries() -> Any:
        nonlocal read
        for number in range(count):
            read += 1
            yield Entry(str(number), 1)

    portions = []
    for portion in cluster._portions(entries(), "run", lambda: threads):
        assert read - taken <= 2 * threads * cluster.MOST
        taken += len(portion.entries)
        portions.append(portion)
    assert [int(entry.name) for portion in portions for entry in portion.entries] == [*range(count)]
    assert all(len(portion.entries) <= cluster.MOST for portion in portions)
    assert len({portion.part for portion in portions}) == len(portions)


SUFFIXES = st.sampled_from([".jpg", ".JPG", ".jpeg", ".png", ".bmp", ".gif", ".tif"])
STEMS = st.text("ab-", min_size=1, max_size=3).flatmap(
    lambda stem: st.sampled_from([stem, f"{stem}-bmp", f"{stem}-png-bmp", f"{stem}-jpg", "bmp"])
)


@given(
    st.lists(st.builds(str.__add__, STEMS, SUFFIXES), unique=True, max_size=30),
    st.sampled_from([None, "jpeg", "png"]),
)
def test_no_two_photographs_have_files_of_one_name(names: list[str], format: str | None) -> None:
    extras = {"compare": ".jpg", "confidence": ".png"}
    jobs = [job_by_name(Path("in", name), format=format, extras=extras) for name in names]
    files = [path for job in jobs for path in job.outputs.values()]
    assert len(set(files)) == 3 * len(names)
    assert all(path.parent == Path("in") for path in files)


def test_only_what_ran_is_rated() -> None:
    clock: Callable[[], float] = time.monotonic
    state = State(total=100, began=clock() - 10)
    assert state.seconds_left is None
    state.counts.update(done=20, skipped=40)
    state.known = 40
    assert state.rate == pytest.approx(2, rel=0.1)
    assert state.seconds_left == pytest.approx(20, rel=0.1)
