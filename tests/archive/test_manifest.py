"""What a run leaves of itself, and what the next one makes of that."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("fsspec")

from opsin.archive.manifest import Manifest, key_of
from opsin.archive.stores import Entry, open_store


def line(name: str, status: str = "done", size: int = 1) -> dict[str, object]:
    return {"input": name, "size": size, "status": status}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Manifest(open_store(str(tmp_path)), key_of("scans"))


def test_what_is_done_or_skipped_need_not_be_looked_at_again(manifest: Manifest) -> None:
    manifest.write("run-1", [line("a.jpg"), line("b.jpg", "skipped")])
    manifest.write("run-2", [line("c.jpg", "failed"), line("in/a.jpg", size=7)])
    done = manifest.done()
    assert len(done) == 3
    assert Entry("a.jpg", 1) in done
    assert Entry("in/a.jpg", 7) in done
    assert Entry("c.jpg", 1) not in done


def test_a_photograph_that_has_changed_is_another(manifest: Manifest) -> None:
    manifest.write("run-1", [line("a.jpg", size=10)])
    assert Entry("a.jpg", 11) not in manifest.done()
    assert Entry("A.jpg", 10) not in manifest.done()


def test_nothing_is_done_at_first(manifest: Manifest) -> None:
    assert Entry("a.jpg", 1) not in manifest.done()
    assert manifest.read("run-1") is None
    assert list(manifest.lines()) == []


def test_a_part_that_is_written_stays(manifest: Manifest) -> None:
    assert manifest.write("run-1", [line("a.jpg")]) == [line("a.jpg")]
    assert manifest.write("run-1", [line("a.jpg", "skipped")]) == [line("a.jpg")]
    assert manifest.read("run-1") == [line("a.jpg")]


def test_the_lines_of_one_run_are_told_from_others(manifest: Manifest) -> None:
    manifest.write("monday-1", [line("a.jpg")])
    manifest.write("tuesday-1", [line("b.jpg")])
    assert [found["input"] for found in manifest.lines("tuesday")] == ["b.jpg"]


def test_two_sources_have_two_manifests(tmp_path: Path, manifest: Manifest) -> None:
    manifest.write("run-1", [line("a.jpg")])
    other = Manifest(open_store(str(tmp_path)), key_of("other scans"))
    assert Entry("a.jpg", 1) not in other.done()


@given(st.binary(max_size=40), st.integers(0, 200))
def test_a_damaged_part_costs_its_damaged_lines_only(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    manifest = Manifest(open_store(str(folder)), key_of("scans"))
    manifest.write("run-1", [line("a.jpg"), line("b.jpg")])
    manifest.write("run-2", [line("c.jpg")])
    path = folder / manifest.folder / "run-1.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:cut] + b"\n" + noise)
    ends = [at for at, byte in enumerate(whole) if byte == ord("}")]
    expected = [name for name, end in zip(("a.jpg", "b.jpg"), ends, strict=True) if cut > end]
    done = manifest.done()
    assert [name for name in ("a.jpg", "b.jpg") if Entry(name, 1) in done] == expected
    assert Entry("c.jpg", 1) in done


@given(st.lists(st.tuples(st.text(max_size=9), st.integers(0, 1 << 40)), unique=True, max_size=20))
@example([("ÞÃâ¥\U000c6c93a-ö\x10", 26730)])  # its digest ends with a zero
def test_every_name_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("names")
    manifest = Manifest(open_store(str(folder)), key_of("scans"))
    manifest.write("run-1", [line(name, size=size) for name, size in entries])
    done = manifest.done()
    assert len(done) == len(entries)
    assert all(Entry(name, size) in done for name, size in entries)
    assert Entry("another.jpg", 1 << 41) not in done
