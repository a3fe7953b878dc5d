"""What is packed can be listed and read again, byte for byte; harmful and damaged files cannot."""

import io
import json
import os
import pickle
import struct
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from opsin.errors import DataError, SaveError
from opsin.sets.pack import pack
from opsin.sets.sources import Picture, read, sources

CLASSES = ["airplane", "cat", "ship"]


def jpeg(pixels: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=92, **options)
    return out.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def content_of(tar: Path) -> dict[str, bytes]:
    with tarfile.open(tar) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def splits_of(tar: Path) -> dict[str, Any]:
    return json.loads(content_of(tar)["splits.json"])


@pytest.fixture(scope="module")
def small() -> list[bytes]:
    """Three little photographs as files."""
    from skimage import data

    return [jpeg(photo[:40, :48]) for photo in (data.astronaut(), data.coffee(), data.chelsea())]


@pytest.fixture(scope="module")
def cifar() -> dict[str, np.ndarray]:
    """Squares of photographs as CIFAR-10 has them: 5 to train and 2 to test."""
    from skimage import data

    squares = [data.astronaut()[32 * i : 32 * i + 32, :32] for i in range(7)]
    return {
        "x_train": np.stack(squares[:5]),
        "y_train": np.array([2, 0, 1, 1, 0], np.uint8),
        "x_test": np.stack(squares[5:]),
        "y_test": np.array([1, 2], np.uint8),
        "classes": np.array(CLASSES),
    }


# --- folders and tars


def test_a_folder_becomes_a_tar_of_the_same_files(tmp_path: Path, small: list[bytes]) -> None:
    files = {"cat/ä b.jpg": small[0], "cat/deep/c.jpg": small[1], "über uns.JPG": small[2]}
    folder = write(tmp_path / "in", {**files, "notes.txt": b"no", ".hidden/x.jpg": small[0]})
    packed = pack(folder, tmp_path / "new" / "out.tar")
    assert content_of(packed.path) == files
    assert (packed.pictures, packed.unreadable) == (3, ())
    assert (packed.splits, packed.classes) == ({}, {"cat": 2})


NAME = st.text(st.sampled_from("aÄß .-_漢é'\""), min_size=1, max_size=6).filter(
    lambda name: not name.startswith(".")
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(names=st.sets(st.lists(NAME, min_size=1, max_size=3).map("/".join), min_size=1, max_size=5))
def test_what_was_packed_is_listed_and_read_again(
    tmp_path_factory: pytest.TempPathFactory, small: list[bytes], names: set[str]
) -> None:
    files = {f"{name}.jpg": small[index % 3] for index, name in enumerate(sorted(names))}
    folder = write(tmp_path_factory.mktemp("in"), files)
    out = folder.parent / f"{folder.name}.tar"
    assert pack(folder, out).pictures == len(files)
    (source,) = sources(out, lambda *_: None)
    found = zip(source.names, map(read, source.pictures), strict=True)
    assert dict(found) == files


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path, small: list[bytes]) -> None:
    files = {"b/2.jpg": small[1], "a/1.jpg": small[0], "a/3.jpg": small[2]}
    one, two = write(tmp_path / "1" / "set", files), tmp_path / "2" / "set"
    write(two, dict(reversed(files.items())))
    os.utime(two / "a" / "1.jpg", (7, 7))
    half = {"train": 0.5, "val": 0.5}
    packed = [
        pack(folder, folder.with_suffix(".tar"), size=24, split=half) for folder in (one, two)
    ]
    assert packed[0].path.read_bytes() == packed[1].path.read_bytes()


def test_unreadable_pictures_are_passed_over_and_named(tmp_path: Path, small: list[bytes]) -> None:
    files = {"a.jpg": small[0], "cut.jpg": small[1][:-200], "empty.png": b"", "text.png": b"hello"}
    told: list[tuple[int, int]] = []
    packed = pack(
        write(tmp_path / "in", files),
        tmp_path / "out.tar",
        progress=lambda *at: told.append(at),
    )
    assert content_of(packed.path) == {"a.jpg": small[0]}
    assert packed.unreadable == ("cut.jpg", "empty.png", "text.png")
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_larger_pictures_are_made_smaller_and_none_larger(
    tmp_path: Path, astronaut: np.ndarray, small: list[bytes]
) -> None:
    lying = Image.Exif()
    lying[0x0112] = 6  # to be turned by 90 degrees: 300 x 500 is shown
    png = io.BytesIO()
    Image.fromarray(astronaut[:200, :300]).save(png, "PNG")
    files = {
        "a.jpg": jpeg(astronaut[:300, :500], exif=lying),
        "a.png": png.getvalue(),
        "small.jpg": small[0],
    }
    packed = pack(write(tmp_path / "in", files), tmp_path / "out.tar", size=100, quality=95)
    found = content_of(packed.path)
    shapes = {name: Image.open(io.BytesIO(content)).size for name, content in found.items()}
    assert shapes == {"a.jpg": (100, 167), "a-2.jpg": (150, 100), "small.jpg": (48, 40)}
    assert found["small.jpg"] == small[0]
    shrunk = np.asarray(Image.open(io.BytesIO(found["a-2.jpg"])), float)
    expected = astronaut[:200, :300].reshape(100, 2, 150, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - expected).mean() < 4


