"""A path may name a split, and a splits.json is understood in both of its layouts."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsin.errors import DataError
from opsin.sets.sources import Source, sources
from opsin.sets.splits import class_of, folders_as_classes, split_of

FLAT = {"train": ["b.jpg", "a.jpg"], "val": ["c.jpg"], "note": "made by hand"}
NESTED = {"classes": ["cat", "dog"], "splits": {"train": ["cat/1.jpg"], "test": ["dog/2.jpg"]}}


def write_set(place: Path, content: bytes, name: str = "splits.json") -> Path:
    """A folder, or a tar if the name says so, with this in it, and four pictures by name."""
    files = {name: content} | dict.fromkeys(("a.jpg", "b.jpg", "cat/1.jpg", "dog/2.jpg"), b"")
    if place.suffix != ".tar":
        for one, data in files.items():
            (place / one).parent.mkdir(parents=True, exist_ok=True)
            (place / one).write_bytes(data)
        return place
    with tarfile.open(place, "w") as tar:
        for one, data in files.items():
            member = tarfile.TarInfo(one)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return place


def the_source(place: Path) -> Source:
    [source] = sources(place, lambda *_: None)
    return source


def names_in(place: Path, split: str) -> list[str]:
    source = the_source(place)
    return sorted(source.names[index] for index in source.chosen(split))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("faces.tar:val", ("faces.tar", "val")),
        ("my set:train-2", ("my set", "train-2")),
        ("faces.tar", ("faces.tar", None)),
        ("C:photos", ("C:photos", None)),
        ("C:\\photos\\a", ("C:\\photos\\a", None)),
        ("C:\\photos.tar:val", ("C:\\photos.tar", "val")),
        ("at 12:30 o'clock", ("at 12:30 o'clock", None)),
        ("a:", ("a:", None)),
    ],
)
def test_what_follows_the_last_colon_is_a_split(
    text: str, expected: tuple[str, str | None]
) -> None:
    assert split_of(text) == (Path(expected[0]), expected[1])


def test_a_path_that_exists_is_meant_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "trip:rome").mkdir()
    assert split_of(tmp_path / "trip:rome") == (tmp_path / "trip:rome", None)
    assert split_of(tmp_path / "trip:oslo") == (tmp_path / "trip", "oslo")


@settings(deadline=None)
@given(st.text(min_size=2).filter(lambda text: "\0" not in text))
def test_any_name_gets_its_split_back(name: str) -> None:
    assert split_of(f"no-such-folder/{name}:val") == (Path(f"no-such-folder/{name}"), "val")


@pytest.mark.parametrize("place", ["set.tar", "set"])
@pytest.mark.parametrize("name", ["splits.json", "./splits.json"])
def test_reads_both_layouts_from_tars_and_folders(tmp_path: Path, place: str, name: str) -> None:
    flat = write_set(tmp_path / place, json.dumps(FLAT).encode(), name)
    assert names_in(flat, "train") == ["a.jpg", "b.jpg"]
    found = the_source(flat).splits
    assert found is not None
    assert (set(found.names), found.classes) == ({"train", "val"}, None)
    nested = write_set(tmp_path / f"2-{place}", json.dumps(NESTED).encode(), name)
    assert names_in(nested, "test") == ["dog/2.jpg"]
    assert the_source(nested).splits.classes == {"cat": "cat", "dog": "dog"}  # type: ignore[union-attr]


def test_classes_may_have_names_of_their_own(tmp_path: Path) -> None:
    content = {"classes": {"008": "Aston Martin"}, "splits": {}}
    found = the_source(write_set(tmp_path / "set", json.dumps(content).encode())).splits
    assert found is not None
    assert found.classes is not None
    assert class_of("008/1.jpg", found.classes) == "Aston Martin"
    assert class_of("009/1.jpg", found.classes) is None
    assert class_of("008", found.classes) is None


def test_folders_are_classes_if_there_are_several() -> None:
    assert folders_as_classes(["b/1.jpg", "a/x/2.jpg", "3.jpg"]) == {"a": "a", "b": "b"}
    assert folders_as_classes(["a/1.jpg", "a/2.jpg", "3.jpg"]) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"train": []}', "no split 'val'. Available: train."),
        (b'{"classes": ["a"]}', "no split 'val'. Available: none."),
        (b"[1, 2]", "no split 'val'. Available: none."),
        (b'{"train": [', "splits.json is not valid JSON"),
        (b"\xff\xfe{", "splits.json is not valid JSON"),
        (b"[" * 100_000, "splits.json is nested too deeply"),
        (b'{"a":' * 100_000, "splits.json is nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "splits.json is not valid JSON"),
        (b'{"classes": 3, "val": []}', "must be a list of folders, or a table of them"),
    ],
)
@pytest.mark.parametrize("place", ["set.tar", "set"])
def test_what_is_wrong_is_said(tmp_path: Path, place: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        names_in(write_set(tmp_path / place, content), "val")
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / place))


def test_a_set_without_splits_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no splits\.json in it.*leave out ':val'"):
        names_in(write_set(tmp_path / "set", b"", "other.json"), "val")
    with pytest.raises(DataError, match=r"gone: no such file or folder"):
        names_in(tmp_path / "gone", "val")
