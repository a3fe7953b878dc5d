"""A table of a run: whole lines at once, and a run that goes on where it was."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.archive.result import Result
from opsin.archive.table import Table
from opsin.errors import SaveError

DONE = Result("a.jpg", "done")
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1)


def rows(path):
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.reader(file))


def test_lines_are_there_as_soon_as_they_are_added(tmp_path):
    with Table(path := tmp_path / "names.csv", ["name 1"]) as table:
        table.add(DONE, ["cat"])
        assert rows(path) == [["input", "error", "name 1"], ["a.jpg", "", "cat"]]
        table.add(Result("b.jpg", "failed", error="it is empty."), [])
        assert rows(path)[2] == ["b.jpg", "it is empty.", ""]


def test_what_failed_or_was_not_finished_is_done_again(tmp_path):
    path = tmp_path / "names.csv"
    with Table(path, ["name 1"]) as table:
        table.add(DONE, ["cat"])
        table.add(Result("b.jpg", "failed", error="it is empty."), [])
        table.add(Result("c.jpg", "done"), ["dog"])
    path.write_bytes(path.read_bytes()[:-2])  # as a killed run leaves it
    with Table(path, ["name 1"]) as table:
        assert table.known == {"a.jpg"}
        table.add(Result("c.jpg", "done"), ["dog"])
    assert rows(path) == [["input", "error", "name 1"], ["a.jpg", "", "cat"], ["c.jpg", "", "dog"]]


def test_a_table_from_a_spreadsheet_program_is_understood(tmp_path):
    path = tmp_path / "names.csv"
    path.write_bytes("\ufeffinput,error,name 1\r\nä b.jpg,,cat\r\n".encode())
    with Table(path, ["name 1"]) as table:
        assert table.known == {"ä b.jpg"}


@pytest.mark.parametrize("text", ["input,error,name\nx,,y\n", "my,own,table\n1,2,3\n", "diary\n"])
def test_another_table_stays_as_it_is(tmp_path, text):
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(SaveError, match="is another table"):
        Table(path, ["name 1"])
    assert path.read_text() == text


def test_a_folder_and_a_link_are_no_tables(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "real.csv").write_text("")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    for name in ("folder.csv", "link.csv"):
        with pytest.raises(SaveError, match="is no file of its own"):
            Table(tmp_path / name, ["name 1"])


@given(NAMES, NAMES)
def test_any_name_comes_back(tmp_path_factory, name, label):
    path = tmp_path_factory.mktemp("table") / "names.csv"
    with Table(path, ["name 1"]) as table:
        table.add(Result(name, "done"), [label])
    with Table(path, ["name 1"]) as table:
        assert table.known == {name}


def test_a_name_that_is_no_text_comes_back(tmp_path):
    with Table(path := tmp_path / "names.csv", ["name 1"]) as table:
        table.add(Result("caf\udce9.jpg", "done"), ["cat"])
    assert b"caf\xe9.jpg" in path.read_bytes()
    with Table(path, ["name 1"]) as table:
        assert table.known == {"caf\udce9.jpg"}


def test_two_runs_do_not_share_a_table(tmp_path):
    with Table(path := tmp_path / "names.csv", ["name 1"]) as table:
        table.add(DONE, ["cat"])
        with pytest.raises(SaveError, match="another run is writing it"):
            Table(path, ["name 1"])
        table.add(Result("b.jpg", "done"), ["dog"])
    with Table(path, ["name 1"]) as table:
        assert table.known == {"a.jpg", "b.jpg"}