def test_sets_keep_their_splits_and_classes(tmp_path: Path, small: list[bytes]) -> None:
    told = {"classes": ["cat", "dog"], "splits": {"val": ["dog/2.jpg"], "train": ["cat/1.jpg"]}}
    files = {"cat/1.jpg": small[0], "dog/2.jpg": small[1], "cat/3.jpg": small[2]}
    first = pack(
        write(tmp_path / "in", {**files, "splits.json": json.dumps(told).encode()}),
        tmp_path / "first.tar",
    )
    assert first.splits == {"train": 1, "val": 1}
    assert splits_of(first.path) == told
    again = pack([first.path], tmp_path / "again.tar")
    assert again.path.read_bytes() == first.path.read_bytes()
    part = pack(f"{first.path}:val", tmp_path / "part.tar")
    assert splits_of(part.path) == {"classes": ["cat", "dog"], "splits": {"val": ["dog/2.jpg"]}}


def test_of_several_sets_each_becomes_a_folder(tmp_path: Path, small: list[bytes]) -> None:
    cats = write(tmp_path / "cats", {"1.jpg": small[0], "splits.json": b'{"val": ["1.jpg"]}'})
    dogs = write(tmp_path / "dogs", {"1.jpg": small[1], "old/1.jpg": small[2]})
    packed = pack([cats, dogs], tmp_path / "out.tar")
    assert packed.classes == {"cats": 1, "dogs": 1, "old": 1}
    assert splits_of(packed.path) == {"val": ["cats/1.jpg"]}


def test_the_same_name_twice_is_told_apart(tmp_path: Path, small: list[bytes]) -> None:
    one = write(tmp_path / "one", {"x/A.jpg": small[0]})
    two = write(tmp_path / "two", {"x/a.jpg": small[1]})
    packed = pack([one, two], tmp_path / "out.tar")
    assert content_of(packed.path) == {"x/A.jpg": small[0], "x/a-2.jpg": small[1]}


def test_splits_are_drawn_within_each_folder(tmp_path: Path, small: list[bytes]) -> None:
    files = {f"{folder}/{n}.jpg": small[0] for folder in "ab" for n in range(20)}
    shares = {"train": 0.8, "val": 0.1, "test": 0.1}
    packed = pack(write(tmp_path / "in", files), tmp_path / "out.tar", split=shares)
    assert packed.splits == {"train": 32, "val": 4, "test": 4}
    found = splits_of(packed.path)
    assert sorted(name for names in found.values() for name in names) == sorted(files)
    assert sum(name.startswith("a/") for name in found["train"]) == 16
    other = pack(tmp_path / "in", tmp_path / "other.tar", split=shares, seed=2)
    assert splits_of(other.path) != found


@pytest.mark.parametrize(
    "shares", [{"train": 0.9}, {"train": 1.2, "val": -0.2}, {"a b": 1.0}, {"x": float("nan")}, {}]
)
def test_shares_must_add_up(tmp_path: Path, small: list[bytes], shares: dict[str, float]) -> None:
    folder = write(tmp_path / "in", {"a.jpg": small[0]})
    with pytest.raises(ValueError, match=r"add up to 1|plain words"):
        pack(folder, tmp_path / "out.tar", split=shares)


def test_what_exists_is_kept_unless_said_otherwise(tmp_path: Path, small: list[bytes]) -> None:
    folder = write(tmp_path / "in", {"a.jpg": small[0]})
    out = tmp_path / "out.tar"
    out.write_bytes(b"mine")
    with pytest.raises(SaveError, match=r"out\.tar: exists already"):
        pack(folder, out)
    assert out.read_bytes() == b"mine"
    pack(folder, out, overwrite=True)
    assert content_of(out) == {"a.jpg": small[0]}


