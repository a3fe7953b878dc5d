"""CIFAR-10's small labelled pictures: the download for Python (.tar.gz), or an .npz.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the download is described
at https://www.cs.toronto.edu/~kriz/cifar.html. Its batches are pickles, which may run any code when
they are read: here they are read by a reader that knows lists, texts, numbers and plain arrays, and
refuses everything else.
"""

from __future__ import annotations

import io
import pickle
import re
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError

SIDE: Final = 32
_BYTES: Final = 3 * SIDE * SIDE
_MOST: Final = 1 << 28  # bytes of a batch, which has 31 million
_BATCH: Final = re.compile(r"data_batch_\d|test_batch|batches\.meta")
_NUMBER: Final = re.compile(r"[|<>=]?[iu][1248]")


class Labelled(NamedTuple):
    """The pictures of one split (N, H, W, 3), uint8 sRGB, and the number of each one's class."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]


class Arrays(NamedTuple):
    """All splits by name, `train` and `test`, and the names of the classes."""

    splits: dict[str, Labelled]
    classes: list[str]


def holds_arrays(path: Path) -> bool:
    """Is this an .npz, or a .tar.gz as CIFAR's?"""
    return path.is_file() and path.name.lower().endswith((".npz", ".tar.gz", ".tgz"))


def read_arrays(path: Path) -> Arrays:
    """The pictures in CIFAR-10's download for Python, or in an .npz.

    The latter has x_train, y_train, x_test, y_test and the classes' names, `classes`.
    """
    found = _npz(path) if path.suffix.lower() == ".npz" else _batches(_unpacked(path), path)
    for split, (pictures, labels) in found.splits.items():
        if len(pictures) != len(labels):
            raise DataError(f"{path}: {len(pictures)} pictures to {split}, {len(labels)} labels.")
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(found.classes):
            raise DataError(f"{path}: labels up to {labels.max()}, {len(found.classes)} classes.")
    return found


def _npz(path: Path) -> Arrays:
    try:
        with open(path, "rb") as opened, zipfile.ZipFile(opened), np.load(opened) as file:
            arrays = {name: file[name] for name in file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as .npz ({error}).") from error
    expected = {"x_train", "y_train", "x_test", "y_test", "classes"}
    if missing := expected - arrays.keys():
        raise DataError(f"{path}: no {', '.join(sorted(missing))} in it.")
    splits = {}
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[3] != 3:
            raise DataError(
                f"{path}: x_{split} must be uint8 (N, H, W, 3), is {x.dtype} {x.shape}."
            )
        if not np.issubdtype(y.dtype, np.integer) or y.size != len(y):
            raise DataError(f"{path}: y_{split} must be integers (N,), is {y.dtype} {y.shape}.")
        splits[split] = Labelled(x, y.reshape(-1).astype(np.int64))
    return Arrays(splits, [str(name) for name in arrays["classes"].reshape(-1)])


def _unpacked(path: Path) -> dict[str, bytes]:
    """The batches in a .tar.gz, by name."""
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if _BATCH.fullmatch(name) and member.isfile() and member.size <= _MOST:
                    file = archive.extractfile(member)
                    found[name] = file.read() if file else b""
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{path}: cannot be read as .tar.gz ({error}).") from error
    return found


def _batches(files: Mapping[str, bytes], path: Path) -> Arrays:
    if missing := {"data_batch_1", "batches.meta"} - files.keys():
        raise DataError(
            f"{path}: no {min(missing)} in it. Of packed tars only CIFAR-10's download for Python "
            "is read; unpack any other."
        )
    tables = {name: _unpickle(files[name], path / name) for name in sorted(files)}
    classes = _texts(tables.pop("batches.meta"), "label_names", path / "batches.meta")
    names = {"train": [name for name in tables if name != "test_batch"], "test": ["test_batch"]}
    splits = {}
    for split, wanted in names.items():
        parts = [_batch(tables[name], path / name) for name in wanted if name in tables]
        if parts:
            pictures, labels = zip(*parts, strict=True)
            splits[split] = Labelled(np.concatenate(pictures), np.concatenate(labels))
    return Arrays(splits, classes)


def _batch(table: Mapping[str, Any], path: Path) -> Labelled:
    data, labels = table.get("data"), table.get("labels")
    if not isinstance(data, _Array) or data.values.shape[1:] != (_BYTES,):
        raise DataError(f"{path}: no data of shape (N, {_BYTES}) in it.")
    if not isinstance(labels, list) or not all(isinstance(one, int) for one in labels):
        raise DataError(f"{path}: no labels in it.")
    return Labelled(_planes_to_pictures(data.values.astype(np.uint8)), np.asarray(labels, np.int64))


def _planes_to_pictures(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 3072), all red, all green, all blue, to (N, 32, 32, 3)."""
    return planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _texts(table: dict[str, Any], key: str, path: Path) -> list[str]:
    found = table.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise DataError(f"{path}: no {key} in it.")
    return found


def _unpickle(data: bytes, path: Path) -> dict[str, Any]:
    """The table in a pickle; its keys may have been Python 2's texts or bytes."""
    try:
        found = _PlainUnpickler(io.BytesIO(data), encoding="latin1").load()
    except _RefusedError as error:
        raise DataError(f"{path}: not read: {error}.") from error
    except (  # what damaged pickles have been seen to raise
        pickle.UnpicklingError,
        EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
        MemoryError, ImportError,
    ) as error:  # fmt: skip
        raise DataError(f"{path}: damaged or cut off ({error}).") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: no table in it, so it is no batch.")
    return {_text(key): _texts_of(value) for key, value in found.items()}


def _texts_of(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [_text(one) if isinstance(one, bytes) else one for one in value]


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class _RefusedError(Exception):
    """A pickle holds what no batch of pictures does."""


class _Kind:
    """Stands for a NumPy number type."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, ""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def dtype(self) -> np.dtype[Any]:
        code = self.code if self.code[:1] in "|<>=" else f"{self.order}{self.code}"
        if not _NUMBER.fullmatch(code):
            raise _RefusedError(f"arrays of {code} are not whole numbers")
        return np.dtype(code)


class _Array:
    """Stands for a NumPy array; its numbers are in `values`."""

    values: NDArray[Any]

    def __init__(self, *_: object) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_column, data = state
        raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
        order: Any = "F" if by_column else "C"
        self.values = np.frombuffer(raw, dtype.dtype()).reshape(shape, order=order)


class _PlainUnpickler(pickle.Unpickler):
    """Knows arrays of whole numbers by the names that NumPy gave their parts over the years."""

    KNOWN: Final = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Kind,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
    }

    def find_class(self, module: str, name: str) -> Any:
        place = module.replace("numpy._core", "numpy.core"), name
        if place not in self.KNOWN:
            raise _RefusedError(f"it asks for {module}.{name}, which no picture needs")
        return self.KNOWN[place]
