"""Evaluation sets made from a tiny made-up source: pictures, splits, hashes, refusals."""

import importlib.util
import io
import json
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "sets.py"


@pytest.fixture
def sets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clones(tmp_path: Path, sets: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with one picture of 300 x 200, and the list of a set that holds it."""
    source = tmp_path / "clones" / "codec-corpus" / "a b.png"
    source.parent.mkdir(parents=True)
    ramp = np.linspace(0, 255, 300 * 200 * 3).reshape(200, 300, 3).astype(np.uint8)
    Image.fromarray(ramp).save(source)
    file = source.read_bytes()
    pixels = sets.pixels_hash(sets.smaller(file, sets.SETS["portraits"]))
    line = ["x/a.jpg", "test", "codec-corpus/a b.png", sets.digits(file), pixels]
    (tmp_path / "portraits.tsv").write_text("\t".join(line) + "\n", "utf-8")
    monkeypatch.setattr(sets, "LISTS", tmp_path)
    return tmp_path / "clones"


def run(sets: ModuleType, clones: Path, out: Path) -> int:
    return int(sets.main(["portraits", "--from", str(clones), "-o", str(out)]))


def test_makes_a_set_with_its_splits(sets: ModuleType, clones: Path, tmp_path: Path) -> None:
    assert run(sets, clones, tmp_path / "out") == 0
    with tarfile.open(tmp_path / "out" / "portraits.tar") as tar:
        picture = tar.extractfile("x/a.jpg")
        splits = tar.extractfile("splits.json")
        assert picture is not None
        assert splits is not None
        assert Image.open(io.BytesIO(picture.read())).size == (168, 112)
        assert json.load(splits) == {"splits": {"test": ["x/a.jpg"]}}


def test_other_pixels_are_told(
    sets: ModuleType, clones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "portraits.tsv"
    line = listed.read_text("utf-8").rstrip()
    listed.write_text(line[:-16] + "0" * 16 + "\n", "utf-8")
    assert run(sets, clones, tmp_path / "out") == 1
    assert "1 with other pixels than listed" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["missing", "changed"])
def test_another_source_is_refused_with_what_to_clone(
    sets: ModuleType, clones: Path, tmp_path: Path, change: str
) -> None:
    source = clones / "codec-corpus" / "a b.png"
    source.unlink() if change == "missing" else source.write_bytes(b"other")
    with pytest.raises(SystemExit, match=r"a b\.png.*git clone \S+/imazen/codec-corpus"):
        run(sets, clones, tmp_path / "out")
    assert not (tmp_path / "out" / "portraits.tar").exists()


def test_every_set_is_listed_and_its_repositories_are_known(sets: ModuleType) -> None:
    counts = {name: len(sets.rows(name)) for name in sets.SETS}
    assert counts["eval-kodak"] == 24
    assert counts["eval-diverse"] == 200
    assert all(sets.clone_line(row.source) for name in sets.SETS for row in sets.rows(name))


def test_cifar_comes_from_the_first_rows_of_files_cut_short(
    sets: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / sets.CIFAR
    folder.mkdir(parents=True)
    pixels = np.arange(3072 * 1000, dtype=np.uint32).astype(np.uint8)
    labels = b"".join(b"K" + bytes([n % 10]) for n in range(10000))
    size = (10000 * 3072).to_bytes(4, "little")
    file = b"\x80\x02}U\x06labelsq\x04]q\x05(" + labels + b"eU\x04dataT" + size + pixels.tobytes()
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(file)
    sets.main(["cifar10", "--from", str(tmp_path), "-o", str(tmp_path)])
    made = np.load(tmp_path / "cifar10.npz")
    assert made["y_train"][:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert np.array_equal(made["x_test"][7, 0, 0], pixels.reshape(1000, 3, 32, 32)[7, :, 0, 0])