def test_nothing_is_left_behind_when_it_fails(tmp_path: Path, small: list[bytes]) -> None:
    folder = write(tmp_path / "in", {"a.jpg": small[0]})

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(folder, tmp_path / "out" / "out.tar", progress=stop)
    with pytest.raises(DataError, match="none of the 1 pictures can be read"):
        pack(write(tmp_path / "bad", {"a.jpg": b"x"}), tmp_path / "out" / "out.tar")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("empty", "no picture found in"),
        ("none", "no such file or folder"),
        ("empty:train", "no picture found in"),
    ],
)
def test_nothing_to_pack_is_an_error(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        pack(tmp_path / path, tmp_path / "out.tar")
    assert not (tmp_path / "out.tar").exists()


def test_a_tar_is_written_and_nothing_else(tmp_path: Path, small: list[bytes]) -> None:
    folder = write(tmp_path / "in", {"a.jpg": small[0]})
    with pytest.raises(SaveError, match=r"out\.zip: the name must end in \.tar"):
        pack(folder, tmp_path / "out.zip")
    with pytest.raises(SaveError, match="cannot make this folder"):
        pack(folder, folder / "a.jpg" / "out.tar")


# --- CIFAR-10


def planes(pictures: np.ndarray) -> np.ndarray:
    """(N, 32, 32, 3) as the batches have it: all red, all green, all blue."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2).reshape(len(pictures), -1))


def write_npz(folder: Path, cifar: dict[str, np.ndarray]) -> Path:
    np.savez_compressed(folder / "cifar10.npz", **cifar)
    return folder / "cifar10.npz"


def parts(cifar: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The batches by name: two to train, one to test."""
    x, y = cifar["x_train"], cifar["y_train"]
    return {
        "data_batch_1": (x[:3], y[:3]),
        "data_batch_2": (x[3:], y[3:]),
        "test_batch": (cifar["x_test"], cifar["y_test"]),
    }


def write_python2(folder: Path, cifar: dict[str, np.ndarray]) -> Path:
    """As Python 2 wrote them, opcode by opcode: the original files are such."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def batch(x: np.ndarray, y: np.ndarray) -> bytes:
        dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\0K\1\x87R(K\3" + text(b"|")
        dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
        array += text(b"b") + b"\x87R(K\1" + b"K" + bytes([len(x)]) + b"M\0\x0c\x86" + dtype
        raw = planes(x).tobytes()
        array += b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
        labels = b"](" + b"".join(b"K" + bytes([label]) for label in y) + b"e"
        return b"\x80\2}(" + text(b"data") + array + text(b"labels") + labels + b"u."

    meta = b"\x80\2}" + text(b"label_names") + b"]("
    meta += b"".join(map(text, (name.encode() for name in CLASSES))) + b"es."
    files = {name: batch(*part) for name, part in parts(cifar).items()}
    return write(folder / "cifar-10-batches-py", {**files, "batches.meta": meta})


def packed(folder: Path) -> Path:
    """As it is downloaded."""
    path = folder.parent / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        archive.add(folder, "cifar-10-batches-py")
    return path


FORMS = {
    "npz": write_npz,
    "download": lambda folder, cifar: packed(write_python2(folder, cifar)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_cifar_gives_the_same_tar(
    tmp_path: Path, cifar: dict[str, np.ndarray], form: str
) -> None:
    made = pack(FORMS[form](tmp_path, cifar), tmp_path / "cifar10.tar")
    assert (made.splits, made.classes) == (
        {"train": 5, "test": 2},
        {"airplane": 2, "cat": 3, "ship": 2},
    )
    (tmp_path / "again").mkdir()
    again = pack(write_npz(tmp_path / "again", cifar), tmp_path / "again.tar")
    assert made.path.read_bytes() == again.path.read_bytes()


def test_cifar_pictures_are_kept_exactly(tmp_path: Path, cifar: dict[str, np.ndarray]) -> None:
    packed = pack(f"{write_npz(tmp_path, cifar)}:train", tmp_path / "cifar10.tar")
    found = content_of(packed.path)
    told = json.loads(found.pop("splits.json"))
    assert told["classes"] == CLASSES
    assert sorted(found) == told["splits"]["train"]
    for number, (rgb, label) in enumerate(zip(cifar["x_train"], cifar["y_train"], strict=True)):
        content = found[f"{CLASSES[label]}/train-{number:05d}.png"]
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), rgb)


def test_cifar_can_be_made_smaller(tmp_path: Path, cifar: dict[str, np.ndarray]) -> None:
    packed = pack(write_npz(tmp_path, cifar), tmp_path / "out.tar", size=16)
    picture = Image.open(io.BytesIO(content_of(packed.path)["ship/train-00000.png"]))
    assert (picture.size, picture.format) == ((16, 16), "PNG")


class Harm:
    """A pickle of this runs a command when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize("where", ["data_batch_2", "batches.meta"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_run_something_is_refused(
    tmp_path: Path, cifar: dict[str, np.ndarray], where: str, protocol: int
) -> None:
    folder = write_python2(tmp_path, cifar)
    content = pickle.dumps({"data": Harm(tmp_path / "harm"), "labels": [1]}, protocol)
    write(folder, {where: content})
    with pytest.raises(DataError, match=rf"{where}: not read: it asks for .*system"):
        pack(packed(folder), tmp_path / "out.tar")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "data",
    [
        np.array([Picture("x", 0, 1, "y"), None], object),
        np.zeros((2, 3072), np.float32),
        np.zeros((2, 3072), [("a", "u1")]),
        np.zeros((2, 100), np.uint8),
        [[0] * 3072],
        None,
    ],
)
def test_pickles_of_anything_else_are_refused(
    tmp_path: Path, cifar: dict[str, np.ndarray], data: Any
) -> None:
    folder = write_python2(tmp_path, cifar)
    write(folder, {"data_batch_1": pickle.dumps({"data": data, "labels": [0, 1]}, 2)})
    with pytest.raises(DataError, match=r"data_batch_1: (not read|no data of shape|damaged)"):
        pack(packed(folder), tmp_path / "out.tar")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_batch_is_a_data_error_or_harmless(
    tmp_path: Path, cifar: dict[str, np.ndarray], seed: int
) -> None:
    folder = write_python2(tmp_path, cifar)
    rng = np.random.default_rng(seed)
    content = bytearray((folder / "data_batch_1").read_bytes())
    for place in rng.integers(0, min(300, len(content)), 3):
        content[place] = int(rng.integers(0, 256))
    write(folder, {"data_batch_1": bytes(content[: int(rng.integers(1, len(content) + 1))])})
    with suppress(DataError):
        made = pack(packed(folder), tmp_path / "out.tar", overwrite=True)
        with tarfile.open(made.path) as tar:
            assert sum(name.endswith(".png") for name in tar.getnames()) == made.pictures
    assert not list(tmp_path.glob(".opsin-*"))  # whole, or nothing at all


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_that_is_cut_off_is_an_error(
    tmp_path: Path, cifar: dict[str, np.ndarray], form: str
) -> None:
    path = FORMS[form](tmp_path, cifar)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"{path.name}: cannot be read as "):
        pack(path, tmp_path / "out.tar")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((5, 32, 32), np.uint8)}, "x_train must be uint8"),
        ({"x_test": np.zeros((2, 32, 32, 3))}, "x_test must be uint8 .* is float64"),
        ({"y_test": np.array([0.5, 1])}, "y_test must be integers"),
        ({"y_train": np.array([0, 1])}, "5 pictures to train, 2 labels"),
        ({"y_train": np.array([0, 1, 2, 3, 1])}, "labels up to 3, 3 classes"),
        ({"y_train": np.array([0, 1, -1, 2, 1])}, "labels up to 2, 3 classes"),
        ({"classes": np.array([Harm(Path("x"))], object)}, "cannot be read as .npz"),
        ({"classes": None}, "no classes in it"),
    ],
)
def test_a_wrong_npz_is_an_error(
    tmp_path: Path, cifar: dict[str, np.ndarray], changes: dict[str, Any], message: str
) -> None:
    arrays = {key: value for key, value in {**cifar, **changes}.items() if value is not None}
    with pytest.raises(DataError, match=message):
        pack(write_npz(tmp_path, arrays), tmp_path / "out.tar")


def test_missing_parts_of_cifar_are_named(tmp_path: Path, cifar: dict[str, np.ndarray]) -> None:
    folder = write_python2(tmp_path, cifar)
    (folder / "batches.meta").rename(folder / "batches.meta.txt")
    with pytest.raises(
        DataError, match=r"no batches\.meta in it\. .* CIFAR-10's download for Python"
    ):
        pack(packed(folder), tmp_path / "out.tar")
    with pytest.raises(DataError, match=r"no split 'val'\. Available: train, test"):
        pack(f"{write_npz(tmp_path, cifar)}:val", tmp_path / "out.tar")
