"""The set of flowers made from a tiny made-up clone: splits, near-duplicates, held-out pictures."""

import importlib.util
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import opsin.sets.listing
from opsin.sets.listing import Picture, look

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "labelled.py"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Parts of a photograph as 16 flowers, half of them there again in another class and size."""
    photo = data.astronaut()
    for number in range(16):
        top, left = divmod(number, 4)
        part = Image.fromarray(photo[top * 128 : top * 128 + 128, left * 128 : left * 128 + 128])
        folder = tmp_path / "clone" / "flowers" / "train" / ("roses", "tulips")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        part.save(folder / f"{number}.png")
        if number < 8:
            again = tmp_path / "clone" / "flowers" / "val" / "daisy"
            again.mkdir(parents=True, exist_ok=True)
            part.resize((96, 96)).save(again / f"{number}.jpg", quality=90)
    return tmp_path / "clone"


def made(clone: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The split of each picture of the set."""
    spec = importlib.util.spec_from_file_location("labelled", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr("sys.argv", ["x", "flowers", "--from", str(clone), "-o", str(out)])
    module.main()
    with tarfile.open(out) as tar:
        told = tar.extractfile("splits.json")
        assert told is not None
        splits = json.load(told)["splits"]
        found = {name: split for split, names in splits.items() for name in names}
        assert found.keys() == set(tar.getnames()) - {"splits.json"}
    return found


def test_near_duplicates_are_in_one_split(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = made(clone, tmp_path / "flowers.tar", monkeypatch)
    assert len(of) == 24
    assert "test" in of.values()
    for number in range(8):
        flower = ("roses", "tulips")[number % 2]
        assert of[f"daisy/{number}.jpg"] == of[f"{flower}/{number}.png"]


def test_pictures_of_the_evaluation_are_left_out(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clone / "flowers" / "train" / "roses" / "0.png"
    held = look(Picture(str(file), 0, file.stat().st_size, file.name)).hash
    monkeypatch.setattr(
        opsin.sets.listing, "held_out_hashes", lambda: np.array([held], dtype=np.uint64)
    )
    names = made(clone, tmp_path / "flowers.tar", monkeypatch)
    assert "roses/0.png" not in names
    assert "daisy/0.jpg" not in names
    assert "tulips/1.png" in names
