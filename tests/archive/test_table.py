"""A table of a run: whole lines at once, and a run that goes on where it was."""

from __future__ import annotations

import csv
import errno
import io
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.archive.result import Result
from opsin.archive.table import Table
from opsin.errors import SaveError

HEADER = ["input", "error", "model", "name 1"]
DONE = Result("a.jpg", "done")
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00/"), min_size=1)


def rows(path):
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.reader(file))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_lines_are_there_as_soon_as_they_are_added(tmp_path):
    with Table(path := tmp_path / "names.csv", ["name 1"], model="m 1") as table:
        table.add(DONE, ["cat"])
        assert rows(path) == [HEADER, ["a.jpg", "", "m 1", "cat"]]
        table.add(Result("b.jpg", "failed", error="it is empty."), [])
        assert rows(path)[2] == ["b.jpg", "it is empty.", "m 1", ""]


def test_what_failed_or_was_not_finished_is_done_again(tmp_path):
    path = tmp_path / "names.csv"
    with Table(path, ["name 1"], model="m 1") as table:
        table.add(DONE, ["cat"])
        table.add(Result("b.jpg", "failed", error="it is empty."), [])
        table.add(Result("c.jpg", "done"), ["dog"])
    path.write_bytes(path.read_bytes()[:-2])  # as a killed run leaves it
    with Table(path, ["name 1"], model="m 1") as table:
        assert "a.jpg" in table
        assert not {"b.jpg", "c.jpg"} & {row[0] for row in rows(path)}
        table.add(Result("c.jpg", "done"), ["dog"])
    assert rows(path) == [HEADER, ["a.jpg", "", "m 1", "cat"], ["c.jpg", "", "m 1", "dog"]]


def test_a_table_from_a_spreadsheet_program_is_understood(tmp_path):
    path = tmp_path / "names.csv"
    path.write_bytes("\ufeffinput,error,model,name 1\r\nä b.jpg,,m 1,cat\r\n".encode())
    with Table(path, ["name 1"], model="m 1") as table:
        assert "ä b.jpg" in table


@pytest.mark.parametrize("text", ["input,error,name\nx,,y\n", "my,own,table\n1,2,3\n", "diary\n"])
def test_another_table_stays_as_it_is(tmp_path, text):
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(SaveError, match="is another table"):
        Table(path, ["name 1"], model="m 1")
    assert path.read_text() == text


def test_a_folder_and_a_link_are_no_tables(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "real.csv").write_text("")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    for name in ("folder.csv", "link.csv"):
        with pytest.raises(SaveError, match="is no file of its own"):
            Table(tmp_path / name, ["name 1"], model="m 1")


@given(NAMES, NAMES)
def test_any_name_comes_back(tmp_path_factory, name, label):
    path = tmp_path_factory.mktemp("table") / "names.csv"
    photo = path.parent / name
    with Table(path, ["name 1"], model="m 1") as table:
        table.add(Result(str(photo), "done"), [label])
    with Table(path, ["name 1"], model="m 1") as table:
        assert photo in table
    [told] = rows(path)[1:]
    assert os.path.abspath(path.parent / told[0]) == os.path.abspath(photo)
    assert told[3].removeprefix("'") == label.removeprefix("'")
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in told)


def test_a_name_that_is_no_text_comes_back(tmp_path):
    with Table(path := tmp_path / "names.csv", ["name 1"], model="m 1") as table:
        table.add(Result("caf\udce9.jpg", "done"), ["cat"])
    assert b"caf\xe9.jpg" in path.read_bytes()
    with Table(path, ["name 1"], model="m 1") as table:
        assert "caf\udce9.jpg" in table


def test_two_runs_do_not_share_a_table(tmp_path):
    with Table(path := tmp_path / "names.csv", ["name 1"], model="m 1") as table:
        table.add(DONE, ["cat"])
        with pytest.raises(SaveError, match="another run is writing it"):
            Table(path, ["name 1"], model="m 1")
        table.add(Result("b.jpg", "done"), ["dog"])
    with Table(path, ["name 1"], model="m 1") as table:
        assert "a.jpg" in table
        assert "b.jpg" in table


def test_the_lock_is_there_before_the_new_file_has_the_name(tmp_path, monkeypatch):
    path, replace, told = tmp_path / "names.csv", os.replace, []
    ask = (
        "from opsin.archive.table import Table; import sys; "
        "Table(sys.argv[1], ['name 1'], model='m 1')"
    )

    def replaced(*names):
        for move in (lambda: None, lambda: replace(*names)):  # just before, and just after
            move()
            words = [sys.executable, "-c", ask, str(path)]
            told.append(subprocess.run(words, capture_output=True, text=True, check=False).stderr)

    monkeypatch.setattr("opsin.files.os.replace", replaced)
    with Table(path, ["name 1"], model="m 1") as table:
        table.add(DONE, ["cat"])
    assert len(told) == 2
    assert all("another run is writing it" in one for one in told)
    assert rows(path) == [HEADER, ["a.jpg", "", "m 1", "cat"]]


def test_a_line_that_the_disk_has_no_room_for_is_not_there_in_part(tmp_path):
    class Full(io.FileIO):
        def write(self, data):
            if len(data) < 9:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data[:5])

    with Table(path := tmp_path / "names.csv", ["name 1"], model="m 1") as table:
        table.add(DONE, ["cat"])
        before = path.read_bytes()
        table._file.close()
        table._file = Full(path, "ab")
        with pytest.raises(SaveError, match="No space left"):
            table.add(Result("b.jpg", "done"), ["dog"])
    assert path.read_bytes() == before


def test_an_error_is_no_formula(tmp_path):
    with Table(path := tmp_path / "names.csv", ["name 1"], model="m 1") as table:
        table.add(Result("a.jpg", "failed", error="=HYPERLINK(1)"), [])
    assert rows(path)[1][1] == "'=HYPERLINK(1)"


def test_a_photograph_is_known_through_a_link_to_its_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with Table(tmp_path / "names.csv", ["name 1"], model="m 1") as table:
        table.add(Result("link/a.jpg", "done"), ["cat"])
    with Table(tmp_path / "names.csv", ["name 1"], model="m 1") as table:
        assert "real/a.jpg" in table
