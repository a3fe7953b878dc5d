"""Folders wherever they lie: listed as a stream, read, and written whole, once and never over."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("distributed")
pytest.importorskip("s3fs")

from opsin.archive.stores import Store, open_store
from opsin.errors import DataError, ExtraMissingError, SaveError, WrongCallError


@pytest.fixture(params=["disk", "memory", "s3", "renaming"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty folder on each kind of store."""
    if request.param == "disk":
        yield open_store(str(tmp_path / "box"))
    elif request.param == "s3":
        yield open_store(f"{request.getfixturevalue('s3')}/box")
    else:
        import fsspec
        from fsspec.implementations.memory import MemoryFileSystem

        class Renaming(MemoryFileSystem):  # as sftp: a file is seen while it is written
            protocol = "renaming"

        fsspec.register_implementation("renaming", Renaming, clobber=True)
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]
        yield open_store(f"{request.param}://box")


def names(store: Store, skip: str | None = None) -> list[str]:
    unread: list[str] = []
    found = store.entries(skip=skip, on_unread=lambda folder, why: unread.append(folder))
    listed = sorted(entry.name for entry in found)
    assert not unread
    return listed


def test_what_is_created_is_listed_and_read(store: Store) -> None:
    assert store.create("a.jpg", b"1")
    assert store.create("deep/er/b c%.jpg", b"22")
    assert names(store) == ["a.jpg", "deep/er/b c%.jpg"]
    assert store.read("deep/er/b c%.jpg") == b"22"
    assert store.exists("a.jpg")
    assert not store.exists("b.jpg")
    assert {e.name: e.size for e in store.entries(on_unread=print)}["deep/er/b c%.jpg"] == 2


def test_a_name_that_is_taken_stays_as_it_is(store: Store) -> None:
    assert store.create("a.jpg", b"first")
    assert not store.create("a.jpg", b"second")
    assert store.read("a.jpg") == b"first"
    assert names(store) == ["a.jpg"]


def test_hidden_folders_and_the_target_within_are_left_out(store: Store) -> None:
    for name in ("a.jpg", ".opsin/manifest/x.jpg", "colored/a.jpg", "colored too/a.jpg"):
        store.create(name, b"1")
    inside = open_store(f"{store.url}/colored")
    assert names(store, skip=inside.address) == ["a.jpg", "colored too/a.jpg"]
    assert names(store, skip=store.address) == ["a.jpg", "colored too/a.jpg", "colored/a.jpg"]


def test_small_files_are_read_together(store: Store) -> None:
    for number in range(12):
        store.create(f".opsin/parts of it/{number:02d}", str(number).encode())
    files = store.names(".opsin/parts of it")
    assert sorted(files)[:2] == [".opsin/parts of it/00", ".opsin/parts of it/01"]
    assert sorted(map(int, store.read_all(files))) == list(range(12))
    assert store.names(".opsin/nothing") == []


def test_no_name_leads_out_of_the_folder(store: Store) -> None:
    for name in ("../a.jpg", "a//b.jpg", "/etc/a.jpg", "a/../../b.jpg", ""):
        with pytest.raises(DataError, match="no name of a file"):
            store.create(name, b"1")


def test_a_store_travels_as_its_address_alone(store: Store) -> None:
    store.create("a.jpg", b"1")
    sent = pickle.dumps(store)
    assert len(sent) < 250
    assert pickle.loads(sent).read("a.jpg") == b"1"


def test_what_can_be_written_to_is_prepared(store: Store) -> None:
    store.prepare()
    store.check(may_be_empty=True)
    store.create("a.jpg", b"1")
    store.check()
    assert names(store) == ["a.jpg"]  # nothing is left of the trial


def test_of_two_that_create_a_file_one_does(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    for attempt in range(30):
        gate = Barrier(2)

        def create(data: bytes, name: str, gate: Barrier) -> bytes:
            gate.wait()
            return data if store.create(name, data) else b""

        with ThreadPoolExecutor(2) as pool:
            name = f"{attempt}.jpg"
            both = [pool.submit(create, letter * 1000, name, gate) for letter in (b"a", b"b")]
        assert b"".join(future.result() for future in both) == store.read(name)
    assert not list((tmp_path / ".opsin" / "parts").iterdir())


def test_a_disk_without_links_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    store = open_store(str(tmp_path))
    assert store.create("a.jpg", b"1")
    assert not store.create("a.jpg", b"2")
    assert store.read("a.jpg") == b"1"


def test_a_link_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    assert not open_store(str(tmp_path)).create("a.jpg", b"1")
    assert not (tmp_path / "elsewhere.jpg").exists()


def test_what_is_no_file_is_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "around.jpg").symlink_to(tmp_path)
    (tmp_path / "nowhere.jpg").symlink_to(tmp_path / "nothing")  # it fails with a word when read
    assert names(open_store(str(tmp_path))) == ["nowhere.jpg"]


def test_a_listing_that_is_left_closes_its_folders(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        open_store(str(tmp_path)).create(name, b"1")
    listing = open_store(str(tmp_path)).entries(on_unread=print)
    next(listing)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 2
    listing.close()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before - 2  # the folder and one in it


@given(st.lists(st.text("ab.-é\ud800\n", min_size=1, max_size=5), unique=True, max_size=5))
def test_any_name_that_a_disk_takes_is_listed(tmp_path_factory: object, found: list[str]) -> None:
    folder = tmp_path_factory.mktemp("names")  # type: ignore[attr-defined]
    made = {os.fsdecode(os.fsencode(name.replace("\ud800", "\udc80"))) for name in found}
    made -= {".", ".."}
    for name in made:
        (folder / name).write_bytes(b"1")
    assert names(open_store(str(folder))) == sorted(made)


def test_what_cannot_be_opened_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongCallError, match=r"^nonsense://box: .*nonsense"):
        open_store("nonsense://box").check()
    with pytest.raises(ExtraMissingError, match=r"^abfs://box: .*adlfs"):
        open_store("abfs://box").check()
    with pytest.raises(DataError, match=r"nothing: there is no such folder"):
        open_store(str(tmp_path / "nothing")).check()
    (tmp_path / "file").write_bytes(b"1")
    with pytest.raises(SaveError, match=r"file: cannot be written to"):
        open_store(str(tmp_path / "file")).prepare()


def test_s3_is_listed_page_by_page(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from opsin.archive import stores

    store = open_store(f"{s3}/pages")
    for number in range(7):
        store.create(f"{number}.jpg", b"1")
    monkeypatch.setattr(stores, "_PAGE", 3)
    assert names(store) == [f"{number}.jpg" for number in range(7)]


def test_an_s3_that_cannot_be_reached_is_told(s3: str) -> None:
    with pytest.raises(DataError, match=r"^s3://no-such-bucket/box: "):
        list(open_store("s3://no-such-bucket/box").entries(on_unread=print))
    with pytest.raises(SaveError, match=r"^s3://no-such-bucket/box: cannot be written to"):
        open_store("s3://no-such-bucket/box").prepare()
