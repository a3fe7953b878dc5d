"""Small labelled pictures that come as arrays: CIFAR-10's files, in the three forms they are in.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the forms are told at
https://www.cs.toronto.edu/~kriz/cifar.html. The batches for Python are pickles, which may run any
code when they are read: here they are read by a reader that knows lists, texts, numbers and plain
arrays, and refuses everything else.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError

SIDE: Final = 32
_BYTES: Final = 3 * SIDE * SIDE
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
    """Is this an .npz, or a folder with CIFAR's batches?"""
    return (path.is_file() and path.suffix.lower() == ".npz") or (
        path.is_dir() and any(path.glob("data_batch_*"))
    )


def read_arrays(path: Path) -> Arrays:
    """The pictures in a folder of batches, or in an .npz.

    The latter has x_train, y_train, x_test, y_test and the classes' names, `classes`.
    """
    if path.is_file():
        found = _npz(path)
    elif any(path.glob("data_batch_*.bin")):
        found = _batches(path, ".bin", _binary_batch, _lines(path / "batches.meta.txt"))
    else:
        meta = path / "batches.meta"
        found = _batches(path, "", _python_batch, _texts(_unpickle(meta), "label_names", meta))
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


def _batches(
    folder: Path, ending: str, read: Callable[[Path], Labelled], classes: list[str]
) -> Arrays:
    train = sorted(folder.glob(f"data_batch_[0-9]{ending}"))
    test = sorted(folder.glob(f"test_batch{ending}"))
    if not train:
        raise DataError(f"{folder}: no data_batch_1{ending} in it.")
    splits = {}
    for split, files in (("train", train), ("test", test)):
        parts = [read(file) for file in files]
        if parts:
            pictures, labels = zip(*parts, strict=True)
            splits[split] = Labelled(np.concatenate(pictures), np.concatenate(labels))
    return Arrays(splits, classes)


def _binary_batch(path: Path) -> Labelled:
    data = np.frombuffer(_bytes(path), np.uint8)
    if len(data) % (1 + _BYTES):
        raise DataError(
            f"{path}: cut off or of another kind: {len(data)} bytes are no whole number of "
            f"{1 + _BYTES}-byte records."
        )
    records = data.reshape(-1, 1 + _BYTES)
    return Labelled(_planes_to_pictures(records[:, 1:]), records[:, 0].astype(np.int64))


def _python_batch(path: Path) -> Labelled:
    batch = _unpickle(path)
    data = batch.get("data")
    labels = batch.get("labels")
    labels = labels.values if isinstance(labels, _Array) else labels
    if not isinstance(data, _Array) or data.values.shape[1:] != (_BYTES,):
        raise DataError(f"{path}: no data of shape (N, {_BYTES}) in it.")
    if isinstance(labels, list) and not all(isinstance(one, int) for one in labels):
        labels = None
    if labels is None:
        raise DataError(f"{path}: no labels in it.")
    planes = data.values.astype(np.uint8)
    return Labelled(_planes_to_pictures(planes), np.asarray(labels, np.int64).reshape(-1))


def _planes_to_pictures(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 3072), all red, all green, all blue, to (N, 32, 32, 3)."""
    return planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _lines(path: Path) -> list[str]:
    text = _bytes(path).decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _texts(table: dict[str, Any], key: str, path: Path) -> list[str]:
    found = table.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise DataError(f"{path}: no {key} in it.")
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def _unpickle(path: Path) -> dict[str, Any]:
    """The table in a pickle; its keys may have been Python 2's texts or bytes."""
    data = _bytes(path)
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

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_column, data = state
        self.fill(data, kind, shape, "F" if by_column else "C")

    def fill(self, data: Any, kind: _Kind, shape: tuple[int, ...], order: Any) -> None:
        raw = data.encode("latin1") if isinstance(data, str) else bytes(data)
        self.values = np.frombuffer(raw, kind.dtype()).reshape(shape, order=order)


class _PlainUnpickler(pickle.Unpickler):
    """Knows arrays of whole numbers by the names that NumPy gave their parts over the years."""

    def find_class(self, module: str, name: str) -> Any:
        place = module.replace("numpy._core", "numpy.core"), name
        known = {
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Kind,
            ("numpy.core.multiarray", "_reconstruct"): self._empty,
            ("numpy.core.numeric", "_frombuffer"): self._filled,
            ("_codecs", "encode"): self._encoded,  # how Python 3 writes bytes for Python 2
        }
        if place not in known:
            raise _RefusedError(f"it asks for {module}.{name}, which no picture needs")
        return known[place]

    def _empty(self, *_: object) -> _Array:
        return _Array()

    def _filled(
        self, data: Any, kind: _Kind, shape: tuple[int, ...], order: str, *_: object
    ) -> _Array:
        array = _Array()
        array.fill(data, kind, shape, order)
        return array

    def _encoded(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise _RefusedError(f"bytes written as {encoding}")
        return text.encode("latin1")
